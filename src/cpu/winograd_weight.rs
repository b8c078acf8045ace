//! Gradients of the filters of 3×3 convolutions with step 1 by minimal filtering: what [`winograd`](super::winograd)
//! computes, backwards to the filters (Lavin & Gray 2016). Of `y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A` for each tile the
//! gradient is `dg = Gᵀ [Σ (A dy Aᵀ) ⊙ (Bᵀ d B)] G`, with the sum over all tiles: at each point a product of matrices
//! whose inner dimension are the tiles.
//!
//! Channels and filters lie side by side in vector registers, so that tiles of any map fill them. Transformed tiles are
//! made for a band at a time. Sums have the same order on any number of threads: that of the tiles, in blocks.

#![expect(clippy::needless_range_loop, reason = "indices of small arrays, each of several or in both dimensions")]

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::microkernel::{COLUMNS, TransposedProduct, blocks, widest};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::transforms::Transform;
use crate::parallel::*;

/// Tiles of a block, if a row of tiles is no longer: those of 3 vectors of channels stay in the nearest cache.
const TILES: usize = 128;
/// Values between the matrices of two points: were they a power of two apart, all would fall into the same lines of a
/// cache.
const GAP: usize = 16;
/// The lanes of the widest vectors.
const MOST_LANES: usize = 16;
/// Values of transformed tiles that are made at once, for all cores: 32 MiB.
const BAND: usize = 1 << 23;

/// A 3×3 convolution with step 1, whose filters' gradient is wanted.
pub(super) struct Convolution {
    pub images: usize,
    pub channels: usize,
    pub filters: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub padding: [usize; 2],
}

/// How tiles and sums are cut into parts, for vectors of this many lanes.
#[derive(Clone, Copy)]
struct Layout {
    lanes: usize,
    /// The most vectors of a panel of channels.
    widest: usize,
    points: usize,
    /// Tiles in a row of tiles, and rows of tiles of one image and of all.
    columns: usize,
    rows: usize,
    lines: usize,
    /// Blocks of whole rows of tiles, and the most tiles of one.
    blocks: usize,
    tiles: usize,
    /// Channels and filters, rounded up.
    channels: usize,
    filters: usize,
    /// Filters whose sums a task makes.
    group: usize,
}

/// Some channels or filters of a block of tiles, transformed: `[point][tile][width]`.
#[derive(Clone, Copy)]
struct Panel {
    /// Where it begins in its block.
    start: usize,
    /// The first channel or filter, and how many there are.
    first: usize,
    width: usize,
}

impl Layout {
    fn new<S: Simd>(conv: &Convolution, side: usize) -> Self {
        let lanes = S::F32_LANES;
        let [rows, columns] = conv.output.map(|size| size.div_ceil(side));
        let lines = conv.images * rows;
        let blocks = lines.div_ceil((TILES / columns).max(1));
        Layout {
            lanes,
            widest: widest::<S>(),
            points: (side + 2) * (side + 2),
            columns,
            rows,
            lines,
            blocks,
            tiles: lines.div_ceil(blocks) * columns,
            channels: conv.channels.next_multiple_of(lanes),
            filters: conv.filters.next_multiple_of(COLUMNS),
            group: COLUMNS,
        }
        .grouped()
    }

    /// With groups of filters as large as leave a few tasks for each thread: a task reads all tiles of its channels. How
    /// filters are grouped changes no number.
    fn grouped(self) -> Self {
        let groups = (4 * current_num_threads()).div_ceil(self.pairs());
        let group = self.filters.div_ceil(groups).next_multiple_of(COLUMNS);
        Layout { group: group.min(8 * COLUMNS), ..self }
    }

    /// The rows of tiles of a block.
    fn block(self, block: usize) -> Range<usize> {
        block * self.lines / self.blocks..(block + 1) * self.lines / self.blocks
    }

    fn panel_length(self, width: usize) -> usize {
        self.points * (self.tiles * width + GAP)
    }

    /// The panels of channels of a block, which are followed by those of filters.
    fn channel_panels(self) -> impl Iterator<Item = Panel> + Clone {
        let mut end = 0;
        blocks(self.channels / self.lanes, self.widest).map(move |(first, vectors)| {
            let width = vectors * self.lanes;
            let start = end;
            end += self.panel_length(width);
            Panel { start, first: first * self.lanes, width }
        })
    }

    fn filter_panels(self) -> impl Iterator<Item = Panel> + Clone {
        let before: usize = self.channel_panels().map(|panel| self.panel_length(panel.width)).sum();
        let length = self.panel_length(COLUMNS);
        (0..self.filters / COLUMNS).map(move |i| Panel {
            start: before + i * length,
            first: i * COLUMNS,
            width: COLUMNS,
        })
    }

    fn block_length(self) -> usize {
        let panels = self.channel_panels().chain(self.filter_panels());
        panels.map(|panel| self.panel_length(panel.width)).sum()
    }

    /// Pairs of panels of channels.
    fn pairs(self) -> usize {
        self.channel_panels().count().div_ceil(2)
    }
}

/// Tiles of `M`×`M` outputs from `P`×`P` inputs.
pub(super) fn backward_weight<T: Transform<P, M>, const P: usize, const M: usize>(
    conv: &Convolution,
    x: &[f32],
    dy: &[f32],
    dweight: &mut [f32],
    scratch: &Scratch,
) {
    Arch::new().dispatch(Backward::<T, P, M> { conv, x, dy, dweight, scratch, transform: PhantomData });
}

struct Backward<'a, T, const P: usize, const M: usize> {
    conv: &'a Convolution,
    x: &'a [f32],
    dy: &'a [f32],
    dweight: &'a mut [f32],
    scratch: &'a Scratch,
    transform: PhantomData<T>,
}

impl<T: Transform<P, M>, const P: usize, const M: usize> WithSimd for Backward<'_, T, P, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { conv, x, dy, dweight, scratch, .. } = self;
        let layout = Layout::new::<S>(conv, M);
        let dweight = SharedOutput::new(dweight);
        let band = (BAND / layout.block_length()).clamp(1, layout.blocks);
        let bands = layout.blocks.div_ceil(band);
        // Sums that no later band adds to are needed while their task runs only.
        let kept = if bands > 1 { P * P * layout.channels * layout.filters } else { 0 };
        scratch.with(band * layout.block_length() + kept, |memory| {
            let (tiles, sums) = memory.split_at_mut(band * layout.block_length());
            let sums = SharedOutput::new(sums);
            for index in 0..bands {
                let blocks = index * layout.blocks / bands..(index + 1) * layout.blocks / bands;
                transform_tiles::<S, T, P, M>(simd, conv, layout, [x, dy], blocks.clone(), tiles, scratch);
                let step = Step { layout, tiles, blocks, is_first: index == 0, is_last: index + 1 == bands };
                step.run::<S, T, P, M>(simd, conv, (bands > 1).then_some(sums), dweight, scratch);
            }
        });
    }
}

/// Transforms the tiles of some blocks.
fn transform_tiles<S: Simd, T: Transform<P, M>, const P: usize, const M: usize>(
    simd: S,
    conv: &Convolution,
    layout: Layout,
    [x, dy]: [&[f32]; 2],
    blocks: Range<usize>,
    tiles: &mut [f32],
    scratch: &Scratch,
) {
    let (of_channels, of_filters) = (layout.channel_panels().count(), layout.filter_panels().count());
    let tiles = SharedOutput::new(tiles);
    (0..blocks.len() * (of_channels + of_filters)).into_par_iter().for_each(|task| {
        let (block, index) = (task / (of_channels + of_filters), task % (of_channels + of_filters));
        let Some(panel) = layout.channel_panels().chain(layout.filter_panels()).nth(index) else { return };
        let start = block * layout.block_length() + panel.start;
        // SAFETY: the panels lie one behind the other.
        let tiles = unsafe { tiles.part(start..start + layout.panel_length(panel.width)) };
        let lines = layout.block(blocks.start + block);
        if index < of_channels {
            let planes = Planes { data: x, count: conv.channels, size: conv.input, padding: conv.padding };
            let width = M * layout.columns + P - M;
            scratch.with(P * width * panel.width, |window| {
                let transform = PhantomData;
                simd.vectorize(TransformTiles::<T, P, M, false> {
                    planes,
                    layout,
                    lines,
                    panel,
                    width,
                    window,
                    tiles,
                    transform,
                });
            });
        } else {
            let planes = Planes { data: dy, count: conv.filters, size: conv.output, padding: [0, 0] };
            let width = M * layout.columns;
            scratch.with(M * width * panel.width, |window| {
                let transform = PhantomData;
                simd.vectorize(TransformTiles::<T, P, M, true> {
                    planes,
                    layout,
                    lines,
                    panel,
                    width,
                    window,
                    tiles,
                    transform,
                });
            });
        }
    });
}

/// Images, and the zeros that are thought around them.
#[derive(Clone, Copy)]
struct Planes<'a> {
    data: &'a [f32],
    /// Planes of an image.
    count: usize,
    size: [usize; 2],
    padding: [usize; 2],
}

impl Planes<'_> {
    /// Rows of an image from `top` on, with the planes of a panel side by side: `[row][column][plane]`. `window` was zero
    /// at first, so that columns beside the image and what is behind the last plane are so.
    #[inline(always)]
    fn gather(&self, image: usize, top: usize, panel: Panel, width: usize, window: &mut [f32]) {
        let [h, w] = self.size;
        let present = panel.width.min(self.count.saturating_sub(panel.first));
        for (i, row) in window.chunks_exact_mut(width * panel.width).enumerate() {
            let Some(y) = (top + i).checked_sub(self.padding[0]).filter(|&y| y < h) else {
                row.fill(0.0);
                continue;
            };
            let row = &mut row[self.padding[1] * panel.width..];
            let columns = w.min(width - self.padding[1]);
            let line = |plane: usize| {
                let plane = image * self.count + panel.first + plane;
                &self.data[(plane * h + y) * w..][..columns]
            };
            // Four planes at once: single values written far apart are slow.
            for plane in (0..present / 4 * 4).step_by(4) {
                let [a, b, c, d] = [line(plane), line(plane + 1), line(plane + 2), line(plane + 3)];
                for (column, to) in row.chunks_exact_mut(panel.width).take(columns).enumerate() {
                    to[plane..][..4].copy_from_slice(&[a[column], b[column], c[column], d[column]]);
                }
            }
            for plane in present / 4 * 4..present {
                for (to, from) in row.chunks_exact_mut(panel.width).zip(line(plane)) {
                    to[plane] = *from;
                }
            }
        }
    }
}

/// Windows of `P`×`P` inputs, or (`DY`) tiles of `M`×`M` gradients of outputs, to `P`×`P` points.
struct TransformTiles<'a, T, const P: usize, const M: usize, const DY: bool> {
    planes: Planes<'a>,
    layout: Layout,
    lines: Range<usize>,
    panel: Panel,
    /// Columns of the window that a row of tiles is made of.
    width: usize,
    window: &'a mut [f32],
    tiles: &'a mut [f32],
    transform: PhantomData<T>,
}

impl<T: Transform<P, M>, const P: usize, const M: usize, const DY: bool> WithSimd for TransformTiles<'_, T, P, M, DY> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TransformTiles { planes, layout, lines, panel, width, window, tiles, .. } = self;
        let (lanes, of_point) = (S::F32_LANES, layout.tiles * panel.width + GAP);
        let vectors = panel.width / lanes;
        window.fill(0.0);
        for (number, line) in lines.enumerate() {
            let (image, top) = (line / layout.rows, line % layout.rows * M);
            planes.gather(image, top, panel, width, window);
            let window = S::as_simd_f32s(window).0;
            for column in 0..layout.columns {
                let first = (number * layout.columns + column) * panel.width;
                for vector in 0..vectors {
                    let window = &window[M * column * vectors + vector..];
                    let points = Self::transform(simd, width * vectors, vectors, window);
                    for (point, value) in points.into_iter().flatten().enumerate() {
                        let at = point * of_point + first + vector * lanes;
                        S::as_mut_simd_f32s(&mut tiles[at..][..lanes]).0[0] = value;
                    }
                }
            }
        }
    }
}

impl<T: Transform<P, M>, const P: usize, const M: usize, const DY: bool> TransformTiles<'_, T, P, M, DY> {
    /// The points of a tile whose neighbours down and across are `below` and `beside` vectors apart.
    #[inline(always)]
    fn transform<S: Simd>(simd: S, below: usize, beside: usize, window: &[S::f32s]) -> [[S::f32s; P]; P] {
        let zero = simd.splat_f32s(0.0);
        let mut columns = [[zero; P]; P];
        let mut points = [[zero; P]; P];
        if DY {
            for x in 0..M {
                let mut dy = [zero; M];
                for y in 0..M {
                    dy[y] = window[y * below + x * beside];
                }
                columns[x] = T::output_gradient(simd, dy);
            }
            for i in 0..P {
                let mut dy = [zero; M];
                for x in 0..M {
                    dy[x] = columns[x][i];
                }
                points[i] = T::output_gradient(simd, dy);
            }
        } else {
            for x in 0..P {
                let mut d = [zero; P];
                for y in 0..P {
                    d[y] = window[y * below + x * beside];
                }
                columns[x] = T::input(simd, d);
            }
            for i in 0..P {
                let mut d = [zero; P];
                for x in 0..P {
                    d[x] = columns[x][i];
                }
                points[i] = T::input(simd, d);
            }
        }
        points
    }
}

/// The sums over the tiles of some blocks.
struct Step<'a> {
    layout: Layout,
    tiles: &'a [f32],
    blocks: Range<usize>,
    is_first: bool,
    is_last: bool,
}

impl Step<'_> {
    /// Adds the products of all blocks to the sums; after the last ones, transforms these to the gradient.
    fn run<S: Simd, T: Transform<P, M>, const P: usize, const M: usize>(
        &self,
        simd: S,
        conv: &Convolution,
        kept: Option<SharedOutput>,
        dweight: SharedOutput,
        scratch: &Scratch,
    ) {
        let layout = self.layout;
        let pairs = layout.pairs();
        (0..pairs * layout.filters.div_ceil(layout.group)).into_par_iter().for_each(|task| {
            let (pair, group) = (task % pairs, task / pairs * layout.group);
            let filters = group..(group + layout.group).min(layout.filters);
            let panels = layout.channel_panels().skip(2 * pair).take(2);
            let first = panels.clone().next().map_or(0, |panel| panel.first);
            let channels = first..panels.last().map_or(0, |panel| panel.first + panel.width);
            let length = P * P * filters.len() * channels.len();
            let run = |sums: &mut [f32]| {
                let (filters, channels) = (filters.clone(), channels.clone());
                let transform = PhantomData;
                simd.vectorize(Sums::<T, P, M> { step: self, conv, pair, filters, channels, sums, dweight, transform });
            };
            match kept {
                Some(sums) => {
                    let start = P * P * (filters.start * layout.channels + filters.len() * channels.start);
                    // SAFETY: the sums of the tasks lie one behind the other.
                    run(unsafe { sums.part(start..start + length) });
                }
                None => scratch.with(length, run),
            }
        });
    }
}

/// The sums of some filters and channels.
struct Sums<'a, T, const P: usize, const M: usize> {
    step: &'a Step<'a>,
    conv: &'a Convolution,
    /// Which panels of channels.
    pair: usize,
    filters: Range<usize>,
    channels: Range<usize>,
    /// `[point][filter][channel]`.
    sums: &'a mut [f32],
    dweight: SharedOutput<'a>,
    transform: PhantomData<T>,
}

impl<T: Transform<P, M>, const P: usize, const M: usize> WithSimd for Sums<'_, T, P, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let points = self.filters.len() * self.channels.len();
        for point in 0..P * P {
            for block in self.step.blocks.clone() {
                self.multiply(simd, point, block, point * points..(point + 1) * points);
            }
        }
        if self.step.is_last {
            self.transform(simd);
        }
    }
}

impl<T: Transform<P, M>, const P: usize, const M: usize> Sums<'_, T, P, M> {
    /// The products of a block at a point, whose sums are at `place`.
    #[inline(always)]
    fn multiply<S: Simd>(&mut self, simd: S, point: usize, block: usize, place: Range<usize>) {
        let Step { layout, tiles, blocks, is_first, .. } = self.step;
        let accumulate = !is_first || block > blocks.start;
        let tiles = &tiles[(block - blocks.start) * layout.block_length()..][..layout.block_length()];
        let count = layout.block(block).len() * layout.columns;
        let sums = &mut self.sums[place];
        let at_point =
            |panel: Panel| &tiles[panel.start + point * (layout.tiles * panel.width + GAP)..][..count * panel.width];
        for channels in layout.channel_panels().skip(2 * self.pair).take(2) {
            let b = at_point(channels);
            let group = self.filters.start / COLUMNS..self.filters.end / COLUMNS;
            for (index, filters) in layout.filter_panels().skip(group.start).take(group.len()).enumerate() {
                let c_stride = self.channels.len();
                let first = index * COLUMNS * c_stride + channels.first - self.channels.start;
                let product = TransposedProduct {
                    a: at_point(filters),
                    b,
                    c: &mut sums[first..],
                    c_stride,
                    vectors: channels.width / S::F32_LANES,
                    accumulate,
                };
                product.run(simd);
            }
        }
    }

    /// From the sums to the gradient.
    #[inline(always)]
    fn transform<S: Simd>(&self, simd: S) {
        let (conv, width, lanes) = (self.conv, self.channels.len(), S::F32_LANES);
        let of_point = self.filters.len() * width;
        let zero = simd.splat_f32s(0.0);
        let mut taps = [[0.0f32; MOST_LANES]; 9];
        for (index, filter) in self.filters.clone().take_while(|&filter| filter < conv.filters).enumerate() {
            for start in (0..width).step_by(lanes) {
                let mut rows = [[zero; 3]; P];
                for i in 0..P {
                    let mut row = [zero; P];
                    for j in 0..P {
                        let at = (i * P + j) * of_point + index * width + start;
                        row[j] = S::as_simd_f32s(&self.sums[at..][..lanes]).0[0];
                    }
                    rows[i] = T::filter_gradient(simd, row);
                }
                for x in 0..3 {
                    let mut column = [zero; P];
                    for i in 0..P {
                        column[i] = rows[i][x];
                    }
                    for (y, value) in T::filter_gradient(simd, column).into_iter().enumerate() {
                        S::as_mut_simd_f32s(&mut taps[3 * y + x][..lanes]).0[0] = value;
                    }
                }
                let channel = self.channels.start + start;
                let present = lanes.min(conv.channels.saturating_sub(channel));
                let first = 9 * (filter * conv.channels + channel);
                // SAFETY: no two tasks have both a filter and a channel in common.
                let dweight = unsafe { self.dweight.part(first..first + 9 * present) };
                for (lane, dweight) in dweight.as_chunks_mut::<9>().0.iter_mut().enumerate() {
                    for (dweight, tap) in dweight.iter_mut().zip(&taps) {
                        *dweight = tap[lane];
                    }
                }
            }
        }
    }
}

//! 3×3 convolutions with step 1 by minimal filtering, F(2×2, 3×3) and F(4×4, 3×3) (Lavin & Gray, "Fast Algorithms for
//! Convolutional Neural Networks", CVPR 2016): 2.25 and 4 times fewer multiplications than a direct convolution.
//!
//! The output is cut into tiles of 2×2 or 4×4. A tile's input and each filter are transformed to 4×4 or 6×6 points; at
//! each point the convolution is a matrix product over the channels; its result is transformed back. Tiles lie side by
//! side in vector registers. Filters are transformed in every run, a block at a time: about a tenth of the work,
//! while transformed ones would take 1.8 or 4 times the memory of the filters.

#![expect(clippy::needless_range_loop, reason = "indices of small arrays, each of several or in both dimensions")]

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::activation::chain;
use super::epilogue::{After, finish};
use super::microkernel::{Product, blocks, widest};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::transforms::Transform;
use crate::ops::Activation;
use crate::parallel::*;

/// Channels whose filters are transformed at once. With the next two it sets what a core works on, 0.7 MB.
const CHANNELS: usize = 64;
/// Filters of a block. Each transformed input is read once for a block: with few of them that takes longer than the
/// products.
const FILTERS: usize = 32;
/// The most tiles of a block: two or four times 3 vectors.
const TILES: usize = 96;
/// Values between the matrices of two points: were they a power of two apart, all would fall into the same lines of a
/// cache.
const GAP: usize = 16;
/// Values of transformed input that are made at once, for all cores: 8 MiB.
const BAND: usize = 1 << 21;

/// A 3×3 convolution with step 1, forward, or backward to its input: then filters and channels change places, filters
/// are turned by 180°, and the padding is `2 − padding`.
pub(super) struct Convolution<'a> {
    pub images: usize,
    pub channels: usize,
    pub filters: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub padding: [usize; 2],
    pub weight: &'a [f32],
    pub backward: bool,
    /// None is zero.
    pub after: Option<After<'a>>,
    /// What the gradient of the activation sees, if the result comes back through that.
    pub seen: Option<&'a [f32]>,
    pub activation: Option<Activation>,
}

/// Consecutive tiles that a core works on at once, `width` of them with those that fill up the last vector.
#[derive(Clone)]
struct Block {
    tiles: Range<usize>,
    width: usize,
}

/// Tiles of a block that lie side by side in a row of tiles.
struct Run {
    image: usize,
    row: usize,
    columns: Range<usize>,
    /// The place of the first in its block.
    place: usize,
}

/// How the output is cut into tiles.
#[derive(Clone, Copy)]
struct Tiling {
    rows: usize,
    columns: usize,
    images: usize,
}

impl Tiling {
    fn new(size: [usize; 2], images: usize, side: usize) -> Self {
        Tiling { rows: size[0].div_ceil(side), columns: size[1].div_ceil(side), images }
    }

    /// Blocks of nearly the same number of vectors.
    fn blocks(self, lanes: usize) -> impl Iterator<Item = Block> {
        let tiles = self.images * self.rows * self.columns;
        let vectors = tiles.div_ceil(lanes);
        let count = vectors.div_ceil(TILES / lanes);
        (0..count).map(move |i| {
            let first = i * vectors / count * lanes;
            let end = (i + 1) * vectors / count * lanes;
            Block { tiles: first..end.min(tiles), width: end - first }
        })
    }

    fn runs(self, block: &Block) -> impl Iterator<Item = Run> {
        let tiles = block.tiles.clone();
        (tiles.start / self.columns..tiles.end.div_ceil(self.columns)).map(move |line| {
            let first = tiles.start.max(line * self.columns);
            let end = tiles.end.min((line + 1) * self.columns);
            Run {
                image: line / self.rows,
                row: line % self.rows,
                columns: first - line * self.columns..end - line * self.columns,
                place: first - tiles.start,
            }
        })
    }
}

/// Tiles of `M`×`M` outputs from `P`×`P` inputs.
pub(super) fn forward<T: Transform<P, M>, const P: usize, const M: usize>(
    conv: &Convolution,
    x: &[f32],
    y: &mut [f32],
    scratch: &Scratch,
) {
    Arch::new().dispatch(Forward::<T, P, M> { conv, x, y, scratch, transform: std::marker::PhantomData });
}

struct Forward<'a, T, const P: usize, const M: usize> {
    conv: &'a Convolution<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
    scratch: &'a Scratch,
    transform: std::marker::PhantomData<T>,
}

impl<T: Transform<P, M>, const P: usize, const M: usize> WithSimd for Forward<'_, T, P, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { conv, x, y, scratch, .. } = self;
        let tiling = Tiling::new(conv.output, conv.images, M);
        let y = SharedOutput::new(y);
        let mut blocks = tiling.blocks(S::F32_LANES).peekable();
        let mut band: [Block; 64] = std::array::from_fn(|_| Block { tiles: 0..0, width: 0 });
        while blocks.peek().is_some() {
            let (mut count, mut length) = (0, 0);
            let needed = |block: &Block| input_length(P * P, conv.channels, block.width);
            while let Some(block) = blocks.next_if(|b| count == 0 || count < 64 && length + needed(b) <= BAND) {
                length += needed(&block);
                band[count] = block;
                count += 1;
            }
            let band = &band[..count];
            scratch.with(length, |v| {
                transform_input::<S, T, P, M>(simd, conv, tiling, x, band, v);
                multiply::<S, T, P, M>(simd, conv, tiling, band, v, y, scratch);
            });
        }
    }
}

/// How long the transformed input of a block is, up to this channel.
fn input_length(points: usize, channels: usize, width: usize) -> usize {
    points * (channels * width + channels.div_ceil(CHANNELS) * GAP)
}

/// How long the transformed input of the blocks before one is.
fn start_of(before: &[Block], points: usize, channels: usize) -> usize {
    before.iter().map(|block| input_length(points, channels, block.width)).sum()
}

/// The transformed input of some blocks: `[block][CHANNELS][point][vectors of a product][channel][tile]`.
fn transform_input<S: Simd, T: Transform<P, M>, const P: usize, const M: usize>(
    simd: S,
    conv: &Convolution,
    tiling: Tiling,
    x: &[f32],
    band: &[Block],
    v: &mut [f32],
) {
    let v = SharedOutput::new(v);
    let pieces = conv.channels.div_ceil(CHANNELS);
    // Neighbouring tasks on one thread, which then finds in its caches what it has transformed.
    (0..band.len() * pieces).into_par_iter().for_each(|task| {
        let (index, start) = (task / pieces, task % pieces * CHANNELS);
        let channels = start..(start + CHANNELS).min(conv.channels);
        let before = start_of(&band[..index], P * P, conv.channels);
        let [from, to] =
            [channels.start, channels.end].map(|channel| before + input_length(P * P, channel, band[index].width));
        // SAFETY: the pieces lie one behind the other.
        let v = unsafe { v.part(from..to) };
        let transform = std::marker::PhantomData;
        simd.vectorize(TransformInput::<T, P, M> { conv, tiling, x, block: &band[index], channels, v, transform });
    });
}

struct TransformInput<'a, T, const P: usize, const M: usize> {
    conv: &'a Convolution<'a>,
    tiling: Tiling,
    x: &'a [f32],
    block: &'a Block,
    channels: Range<usize>,
    v: &'a mut [f32],
    transform: std::marker::PhantomData<T>,
}

/// The lanes of the widest vectors.
const MOST_LANES: usize = 16;
/// Columns of a run's input in a row of scratch memory: those of `TILES` tiles of 4, and room for a whole vector.
const LINE: usize = 4 * TILES + 64;
/// A row above or below the input.
static ZEROS: [f32; LINE] = [0.0; LINE];
/// Tiles of a staged row, and room for a whole vector.
const STAGE: usize = TILES + 32;

impl<T: Transform<P, M>, const P: usize, const M: usize> WithSimd for TransformInput<'_, T, P, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TransformInput { conv, tiling, x, block, channels, v, .. } = self;
        let [h, w] = conv.input;
        let lanes = S::F32_LANES;
        let (mut lines, mut last) = ([[0.0f32; LINE]; P], [[0.0f32; LINE]; P]);
        let mut planar = [[0.0f32; STAGE]; M];
        let mut stage = [[[0.0f32; STAGE]; P]; P];
        let count = channels.len();
        for (index, channel) in channels.enumerate() {
            for run in tiling.runs(block) {
                let tiles = run.columns.len();
                let length = M * tiles + 2;
                let left = (M * run.columns.start) as isize - conv.padding[1] as isize;
                let before = (-left).clamp(0, length as isize) as usize;
                let inside = (w as isize - left).clamp(before as isize, length as isize) as usize;
                // Down the columns that lie within the input; the others stay zero.
                let first = (left + before as isize) as usize;
                let rounded = (inside - before).next_multiple_of(lanes);
                let mut rows = [&ZEROS[..]; P];
                for (i, (row, last)) in rows.iter_mut().zip(&mut last).enumerate() {
                    if let Some(y) = (M * run.row + i).checked_sub(conv.padding[0]).filter(|&y| y < h)
                        && inside > before
                    {
                        let start = ((run.image * conv.channels + channel) * h + y) * w + first;
                        // What comes behind the row is overwritten below; at the very end of the input nothing does.
                        *row = x.get(start..start + rounded).unwrap_or_else(|| {
                            last[..inside - before].copy_from_slice(&x[start..start + inside - before]);
                            last
                        });
                    }
                }
                for start in (0..rounded).step_by(lanes) {
                    let mut d = [simd.splat_f32s(0.0); P];
                    for i in 0..P {
                        d[i] = load::<S>(&rows[i][start..]);
                    }
                    for (line, value) in lines.iter_mut().zip(T::input(simd, d)) {
                        store::<S>(&mut line[before + start..], value);
                    }
                }
                for line in &mut lines {
                    line[..before].fill(0.0);
                    line[inside..length].fill(0.0);
                }
                // Along the rows, with tiles side by side.
                for (i, line) in lines.iter().enumerate() {
                    // One tile more, for the columns that a tile shares with the next.
                    let groups = &line.as_chunks::<M>().0[..(tiles + 1).next_multiple_of(MOST_LANES)];
                    for (j, plane) in planar.iter_mut().enumerate() {
                        plane.iter_mut().zip(groups).for_each(|(value, group)| *value = group[j]);
                    }
                    for start in (0..tiles).step_by(lanes) {
                        let mut d = [simd.splat_f32s(0.0); P];
                        for j in 0..P {
                            d[j] = load::<S>(&planar[j % M][start + j / M..]);
                        }
                        for (stage, value) in stage[i].iter_mut().zip(T::input(simd, d)) {
                            store::<S>(&mut stage[run.place + start..], value);
                        }
                    }
                }
            }
            for (point, stage) in stage.as_flattened().iter().enumerate() {
                let v = &mut v[point * (count * block.width + GAP)..][..count * block.width];
                for (first, vectors) in blocks(block.width / lanes, widest::<S>()) {
                    let piece = &mut v[(first * count + index * vectors) * lanes..][..vectors * lanes];
                    for vector in 0..vectors {
                        store::<S>(&mut piece[vector * lanes..], load::<S>(&stage[(first + vector) * lanes..]));
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn load<S: Simd>(from: &[f32]) -> S::f32s {
    S::as_simd_f32s(&from[..S::F32_LANES]).0[0]
}

#[inline(always)]
fn store<S: Simd>(to: &mut [f32], value: S::f32s) {
    S::as_mut_simd_f32s(&mut to[..S::F32_LANES]).0[0] = value;
}

/// Products at all points, and the way back to the output.
fn multiply<S: Simd, T: Transform<P, M>, const P: usize, const M: usize>(
    simd: S,
    conv: &Convolution,
    tiling: Tiling,
    band: &[Block],
    v: &[f32],
    y: SharedOutput,
    scratch: &Scratch,
) {
    let filter_blocks = conv.filters.div_ceil(FILTERS);
    (0..band.len() * filter_blocks).into_par_iter().for_each(|task| {
        let (index, first) = (task / filter_blocks, task % filter_blocks * FILTERS);
        let start = start_of(&band[..index], P * P, conv.channels);
        let block = &band[index];
        let v = &v[start..][..input_length(P * P, conv.channels, block.width)];
        let filters = first..(first + FILTERS).min(conv.filters);
        let lengths = [CHANNELS, block.width].map(|columns| P * P * (FILTERS * columns + GAP));
        scratch.with(lengths[0] + lengths[1], |memory| {
            let (u, m) = memory.split_at_mut(lengths[0]);
            let task =
                Multiply::<T, P, M> { conv, tiling, block, filters, v, u, m, y, transform: std::marker::PhantomData };
            simd.vectorize(task);
        });
    });
}

struct Multiply<'a, T, const P: usize, const M: usize> {
    conv: &'a Convolution<'a>,
    tiling: Tiling,
    block: &'a Block,
    filters: Range<usize>,
    v: &'a [f32],
    /// Transformed filters: `[point][filter][channel]`.
    u: &'a mut [f32],
    /// Products: `[point][filter][tile]`.
    m: &'a mut [f32],
    y: SharedOutput<'a>,
    transform: std::marker::PhantomData<T>,
}

impl<T: Transform<P, M>, const P: usize, const M: usize> WithSimd for Multiply<'_, T, P, M> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (lanes, width) = (S::F32_LANES, self.block.width);
        for start in (0..self.conv.channels).step_by(CHANNELS) {
            let channels = start..(start + CHANNELS).min(self.conv.channels);
            self.transform_filters(simd, channels.clone());
            let count = channels.len();
            let v = &self.v[input_length(P * P, start, width)..];
            for point in 0..P * P {
                let v = &v[point * (count * width + GAP)..][..count * width];
                for (first, vectors) in blocks(width / lanes, widest::<S>()) {
                    let product = Product {
                        a: &self.u[point * (FILTERS * CHANNELS + GAP)..][..FILTERS * CHANNELS],
                        a_stride: CHANNELS,
                        b: &v[first * count * lanes..][..vectors * count * lanes],
                        c: &mut self.m[point * (FILTERS * width + GAP)..][first * lanes..FILTERS * width],
                        c_stride: width,
                        rows: self.filters.len(),
                        inner: count,
                        vectors,
                        accumulate: start > 0,
                    };
                    product.run(simd);
                }
            }
        }
        let mut stage = [[[0.0f32; STAGE]; M]; M];
        for (index, filter) in self.filters.clone().enumerate() {
            self.transform_output(simd, index, filter, &mut stage);
        }
    }
}

impl<T: Transform<P, M>, const P: usize, const M: usize> Multiply<'_, T, P, M> {
    #[inline(always)]
    fn transform_filters<S: Simd>(&mut self, simd: S, channels: Range<usize>) {
        let (conv, lanes) = (self.conv, S::F32_LANES);
        // How far apart filters and channels lie.
        let (of_filter, of_channel) = if conv.backward { (9, 9 * conv.filters) } else { (9 * conv.channels, 9) };
        let mut taps = [[0.0f32; MOST_LANES]; 9];
        // Filter by filter, so that a line of the caches is written by channels that follow each other.
        for (row, filter) in self.filters.clone().enumerate() {
            for start in (0..channels.len()).step_by(lanes) {
                for lane in 0..lanes.min(channels.len() - start) {
                    let at = filter * of_filter + (channels.start + start + lane) * of_channel;
                    let source: &[f32; 9] = conv.weight[at..].first_chunk().unwrap_or(&[0.0; 9]);
                    for tap in 0..9 {
                        taps[if conv.backward { 8 - tap } else { tap }][lane] = source[tap];
                    }
                }
                let zero = simd.splat_f32s(0.0);
                let mut columns = [[zero; P]; 3];
                for x in 0..3 {
                    let column = [load::<S>(&taps[x]), load::<S>(&taps[3 + x]), load::<S>(&taps[6 + x])];
                    columns[x] = T::filter(simd, column);
                }
                for i in 0..P {
                    let points = T::filter(simd, [columns[0][i], columns[1][i], columns[2][i]]);
                    for (j, value) in points.into_iter().enumerate() {
                        let at = (i * P + j) * (FILTERS * CHANNELS + GAP) + row * CHANNELS + start;
                        store::<S>(&mut self.u[at..], value);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn transform_output<S: Simd>(&self, simd: S, index: usize, filter: usize, stage: &mut [[[f32; STAGE]; M]; M]) {
        let (conv, lanes, width) = (self.conv, S::F32_LANES, self.block.width);
        let bias = simd.splat_f32s(conv.after.map_or(0.0, |after| after.bias[filter]));
        let zero = simd.splat_f32s(0.0);
        for start in (0..width).step_by(lanes) {
            let mut rows = [[zero; M]; P];
            for i in 0..P {
                let mut row = [zero; P];
                for j in 0..P {
                    row[j] = load::<S>(&self.m[(i * P + j) * (FILTERS * width + GAP) + index * width + start..]);
                }
                rows[i] = T::output(simd, row);
            }
            for x in 0..M {
                let mut column = [zero; P];
                for i in 0..P {
                    column[i] = rows[i][x];
                }
                let column = T::output(simd, column);
                for (y, value) in column.into_iter().enumerate() {
                    store::<S>(&mut stage[y][x][start..], simd.add_f32s(value, bias));
                }
            }
        }
        let [h, w] = conv.output;
        let mut whole = [0.0; LINE];
        for run in self.tiling.runs(self.block) {
            let plane = (run.image * conv.filters + filter) * h * w;
            for (i, stage) in stage.iter().enumerate().take(h - M * run.row) {
                let first = plane + (M * run.row + i) * w;
                let columns = M * run.columns.start..w.min(M * run.columns.end);
                // SAFETY: no two blocks have a tile in common, and no two tasks a block and a filter.
                let line = unsafe { self.y.part(first + columns.start..first + columns.end) };
                let tiles = run.columns.len().next_multiple_of(MOST_LANES);
                let mut planes = [&stage[0][..tiles]; M];
                for (plane, stage) in planes.iter_mut().zip(stage) {
                    *plane = &stage[run.place..][..tiles];
                }
                for (tile, group) in whole.as_chunks_mut::<M>().0[..tiles].iter_mut().enumerate() {
                    for j in 0..M {
                        group[j] = planes[j][tile];
                    }
                }
                line.copy_from_slice(&whole[..line.len()]);
                let start = first + columns.start;
                match (conv.seen, conv.activation) {
                    (Some(seen), Some(function)) => chain(function, &seen[start..], line),
                    _ => finish(conv.after.and_then(|after| after.residual), start, conv.activation, line),
                }
            }
        }
    }
}

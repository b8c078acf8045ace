//! Convolution as a matrix product: output pixels are unfolded into columns (im2col), so that all of the arithmetic is in
//! products of matrices, one for each group of channels. As many columns are made at a time as stay in the caches.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::microkernel::{Product, blocks};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::{View, activation};
use crate::matmul::{Matrix, matmul};
use crate::ops::Conv2d;
use crate::parallel::*;

/// Values of unfolded columns per band: 2 MiB.
const BAND: usize = 1 << 19;

/// Everything that says where a column comes from.
struct Unfold<'a> {
    op: &'a Conv2d,
    /// All channels, and how many of them make a group.
    channels: usize,
    of_group: usize,
    input: [usize; 2],
    output: [usize; 2],
    images: usize,
}

/// Output pixels side by side, in one row of the output.
#[derive(Clone, Copy, Default)]
struct Stretch {
    /// Where it begins among the pixels that are unfolded, and how long it is.
    start: usize,
    length: usize,
    image: usize,
    /// What the first tap of the first pixel meets: row and column of the input.
    row: isize,
    column: isize,
}

impl<'a> Unfold<'a> {
    fn new(op: &'a Conv2d, [images, channels, h, w]: [usize; 4], output: [usize; 2]) -> Self {
        let of_group = channels / op.groups;
        // Rows need not be told apart where no tap reaches into another one.
        let (input, output) = if op.is_pointwise() { ([1, h * w], [1, h * w]) } else { ([h, w], output) };
        Unfold { op, channels, of_group, input, output, images }
    }

    /// Rows of the columns of one group.
    fn rows(&self) -> usize {
        self.of_group * self.op.kernel[0] * self.op.kernel[1]
    }

    /// Output pixels of one image.
    fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Ranges of output pixels, counted through all images.
    fn bands(&self) -> impl Iterator<Item = Range<usize>> {
        let all = self.images * self.pixels();
        // At least a few registers' width, at most what the caches hold, and no crumbs at the end.
        let length = (BAND / self.rows()).clamp(64, 4096);
        let count = all.div_ceil(length);
        (0..count).map(move |i| i * all / count..(i + 1) * all / count)
    }

    /// The stretches that a range of output pixels is made of.
    #[inline(always)]
    fn stretches(&self, pixels: &Range<usize>) -> impl Iterator<Item = Stretch> {
        let ([stride_y, stride_x], [top, left]) = (self.op.stride, self.op.padding_before().map(|side| side as isize));
        let (width, end) = (self.output[1], pixels.end);
        let (image, within) = (pixels.start / self.pixels(), pixels.start % self.pixels());
        let (mut image, mut y, mut x) = (image, within / width, within % width);
        let (mut pixel, first, height) = (pixels.start, pixels.start, self.output[0]);
        std::iter::from_fn(move || {
            let stretch = Stretch {
                start: pixel - first,
                length: (width - x).min(end - pixel),
                image,
                row: (y * stride_y) as isize - top,
                column: (x * stride_x) as isize - left,
            };
            (pixel, y, x) = (pixel + stretch.length, y + 1, 0);
            if y == height {
                (image, y) = (image + 1, 0);
            }
            (stretch.length > 0).then_some(stretch)
        })
    }

    /// What one row of the columns (one place in a filter of this group) sees of the input in a stretch: where the row of
    /// the input begins, if there is one, and the column that the first pixel meets.
    #[inline(always)]
    fn seen(&self, [channel, ky, kx]: [usize; 3], stretch: &Stretch) -> (Option<usize>, isize) {
        let [h, w] = self.input;
        let row = stretch.row + (ky * self.op.dilation[0]) as isize;
        let line =
            (row >= 0 && row < h as isize).then(|| ((stretch.image * self.channels + channel) * h + row as usize) * w);
        (line, stretch.column + (kx * self.op.dilation[1]) as isize)
    }

    /// Channel and place in a filter that belong to a row of a group's columns.
    #[inline(always)]
    fn tap(&self, group: usize, row: usize) -> [usize; 3] {
        let [kh, kw] = self.op.kernel;
        [group * self.of_group + row / (kh * kw), row / kw % kh, row % kw]
    }

    /// Columns of this band: `[rows, band]`.
    fn unfold(&self, x: &[f32], group: usize, band: &Range<usize>, columns: &mut [f32]) {
        let rows = columns.par_chunks_mut(band.len()).take(self.rows()).enumerate();
        rows.for_each(|(row, out)| {
            for stretch in self.stretches(band) {
                let (line, left) = self.seen(self.tap(group, row), &stretch);
                let out = &mut out[stretch.start..][..stretch.length];
                let Some(line) = line else {
                    out.fill(0.0);
                    continue;
                };
                let stride = self.op.stride[1];
                let (before, inside) = inside(out.len(), left, stride as isize, self.input[1] as isize);
                out[..before].fill(0.0);
                out[before + inside..].fill(0.0);
                if inside > 0 {
                    let first = line + (left + (before * stride) as isize) as usize;
                    let out = &mut out[before..before + inside];
                    if stride == 1 {
                        out.copy_from_slice(&x[first..first + inside]);
                    } else {
                        let values = x[first..line + self.input[1]].iter().step_by(stride);
                        out.iter_mut().zip(values).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        });
    }

    /// Adds the columns of this band back to where they came from.
    fn fold(&self, columns: &[f32], group: usize, band: &Range<usize>, dx: &mut [f32]) {
        let ([h, w], stride) = (self.input, self.op.stride[1] as isize);
        let taps = self.op.kernel[0] * self.op.kernel[1];
        let images = band.start / self.pixels()..(band.end - 1) / self.pixels() + 1;
        let planes = &mut dx[images.start * self.channels * h * w..images.end * self.channels * h * w];
        planes.par_chunks_mut(h * w).enumerate().for_each(|(plane, dx)| {
            let (image, channel) = (images.start + plane / self.channels, plane % self.channels);
            if channel / self.of_group != group {
                return;
            }
            let first = (image * self.channels + channel) * h * w;
            let mine = band.start.max(image * self.pixels())..band.end.min((image + 1) * self.pixels());
            let channel = channel % self.of_group;
            for row in channel * taps..(channel + 1) * taps {
                let column = &columns[row * band.len()..][mine.start - band.start..mine.end - band.start];
                for stretch in self.stretches(&mine) {
                    let (Some(line), left) = self.seen(self.tap(group, row), &stretch) else { continue };
                    let (before, inside) = inside(stretch.length, left, stride, w as isize);
                    let column = &column[stretch.start + before..][..inside];
                    let start = (line - first) as isize + left + before as isize * stride;
                    for (i, value) in column.iter().enumerate() {
                        dx[(start + i as isize * stride) as usize] += value;
                    }
                }
            }
        });
    }

    /// The rows of a group of `[images, filters, pixels]` in this band, as `[filters of the group, band]`.
    fn gather(&self, y: &[f32], filters: usize, group: &Range<usize>, band: &Range<usize>, out: &mut [f32]) {
        out.par_chunks_mut(band.len()).take(group.len()).enumerate().for_each(|(index, out)| {
            for (place, image, pixels) in self.pieces(band) {
                let plane = (image * filters + group.start + index) * self.pixels();
                out[place].copy_from_slice(&y[plane..][pixels]);
            }
        });
    }

    /// The images that a band touches: where each is in the band, its number, and which of its pixels.
    #[inline(always)]
    fn pieces(&self, band: &Range<usize>) -> impl Iterator<Item = (Range<usize>, usize, Range<usize>)> {
        let (band, pixels) = (band.clone(), self.pixels());
        (band.start / pixels..band.end.div_ceil(pixels)).map(move |image| {
            let mine = band.start.max(image * pixels)..band.end.min((image + 1) * pixels);
            let within = mine.start - image * pixels..mine.end - image * pixels;
            (mine.start - band.start..mine.end - band.start, image, within)
        })
    }
}

/// Of `length` places that begin at `left` of a line of `w` and go on by `stride`: how many lie before it, then in it.
#[inline(always)]
fn inside(length: usize, left: isize, stride: isize, w: isize) -> (usize, usize) {
    let count = |edge: isize| {
        let distance = (edge - left + stride - 1).max(0);
        let steps = if stride == 1 { distance } else { distance / stride };
        steps.min(length as isize) as usize
    };
    let before = count(0);
    (before, count(w).max(before) - before)
}

/// The most output pixels that a task works on at once, and rows of their columns.
const PIXELS: usize = 192;
const ROWS: usize = 128;
/// The most filters of a task, whose sums stay in the second cache.
const FILTERS: usize = 512;
/// The least, unless there are no more: each unfolded column is used so many times.
const FEW_FILTERS: usize = 32;
/// Lanes of the widest vectors.
const MOST_LANES: usize = 16;
/// What may be written after the end of a line.
const SLACK: usize = 2 * MOST_LANES;

/// How the work is cut into tasks. That changes no number.
struct Tasks {
    pixels: usize,
    pixel_blocks: usize,
    /// Filters of a group, and how many of them a task takes.
    of_group: usize,
    filters: usize,
    filter_blocks: usize,
}

impl Tasks {
    fn new(pixels: usize, of_group: usize, groups: usize) -> Self {
        let pixel_blocks = pixels.div_ceil(PIXELS);
        // Two for each thread, where that leaves enough filters.
        let wanted = (2 * current_num_threads()).div_ceil(pixel_blocks * groups);
        let most = of_group.div_ceil(wanted).clamp(FEW_FILTERS, FILTERS);
        let filter_blocks = of_group.div_ceil(most);
        // Whole blocks of registers.
        let filters = of_group.div_ceil(filter_blocks).next_multiple_of(8);
        Tasks { pixels, pixel_blocks, of_group, filters, filter_blocks: of_group.div_ceil(filters) }
    }

    fn count(&self, groups: usize) -> usize {
        self.pixel_blocks * groups * self.filter_blocks
    }

    /// The pixels, the group and its filters of a task. Tasks that read the same filters follow each other.
    fn task(&self, task: usize) -> (Range<usize>, usize, Range<usize>) {
        let (rest, pixels) = (task / self.pixel_blocks, task % self.pixel_blocks);
        let (group, block) = (rest / self.filter_blocks, rest % self.filter_blocks * self.filters);
        let vectors = self.pixels.div_ceil(MOST_LANES);
        let cut = |i: usize| (i * vectors / self.pixel_blocks * MOST_LANES).min(self.pixels);
        let first = group * self.of_group;
        let filters = first + block..first + self.of_group.min(block + self.filters);
        (cut(pixels)..cut(pixels + 1), group, filters)
    }
}

pub(super) fn forward(op: &Conv2d, x: View, weight: View, bias: &[f32], y: &mut [f32], scratch: &Scratch) {
    let Ok(output) = op.output_size([x.nchw()[2], x.nchw()[3]]) else { unreachable!("checked by the shape rule") };
    let unfold = Unfold::new(op, x.nchw(), output);
    let tasks = Tasks::new(unfold.images * unfold.pixels(), bias.len() / op.groups, op.groups);
    let y = SharedOutput::new(y);
    let arch = Arch::new();
    (0..tasks.count(op.groups)).into_par_iter().for_each(|task| {
        let (pixels, group, filters) = tasks.task(task);
        scratch.with(PIXELS * (ROWS + filters.len() + 1) + SLACK, |memory| {
            let (unfold, x, weight) = (&unfold, x.data, weight.data);
            arch.dispatch(Multiply { unfold, x, weight, bias, y, pixels, group, filters, memory });
        });
    });
}

/// The output of some filters of a group at some pixels.
struct Multiply<'a> {
    unfold: &'a Unfold<'a>,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    y: SharedOutput<'a>,
    pixels: Range<usize>,
    group: usize,
    filters: Range<usize>,
    memory: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Multiply { unfold, x, weight, bias, y, pixels, group, filters, memory } = self;
        let (inner, lanes) = (unfold.rows(), S::F32_LANES);
        let (line, memory) = memory.split_at_mut(PIXELS + SLACK);
        let (columns, product) = memory.split_at_mut(PIXELS * ROWS);
        line.fill(0.0);
        let mut stretches = [Stretch::default(); PIXELS];
        let mut count = 0;
        for (to, stretch) in stretches.iter_mut().zip(unfold.stretches(&pixels)) {
            *to = stretch;
            count += 1;
        }
        let stretches = &stretches[..count];
        let vectors = pixels.len().div_ceil(lanes);
        for start in (0..inner).step_by(ROWS) {
            let count = ROWS.min(inner - start);
            let mut tap = unfold.tap(group, start);
            for row in 0..count {
                unfold_row::<S>(simd, unfold, x, tap, stretches, line);
                for (first, vectors) in blocks(vectors) {
                    let to = &mut columns[(first * count + row * vectors) * lanes..][..vectors * lanes];
                    for (to, from) in to.iter_mut().zip(&line[first * lanes..]) {
                        *to = *from;
                    }
                }
                tap = next_tap(unfold.op.kernel, tap);
            }
            for (first, vectors) in blocks(vectors) {
                let block = Product {
                    a: &weight[filters.start * inner + start..],
                    a_stride: inner,
                    b: &columns[first * count * lanes..],
                    c: &mut product[first * lanes..],
                    c_stride: PIXELS,
                    rows: filters.len(),
                    inner: count,
                    vectors,
                    accumulate: start > 0,
                };
                block.run(simd);
            }
        }
        for (product, filter) in product.chunks_exact(PIXELS).zip(filters) {
            for (place, image, within) in unfold.pieces(&pixels) {
                let plane = (image * bias.len() + filter) * unfold.pixels();
                // SAFETY: no two tasks have both a filter and a pixel in common.
                let y = unsafe { y.part(plane + within.start..plane + within.end) };
                y.iter_mut().zip(&product[place]).for_each(|(y, sum)| *y = sum + bias[filter]);
                activation::apply(unfold.op.activation, y);
            }
        }
    }
}

/// The tap of the row after: taps of a channel first.
#[inline(always)]
fn next_tap([kh, kw]: [usize; 2], [channel, ky, kx]: [usize; 3]) -> [usize; 3] {
    match (ky + 1 == kh, kx + 1 == kw) {
        (true, true) => [channel + 1, 0, 0],
        (false, true) => [channel, ky + 1, 0],
        _ => [channel, ky, kx + 1],
    }
}

/// One row of the columns of some stretches. Whole vectors are written, over the beginning of the stretch that follows:
/// that is written next.
#[inline(always)]
fn unfold_row<S: Simd>(simd: S, unfold: &Unfold, x: &[f32], tap: [usize; 3], stretches: &[Stretch], line: &mut [f32]) {
    let (lanes, width, stride) = (S::F32_LANES, unfold.input[1], unfold.op.stride[1]);
    let zero = simd.splat_f32s(0.0);
    for stretch in stretches {
        let (source, left) = unfold.seen(tap, stretch);
        let out = &mut line[stretch.start..];
        let (before, count) = match source {
            Some(_) => inside(stretch.length, left, stride as isize, width as isize),
            None => (0, 0),
        };
        for out in &mut out[..before] {
            *out = 0.0;
        }
        let source = source.unwrap_or(0);
        if count > 0 {
            let first = source + (left + (before * stride) as isize) as usize;
            match stride {
                1 => {
                    let from = &x[first..first + count];
                    for (start, from) in (before..).step_by(lanes).zip(from.chunks(lanes)) {
                        S::as_mut_simd_f32s(&mut out[start..][..lanes]).0[0] = simd.partial_load_f32s(from);
                    }
                }
                2 => {
                    let pairs = x[first..first + 2 * count - 1].as_chunks::<2>().0;
                    let out = &mut out[before..before + count];
                    out.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
                    out[count - 1] = x[first + 2 * (count - 1)];
                }
                _ => {
                    let values = x[first..source + width].iter().step_by(stride);
                    out[before..before + count].iter_mut().zip(values).for_each(|(to, from)| *to = *from);
                }
            }
        }
        for start in (before + count..stretch.length).step_by(lanes) {
            S::as_mut_simd_f32s(&mut out[start..][..lanes]).0[0] = zero;
        }
    }
}

pub(super) fn backward_input(op: &Conv2d, size: [usize; 2], dy: View, weight: View, dx: &mut [f32], scratch: &Scratch) {
    let [images, filters, oh, ow] = dy.nchw();
    let channels = weight.nchw()[1] * op.groups;
    let unfold = Unfold::new(op, [images, channels, size[0], size[1]], [oh, ow]);
    let rows = unfold.rows();
    let of_group = filters / op.groups;
    dx.fill(0.0);
    for group in 0..op.groups {
        let filters_of = group * of_group..(group + 1) * of_group;
        let weight = &weight.data[filters_of.start * rows..filters_of.end * rows];
        for band in unfold.bands() {
            scratch.with((rows + of_group) * band.len(), |memory| {
                let (columns, part) = memory.split_at_mut(rows * band.len());
                unfold.gather(dy.data, filters, &filters_of, &band, part);
                let weight = Matrix::new(weight, of_group, rows).transposed();
                matmul(columns, weight, Matrix::new(part, of_group, band.len()), false);
                unfold.fold(columns, group, &band, dx);
            });
        }
    }
}

pub(super) fn backward_weight(op: &Conv2d, x: View, dy: View, dweight: &mut [f32], scratch: &Scratch) {
    let [_, filters, oh, ow] = dy.nchw();
    let unfold = Unfold::new(op, x.nchw(), [oh, ow]);
    let rows = unfold.rows();
    let of_group = filters / op.groups;
    for (group, dweight) in dweight.chunks_exact_mut(of_group * rows).enumerate() {
        let filters_of = group * of_group..(group + 1) * of_group;
        for (index, band) in unfold.bands().enumerate() {
            scratch.with((rows + of_group) * band.len(), |memory| {
                let (columns, part) = memory.split_at_mut(rows * band.len());
                unfold.unfold(x.data, group, &band, columns);
                unfold.gather(dy.data, filters, &filters_of, &band, part);
                let columns = Matrix::new(columns, rows, band.len()).transposed();
                matmul(dweight, Matrix::new(part, of_group, band.len()), columns, index > 0);
            });
        }
    }
}

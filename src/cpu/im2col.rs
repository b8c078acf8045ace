//! Convolution as a matrix product: output pixels are unfolded into columns (im2col), so that all of the arithmetic is in
//! products of matrices, one for each group of channels. As many columns are made at a time as stay in the caches.

mod unfold;

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::epilogue::{After, Finish, finish};
use super::microkernel::{Product, blocks, widest};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::vector::load;
use crate::matmul::{Matrix, matmul};
use crate::ops::Conv2d;
use crate::parallel::*;
use unfold::{Stretch, Unfold, inside};

/// The most output pixels that a task works on at once, and rows of their columns.
const PIXELS: usize = 192;
const ROWS: usize = 256;
/// The most filters of a task, whose sums stay in the second cache.
const FILTERS: usize = 256;
/// The fewest filters of a task, if there are as many: each unfolded column is used so many times.
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
        // The share of the time that threads wait for the last one, and what unfolding the same again takes.
        let threads = current_num_threads();
        let cost = |parts: usize| {
            let tasks = pixel_blocks * groups * parts;
            tasks.next_multiple_of(threads) as f32 / tasks as f32 * (1.0 + 0.1 * parts as f32)
        };
        let parts = (1..=4 * threads).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(1);
        let most = of_group.div_ceil(parts).clamp(FEW_FILTERS, FILTERS);
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

pub(super) fn forward(op: &Conv2d, x: View, weight: View, after: After, y: &mut [f32], scratch: &Scratch) {
    let Ok(output) = op.output_size([x.nchw()[2], x.nchw()[3]]) else { unreachable!("checked by the shape rule") };
    let unfold = Unfold::new(op, x.nchw(), output);
    let tasks = Tasks::new(unfold.images * unfold.pixels(), after.bias.len() / op.groups, op.groups);
    let y = SharedOutput::new(y);
    let arch = Arch::new();
    (0..tasks.count(op.groups)).into_par_iter().for_each(|task| {
        let (pixels, group, filters) = tasks.task(task);
        scratch.with(PIXELS * (ROWS + filters.len() + 2) + SLACK, |memory| {
            let (unfold, x, weight) = (&unfold, x.data, weight.data);
            arch.dispatch(Multiply { unfold, x, weight, after, y, pixels, group, filters, memory });
        });
    });
}

/// The output of some filters of a group at some pixels.
struct Multiply<'a> {
    unfold: &'a Unfold<'a>,
    x: &'a [f32],
    weight: &'a [f32],
    after: After<'a>,
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
        let Multiply { unfold, x, weight, after, y, pixels, group, filters, memory } = self;
        let (inner, lanes) = (unfold.rows(), S::F32_LANES);
        let (line, memory) = memory.split_at_mut(PIXELS + SLACK);
        let (columns, product) = memory.split_at_mut(PIXELS * (ROWS + 1));
        line.fill(0.0);
        let mut stretches = [Stretch::default(); PIXELS];
        let mut count = 0;
        for (to, stretch) in stretches.iter_mut().zip(unfold.stretches(&pixels)) {
            *to = stretch;
            count += 1;
        }
        let stretches = &stretches[..count];
        let vectors = pixels.len().div_ceil(lanes);
        let mut pieces = unfold.pieces(&pixels);
        let whole = pieces.next().filter(|_| pieces.next().is_none());
        // What needs no unfolding.
        let unmoved = whole.as_ref().filter(|_| unfold.op.is_pointwise());
        let planes = |image: usize, filter: usize| (image * after.bias.len() + filter) * unfold.pixels();
        let last = whole.as_ref().and_then(|(_, image, within)| {
            let plane = planes(*image, filters.start);
            let place = plane + within.start..plane + within.end;
            // SAFETY: no two tasks have both a filter and a pixel in common.
            unsafe { Finish::new(after, unfold.op.activation, y, filters.start, place, unfold.pixels()) }
        });
        for start in (0..inner).step_by(ROWS) {
            let count = ROWS.min(inner - start);
            // One more, so that blocks do not lie a power of two apart: they would fall into the same lines of a cache.
            let block = |first: usize| first * (count + 1) * lanes;
            let mut tap = unfold.tap(group, start);
            for row in 0..count {
                let line = match unmoved {
                    Some((_, image, within)) => unfold.row(x, *image, tap[0], within),
                    None => {
                        unfold_row::<S>(simd, unfold, x, tap, stretches, line);
                        &line[..vectors * lanes]
                    }
                };
                for (first, vectors) in blocks(vectors, widest::<S>()) {
                    let to = &mut columns[block(first) + row * vectors * lanes..][..vectors * lanes];
                    let from = &line[first * lanes..line.len().min((first + vectors) * lanes)];
                    for (to, from) in S::as_mut_simd_f32s(to).0.iter_mut().zip(from.chunks(lanes)) {
                        *to = load(simd, from);
                    }
                }
                tap = next_tap(unfold.op.kernel, tap);
            }
            let is_last = start + count == inner;
            for (first, vectors) in blocks(vectors, widest::<S>()) {
                let block = Product {
                    a: &weight[filters.start * inner + start..],
                    a_stride: inner,
                    b: &columns[block(first)..],
                    c: &mut product[first * lanes..],
                    c_stride: PIXELS,
                    rows: filters.len(),
                    inner: count,
                    vectors,
                    accumulate: start > 0,
                    finish: last
                        .as_ref()
                        .filter(|_| is_last)
                        .map(|last| last.at(first * lanes..(first + vectors) * lanes)),
                };
                block.run(simd);
            }
        }
        if last.is_some() {
            return;
        }
        for (product, filter) in product.chunks_exact(PIXELS).zip(filters) {
            for (place, image, within) in unfold.pieces(&pixels) {
                let plane = planes(image, filter);
                // SAFETY: no two tasks have both a filter and a pixel in common.
                let y = unsafe { y.part(plane + within.start..plane + within.end) };
                y.iter_mut().zip(&product[place]).for_each(|(y, sum)| *y = sum + after.bias[filter]);
                finish(after.residual, plane + within.start, unfold.op.activation, y);
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

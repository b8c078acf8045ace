//! Convolution as a matrix product: bands of output pixels are unfolded into columns (im2col), so that all of the
//! arithmetic is in `matmul`. A band is as long as its columns stay in the caches.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::microkernel::{Product, blocks};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use crate::matmul::{Matrix, matmul};
use crate::ops::Conv2d;
use crate::parallel::*;

/// Values of unfolded columns per band: 2 MiB.
const BAND: usize = 1 << 19;

/// Everything that says where a column comes from.
struct Unfold<'a> {
    op: &'a Conv2d,
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    images: usize,
}

impl Unfold<'_> {
    fn rows(&self) -> usize {
        self.channels * self.op.kernel[0] * self.op.kernel[1]
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

    /// For one row of the columns (one place in a filter), calls `f` with each stretch of a band that lies in one row
    /// of the output: where it is in the band, and where it begins in the input, if that row of the input exists.
    fn stretches(&self, row: usize, band: &Range<usize>, mut f: impl FnMut(Range<usize>, Option<usize>, isize)) {
        let [kh, kw] = self.op.kernel;
        let (channel, ky, kx) = (row / (kh * kw), row / kw % kh, row % kw);
        let [h, w] = self.input;
        let mut pixel = band.start;
        while pixel < band.end {
            let (image, within) = (pixel / self.pixels(), pixel % self.pixels());
            let (oy, ox) = (within / self.output[1], within % self.output[1]);
            let length = (self.output[1] - ox).min(band.end - pixel);
            let y = (oy * self.op.stride[0] + ky).checked_sub(self.op.padding[0]).filter(|&y| y < h);
            let line = y.map(|y| ((image * self.channels + channel) * h + y) * w);
            let x = (ox * self.op.stride[1] + kx) as isize - self.op.padding[1] as isize;
            let start = pixel - band.start;
            f(start..start + length, line, x);
            pixel += length;
        }
    }

    /// Columns of this band: `[rows, band]`.
    fn unfold(&self, x: &[f32], band: &Range<usize>, columns: &mut [f32]) {
        let rows = columns.par_chunks_mut(band.len()).take(self.rows()).enumerate();
        rows.for_each(|(row, out)| self.unfold_row(x, row, band, out));
    }

    /// One row of the columns.
    #[inline]
    fn unfold_row(&self, x: &[f32], row: usize, band: &Range<usize>, out: &mut [f32]) {
        let (w, stride) = (self.input[1] as isize, self.op.stride[1] as isize);
        self.stretches(row, band, |place, line, left| {
            let out = &mut out[place];
            let Some(line) = line else { return out.fill(0.0) };
            let line = &x[line..line + self.input[1]];
            let (before, inside) = inside(out.len(), left, stride, w);
            out[..before].fill(0.0);
            out[before + inside..].fill(0.0);
            if inside > 0 {
                let first = (left + before as isize * stride) as usize;
                if stride == 1 {
                    out[before..before + inside].copy_from_slice(&line[first..first + inside]);
                } else {
                    for (i, value) in out[before..before + inside].iter_mut().enumerate() {
                        *value = line[first + i * stride as usize];
                    }
                }
            }
        });
    }

    /// Adds the columns of this band back to where they came from.
    fn fold(&self, columns: &[f32], band: &Range<usize>, dx: &mut [f32]) {
        let ([h, w], stride) = (self.input, self.op.stride[1] as isize);
        let filter = self.op.kernel[0] * self.op.kernel[1];
        let images = band.start / self.pixels()..(band.end - 1) / self.pixels() + 1;
        let planes = &mut dx[images.start * self.channels * h * w..images.end * self.channels * h * w];
        planes.par_chunks_mut(h * w).enumerate().for_each(|(plane, dx)| {
            let (image, channel) = (images.start + plane / self.channels, plane % self.channels);
            let first = (image * self.channels + channel) * h * w;
            let mine = band.start.max(image * self.pixels())..band.end.min((image + 1) * self.pixels());
            for row in channel * filter..(channel + 1) * filter {
                let column = &columns[row * band.len()..][mine.start - band.start..mine.end - band.start];
                self.stretches(row, &mine, |place, line, left| {
                    let Some(line) = line else { return };
                    let (before, inside) = inside(place.len(), left, stride, w as isize);
                    let column = &column[place][before..before + inside];
                    let start = (line - first) as isize + left + before as isize * stride;
                    for (i, value) in column.iter().enumerate() {
                        dx[(start + i as isize * stride) as usize] += value;
                    }
                });
            }
        });
    }

    /// The rows of `[images, filters, pixels]` in this band, as `[filters, band]`.
    fn gather(&self, y: &[f32], filters: usize, band: &Range<usize>, out: &mut [f32]) {
        out.par_chunks_mut(band.len()).take(filters).enumerate().for_each(|(filter, out)| {
            for (place, plane, pixels) in self.pieces(band) {
                let plane = (plane * filters + filter) * self.pixels();
                out[place].copy_from_slice(&y[plane..][pixels]);
            }
        });
    }

    /// The images that a band touches: where each is in the band, its number, and which of its pixels.
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
fn inside(length: usize, left: isize, stride: isize, w: isize) -> (usize, usize) {
    let count = |edge: isize| ((edge - left + stride - 1).max(0) / stride).min(length as isize) as usize;
    let before = count(0);
    (before, count(w).max(before) - before)
}

fn unfold_of<'a>(op: &'a Conv2d, [images, channels, h, w]: [usize; 4], output: [usize; 2]) -> Unfold<'a> {
    Unfold { op, channels, input: [h, w], output, images }
}

/// Output pixels that a task works on at once, rows of their columns, and filters.
const PIXELS: usize = 192;
const ROWS: usize = 128;
const FILTERS: usize = 64;

pub(super) fn forward(op: &Conv2d, x: View, weight: View, bias: &[f32], y: &mut [f32], scratch: &Scratch) {
    let Ok(output) = op.output_size([x.nchw()[2], x.nchw()[3]]) else { unreachable!("checked by the shape rule") };
    let unfold = unfold_of(op, x.nchw(), output);
    let all = unfold.images * unfold.pixels();
    let filter_blocks = bias.len().div_ceil(FILTERS);
    let y = SharedOutput::new(y);
    let arch = Arch::new();
    (0..all.div_ceil(PIXELS) * filter_blocks).into_par_iter().for_each(|task| {
        let (first, filter) = (task / filter_blocks * PIXELS, task % filter_blocks * FILTERS);
        scratch.with(PIXELS * (ROWS + FILTERS + 1), |memory| {
            arch.dispatch(Multiply {
                unfold: &unfold,
                x: x.data,
                weight: weight.data,
                bias,
                y,
                pixels: first..all.min(first + PIXELS),
                filters: filter..bias.len().min(filter + FILTERS),
                memory,
            });
        });
    });
}

/// The output of some filters at some pixels.
struct Multiply<'a> {
    unfold: &'a Unfold<'a>,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    y: SharedOutput<'a>,
    pixels: Range<usize>,
    filters: Range<usize>,
    memory: &'a mut [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Multiply { unfold, x, weight, bias, y, pixels, filters, memory } = self;
        let (inner, lanes) = (unfold.rows(), S::F32_LANES);
        let (columns, memory) = memory.split_at_mut(PIXELS * ROWS);
        let (line, product) = memory.split_at_mut(PIXELS);
        line.fill(0.0);
        let vectors = pixels.len().div_ceil(lanes);
        for start in (0..inner).step_by(ROWS) {
            let count = ROWS.min(inner - start);
            for row in 0..count {
                unfold.unfold_row(x, start + row, &pixels, line);
                for (first, vectors) in blocks(vectors) {
                    let to = &mut columns[(first * count + row * vectors) * lanes..][..vectors * lanes];
                    for (to, from) in to.iter_mut().zip(&line[first * lanes..]) {
                        *to = *from;
                    }
                }
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
                for (y, sum) in y.iter_mut().zip(&product[place]) {
                    let value = sum + bias[filter];
                    *y = if unfold.op.has_relu() && value < 0.0 { 0.0 } else { value };
                }
            }
        }
    }
}

pub(super) fn backward_input(op: &Conv2d, size: [usize; 2], dy: View, weight: View, dx: &mut [f32], scratch: &Scratch) {
    let [images, filters, oh, ow] = dy.nchw();
    let channels = weight.nchw()[1];
    let unfold = unfold_of(op, [images, channels, size[0], size[1]], [oh, ow]);
    let rows = unfold.rows();
    dx.fill(0.0);
    for band in unfold.bands() {
        scratch.with((rows + filters) * band.len(), |memory| {
            let (columns, part) = memory.split_at_mut(rows * band.len());
            unfold.gather(dy.data, filters, &band, part);
            let weight = Matrix::new(weight.data, filters, rows).transposed();
            matmul(columns, weight, Matrix::new(part, filters, band.len()), false);
            unfold.fold(columns, &band, dx);
        });
    }
}

pub(super) fn backward_weight(op: &Conv2d, x: View, dy: View, dweight: &mut [f32], scratch: &Scratch) {
    let [_, filters, oh, ow] = dy.nchw();
    let unfold = unfold_of(op, x.nchw(), [oh, ow]);
    let rows = unfold.rows();
    for (index, band) in unfold.bands().enumerate() {
        scratch.with((rows + filters) * band.len(), |memory| {
            let (columns, part) = memory.split_at_mut(rows * band.len());
            unfold.unfold(x.data, &band, columns);
            unfold.gather(dy.data, filters, &band, part);
            let columns = Matrix::new(columns, rows, band.len()).transposed();
            matmul(dweight, Matrix::new(part, filters, band.len()), columns, index > 0);
        });
    }
}

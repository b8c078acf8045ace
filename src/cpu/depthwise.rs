//! Depthwise convolutions, in which each filter sees one channel: a filter slides over a plane whose rows were copied to
//! where zeros surround them. A band of such lines stays in the nearest cache, and a vector of each is read once for all
//! output rows that it takes part in. How work is shared among threads changes no bit.

mod slide;

use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::epilogue::{After, finish};
use super::scratch::Scratch;
use super::vector::{load, store};
use crate::ops::{Activation, Conv2d};
use crate::parallel::*;
use slide::{ROWS, Slide};

/// Values of output that a task makes at most, if a plane has no more.
const TASK: usize = 1 << 14;
pub(super) fn forward(op: &Conv2d, x: View, weight: View, after: After, y: &mut [f32], scratch: &Scratch) {
    let ([_, channels, h, w], filters) = (x.nchw(), after.bias.len());
    let Ok(output) = op.output_size([h, w]) else { unreachable!("checked by the shape rule") };
    let planes = Planes {
        slide: Slide::forward(op, [h, w], output),
        x: x.data,
        taps: weight.data,
        after: Some(after),
        activation: op.activation,
        shared_by: filters / channels,
        parts: 1,
        of_image: filters,
    };
    planes.run(y, scratch);
}

pub(super) fn backward_input(op: &Conv2d, size: [usize; 2], dy: View, weight: View, dx: &mut [f32], scratch: &Scratch) {
    let [_, filters, oh, ow] = dy.nchw();
    let taps = weight.data.len() / filters;
    scratch.with(weight.data.len(), |turned| {
        for (turned, taps) in turned.chunks_exact_mut(taps).zip(weight.data.chunks_exact(taps)) {
            turned.iter_mut().zip(taps.iter().rev()).for_each(|(turned, tap)| *turned = *tap);
        }
        let planes = Planes {
            slide: Slide::backward(op, [oh, ow], size),
            x: dy.data,
            taps: turned,
            after: None,
            activation: None,
            shared_by: 1,
            parts: filters / op.groups,
            of_image: op.groups,
        };
        planes.run(dx, scratch);
    });
}

pub(super) fn backward_weight(op: &Conv2d, x: View, dy: View, dweight: &mut [f32], scratch: &Scratch) {
    let ([_, _, h, w], [.., oh, ow]) = (x.nchw(), dy.nchw());
    let slide = Slide::forward(op, [h, w], [oh, ow]);
    let arch = Arch::new();
    dweight.par_chunks_mut(slide.taps()).enumerate().for_each(|(filter, dweight)| {
        scratch.with(slide.memory(), |lines| arch.dispatch(Gradient { slide, x, dy, filter, dweight, lines }));
    });
}

/// What planes of output are made from.
#[derive(Clone, Copy)]
struct Planes<'a> {
    slide: Slide,
    x: &'a [f32],
    taps: &'a [f32],
    /// None is zero.
    after: Option<After<'a>>,
    activation: Option<Activation>,
    /// How many planes of output read each plane of the input, and how many of these each is the sum of.
    shared_by: usize,
    parts: usize,
    /// Planes of output of an image.
    of_image: usize,
}

impl Planes<'_> {
    fn run(self, y: &mut [f32], scratch: &Scratch) {
        let plane = self.slide.output[0] * self.slide.output[1];
        // As many tasks for each thread.
        let tasks = y.len().div_ceil(TASK).next_multiple_of(current_num_threads());
        let at_once = (y.len() / plane).div_ceil(tasks).max(1);
        let arch = Arch::new();
        y.par_chunks_mut(at_once * plane).enumerate().for_each(|(task, y)| {
            let first = task * at_once;
            scratch.with(self.slide.memory(), |lines| arch.dispatch(Task { planes: self, first, y, lines }));
        });
    }
}

/// Some planes of output.
struct Task<'a> {
    planes: Planes<'a>,
    first: usize,
    y: &'a mut [f32],
    lines: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Task { planes, first, y, lines } = self;
        let slide = planes.slide;
        let (of_x, of_y) = (slide.input[0] * slide.input[1], slide.output[0] * slide.output[1]);
        for (index, y) in y.chunks_exact_mut(of_y).enumerate() {
            let plane = first + index;
            for part in 0..planes.parts {
                let x = &planes.x[(plane * planes.parts / planes.shared_by + part) * of_x..][..of_x];
                let filter = plane % planes.of_image * planes.parts + part;
                let taps = &planes.taps[filter * slide.taps()..][..slide.taps()];
                let bias = planes.after.map_or(0.0, |after| after.bias[filter]);
                slide_over::<S>(simd, slide, x, taps, (part == 0).then_some(bias), lines, y);
            }
            finish(planes.after.and_then(|after| after.residual), plane * of_y, planes.activation, y);
        }
    }
}

/// One plane of output. Without a bias it is added to what is there.
#[inline(always)]
fn slide_over<S: Simd>(
    simd: S,
    slide: Slide,
    x: &[f32],
    taps: &[f32],
    bias: Option<f32>,
    lines: &mut [f32],
    y: &mut [f32],
) {
    let (pitch, part, band) = (slide.pitch(), slide.part(), slide.band());
    for first in (0..slide.output[0]).step_by(band) {
        let count = band.min(slide.output[0] - first);
        let needed = slide.lines(count.next_multiple_of(slide.rows()));
        for (row, line) in lines.chunks_exact_mut(pitch).enumerate().take(needed) {
            slide.line::<S>(simd, x, first * slide.stride[0] + row, line);
        }
        let y = &mut y[first * slide.output[1]..][..count * slide.output[1]];
        let rows = Rows { slide, lines, pitch, part, taps, bias, y };
        match slide.special() {
            Some((3, 1)) => rows.square::<S, 3, 1, { ROWS[0] }>(simd),
            Some((3, 2)) => rows.square::<S, 3, 2, { ROWS[1] }>(simd),
            Some((5, 1)) => rows.square::<S, 5, 1, { ROWS[0] }>(simd),
            Some((5, 2)) => rows.square::<S, 5, 2, { ROWS[1] }>(simd),
            _ => rows.any(simd),
        }
    }
}

/// Some rows of a plane of output, from the lines that they read.
struct Rows<'a> {
    slide: Slide,
    lines: &'a [f32],
    pitch: usize,
    part: usize,
    taps: &'a [f32],
    bias: Option<f32>,
    y: &'a mut [f32],
}

impl Rows<'_> {
    /// Filters of `K`×`K` with a stride of `STRIDE`, `R` rows at a time.
    #[inline(always)]
    fn square<S: Simd, const K: usize, const STRIDE: usize, const R: usize>(self, simd: S) {
        let Rows { slide, lines, pitch, part, taps, bias, y } = self;
        let (lanes, width) = (S::F32_LANES, slide.output[1]);
        let mut columns = [0; K];
        for (kx, column) in columns.iter_mut().enumerate() {
            *column = slide.column(kx, part);
        }
        let taps = &taps[..K * K];
        for (group, y) in y.chunks_mut(R * width).enumerate() {
            let lines = &lines[group * R * STRIDE * pitch..][..((R - 1) * STRIDE + K) * pitch];
            let rows = if y.len() == R * width { R } else { y.len() / width };
            for first in (0..width).step_by(lanes).rev() {
                let count = lanes.min(width - first);
                let mut sums = [simd.splat_f32s(bias.unwrap_or(0.0)); R];
                if bias.is_none() {
                    for (sum, y) in sums.iter_mut().zip(y.chunks_exact(width)) {
                        *sum = load::<S>(simd, &y[first..first + count]);
                    }
                }
                assert!(columns.iter().all(|column| column + first + lanes <= pitch));
                for (r, sum) in sums.iter_mut().enumerate() {
                    for ky in 0..K {
                        for kx in 0..K {
                            let at = (r * STRIDE + ky) * pitch + columns[kx] + first;
                            // SAFETY: there are (R − 1) · STRIDE + K lines, of which r · STRIDE + ky is one, and by the
                            // assertion a vector ends where its line does or before.
                            let x = unsafe { lines.as_ptr().add(at).cast::<S::f32s>().read_unaligned() };
                            *sum = simd.mul_add_e_f32s(simd.splat_f32s(taps[ky * K + kx]), x, *sum);
                        }
                    }
                }
                for (r, sum) in sums.into_iter().enumerate() {
                    let start = r * width + first;
                    // A whole vector is stored faster. What it writes beyond its row is written later, unless sums that
                    // are yet to be read lie there.
                    let count = if bias.is_some() && start + lanes <= y.len() { lanes } else { count };
                    if r < rows {
                        store::<S>(simd, &mut y[start..start + count], sum);
                    }
                }
            }
        }
    }

    /// Any filters, row by row.
    #[inline(always)]
    fn any<S: Simd>(self, simd: S) {
        let Rows { slide, lines, pitch, part, taps, bias, y } = self;
        let (lanes, width) = (S::F32_LANES, slide.output[1]);
        for (row, y) in y.chunks_mut(width).enumerate() {
            for (first, y) in (0..width).step_by(lanes).zip(y.chunks_mut(lanes)) {
                let mut sum = bias.map_or_else(|| load::<S>(simd, y), |bias| simd.splat_f32s(bias));
                for (ky, taps) in taps.chunks_exact(slide.kernel[1]).enumerate() {
                    let line = &lines[(row * slide.stride[0] + ky * slide.dilation[0]) * pitch..][..pitch];
                    for (kx, &tap) in taps.iter().enumerate() {
                        let x = S::as_simd_f32s(&line[slide.column(kx, part) + first..][..lanes]).0[0];
                        sum = simd.mul_add_e_f32s(simd.splat_f32s(tap), x, sum);
                    }
                }
                store::<S>(simd, y, sum);
            }
        }
    }
}

/// A filter's gradient.
struct Gradient<'a> {
    slide: Slide,
    x: View<'a>,
    dy: View<'a>,
    filter: usize,
    dweight: &'a mut [f32],
    lines: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gradient { slide, x, dy, filter, dweight, lines } = self;
        let ([images, channels, ..], filters) = (x.nchw(), dy.nchw()[1]);
        let (of_x, of_dy) = (slide.input[0] * slide.input[1], slide.output[0] * slide.output[1]);
        dweight.fill(0.0);
        for image in 0..images {
            let x = &x.data[(image * channels + filter / (filters / channels)) * of_x..][..of_x];
            let dy = &dy.data[(image * filters + filter) * of_dy..][..of_dy];
            add_gradient::<S>(simd, slide, x, dy, dweight, lines);
        }
    }
}

/// Adds what one image gives to a filter's gradient.
#[inline(always)]
fn add_gradient<S: Simd>(simd: S, slide: Slide, x: &[f32], dy: &[f32], dweight: &mut [f32], lines: &mut [f32]) {
    let (pitch, band) = (slide.pitch(), slide.band());
    for first in (0..slide.output[0]).step_by(band) {
        let rows = first..slide.output[0].min(first + band);
        for (row, line) in lines.chunks_exact_mut(pitch).enumerate().take(slide.lines(rows.len())) {
            slide.line::<S>(simd, x, first * slide.stride[0] + row, line);
        }
        let dy = &dy[rows.start * slide.output[1]..rows.end * slide.output[1]];
        for ky in 0..slide.kernel[0] {
            let lines = &lines[ky * slide.dilation[0] * pitch..];
            let dweight = &mut dweight[ky * slide.kernel[1]..][..slide.kernel[1]];
            match slide.kernel[1] {
                5 => row_of_taps::<S, 5>(simd, slide, lines, dy, 0, dweight),
                3 => row_of_taps::<S, 3>(simd, slide, lines, dy, 0, dweight),
                _ => (0..slide.kernel[1]).for_each(|kx| row_of_taps::<S, 1>(simd, slide, lines, dy, kx, dweight)),
            }
        }
    }
}

/// Adds the products of some rows of gradients with what `K` neighbouring taps meet, of which this is the first.
#[inline(always)]
fn row_of_taps<S: Simd, const K: usize>(
    simd: S,
    slide: Slide,
    lines: &[f32],
    dy: &[f32],
    tap: usize,
    dweight: &mut [f32],
) {
    let (lanes, width, pitch) = (S::F32_LANES, slide.output[1], slide.pitch());
    let mut columns = [0; K];
    for (k, column) in columns.iter_mut().enumerate() {
        *column = slide.column(tap + k, slide.part());
    }
    let mut sums = [simd.splat_f32s(0.0); K];
    for (dy, lines) in dy.chunks_exact(width).zip(lines.chunks(slide.stride[0] * pitch)) {
        for (first, dy) in (0..width).step_by(lanes).zip(dy.chunks(lanes)) {
            // Zeros where the row has ended.
            let dy = load::<S>(simd, dy);
            for k in 0..K {
                let x = S::as_simd_f32s(&lines[columns[k] + first..][..lanes]).0[0];
                sums[k] = simd.mul_add_e_f32s(dy, x, sums[k]);
            }
        }
    }
    for (dweight, sum) in dweight[tap..tap + K].iter_mut().zip(sums) {
        *dweight += simd.reduce_sum_f32s(sum);
    }
}

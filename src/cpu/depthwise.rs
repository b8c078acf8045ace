//! Depthwise convolutions, in which each filter sees one channel. Small square filters slide over the plane itself, with
//! masks where a vector reaches beyond a row; any others over lines: rows that were copied to where zeros surround them, in
//! bands that stay in the nearest cache. How work is shared among threads changes no bit.

mod slide;

use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::epilogue::{After, UNLIMITED, finish, limit, limits};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::vector::{load, pick, store};
use crate::ops::{Activation, Conv2d};
use crate::parallel::*;
use slide::{LANES, MORE_ROWS, MOST_LINES, ROWS, Slide, Window};

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
        scratch.with(slide.lines(slide.band()) * slide.pitch() + slide.taps() * LANES, |memory| {
            arch.dispatch(Gradient { slide, x, dy, filter, dweight, memory });
        });
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
        let (length, y) = (y.len(), SharedOutput::new(y));
        for_each_task(length.div_ceil(at_once * plane), |task| {
            let first = task * at_once;
            // SAFETY: the parts follow each other.
            let y = unsafe { y.part(first * plane..length.min((first + at_once) * plane)) };
            scratch.with(self.slide.memory(), |memory| arch.dispatch(Task { planes: self, first, y, memory }));
        });
    }
}

/// Some planes of output.
struct Task<'a> {
    planes: Planes<'a>,
    first: usize,
    y: &'a mut [f32],
    memory: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Task { planes, first, y, memory } = self;
        let slide = planes.slide;
        let (of_x, of_y) = (slide.input[0] * slide.input[1], slide.output[0] * slide.output[1]);
        let residual = planes.after.and_then(|after| after.residual);
        let limits = if residual.is_none() { limits(planes.activation) } else { None };
        memory[..slide.zeros()].fill(0.0);
        // Of the plane itself.
        let window = Window::new(simd, slide.output[1] * slide.stride[1], slide.input[1], slide.input, slide.before);
        for (index, y) in y.chunks_exact_mut(of_y).enumerate() {
            let plane = first + index;
            for part in 0..planes.parts {
                let x = &planes.x[(plane * planes.parts / planes.shared_by + part) * of_x..][..of_x];
                let filter = plane % planes.of_image * planes.parts + part;
                let taps = &planes.taps[filter * slide.taps()..][..slide.taps()];
                let bias = planes.after.map_or(0.0, |after| after.bias[filter]);
                let filter =
                    Filter { slide, taps, bias: (part == 0).then_some(bias), limits: limits.unwrap_or(UNLIMITED) };
                filter.slide_over::<S>(simd, &window, x, memory, y);
            }
            if limits.is_none() {
                finish(residual, plane * of_y, planes.activation, y);
            }
        }
    }
}

/// A filter for one plane of output.
#[derive(Clone, Copy)]
struct Filter<'a> {
    slide: Slide,
    taps: &'a [f32],
    /// Without one, the output is added to what is there.
    bias: Option<f32>,
    /// What the output is limited to.
    limits: [f32; 2],
}

impl Filter<'_> {
    #[inline(always)]
    fn slide_over<S: Simd>(self, simd: S, window: &Window<S>, x: &[f32], memory: &mut [f32], y: &mut [f32]) {
        let slide = self.slide;
        let (zeros, rest) = memory.split_at_mut(slide.zeros());
        let (picked, lines) = rest.split_at_mut(slide.picked());
        let special = slide.special();
        if let (Some(special), [1, 1]) = (special, slide.spread) {
            return self.square_of(simd, special, window, [x, zeros], picked, y);
        }
        let (pitch, band) = (slide.pitch(), slide.band());
        for first in (0..slide.output[0]).step_by(band) {
            let count = band.min(slide.output[0] - first);
            let needed = slide.lines(count);
            for (row, line) in lines.chunks_exact_mut(pitch).enumerate().take(needed) {
                slide.line::<S>(simd, x, first * slide.stride[0] + row, line);
            }
            let y = &mut y[first * slide.output[1]..][..count * slide.output[1]];
            match special {
                Some(special) => {
                    let window = Window::new(simd, slide.output[1], pitch, [needed, pitch], [0; 2]);
                    self.square_of(simd, special, &window, [lines, zeros], picked, y);
                }
                None => self.any(simd, lines, y),
            }
        }
    }

    /// `special` is the size of the filter and its stride; `x` is the plane, and zeros for the rows around it.
    #[inline(always)]
    fn square_of<S: Simd>(
        self,
        simd: S,
        special: (usize, usize),
        window: &Window<S>,
        x: [&[f32]; 2],
        picked: &mut [f32],
        y: &mut [f32],
    ) {
        match special {
            (3, 1) if S::REGISTER_COUNT >= 32 => self.square::<S, 3, 1, { MORE_ROWS }>(simd, window, x, picked, y),
            (3, 1) => self.square::<S, 3, 1, { ROWS[0] }>(simd, window, x, picked, y),
            (3, _) => self.square::<S, 3, 2, { ROWS[1] }>(simd, window, x, picked, y),
            (_, 1) => self.square::<S, 5, 1, { ROWS[0] }>(simd, window, x, picked, y),
            _ => self.square::<S, 5, 2, { ROWS[1] }>(simd, window, x, picked, y),
        }
    }

    /// Filters of `K`×`K` with a stride of `STRIDE`, `R` rows at a time. With a stride of 2 every column is computed and
    /// every other one picked: that takes less time than to sort the columns of the input before.
    #[inline(always)]
    fn square<S: Simd, const K: usize, const STRIDE: usize, const R: usize>(
        self,
        simd: S,
        window: &Window<S>,
        [x, zeros]: [&[f32]; 2],
        picked: &mut [f32],
        y: &mut [f32],
    ) {
        let (lanes, width) = (S::F32_LANES, self.slide.output[1]);
        let columns = width * STRIDE;
        let pitch = columns.next_multiple_of(lanes);
        for (group, y) in y.chunks_mut(R * width).enumerate() {
            let rows = y.len() / width;
            let lines = window.lines(x, zeros, group * R * STRIDE, (R - 1) * STRIDE + K);
            for first in (0..columns).step_by(lanes).rev() {
                let sums = self.sums::<S, K, STRIDE, R>(simd, window, &lines, first);
                for (r, sum) in sums.into_iter().enumerate() {
                    let sum = limit(simd, self.limits, sum);
                    if STRIDE > 1 {
                        S::as_mut_simd_f32s(&mut picked[r * pitch + first..][..lanes]).0[0] = sum;
                    } else if r < rows {
                        self.store(simd, sum, &mut y[r * width + first..], width - first);
                    }
                }
            }
            if STRIDE > 1 {
                // Only gradients are added to what is there, and these have a stride of 1.
                debug_assert!(self.bias.is_some());
                for (y, picked) in y.chunks_exact_mut(width).zip(picked.chunks_exact(pitch)) {
                    pick(picked, STRIDE, y);
                }
            }
        }
    }

    /// The sums of `R` rows at the vector that begins at this column. Each vector of the input is loaded once for all rows
    /// that it is part of.
    #[inline(always)]
    fn sums<S: Simd, const K: usize, const STRIDE: usize, const R: usize>(
        self,
        simd: S,
        window: &Window<S>,
        lines: &[*const f32; MOST_LINES],
        first: usize,
    ) -> [S::f32s; R] {
        let (column, is_inside) = window.column(first, K);
        let mut masks = [window.mask(simd, 0, 0); K];
        if !is_inside {
            for (kx, mask) in masks.iter_mut().enumerate() {
                *mask = window.mask(simd, first, kx);
            }
        }
        let mut taps = [[simd.splat_f32s(0.0); K]; K];
        let values = &self.taps[..K * K];
        for ky in 0..K {
            for kx in 0..K {
                taps[ky][kx] = simd.splat_f32s(values[ky * K + kx]);
            }
        }
        let mut sums = [simd.splat_f32s(self.bias.unwrap_or(0.0)); R];
        for place in 0..(R - 1) * STRIDE + K {
            for (kx, &mask) in masks.iter().enumerate() {
                let from = lines[place].wrapping_offset(column + kx as isize);
                let x = if is_inside {
                    // SAFETY: all of the vector lies within the row.
                    unsafe { from.cast::<S::f32s>().read_unaligned() }
                } else {
                    // SAFETY: the mask leaves out what lies beside the row.
                    unsafe { simd.mask_load_ptr_f32s(mask, from) }
                };
                for (r, sum) in sums.iter_mut().enumerate() {
                    if r * STRIDE <= place && place < r * STRIDE + K {
                        *sum = simd.mul_add_e_f32s(taps[place - r * STRIDE][kx], x, *sum);
                    }
                }
            }
        }
        sums
    }

    /// Stores or adds a vector, of which so many values belong to this row.
    #[inline(always)]
    fn store<S: Simd>(self, simd: S, sum: S::f32s, y: &mut [f32], count: usize) {
        let lanes = S::F32_LANES;
        if self.bias.is_none() {
            let y = &mut y[..count.min(lanes)];
            let sum = simd.add_f32s(load(simd, y), sum);
            return store(simd, y, sum);
        }
        // A whole vector is stored faster. What it writes beyond its row is written later.
        let count = if lanes <= y.len() { lanes } else { count.min(lanes) };
        store(simd, &mut y[..count], sum);
    }

    /// Any filters, row by row.
    #[inline(always)]
    fn any<S: Simd>(self, simd: S, lines: &[f32], y: &mut [f32]) {
        let Filter { slide, taps, bias, .. } = self;
        let (lanes, width, pitch) = (S::F32_LANES, slide.output[1], slide.pitch());
        for (row, y) in y.chunks_mut(width).enumerate() {
            for (first, y) in (0..width).step_by(lanes).zip(y.chunks_mut(lanes)) {
                let mut sum = bias.map_or_else(|| load::<S>(simd, y), |bias| simd.splat_f32s(bias));
                for (ky, taps) in taps.chunks_exact(slide.kernel[1]).enumerate() {
                    let line = &lines[(row * slide.stride[0] + ky * slide.dilation[0]) * pitch..][..pitch];
                    for (kx, &tap) in taps.iter().enumerate() {
                        let x = S::as_simd_f32s(&line[slide.column(kx, slide.part()) + first..][..lanes]).0[0];
                        sum = simd.mul_add_e_f32s(simd.splat_f32s(tap), x, sum);
                    }
                }
                store::<S>(simd, y, limit(simd, self.limits, sum));
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
    memory: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gradient { slide, x, dy, filter, dweight, memory } = self;
        let ([images, channels, ..], filters) = (x.nchw(), dy.nchw()[1]);
        let (of_x, of_dy) = (slide.input[0] * slide.input[1], slide.output[0] * slide.output[1]);
        // A vector for each tap, whose lanes are added up when all images are through.
        let (sums, lines) = memory.split_at_mut(slide.taps() * LANES);
        let sums = &mut S::as_mut_simd_f32s(sums).0[..slide.taps()];
        sums.fill(simd.splat_f32s(0.0));
        for image in 0..images {
            let x = &x.data[(image * channels + filter / (filters / channels)) * of_x..][..of_x];
            let dy = &dy.data[(image * filters + filter) * of_dy..][..of_dy];
            add_gradient::<S>(simd, slide, x, dy, sums, lines);
        }
        dweight.iter_mut().zip(sums).for_each(|(dweight, sum)| *dweight = simd.reduce_sum_f32s(*sum));
    }
}

/// Adds what one image gives to the sums of a filter's taps.
#[inline(always)]
fn add_gradient<S: Simd>(simd: S, slide: Slide, x: &[f32], dy: &[f32], sums: &mut [S::f32s], lines: &mut [f32]) {
    let (pitch, band) = (slide.pitch(), slide.band());
    for first in (0..slide.output[0]).step_by(band) {
        let rows = first..slide.output[0].min(first + band);
        for (row, line) in lines.chunks_exact_mut(pitch).enumerate().take(slide.lines(rows.len())) {
            slide.line::<S>(simd, x, first * slide.stride[0] + row, line);
        }
        let dy = &dy[rows.start * slide.output[1]..rows.end * slide.output[1]];
        for (ky, sums) in sums.chunks_exact_mut(slide.kernel[1]).enumerate() {
            let lines = &lines[ky * slide.dilation[0] * pitch..];
            match slide.kernel[1] {
                5 => row_of_taps::<S, 5>(simd, slide, lines, dy, 0, sums),
                3 => row_of_taps::<S, 3>(simd, slide, lines, dy, 0, sums),
                _ => (0..slide.kernel[1]).for_each(|kx| row_of_taps::<S, 1>(simd, slide, lines, dy, kx, sums)),
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
    all: &mut [S::f32s],
) {
    let (lanes, width, pitch) = (S::F32_LANES, slide.output[1], slide.pitch());
    let mut columns = [0; K];
    let mut sums = [simd.splat_f32s(0.0); K];
    for k in 0..K {
        columns[k] = slide.column(tap + k, slide.part());
        sums[k] = all[tap + k];
    }
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
    all[tap..tap + K].copy_from_slice(&sums);
}

//! Depthwise convolutions, in which each filter sees one channel: a filter slides over a plane whose rows were copied to
//! where zeros surround them. A band of such lines stays in the nearest cache, and a vector of each is read once for all
//! output rows that it takes part in. How work is shared among threads changes no bit.

use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::activation;
use super::scratch::Scratch;
use crate::ops::{Activation, Conv2d};
use crate::parallel::*;

/// Values of lines that are made at once: 32 KiB.
const BAND: usize = 1 << 13;
/// Values of output that a task makes, if a plane has no more.
const TASK: usize = 1 << 14;
/// Lanes of the widest vectors, of whose length the lines are multiples.
const LANES: usize = 16;
/// Output rows that are made at once, for strides of 1 and 2.
const ROWS: [usize; 2] = [4, 2];

/// How a filter slides over a plane.
#[derive(Clone, Copy)]
struct Slide {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Zeros above and to the left of the input. Below zero, so many rows and columns of the input are left out.
    before: [isize; 2],
    /// How far apart neighbours of the input lie, with zeros between them.
    spread: [usize; 2],
    input: [usize; 2],
    output: [usize; 2],
}

impl Slide {
    fn forward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
        Slide {
            kernel: op.kernel,
            stride: op.stride,
            dilation: op.dilation,
            before: op.padding_before().map(|padding| padding as isize),
            spread: [1; 2],
            input,
            output,
        }
    }

    /// From the gradient of the output to that of the input, with the filter turned by 180°.
    fn backward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
        let before = |axis: usize| op.reach()[axis] as isize - 1 - op.padding[axis] as isize;
        Slide { stride: [1; 2], before: [before(0), before(1)], spread: op.stride, ..Slide::forward(op, input, output) }
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The size of square filters for which there is code of its own, with their stride. Its taps must meet neighbours.
    fn special(&self) -> Option<(usize, usize)> {
        let is_square = self.kernel[0] == self.kernel[1] && self.stride[0] == self.stride[1] && self.dilation == [1; 2];
        let pair = (self.kernel[0], self.stride[0]);
        (is_square && matches!(pair, (3 | 5, 1 | 2))).then_some(pair)
    }

    /// Output rows that are made at once.
    fn rows(&self) -> usize {
        self.special().map_or(1, |(_, stride)| ROWS[stride - 1])
    }

    /// The values of one line: columns whose numbers leave the same rest after division by the stride lie side by side,
    /// so that neighbouring windows read neighbouring values.
    fn part(&self) -> usize {
        let last = (self.kernel[1] - 1) * self.dilation[1] / self.stride[1];
        (self.output[1].next_multiple_of(LANES) + last).next_multiple_of(LANES)
    }

    fn pitch(&self) -> usize {
        self.part() * self.stride[1]
    }

    /// Lines that so many output rows read.
    fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    /// Output rows whose lines are made at once.
    fn band(&self) -> usize {
        let rows = self.rows();
        let lines = (BAND / self.pitch()).saturating_sub(self.lines(1)) / self.stride[0];
        (lines / rows * rows).clamp(rows, self.output[0].next_multiple_of(rows))
    }

    /// The values of the lines of a band.
    fn memory(&self) -> usize {
        self.lines(self.band()) * self.pitch()
    }

    /// Where the first value that a tap meets lies in its line.
    #[inline(always)]
    fn column(&self, kx: usize, part: usize) -> usize {
        let column = kx * self.dilation[1];
        column % self.stride[1] * part + column / self.stride[1]
    }

    /// Makes one line: that of this row, counted with the zeros above.
    #[inline(always)]
    fn line<S: Simd>(&self, simd: S, plane: &[f32], row: usize, line: &mut [f32]) {
        // Vectors, because calls for a few values take longer than these.
        S::as_mut_simd_f32s(line).0.fill(simd.splat_f32s(0.0));
        let (width, lanes, part) = (self.input[1], S::F32_LANES, self.part());
        let (at, spread) = (row as isize - self.before[0], self.spread[0] as isize);
        let at = if spread == 1 {
            at
        } else if at % spread == 0 {
            at / spread
        } else {
            -1
        };
        if at < 0 || at as usize >= self.input[0] {
            return;
        }
        let x = &plane[at as usize * width..][..width];
        let (left, stride) = (self.before[1], self.stride[1]);
        if self.spread[1] > 1 {
            let places = x.iter().enumerate().map(|(i, x)| ((i * self.spread[1]) as isize + left, x));
            for (place, x) in places.skip_while(|(place, _)| *place < 0) {
                let Some(to) = line.get_mut(place as usize) else { break };
                *to = *x;
            }
            return;
        }
        for (phase, line) in line.chunks_exact_mut(part).enumerate() {
            // Value i of this part is column i · stride + phase − left of the input.
            let first = phase as isize - left;
            let skipped = ((stride as isize - 1 - first).max(0) as usize / stride).min(part);
            let from = (first + (skipped * stride) as isize) as usize;
            let count = width.saturating_sub(from).div_ceil(stride).min(part - skipped);
            if count == 0 {
                continue;
            }
            let (to, from) = (&mut line[skipped..skipped + count], &x[from..]);
            match stride {
                1 => {
                    for (to, from) in to.chunks_mut(lanes).zip(from.chunks(lanes)) {
                        store::<S>(simd, to, load::<S>(simd, &from[..to.len()]));
                    }
                }
                2 => {
                    let pairs = from.as_chunks::<2>().0;
                    to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair[0]);
                    // The last one may have no neighbour.
                    to[count - 1] = from[2 * (count - 1)];
                }
                _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
            }
        }
    }
}

pub(super) fn forward(op: &Conv2d, x: View, weight: View, bias: &[f32], y: &mut [f32], scratch: &Scratch) {
    let ([_, channels, h, w], filters) = (x.nchw(), bias.len());
    let Ok(output) = op.output_size([h, w]) else { unreachable!("checked by the shape rule") };
    let planes = Planes {
        slide: Slide::forward(op, [h, w], output),
        x: x.data,
        taps: weight.data,
        bias: Some(bias),
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
            bias: None,
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
    bias: Option<&'a [f32]>,
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
        let at_once = (TASK / plane).max(1);
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
                let bias = planes.bias.map_or(0.0, |bias| bias[filter]);
                slide_over::<S>(simd, slide, x, taps, (part == 0).then_some(bias), lines, y);
            }
            activation::apply(planes.activation, y);
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
            let rows = y.len() / width;
            for first in (0..width).step_by(lanes) {
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
                    if r < rows {
                        store::<S>(simd, &mut y[r * width + first..][..count], sum);
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

/// A vector, or as much of it as there is and zeros.
#[inline(always)]
fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    if from.len() == S::F32_LANES { S::as_simd_f32s(from).0[0] } else { simd.partial_load_f32s(from) }
}

/// As much of a vector as there is room for.
#[inline(always)]
fn store<S: Simd>(simd: S, to: &mut [f32], value: S::f32s) {
    if to.len() == S::F32_LANES {
        S::as_mut_simd_f32s(to).0[0] = value;
    } else {
        simd.partial_store_f32s(to, value);
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

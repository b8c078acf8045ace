//! How a filter slides over a plane, and the lines that it reads.

use pulp::Simd;

use super::super::vector::{load, store};
use crate::ops::Conv2d;

/// Values of lines that are made at once: 32 KiB.
const BAND: usize = 1 << 13;
/// Lanes of the widest vectors, of whose length the lines are multiples.
const LANES: usize = 16;
/// Output rows that are made at once, for strides of 1 and 2.
pub(super) const ROWS: [usize; 2] = [4, 2];

/// How a filter slides over a plane.
#[derive(Clone, Copy)]
pub(super) struct Slide {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Zeros above and to the left of the input. Below zero, so many rows and columns of the input are left out.
    before: [isize; 2],
    /// How far apart neighbours of the input lie, with zeros between them.
    spread: [usize; 2],
    pub input: [usize; 2],
    pub output: [usize; 2],
}

impl Slide {
    pub fn forward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
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
    pub fn backward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
        let before = |axis: usize| op.reach()[axis] as isize - 1 - op.padding[axis] as isize;
        Slide { stride: [1; 2], before: [before(0), before(1)], spread: op.stride, ..Slide::forward(op, input, output) }
    }

    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The size of square filters for which there is code of its own, with their stride. Its taps must meet neighbours.
    pub fn special(&self) -> Option<(usize, usize)> {
        let is_square = self.kernel[0] == self.kernel[1] && self.stride[0] == self.stride[1] && self.dilation == [1; 2];
        let pair = (self.kernel[0], self.stride[0]);
        (is_square && matches!(pair, (3 | 5, 1 | 2))).then_some(pair)
    }

    /// Output rows that are made at once.
    pub fn rows(&self) -> usize {
        self.special().map_or(1, |(_, stride)| ROWS[stride - 1])
    }

    /// The values of one line: columns whose numbers leave the same rest after division by the stride lie side by side,
    /// so that neighbouring windows read neighbouring values.
    pub fn part(&self) -> usize {
        let last = (self.kernel[1] - 1) * self.dilation[1] / self.stride[1];
        (self.output[1].next_multiple_of(LANES) + last).next_multiple_of(LANES)
    }

    pub fn pitch(&self) -> usize {
        self.part() * self.stride[1]
    }

    /// Lines that so many output rows read.
    pub fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1
    }

    /// Output rows whose lines are made at once.
    pub fn band(&self) -> usize {
        let rows = self.rows();
        let lines = (BAND / self.pitch()).saturating_sub(self.lines(1)) / self.stride[0];
        (lines / rows * rows).clamp(rows, self.output[0].next_multiple_of(rows))
    }

    /// The values of the lines of a band.
    pub fn memory(&self) -> usize {
        self.lines(self.band()) * self.pitch()
    }

    /// Where the first value that a tap meets lies in its line.
    #[inline(always)]
    pub fn column(&self, kx: usize, part: usize) -> usize {
        let column = kx * self.dilation[1];
        column % self.stride[1] * part + column / self.stride[1]
    }

    /// Makes one line: that of this row, counted with the zeros above.
    #[inline(always)]
    pub fn line<S: Simd>(&self, simd: S, plane: &[f32], row: usize, line: &mut [f32]) {
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

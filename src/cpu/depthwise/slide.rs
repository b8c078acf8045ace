//! How a filter slides over a plane, and the lines that it reads.

use pulp::{MemMask, Simd};

use super::super::vector::{inside, load, pick, store};
use crate::ops::Conv2d;

/// Values of lines that are made at once: 32 KiB.
const BAND: usize = 1 << 13;
/// Lanes of the widest vectors, of whose length the lines are multiples.
pub(super) const LANES: usize = 16;
/// Output rows that are made at once, for strides of 1 and 2.
pub(super) const ROWS: [usize; 2] = [4, 2];
/// The same for filters of 3×3 with a stride of 1 where there are registers for all.
pub(super) const MORE_ROWS: usize = 7;
/// The most rows of input that these need, and the most taps of a row.
pub(super) const MOST_LINES: usize = MORE_ROWS + 2;
const MOST_TAPS: usize = 5;

/// Planes that filters slide over. What lies outside counts as zero.
#[derive(Clone, Copy)]
pub(super) struct Window<S: Simd> {
    /// How far apart rows lie, and how many rows and columns there are.
    pitch: usize,
    size: [usize; 2],
    /// Rows above and columns to the left of them.
    before: [isize; 2],
    /// What the taps of a row see within it: of the first vector of a row of output and of the last one, which begins here.
    last: usize,
    masks: [[MemMask<S::m32s>; MOST_TAPS]; 2],
}

impl<S: Simd> Window<S> {
    /// For rows of output of so many columns.
    #[inline(always)]
    pub fn new(simd: S, columns: usize, pitch: usize, size: [usize; 2], before: [isize; 2]) -> Self {
        let last = (columns - 1) / S::F32_LANES * S::F32_LANES;
        let mut window = Window { pitch, size, before, last, masks: [[inside(simd, 0, 0); MOST_TAPS]; 2] };
        for end in 0..2 {
            for kx in 0..MOST_TAPS {
                window.masks[end][kx] = window.seen(simd, [0, last][end] + kx);
            }
        }
        window
    }

    /// The column that the first tap of a row meets, and whether so many vectors' worth of taps lie within the row.
    #[inline(always)]
    pub fn column(&self, first: usize, taps: usize) -> (isize, bool) {
        let column = first as isize - self.before[1];
        (column, column >= 0 && column + (S::F32_LANES + taps - 1) as isize <= self.size[1] as isize)
    }

    /// Which values of the vector that this tap of a row meets lie within it.
    #[inline(always)]
    pub fn mask(&self, simd: S, first: usize, kx: usize) -> MemMask<S::m32s> {
        match first {
            0 => self.masks[0][kx],
            _ if first == self.last => self.masks[1][kx],
            _ => self.seen(simd, first + kx),
        }
    }

    #[inline(always)]
    fn seen(&self, simd: S, column: usize) -> MemMask<S::m32s> {
        inside(simd, column as isize - self.before[1], self.size[1])
    }

    /// The first values of so many rows of a plane from this one on, counted with those above; else those of zeros.
    #[inline(always)]
    pub fn lines(&self, plane: &[f32], zeros: &[f32], first: usize, count: usize) -> [*const f32; MOST_LINES] {
        let (first, zeros) = (first as isize - self.before[0], zeros[..self.size[1]].as_ptr());
        let mut lines = [zeros; MOST_LINES];
        for (line, place) in lines.iter_mut().enumerate().take(count) {
            if let Ok(row) = usize::try_from(first + line as isize)
                && row < self.size[0]
            {
                *place = plane[row * self.pitch..][..self.size[1]].as_ptr();
            }
        }
        lines
    }
}

/// How a filter slides over a plane.
#[derive(Clone, Copy)]
pub(super) struct Slide {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Zeros above and to the left of the input. Below zero, so many rows and columns of the input are left out.
    pub before: [isize; 2],
    /// How far apart neighbours of the input lie, with zeros between them.
    pub spread: [usize; 2],
    pub input: [usize; 2],
    pub output: [usize; 2],
    part: usize,
    band: usize,
    phases: [Phase; 2],
}

/// The columns of the input that leave the same rest after division by the stride.
#[derive(Clone, Copy, Default)]
struct Phase {
    /// Where they begin in their part of a line, how many there are, and which is the first.
    skipped: usize,
    count: usize,
    first: usize,
}

impl Slide {
    pub fn forward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
        let slide = Slide {
            kernel: op.kernel,
            stride: op.stride,
            dilation: op.dilation,
            before: op.padding_before().map(|padding| padding as isize),
            spread: [1; 2],
            input,
            output,
            part: 0,
            band: 0,
            phases: [Phase::default(); 2],
        };
        slide.prepared()
    }

    /// From the gradient of the output to that of the input, with the filter turned by 180°.
    pub fn backward(op: &Conv2d, input: [usize; 2], output: [usize; 2]) -> Self {
        let before = |axis: usize| op.reach()[axis] as isize - 1 - op.padding[axis] as isize;
        let slide = Slide::forward(op, input, output);
        Slide { stride: [1; 2], before: [before(0), before(1)], spread: op.stride, ..slide }.prepared()
    }

    /// With what takes divisions, which would be half of the work on small planes.
    fn prepared(mut self) -> Self {
        let last = (self.kernel[1] - 1) * self.dilation[1] / self.stride[1];
        self.part = (self.output[1].next_multiple_of(LANES) + last).next_multiple_of(LANES);
        let rows = self.rows();
        let lines = (BAND / self.pitch()).saturating_sub(self.lines(1)) / self.stride[0];
        self.band = (lines / rows * rows).clamp(rows, self.output[0].next_multiple_of(rows));
        self.phases = [self.phase(0), self.phase(1)];
        self
    }

    fn phase(&self, phase: usize) -> Phase {
        let (width, part, stride) = (self.input[1], self.part, self.stride[1]);
        // Value i of this part is column i · stride + phase − before of the input.
        let column = phase as isize - self.before[1];
        let skipped = ((stride as isize - 1 - column).max(0) as usize / stride).min(part);
        let first = (column + (skipped * stride) as isize) as usize;
        Phase { skipped, count: width.saturating_sub(first).div_ceil(stride).min(part - skipped), first }
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
        self.part
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
        self.band
    }

    /// The values of a row of zeros.
    pub fn zeros(&self) -> usize {
        self.input[1].max(self.pitch()).next_multiple_of(LANES)
    }

    /// The values of rows of output of which every other one is picked.
    pub fn picked(&self) -> usize {
        self.rows() * (self.output[1] * self.stride[1]).next_multiple_of(LANES)
    }

    /// The values of a row of zeros, of what is picked from, and of the lines of a band.
    pub fn memory(&self) -> usize {
        self.zeros() + self.picked() + self.lines(self.band()) * self.pitch()
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
        let width = self.input[1];
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
        for phase in 0..stride {
            self.copy::<S>(simd, plane, at as usize * width, phase, &mut line[phase * self.part..][..self.part]);
        }
    }

    /// Copies the columns of a phase from the row that begins here.
    #[inline(always)]
    fn copy<S: Simd>(&self, simd: S, plane: &[f32], row: usize, phase: usize, line: &mut [f32]) {
        let (lanes, stride) = (S::F32_LANES, self.stride[1]);
        let Phase { skipped, count, first } = if phase < 2 { self.phases[phase] } else { self.phase(phase) };
        if count == 0 {
            return;
        }
        let from = &plane[row + first..row + self.input[1]];
        let whole = count.next_multiple_of(lanes);
        match (stride, plane.get(row + first..row + first + whole)) {
            // Whole vectors are copied faster, with the beginning of the next row where there is one.
            (1, Some(from)) if skipped + whole + lanes <= line.len() => {
                let to = &mut line[skipped..skipped + whole + lanes];
                for (to, from) in to.chunks_exact_mut(lanes).zip(S::as_simd_f32s(from).0) {
                    S::as_mut_simd_f32s(to).0[0] = *from;
                }
                S::as_mut_simd_f32s(&mut to[count..count + lanes]).0[0] = simd.splat_f32s(0.0);
            }
            (1, _) => {
                for (to, from) in line[skipped..skipped + count].chunks_mut(lanes).zip(from.chunks(lanes)) {
                    store::<S>(simd, to, load::<S>(simd, &from[..to.len()]));
                }
            }
            _ => pick(from, stride, &mut line[skipped..skipped + count]),
        }
    }
}

//! Tiles of the output, and the copies of the input that they are computed from.

use std::ops::Range;

use pulp::Simd;

use super::super::epilogue::Place;
use super::super::vector::{inside, load, pick};
use crate::ops::Conv2d;

/// Pixels of a tile, about; where channels are few, as many more as are copied into this many values, but not eight times
/// as many.
const PIXELS: usize = 192;
const COPIED: usize = 1 << 13;
/// The most columns of a tile, and values that they read: those stay in the nearest caches.
const COLUMNS: usize = 512;
const VALUES: usize = 1 << 15;
/// Lanes of the widest vectors.
const LANES: usize = 16;
/// Images of so few pixels share a tile.
const FEW_PIXELS: usize = 32;
/// The most pixels that are computed at once: three of the widest vectors.
const AT_ONCE: usize = 48;

/// How the output is cut into tiles. That changes no number.
pub(super) struct Tiles<'a> {
    whole: Layout<'a>,
    /// Tiles along images, rows and columns.
    parts: [usize; 3],
}

impl<'a> Tiles<'a> {
    /// As many as a multiple of this, if there are so many rows or vectors.
    pub fn new(op: &'a Conv2d, [images, channels, h, w]: [usize; 4], output: [usize; 2], multiple: usize) -> Self {
        // Rows need not be told apart where no tap reaches into another one.
        let (input, output) = if op.is_pointwise() { ([1, h * w], [1, h * w]) } else { ([h, w], output) };
        let whole = Layout::new(op, channels, input, output, [0..images, 0..output[0], 0..output[1]]);
        // Where a row is read in place, a long one, because each filter's part of the output lies elsewhere.
        let most = if op.is_pointwise() { (VALUES / whole.channels()).clamp(PIXELS, 8 * PIXELS) } else { COLUMNS };
        let even = |parts: usize, most: usize| parts.next_multiple_of(multiple).min(most);
        let pixels = (COPIED / (whole.channels() * whole.phases[0] * whole.phases[1])).clamp(PIXELS, 8 * PIXELS);
        let columns = output[1].div_ceil(most);
        let columns = if output[0] == 1 { even(columns, output[1].div_ceil(LANES)) } else { columns };
        let rows = even(output[0].div_ceil((pixels / whole.pitch.min(most)).max(1)), output[0]);
        let together = if whole.may_share_tile() { (PIXELS / (whole.lines * whole.pitch)).max(1) } else { 1 };
        Tiles { whole, parts: [images.div_ceil(together), rows, columns] }
    }

    pub fn count(&self) -> usize {
        self.parts.iter().product()
    }

    pub fn layout(&self, tile: usize) -> Layout<'a> {
        let Tiles { whole, parts: [images, rows, columns] } = self;
        let part = |range: &Range<usize>, unit: usize, i: usize, parts: usize| {
            let cut = |i: usize| (i * range.end.div_ceil(unit) / parts * unit).min(range.end);
            cut(i)..cut(i + 1)
        };
        let ranges = [
            part(&whole.images, 1, tile / (rows * columns), *images),
            part(&whole.rows, 1, tile / columns % rows, *rows),
            // Whole vectors, so that what is left over is the same wherever a row is cut.
            part(&whole.columns, LANES, tile % columns, *columns),
        ];
        Layout::new(whole.op, whole.all_channels, whole.input, whole.output, ranges)
    }
}

/// What a tile is computed from. A copy is `[channels, row phases, column phases, images, lines, pitch]`: a phase is what
/// leaves the same rest after division by the stride. Places in one phase, counted from its start, are positions; those of
/// the output are the positions of what the first tap meets.
pub(super) struct Layout<'a> {
    pub op: &'a Conv2d,
    all_channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    /// Of the output.
    images: Range<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
    phases: [usize; 2],
    lines: usize,
    pitch: usize,
}

impl<'a> Layout<'a> {
    fn new(
        op: &'a Conv2d,
        all_channels: usize,
        input: [usize; 2],
        output: [usize; 2],
        [images, rows, columns]: [Range<usize>; 3],
    ) -> Self {
        let (reach, stride) = (op.reach(), op.stride);
        let lines = rows.len() - 1 + reach[0].div_ceil(stride[0]);
        let mut pitch = columns.len() - 1 + reach[1].div_ceil(stride[1]);
        if stride[1] == 1 && columns.len() == output[1] {
            // The zeros to the left of a row are also those to the right of the one before.
            pitch = pitch.min(input[1] + op.padding[1].max(op.padding[3]));
        }
        let phases = [0, 1].map(|axis| stride[axis].min(reach[axis]));
        Layout { op, all_channels, input, output, images, rows, columns, phases, lines, pitch }
    }

    /// Channels that a filter sees.
    pub fn channels(&self) -> usize {
        self.all_channels / self.op.groups
    }

    pub fn taps(&self) -> usize {
        self.op.kernel[0] * self.op.kernel[1]
    }

    /// Values of a filter.
    pub fn inner(&self) -> usize {
        self.channels() * self.taps()
    }

    /// Pixels of an image of the output.
    pub fn plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Whether images are so small that some share a tile. Their pixels then lie elsewhere in the vectors than those of one
    /// alone.
    pub fn may_share_tile(&self) -> bool {
        self.plane() <= FEW_PIXELS
    }

    /// The vectors that are read from the input itself, which is what would be copied: those of one image that are whole.
    pub fn vectors_in_place<S: Simd>(&self) -> usize {
        if self.op.is_pointwise() && self.images.len() == 1 { self.positions() / S::F32_LANES } else { 0 }
    }

    /// How far apart channels lie in the input itself.
    pub fn plane_in_place(&self) -> usize {
        self.input[1]
    }

    /// Where the first value that is read of this channel lies in the input itself.
    pub fn first_of(&self, channel: usize) -> usize {
        (self.images.start * self.all_channels + channel) * self.input[1] + self.columns.start
    }

    fn phase(&self) -> usize {
        self.images.len() * self.lines * self.pitch
    }

    /// How far apart channels lie in the copy.
    pub fn channel(&self) -> usize {
        self.phases[0] * self.phases[1] * self.phase()
    }

    /// Positions from the first to the last one of the output.
    pub fn positions(&self) -> usize {
        ((self.images.len() - 1) * self.lines + self.rows.len() - 1) * self.pitch + self.columns.len()
    }

    /// Zeros after the copy: those to the right of its last row, and what vectors read and write beyond it.
    fn slack(&self) -> usize {
        self.pitch + 2 * AT_ONCE
    }

    /// Values for the taps and the copy.
    pub fn memory(&self) -> usize {
        self.taps() + self.channels() * self.channel() + self.slack()
    }

    /// How far what each tap meets lies from what the first one meets.
    #[inline(always)]
    pub fn fill_taps(&self, taps: &mut [u32]) {
        let ([dilation_y, dilation_x], [stride_y, stride_x]) = (self.op.dilation, self.op.stride);
        for (ky, taps) in taps.chunks_exact_mut(self.op.kernel[1]).enumerate() {
            let (phase_y, line) = (ky * dilation_y % stride_y, ky * dilation_y / stride_y);
            for (kx, tap) in taps.iter_mut().enumerate() {
                let (phase_x, column) = (kx * dilation_x % stride_x, kx * dilation_x / stride_x);
                let phase = phase_y * self.phases[1] + phase_x;
                *tap = (phase * self.phase() + line * self.pitch + column) as u32;
            }
        }
    }

    /// Copies what the filters of a group see, whose first channel this is.
    #[inline(always)]
    pub fn copy<S: Simd>(&self, simd: S, x: &[f32], channel: usize, copy: &mut [f32]) {
        let ([h, w], [top, left]) = (self.input, self.op.padding_before());
        let [stride_y, stride_x] = self.op.stride;
        let mut at = 0;
        for channel in channel..channel + self.channels() {
            for (phase_y, phase_x) in (0..self.phases[0]).flat_map(|y| (0..self.phases[1]).map(move |x| (y, x))) {
                let column = (self.columns.start * stride_x + phase_x) as isize - left as isize;
                for image in self.images.clone() {
                    let plane = &x[(image * self.all_channels + channel) * h * w..][..h * w];
                    for line in 0..self.lines {
                        let row = ((self.rows.start + line) * stride_y + phase_y).wrapping_sub(top);
                        let from = if row < h { &plane[row * w..][..w] } else { &[] };
                        copy_line(simd, from, column, stride_x, self.pitch, &mut copy[at..]);
                        at += self.pitch;
                    }
                }
            }
        }
        copy[at..][..self.slack()].fill(0.0);
    }

    /// Copies the pixels from this position on, from an input that begins at the first one: `[pixels, channels]`.
    #[inline(always)]
    pub fn copy_pixels(&self, input: &[f32], position: usize, copy: &mut [f32]) {
        for (channel, from) in input.chunks(self.input[1]).take(self.channels()).enumerate() {
            for (pixel, &value) in from[position..self.positions()].iter().enumerate() {
                copy[pixel * self.channels() + channel] = value;
            }
        }
    }

    /// The same pixels, less than a vector of each channel.
    #[inline(always)]
    pub fn copy_vector<S: Simd>(&self, simd: S, input: &[f32], position: usize, copy: &mut [f32]) {
        let lanes = S::F32_LANES;
        for (to, from) in copy.chunks_exact_mut(lanes).zip(input.chunks(self.input[1])).take(self.channels()) {
            S::as_mut_simd_f32s(to).0[0] = load(simd, &from[position..self.positions()]);
        }
    }

    /// Where the pixels at these positions belong.
    #[inline(always)]
    pub fn places(&self, position: usize, count: usize) -> Places {
        let mut places = Places { places: [Place::default(); AT_ONCE], count: 0 };
        let end = self.positions().min(position + count);
        if self.is_one_row() {
            places.add(self.place([self.images.start, self.rows.start, position], 0, end - position));
            return places;
        }
        let (mut line, mut column) = (position / self.pitch, position % self.pitch);
        let mut start = line * self.pitch;
        while start < end {
            let (image, row) = (line / self.lines, line % self.lines);
            let until = self.columns.len().min(end - start);
            if column < until && row < self.rows.len() {
                let at = [self.images.start + image, self.rows.start + row, column];
                places.add(self.place(at, start + column - position, until - column));
            }
            (line, column, start) = (line + 1, 0, start + self.pitch);
        }
        places
    }

    fn is_one_row(&self) -> bool {
        self.rows.len() == 1 && self.images.len() == 1
    }

    /// The place of so many pixels from one on, given as image, row and column of the tile.
    #[inline(always)]
    fn place(&self, [image, row, column]: [usize; 3], from: usize, length: usize) -> Place {
        let within = row * self.output[1] + self.columns.start + column;
        let is_whole = self.columns.len() == self.output[1];
        let room = if is_whole { self.rows.end * self.output[1] } else { within + length };
        Place { from, length, image, within, room }
    }

    /// All places of the tile.
    pub fn parts(&self) -> impl Iterator<Item = Place> {
        let rows = self.images.clone().flat_map(|image| self.rows.clone().map(move |row| (image, row)));
        rows.map(|(image, row)| self.place([image, row, 0], 0, self.columns.len()))
    }
}

/// One line of a phase: every so many values of a row from this column on, and zeros where there are none. A little more
/// than the line is written.
#[inline(always)]
fn copy_line<S: Simd>(simd: S, row: &[f32], column: isize, stride: usize, length: usize, line: &mut [f32]) {
    let lanes = S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    if stride == 1 {
        for at in (0..length).step_by(lanes) {
            let first = column + at as isize;
            let mask = inside(simd, first, row.len());
            // SAFETY: the mask leaves out what lies beside the row.
            let values = unsafe { simd.mask_load_ptr_f32s(mask, row.as_ptr().wrapping_offset(first)) };
            S::as_mut_simd_f32s(&mut line[at..][..lanes]).0[0] = values;
        }
        return;
    }
    for at in (0..length).step_by(lanes) {
        S::as_mut_simd_f32s(&mut line[at..][..lanes]).0[0] = zero;
    }
    let skipped = ((-column).max(0) as usize).div_ceil(stride);
    let first = column + (skipped * stride) as isize;
    let Some(from) = usize::try_from(first).ok().and_then(|first| row.get(first..)) else { return };
    let count = from.len().div_ceil(stride).min(length.saturating_sub(skipped));
    if count > 0 {
        pick(from, stride, &mut line[skipped..skipped + count]);
    }
}

/// Where the pixels of a block belong, from left to right.
pub(super) struct Places {
    places: [Place; AT_ONCE],
    count: usize,
}

impl Places {
    #[inline(always)]
    fn add(&mut self, place: Place) {
        self.places[self.count] = place;
        self.count += 1;
    }
}

impl std::ops::Deref for Places {
    type Target = [Place];

    fn deref(&self) -> &[Place] {
        &self.places[..self.count]
    }
}

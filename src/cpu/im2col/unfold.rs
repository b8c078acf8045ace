//! Which place of the input belongs to which place of the columns.

use std::ops::Range;

use crate::ops::Conv2d;
use crate::parallel::*;

/// Values of unfolded columns per band: 2 MiB.
const BAND: usize = 1 << 19;

/// Everything that says where a column comes from.
pub(super) struct Unfold<'a> {
    pub op: &'a Conv2d,
    /// All channels, and how many of them make a group.
    channels: usize,
    of_group: usize,
    pub input: [usize; 2],
    output: [usize; 2],
    pub images: usize,
}

/// Output pixels side by side, in one row of the output.
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
    pub fn new(op: &'a Conv2d, [images, channels, h, w]: [usize; 4], output: [usize; 2]) -> Self {
        let of_group = channels / op.groups;
        // Rows need not be told apart where no tap reaches into another one.
        let (input, output) = if op.is_pointwise() { ([1, h * w], [1, h * w]) } else { ([h, w], output) };
        Unfold { op, channels, of_group, input, output, images }
    }

    /// Rows of the columns of one group.
    pub fn rows(&self) -> usize {
        self.of_group * self.op.kernel[0] * self.op.kernel[1]
    }

    /// Output pixels of one image.
    pub fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Ranges of output pixels, counted through all images.
    pub fn bands(&self) -> impl Iterator<Item = Range<usize>> {
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
    pub fn unfold(&self, x: &[f32], group: usize, band: &Range<usize>, columns: &mut [f32]) {
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
    pub fn fold(&self, columns: &[f32], group: usize, band: &Range<usize>, dx: &mut [f32]) {
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
    pub fn gather(&self, y: &[f32], filters: usize, group: &Range<usize>, band: &Range<usize>, out: &mut [f32]) {
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
        // A division takes longer than all the rest.
        let steps = match stride {
            1 => distance,
            2 => distance / 2,
            _ => distance / stride,
        };
        steps.min(length as isize) as usize
    };
    let before = count(0);
    (before, count(w).max(before) - before)
}

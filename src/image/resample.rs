//! From the pixels of a picture to the numbers that a network takes, on the host. The CPU backend does it here, and so
//! does training, whose pictures are then bit for bit what the backend makes of them.

use crate::ops::adaptive_avg_pool2d::window;
use crate::ops::{Crop, Filter, Normalization, Order, resize::LUMA};
use crate::parallel::*;

/// Pixels of a task, if there are as many.
const TASK: usize = 1 << 12;

/// A number of a picture's.
pub(crate) trait Sample: Copy + Sync {
    /// It, where white is 255.
    fn of_255(self) -> f32;
}

impl Sample for u8 {
    fn of_255(self) -> f32 {
        f32::from(self)
    }
}

impl Sample for f32 {
    fn of_255(self) -> f32 {
        255.0 * self
    }
}

/// A picture's numbers: rows of RGB pixels.
pub(crate) struct Pixels<'a, T> {
    pub data: &'a [T],
    pub width: u32,
    /// Whether they are linear light.
    pub linear: bool,
}

impl<T: Sample> Pixels<'_, T> {
    fn at(&self, crop: &Crop, x: usize, y: usize) -> [f32; 3] {
        let pixel = (crop.y as usize + y) * self.width as usize + crop.x as usize + x;
        let rgb = [0, 1, 2].map(|channel| self.data[3 * pixel + channel].of_255());
        if self.linear { rgb.map(|value| 255.0 * encoded(value / 255.0)) } else { rgb }
    }
}

/// Linear light as sRGB encodes it (IEC 61966-2-1); both 0 to 1.
fn encoded(light: f32) -> f32 {
    let light = light.clamp(0.0, 1.0);
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// Fills `[crops, 3, height, width]`.
pub(crate) fn resample<T: Sample>(
    pixels: &Pixels<T>,
    crops: &[Crop],
    size: [usize; 2],
    filter: Filter,
    normalization: &Normalization,
    out: &mut [f32],
) {
    let [height, width] = size;
    let plane = height * width;
    out.par_chunks_mut(3 * plane).zip(crops).for_each(|(out, crop)| {
        let (first, others) = out.split_at_mut(plane);
        let (second, third) = others.split_at_mut(plane);
        let rows = first.par_chunks_mut(width).zip(second.par_chunks_mut(width)).zip(third.par_chunks_mut(width));
        rows.enumerate().with_min_len((TASK / width).max(1)).for_each(|(oy, ((first, second), third))| {
            let places = first.iter_mut().zip(second).zip(third).enumerate();
            for (index, ((first, second), third)) in places {
                let ox = if crop.mirror { width - 1 - index } else { index };
                let rgb = match filter {
                    Filter::Bilinear => bilinear(pixels, crop, size, oy, ox),
                    Filter::Area => area(pixels, crop, size, oy, ox),
                };
                [*first, *second, *third] = normalized(rgb, normalization);
            }
        });
    });
}

/// What a network takes of a pixel.
pub(crate) fn normalized(rgb: [f32; 3], Normalization { order, mean, std, gray }: &Normalization) -> [f32; 3] {
    let [red, green, blue] = rgb;
    let given = match (gray, order) {
        (true, _) => [red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]; 3],
        (false, Order::Bgr) => [blue, green, red],
        (false, Order::Rgb) => rgb,
    };
    [0, 1, 2].map(|channel| (given[channel] - mean[channel]) / std[channel])
}

/// The mean of the pixels that an output covers.
fn area<T: Sample>(pixels: &Pixels<T>, crop: &Crop, [h, w]: [usize; 2], oy: usize, ox: usize) -> [f32; 3] {
    let (rows, columns) = (window(oy, crop.height as usize, h), window(ox, crop.width as usize, w));
    let count = rows.len() * columns.len();
    let mut sums = [0.0; 3];
    for y in rows {
        for x in columns.clone() {
            let rgb = pixels.at(crop, x, y);
            sums = [0, 1, 2].map(|channel| sums[channel] + rgb[channel]);
        }
    }
    sums.map(|sum| sum / count as f32)
}

/// The two neighbours of a new pixel on one axis, and how much of the second.
fn neighbours(o: usize, input: u32, output: usize) -> (usize, usize, f32) {
    let position = ((o as f32 + 0.5) * (input as f32 / output as f32) - 0.5).max(0.0);
    let low = (position as usize).min(input as usize - 1);
    (low, (low + 1).min(input as usize - 1), position - low as f32)
}

fn bilinear<T: Sample>(pixels: &Pixels<T>, crop: &Crop, [h, w]: [usize; 2], oy: usize, ox: usize) -> [f32; 3] {
    let (y0, y1, fy) = neighbours(oy, crop.height, h);
    let (x0, x1, fx) = neighbours(ox, crop.width, w);
    let between = |a: [f32; 3], b: [f32; 3], part: f32| [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part);
    let row = |y| between(pixels.at(crop, x0, y), pixels.at(crop, x1, y), fx);
    between(row(y0), row(y1), fy)
}

//! From the pixels of a picture to the numbers that a network takes, on the host. The CPU backend does it here, and so
//! does training, whose pictures are then bit for bit what the backend makes of them.

use crate::ops::adaptive_avg_pool2d::window;
use crate::ops::{Crop, Filter, Normalization, Order, resize::LUMA};
use crate::parallel::*;

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
    fn at(&self, crop: &Crop, x: usize, y: usize, channel: usize) -> f32 {
        let pixel = (crop.y as usize + y) * self.width as usize + crop.x as usize + x;
        let value = self.data[3 * pixel + channel].of_255();
        if self.linear { 255.0 * encoded(value / 255.0) } else { value }
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
    let plane = size[0] * size[1];
    let rows = out.par_chunks_mut(3 * plane).zip(crops);
    rows.for_each(|(out, crop)| {
        for index in 0..plane {
            let (oy, ox) = (index / size[1], index % size[1]);
            let ox = if crop.mirror { size[1] - 1 - ox } else { ox };
            let rgb = [0, 1, 2].map(|channel| match filter {
                Filter::Bilinear => bilinear(pixels, crop, size, oy, ox, channel),
                Filter::Area => area(pixels, crop, size, oy, ox, channel),
            });
            for channel in 0..3 {
                let value = if normalization.gray {
                    rgb[0] * LUMA[0] + rgb[1] * LUMA[1] + rgb[2] * LUMA[2]
                } else {
                    rgb[if normalization.order == Order::Bgr { 2 - channel } else { channel }]
                };
                out[channel * plane + index] = (value - normalization.mean[channel]) / normalization.std[channel];
            }
        }
    });
}

fn area<T: Sample>(pixels: &Pixels<T>, crop: &Crop, [h, w]: [usize; 2], oy: usize, ox: usize, channel: usize) -> f32 {
    let (rows, columns) = (window(oy, crop.height as usize, h), window(ox, crop.width as usize, w));
    let count = rows.len() * columns.len();
    let sum: f32 = rows.flat_map(|y| columns.clone().map(move |x| pixels.at(crop, x, y, channel))).sum();
    sum / count as f32
}

/// The two neighbours of a new pixel on one axis, and how much of the second.
fn neighbours(o: usize, input: u32, output: usize) -> (usize, usize, f32) {
    let position = ((o as f32 + 0.5) * (input as f32 / output as f32) - 0.5).max(0.0);
    let low = (position as usize).min(input as usize - 1);
    (low, (low + 1).min(input as usize - 1), position - low as f32)
}

fn bilinear<T: Sample>(
    pixels: &Pixels<T>,
    crop: &Crop,
    [h, w]: [usize; 2],
    oy: usize,
    ox: usize,
    channel: usize,
) -> f32 {
    let (y0, y1, fy) = neighbours(oy, crop.height, h);
    let (x0, x1, fx) = neighbours(ox, crop.width, w);
    let row = |y| {
        let (left, right) = (pixels.at(crop, x0, y, channel), pixels.at(crop, x1, y, channel));
        left + (right - left) * fx
    };
    let (upper, lower) = (row(y0), row(y1));
    upper + (lower - upper) * fy
}

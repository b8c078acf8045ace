//! Draws into pictures: rectangles, discs and text.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

pub const BLACK: [u8; 3] = [0; 3];
pub const WHITE: [u8; 3] = [255; 3];

/// Pixels from x1, y1 to before x2, y2; may reach out of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub x1: i64,
    pub y1: i64,
    pub x2: i64,
    pub y2: i64,
}

impl Area {
    /// The area with this many pixels more on each side.
    pub fn grown(self, by: i64) -> Self {
        Area { x1: self.x1 - by, y1: self.y1 - by, x2: self.x2 + by, y2: self.y2 + by }
    }

    /// How many pixels both cover.
    pub fn overlap(&self, other: &Area) -> i64 {
        let width = self.x2.min(other.x2) - self.x1.max(other.x1);
        let height = self.y2.min(other.y2) - self.y1.max(other.y1);
        width.max(0) * height.max(0)
    }
}

/// Draws the lines of a rectangle, towards its inside.
pub fn outline(image: &mut RgbImage, area: Area, line: i64, color: [u8; 3], opacity: f32) {
    let Area { x1, y1, x2, y2 } = area;
    fill(image, Area { y2: y1 + line, ..area }, color, opacity);
    fill(image, Area { y1: y2 - line, ..area }, color, opacity);
    fill(image, Area { y1: y1 + line, y2: y2 - line, x2: x1 + line, ..area }, color, opacity);
    fill(image, Area { y1: y1 + line, y2: y2 - line, x1: x2 - line, ..area }, color, opacity);
}

/// Fills the part of an area that is in the picture.
pub fn fill(image: &mut RgbImage, area: Area, color: [u8; 3], opacity: f32) {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    for y in area.y1.max(0)..area.y2.min(height) {
        for x in area.x1.max(0)..area.x2.min(width) {
            blend(image, x, y, color, opacity);
        }
    }
}

/// Lays a colour over a pixel, if it is in the picture.
fn blend(image: &mut RgbImage, x: i64, y: i64, color: [u8; 3], opacity: f32) {
    let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
    let Some(Rgb(pixel)) = image.get_pixel_mut_checked(x, y) else { return };
    for (below, above) in pixel.iter_mut().zip(color) {
        *below = (f32::from(*below) * (1.0 - opacity) + f32::from(above) * opacity).round() as u8;
    }
}

/// Draws a disc with soft edges around a place.
pub fn disc(image: &mut RgbImage, [x, y]: [f32; 2], radius: f32, color: [u8; 3]) {
    let reach = |at: f32, side: u32| {
        let within = |edge: f32| edge.clamp(0.0, side as f32) as i64;
        within(at - radius - 1.0)..within(at + radius + 2.0)
    };
    let (rows, columns) = (reach(y, image.height()), reach(x, image.width()));
    for (py, px) in rows.flat_map(|py| columns.clone().map(move |px| (py, px))) {
        let distance = (px as f32 + 0.5 - x).hypot(py as f32 + 0.5 - y);
        blend(image, px, py, color, (radius + 0.5 - distance).clamp(0.0, 1.0));
    }
}

/// Writes a line of text with its upper left corner here. `height` is in pixels, with the space above and below the
/// letters.
pub fn write_text(image: &mut RgbImage, text: &str, [x, y]: [f32; 2], height: f32, ink: [u8; 3]) {
    for (number, letter) in text.chars().enumerate() {
        draw_letter(image, letter, x + number as f32 * advance(height), y, height, ink);
    }
}

/// How far apart the letters of a text of this height are.
pub fn advance(text: f32) -> f32 {
    let (raster, height) = raster(text);
    get_raster_width(FontWeight::Bold, raster) as f32 * text / height
}

/// The drawn letters that are nearest to this height, and their height.
fn raster(text: f32) -> (RasterHeight, f32) {
    match text {
        ..20.0 => (RasterHeight::Size16, 16.0),
        20.0..28.0 => (RasterHeight::Size24, 24.0),
        _ => (RasterHeight::Size32, 32.0),
    }
}

/// Draws one letter with its upper left corner here, scaled from the nearest drawn size.
fn draw_letter(image: &mut RgbImage, letter: char, x: f32, y: f32, text: f32, ink: [u8; 3]) {
    let (raster, height) = raster(text);
    let Some(letter) =
        get_raster(letter, FontWeight::Bold, raster).or_else(|| get_raster('?', FontWeight::Bold, raster))
    else {
        return;
    };
    let scale = text / height;
    let rows = letter.raster();
    let (x0, y0) = (x.floor() as i64, y.floor() as i64);
    for py in y0..=(y + text).ceil() as i64 {
        for px in x0..=(x + advance(text)).ceil() as i64 {
            let (u, v) = ((px as f32 + 0.5 - x) / scale - 0.5, (py as f32 + 0.5 - y) / scale - 0.5);
            // Enlarged edges are as sharp as those of the drawn letters.
            let coverage = (sample(rows, u, v) - 0.5) * scale.max(1.0) + 0.5;
            blend(image, px, py, ink, coverage.clamp(0.0, 1.0));
        }
    }
}

/// The value between the four nearest pixels, 0 to 1; nothing is around the letter.
fn sample(rows: &[&[u8]], u: f32, v: f32) -> f32 {
    let at = |x: f32, y: f32| {
        let row = if y < 0.0 { None } else { rows.get(y as usize) };
        let value = row.filter(|_| x >= 0.0).and_then(|row| row.get(x as usize));
        value.map_or(0.0, |&value| f32::from(value) / 255.0)
    };
    let (left, top) = (u.floor(), v.floor());
    let (a, b) = (u - left, v - top);
    let upper = at(left, top) * (1.0 - a) + at(left + 1.0, top) * a;
    let lower = at(left, top + 1.0) * (1.0 - a) + at(left + 1.0, top + 1.0) * a;
    upper * (1.0 - b) + lower * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disc_has_its_area_and_any_place_is_taken() {
        let mut image = RgbImage::new(40, 40);
        disc(&mut image, [20.0, 21.5], 8.0, WHITE);
        let area = image.pixels().map(|pixel| f32::from(pixel[0]) / 255.0).sum::<f32>();
        // The soft edge is as good as a line for a circle of this size.
        assert!((area / (std::f32::consts::PI * 64.0) - 1.0).abs() < 0.01, "{area}");
        for value in [f32::NAN, f32::INFINITY, -1e30, 1e30] {
            disc(&mut image, [value; 2], 5.0, WHITE);
            disc(&mut image, [3.0; 2], value, WHITE);
        }
    }

    #[test]
    fn text_stands_where_it_should() {
        let mut image = RgbImage::new(100, 40);
        write_text(&mut image, "HH", [10.0, 10.0], 16.0, WHITE);
        let inked = |x: std::ops::Range<u32>| x.flat_map(|x| (0..40).map(move |y| (x, y))).any(|at| image[at][0] > 0);
        let width = 2.0 * advance(16.0);
        assert!(!inked(0..10) && inked(10..10 + width as u32) && !inked(11 + width as u32..100));
        assert!((0..100).all(|x| (0..10).chain(27..40).all(|y| image[(x, y)][0] == 0)));
    }
}

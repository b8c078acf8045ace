//! Draws boxes with labels into a picture and writes it.

use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use vultus::Error;

use super::file;

/// A box with a label.
pub struct Mark {
    /// x1, y1, x2, y2 in pixels.
    pub bounds: [f32; 4],
    /// What stands beside the box.
    pub label: String,
    /// Which of the colours; they repeat.
    pub color: usize,
}

/// Colours that people with any kind of colour vision can tell apart (Okabe and Ito, 2008).
const COLORS: [[u8; 3]; 7] =
    [[213, 94, 0], [0, 158, 115], [204, 121, 167], [240, 228, 66], [86, 180, 233], [230, 159, 0], [0, 114, 178]];

const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];

/// The smallest text that can be read, in pixels.
const SMALLEST_TEXT: f32 = 8.0;

/// What is as large as the picture asks for.
#[derive(Clone, Copy)]
struct Style {
    /// Width of lines in pixels.
    line: i64,
    /// Height of text in pixels, with the space above and below the letters.
    text: f32,
}

impl Style {
    fn of(image: &RgbImage) -> Self {
        let side = image.width().min(image.height()) as f32;
        Style { line: (side / 180.0).round().max(2.0) as i64, text: (side / 25.0).max(14.0) }
    }
}

/// Pixels from x1, y1 to before x2, y2; may reach out of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    x1: i64,
    y1: i64,
    x2: i64,
    y2: i64,
}

impl Area {
    fn grown(self, by: i64) -> Self {
        Area { x1: self.x1 - by, y1: self.y1 - by, x2: self.x2 + by, y2: self.y2 + by }
    }

    /// How many pixels both cover.
    fn overlap(&self, other: &Area) -> i64 {
        let width = self.x2.min(other.x2) - self.x1.max(other.x1);
        let height = self.y2.min(other.y2) - self.y1.max(other.y1);
        width.max(0) * height.max(0)
    }
}

/// Draws all boxes, then all labels above them.
pub fn draw(image: &mut RgbImage, marks: &[Mark]) {
    let style = Style::of(image);
    let frames: Vec<Area> = marks.iter().map(|mark| frame(&mark.bounds, style)).collect();
    for (mark, &frame) in marks.iter().zip(&frames) {
        // A dark edge on both sides keeps the line visible on any background.
        outline(image, frame.grown(1), style.line + 2, BLACK, 0.35);
        outline(image, frame, style.line, color(mark), 1.0);
    }
    let mut bars = Vec::new();
    for (mark, frame) in marks.iter().zip(&frames) {
        let Some((width, text)) = fit(image.width(), image.height(), &mark.label, style) else { continue };
        let bar = place(image.width(), image.height(), frame, [width, text as i64], &frames, &bars);
        draw_label(image, mark, bar, text);
        bars.push(bar);
    }
}

fn color(mark: &Mark) -> [u8; 3] {
    COLORS[mark.color % COLORS.len()]
}

/// What a box covers with its line, half of which lies outside of it.
fn frame(bounds: &[f32; 4], style: Style) -> Area {
    // So far outside of any picture that nothing overflows.
    let [x1, y1, x2, y2] = bounds.map(|v| v.clamp(-1e6, 1e6).round() as i64);
    Area { x1, y1, x2, y2 }.grown(style.line / 2)
}

/// The width of a label's bar and the height of its text: as large as the style wants and the picture has room for.
/// Nothing if it could not be read.
fn fit(width: u32, height: u32, label: &str, style: Style) -> Option<(i64, f32)> {
    let letters = label.chars().count() as f32;
    let width_of = |text: f32| letters * advance(text) + 2.0 * padding(text);
    let room = style.text * width as f32 / width_of(style.text);
    let text = style.text.min(room).min(height as f32).floor();
    (text >= SMALLEST_TEXT).then(|| ((width_of(text).ceil() as i64).min(i64::from(width)), text))
}

/// The place beside a frame, within the picture, where a bar of this width and height hides the least of other labels
/// and then of faces: above, below, or in the frame.
fn place(width: u32, height: u32, frame: &Area, size: [i64; 2], frames: &[Area], bars: &[Area]) -> Area {
    let [bar_width, bar_height] = size;
    let (left, right) = (frame.x1, frame.x2 - bar_width);
    let (above, below) = (frame.y1 - bar_height, frame.y2);
    let corners = [(left, above), (right, above), (left, below), (right, below), (left, frame.y1)];
    let areas = corners.map(|(x, y)| {
        let x1 = x.clamp(0, i64::from(width) - bar_width);
        let y1 = y.clamp(0, i64::from(height) - bar_height);
        Area { x1, y1, x2: x1 + bar_width, y2: y1 + bar_height }
    });
    let hidden = |area: &Area, others: &[Area]| others.iter().map(|other| area.overlap(other)).sum::<i64>();
    let [first, ..] = areas;
    areas.into_iter().min_by_key(|area| (hidden(area, bars), hidden(area, frames))).unwrap_or(first)
}

/// Draws a label on its bar.
fn draw_label(image: &mut RgbImage, mark: &Mark, bar: Area, text: f32) {
    let background = color(mark);
    fill(image, bar, background, 1.0);
    let [r, g, b] = background.map(f32::from);
    let ink = if 0.299 * r + 0.587 * g + 0.114 * b > 140.0 { BLACK } else { WHITE };
    let mut x = bar.x1 as f32 + padding(text);
    for letter in mark.label.chars() {
        draw_letter(image, letter, x, bar.y1 as f32, text, ink);
        x += advance(text);
    }
}

fn padding(text: f32) -> f32 {
    text * 0.3
}

/// How far apart the letters of a text of this height are.
fn advance(text: f32) -> f32 {
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

/// Draws the lines of a rectangle, towards its inside.
fn outline(image: &mut RgbImage, area: Area, line: i64, color: [u8; 3], opacity: f32) {
    let Area { x1, y1, x2, y2 } = area;
    fill(image, Area { y2: y1 + line, ..area }, color, opacity);
    fill(image, Area { y1: y2 - line, ..area }, color, opacity);
    fill(image, Area { y1: y1 + line, y2: y2 - line, x2: x1 + line, ..area }, color, opacity);
    fill(image, Area { y1: y1 + line, y2: y2 - line, x1: x2 - line, ..area }, color, opacity);
}

/// Fills the part of an area that is in the picture.
fn fill(image: &mut RgbImage, area: Area, color: [u8; 3], opacity: f32) {
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

/// Writes the picture as PNG.
pub fn write(path: &Path, image: &RgbImage) -> Result<(), Error> {
    file::write(path, |out| image.write_to(out, ImageFormat::Png).map_err(std::io::Error::other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(bounds: [f32; 4]) -> Mark {
        Mark { bounds, label: "surprise 100%".to_owned(), color: 0 }
    }

    #[test]
    fn labels_stay_in_the_picture_wherever_the_box_is() {
        for (width, height) in [(1200, 800), (160, 90), (110, 300), (4000, 3000)] {
            let style = Style::of(&RgbImage::new(width, height));
            let (w, h) = (width as f32, height as f32);
            for bounds in [[0.0, 0.0, w, h], [-50.0, -50.0, 20.0, 20.0], [w - 9.0, h - 9.0, w + 90.0, h + 90.0]] {
                let (bar_width, text) = fit(width, height, "surprise 100%", style).unwrap();
                let bar = place(width, height, &frame(&bounds, style), [bar_width, text as i64], &[], &[]);
                assert!(bar.x1 >= 0 && bar.y1 >= 0, "{bar:?}");
                assert!(bar.x2 <= i64::from(width) && bar.y2 <= i64::from(height), "{bar:?}");
                let letters = 13.0 * advance(text) + padding(text);
                assert!(bar.x1 as f32 + letters <= bar.x2 as f32, "the letters leave {bar:?}");
            }
        }
    }

    #[test]
    fn a_label_that_could_not_be_read_is_left_out() {
        let style = Style::of(&RgbImage::new(24, 24));
        assert_eq!(fit(24, 24, "surprise 100%", style), None);
    }

    #[test]
    fn labels_of_neighbours_do_not_hide_each_other() {
        let frames = [(100, 160), (200, 260)].map(|(x1, x2)| Area { x1, y1: 100, x2, y2: 180 });
        let first = place(600, 600, &frames[0], [140, 30], &frames, &[]);
        assert_eq!(first, Area { x1: 100, y1: 70, x2: 240, y2: 100 });
        let second = place(600, 600, &frames[1], [140, 30], &frames, &[first]);
        assert_eq!(second, Area { x1: 200, y1: 180, x2: 340, y2: 210 });
    }

    #[test]
    fn a_label_without_room_above_goes_below_and_then_into_the_box() {
        let place = |frame: Area| place(300, 300, &frame, [100, 30], &[frame], &[]);
        assert_eq!(place(Area { x1: 50, y1: 5, x2: 150, y2: 200 }).y1, 200);
        assert_eq!(place(Area { x1: 0, y1: 0, x2: 300, y2: 300 }).y1, 0);
    }

    #[test]
    fn drawing_on_any_picture_ends() {
        for (width, height) in [(1, 1), (1, 500), (500, 1), (64, 64)] {
            for bounds in [[0.0, 0.0, 1.0, 1.0], [-1e9, -1e9, 1e9, 1e9], [5.0, 5.0, 2.0, 2.0], [f32::NAN; 4]] {
                draw(&mut RgbImage::new(width, height), &[mark(bounds)]);
            }
        }
    }

    #[test]
    fn the_line_lies_on_the_box_and_nothing_far_from_it_changes() {
        let mut image = RgbImage::from_pixel(400, 400, Rgb([10, 20, 30]));
        draw(&mut image, &[mark([100.0, 200.0, 300.0, 350.0])]);
        let line = Rgb(COLORS[0]);
        for (x, y) in [(100, 275), (299, 275), (200, 349)] {
            assert_eq!(*image.get_pixel(x, y), line, "{x}, {y}");
        }
        for (x, y) in [(200, 275), (50, 275), (350, 275), (200, 50), (200, 390)] {
            assert_eq!(*image.get_pixel(x, y), Rgb([10, 20, 30]), "{x}, {y}");
        }
    }
}

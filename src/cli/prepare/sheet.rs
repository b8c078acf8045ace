//! All stages on one page, like a figure in a paper.

use vultus::image::RgbImage;
use vultus::ops::Crop;
use vultus::prepare::resize;

use crate::answer::draw::{Area, fill, outline, write_text};
use crate::answer::stages::Stage;

/// The file's name.
pub const FILE: &str = "sheet.png";

const COLUMNS: usize = 4;
/// The side of a cell, in pixels like all that follows.
const CELL: u32 = 288;
const MARGIN: u32 = 40;
/// Between two cells.
const GAP: u32 = 28;
/// Between a cell and its caption.
const ABOVE_CAPTION: u32 = 10;
/// The heights of the caption's two lines: letters that need no scaling.
const LINES: [u32; 2] = [24, 16];
/// Between the caption and the next row.
const BELOW_CAPTION: u32 = 30;

const PAPER: [u8; 3] = [255; 3];
/// What a picture that is no square leaves of its cell.
const MOUNT: [u8; 3] = [243, 243, 245];
const EDGE: [u8; 3] = [205, 205, 210];
const INK: [u8; 3] = [28, 28, 32];
const PALE_INK: [u8; 3] = [105, 105, 112];

/// Draws all stages in rows, each with a letter, its title and its detail below.
pub fn draw(stages: &[Stage]) -> RgbImage {
    let columns = stages.len().clamp(1, COLUMNS) as u32;
    let rows = stages.len().div_ceil(COLUMNS).max(1) as u32;
    let row = CELL + ABOVE_CAPTION + LINES[0] + LINES[1] + BELOW_CAPTION;
    let size = [2 * MARGIN + columns * (CELL + GAP) - GAP, 2 * MARGIN + rows * row - BELOW_CAPTION];
    let mut page = RgbImage::from_pixel(size[0], size[1], image::Rgb(PAPER));
    for (number, (letter, stage)) in ('a'..='z').zip(stages).enumerate() {
        let column = (number % COLUMNS) as u32;
        let at = [MARGIN + column * (CELL + GAP), MARGIN + (number / COLUMNS) as u32 * row];
        draw_picture(&mut page, at, &stage.image);
        let line = |below: u32| [at[0] as f32, (at[1] + CELL + ABOVE_CAPTION + below) as f32];
        write_text(&mut page, &format!("({letter}) {}", stage.title), line(0), LINES[0] as f32, INK);
        write_text(&mut page, &stage.detail, line(LINES[0]), LINES[1] as f32, PALE_INK);
    }
    page
}

/// Draws a picture in the middle of its cell, as large as it fits.
fn draw_picture(page: &mut RgbImage, [x, y]: [u32; 2], picture: &RgbImage) {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    let scaled = |side: u32| ((f64::from(side) * f64::from(CELL) / f64::from(longer)).round() as u32).max(1);
    let [w, h] = [width, height].map(scaled);
    let [left, upper] = [x + (CELL - w) / 2, y + (CELL - h) / 2];
    let area = |[x, y]: [u32; 2], [w, h]: [u32; 2]| {
        let [x1, y1, x2, y2] = [x, y, x + w, y + h].map(i64::from);
        Area { x1, y1, x2, y2 }
    };
    let cell = area([x, y], [CELL; 2]);
    fill(page, cell, MOUNT, 1.0);
    let shown = resize(picture, &Crop::whole(width, height), w, h);
    image::imageops::replace(page, &shown, i64::from(left), i64::from(upper));
    outline(page, cell.grown(1), 1, EDGE, 1.0);
}

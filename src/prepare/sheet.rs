//! Pictures side by side.

use ::image::{Rgb, RgbImage, imageops};

/// Space between the cells and around all of them, in pixels.
const GAP: u32 = 4;

/// The rows of pictures below each other on white, in cells of the size of the largest one, each in the middle of its
/// cell. A single white pixel if there are none.
pub(crate) fn mosaic(rows: &[Vec<RgbImage>]) -> RgbImage {
    let cells = || rows.iter().flatten();
    let width = cells().map(RgbImage::width).max().unwrap_or(0);
    let height = cells().map(RgbImage::height).max().unwrap_or(0);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let side = |count: u32, cell: u32| if cell == 0 { 1 } else { count * (cell + GAP) + GAP };
    let mut sheet = RgbImage::from_pixel(side(columns, width), side(rows.len() as u32, height), Rgb([255; 3]));
    for (row, images) in rows.iter().enumerate() {
        for (column, image) in images.iter().enumerate() {
            let start = |number: usize, cell: u32, side: u32| {
                i64::from(GAP) + number as i64 * i64::from(cell + GAP) + i64::from((cell - side) / 2)
            };
            let (x, y) = (start(column, width, image.width()), start(row, height, image.height()));
            imageops::replace(&mut sheet, image, x, y);
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_pictures_stand_in_the_middle_of_their_cells() {
        let [large, small] = [(6, 6), (2, 4)].map(|(w, h)| RgbImage::from_pixel(w, h, Rgb([1, 2, 3])));
        let sheet = mosaic(&[vec![large.clone(), small], vec![large]]);
        assert_eq!(sheet.dimensions(), (3 * GAP + 12, 3 * GAP + 12));
        let covered = |x: u32, y: u32| *sheet.get_pixel(x, y) == Rgb([1, 2, 3]);
        assert!(covered(GAP, GAP) && covered(2 * GAP + 6 + 2, GAP + 1) && covered(GAP, 2 * GAP + 6));
        assert!(!covered(0, 0) && !covered(2 * GAP + 6 + 1, GAP + 1) && !covered(2 * GAP + 6 + 2, 2 * GAP + 6));
        assert_eq!(sheet.pixels().filter(|pixel| pixel[0] == 1).count(), 36 + 8 + 36);
    }
}

//! Small pictures in a grid.

use image::Rgb;

use crate::error::{Error, Result};
use crate::image::RgbImage;

/// What lies between the pictures.
pub(super) const GAP: Rgb<u8> = Rgb([24, 28, 33]);

/// So many pictures of this height and width, in a grid as square as can be, one dark pixel apart. `cell` gives what a
/// picture's places, in row order, look like.
///
/// # Errors
/// [`Error::InvalidArgument`] if there are none to show; [`Error::Shape`] if they are too many.
pub(super) fn grid<Cell: Fn(usize) -> [u8; 3]>(
    what: &str,
    count: usize,
    [height, width]: [usize; 2],
    cell: impl Fn(usize) -> Cell,
) -> Result<RgbImage> {
    if count * height * width == 0 {
        return Err(Error::invalid(what, "there are none to show"));
    }
    let columns = (1..=count).find(|n| n * n >= count).unwrap_or(1);
    let side = |cells: usize, pixels: usize| u32::try_from(cells * (pixels + 1) + 1);
    let (Ok(across), Ok(down)) = (side(columns, width), side(count.div_ceil(columns), height)) else {
        return Err(Error::shape(what, format!("{count} of {height}×{width} are too many to show")));
    };
    let mut picture = RgbImage::from_pixel(across, down, GAP);
    for number in 0..count {
        let (left, top) = (number % columns * (width + 1) + 1, number / columns * (height + 1) + 1);
        let color = cell(number);
        for place in 0..height * width {
            picture.put_pixel((left + place % width) as u32, (top + place / width) as u32, Rgb(color(place)));
        }
    }
    Ok(picture)
}

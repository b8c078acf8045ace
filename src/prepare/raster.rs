//! Pixels of one or three channels, for the filters.

use ::image::{Rgb, RgbImage};

use crate::ops::resize::LUMA;

/// Rows of pixels of `C` channels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raster<const C: usize> {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[u8; C]>,
}

impl<const C: usize> Raster<C> {
    /// The raster with its border pixels repeated around it this many times.
    pub fn padded(&self, by: usize) -> Self {
        let (width, height) = (self.width + 2 * by, self.height + 2 * by);
        let inside = |at: usize, length: usize| at.saturating_sub(by).min(length - 1);
        let row = |y: usize| &self.pixels[inside(y, self.height) * self.width..][..self.width];
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| row(y)[inside(x, self.width)])).collect();
        Raster { width, height, pixels }
    }
}

impl Raster<1> {
    /// The luma of every pixel (ITU-R BT.601), rounded.
    pub fn luma(image: &RgbImage) -> Self {
        let luma = |Rgb(rgb): &Rgb<u8>| {
            let [r, g, b] = rgb.map(f32::from);
            [(r * LUMA[0] + g * LUMA[1] + b * LUMA[2]).round() as u8]
        };
        let (width, height) = (image.width() as usize, image.height() as usize);
        Raster { width, height, pixels: image.pixels().map(luma).collect() }
    }

    /// The values in all three channels.
    pub fn to_image(&self) -> RgbImage {
        self.image(|[value]| [value; 3])
    }
}

impl Raster<3> {
    pub fn of(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        Raster { width, height, pixels: image.pixels().map(|pixel| pixel.0).collect() }
    }

    pub fn to_image(&self) -> RgbImage {
        self.image(|rgb| rgb)
    }
}

impl<const C: usize> Raster<C> {
    fn image(&self, color: impl Fn([u8; C]) -> [u8; 3]) -> RgbImage {
        let at = |x: u32, y: u32| Rgb(color(self.pixels[y as usize * self.width + x as usize]));
        RgbImage::from_fn(self.width as u32, self.height as u32, at)
    }
}

/// Whether no pixel has a colour, so that one channel says all.
pub(super) fn is_gray(image: &RgbImage) -> bool {
    image.pixels().all(|Rgb([r, g, b])| r == g && g == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_is_the_luma_and_keeps_what_is_gray() {
        let mut image = RgbImage::from_fn(256, 1, |x, _| Rgb([x as u8; 3]));
        assert!(is_gray(&image));
        assert_eq!(Raster::luma(&image).to_image(), image);
        image.put_pixel(3, 0, Rgb([255, 0, 0]));
        image.put_pixel(4, 0, Rgb([0, 255, 0]));
        image.put_pixel(5, 0, Rgb([0, 0, 255]));
        // 0.299, 0.587 and 0.114 of 255.
        assert_eq!(Raster::luma(&image).pixels[3..6], [[76], [150], [29]]);
        assert!(!is_gray(&image));
        assert_eq!(Raster::of(&image).to_image(), image);
    }

    #[test]
    fn the_border_goes_on_around() {
        let raster = Raster { width: 2, height: 1, pixels: vec![[1], [2]] };
        let padded = raster.padded(1);
        assert_eq!((padded.width, padded.height), (4, 3));
        assert_eq!(padded.pixels.concat(), [1, 1, 2, 2].repeat(3));
    }
}

//! Pictures in bytes, read between their pixels.

/// A picture: rows of pixels without gaps, each of three bytes (red, green, blue) or of one (gray).
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a> {
    data: &'a [u8],
    pub width: usize,
    pub height: usize,
}

impl<'a> Bytes<'a> {
    /// `None` if the picture is empty, or has neither one nor three bytes for each pixel.
    pub fn new(data: &'a [u8], width: usize, height: usize) -> Option<Self> {
        let pixels = width.checked_mul(height).filter(|&pixels| pixels > 0)?;
        [Some(pixels), pixels.checked_mul(3)].contains(&Some(data.len())).then_some(Bytes { data, width, height })
    }

    /// All bytes.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Bytes of a pixel.
    pub fn channels(&self) -> usize {
        self.data.len() / (self.width * self.height)
    }

    /// The mean of all bytes. A gray picture has the same with one byte for each pixel as with three.
    pub fn mean(&self) -> f32 {
        let sum: u64 = self.data.iter().map(|&value| u64::from(value)).sum();
        (sum as f64 / self.data.len() as f64) as f32
    }

    /// Red, green and blue of a pixel.
    pub fn at(&self, x: usize, y: usize) -> [f32; 3] {
        self.pixel(self.channels(), x, y)
    }

    fn pixel(&self, channels: usize, x: usize, y: usize) -> [f32; 3] {
        let pixel = &self.data[channels * (y * self.width + x)..][..channels];
        if let [red, green, blue] = *pixel { [red, green, blue].map(f32::from) } else { [f32::from(pixel[0]); 3] }
    }

    /// The value between the four nearest pixels; whole numbers are the centres of pixels. Around the picture its border
    /// pixels go on.
    pub fn between(&self, x: f32, y: f32) -> [f32; 3] {
        let channels = self.channels();
        let (x0, x1, fx) = neighbours(x, self.width);
        let (y0, y1, fy) = neighbours(y, self.height);
        let between =
            |a: [f32; 3], b: [f32; 3], f: f32| [0, 1, 2].map(|channel| a[channel] + (b[channel] - a[channel]) * f);
        let row = |y| between(self.pixel(channels, x0, y), self.pixel(channels, x1, y), fx);
        between(row(y0), row(y1), fy)
    }
}

/// The pixels on both sides of a place on an axis of this length, and how much of the second.
fn neighbours(at: f32, length: usize) -> (usize, usize, f32) {
    let last = length - 1;
    // `max` turns NaN into 0, so that every place gives a pixel.
    let at = at.max(0.0).min(last as f32);
    let low = (at as usize).min(last);
    (low, (low + 1).min(last), at - low as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gray_with_one_byte_is_gray_with_three() {
        let gray = [7, 200, 31, 90, 0, 255];
        let three: Vec<u8> = gray.iter().flat_map(|&value| [value; 3]).collect();
        let (one, three) = (Bytes::new(&gray, 3, 2).unwrap(), Bytes::new(&three, 3, 2).unwrap());
        assert_eq!((one.channels(), three.channels(), one.mean()), (1, 3, three.mean()));
        for (x, y) in [(-1.0, 0.0), (0.25, 0.5), (1.9, 7.0), (f32::NAN, 0.3)] {
            assert_eq!(one.between(x, y), three.between(x, y), "{x}, {y}");
        }
        assert_eq!(one.between(0.5, 0.0), [103.5; 3]);
        assert_eq!(three.at(2, 1), [255.0; 3]);
    }

    #[test]
    fn what_is_no_picture_is_none() {
        for (length, width, height) in [(0, 0, 0), (5, 3, 2), (12, 3, 2), (3, usize::MAX, 2)] {
            assert!(Bytes::new(&[0; 18][..length], width, height).is_none(), "{length} bytes of {width}×{height}");
        }
        assert!(Bytes::new(&[0; 18], 3, 2).is_some());
    }
}

//! Boxes as facenet-pytorch computes with them: correction, squares, pixels.
//!
//! They are counted from 1 as in the Matlab original. Some of the steps count the pixel at x2 into the width and some do
//! not; the networks were trained with it, so each is kept as it is.

use crate::face::boxes::{Bounds, Boxed};
use crate::ops::Crop;

/// A box that a network has looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub bounds: Bounds,
    /// The probability that it holds a face.
    pub score: f32,
    /// How far each edge should move, as a fraction of the box's size: for [`corrected`].
    pub offsets: [f32; 4],
}

impl Boxed for Candidate {
    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn score(&self) -> f32 {
        self.score
    }
}

/// The box with its edges moved by these fractions of its width and height, where `extra` is what counts to the width
/// besides x2 − x1.
pub(super) fn corrected(b: &Bounds, offsets: &[f32; 4], extra: f32) -> Bounds {
    let (width, height) = (b[2] - b[0] + extra, b[3] - b[1] + extra);
    [b[0] + offsets[0] * width, b[1] + offsets[1] * height, b[2] + offsets[2] * width, b[3] + offsets[3] * height]
}

/// The square around the same centre whose side is the longer one.
pub(super) fn squared(b: &Bounds) -> Bounds {
    let (width, height) = (b[2] - b[0], b[3] - b[1]);
    let side = width.max(height);
    let (x, y) = (b[0] + width * 0.5 - side * 0.5, b[1] + height * 0.5 - side * 0.5);
    [x, y, x + side, y + side]
}

/// The pixels of a box that lie in a picture of this size, if there are any.
pub(super) fn clipped(b: &Bounds, width: u32, height: u32) -> Option<Crop> {
    // Casts truncate, and saturate beyond the range of i32.
    let axis = |start: f32, end: f32, size: u32| {
        let (start, end) = (i64::from(start as i32).max(1), i64::from(end as i32).min(i64::from(size)));
        let length = u32::try_from(end - start + 1).ok().filter(|&length| length > 0)?;
        Some((u32::try_from(start - 1).ok()?, length))
    };
    let ((x, width), (y, height)) = (axis(b[0], b[2], width)?, axis(b[1], b[3], height)?);
    Some(Crop { x, y, width, height, mirror: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_are_fractions_of_the_size() {
        let b = [10.0, 20.0, 20.0, 40.0];
        assert_eq!(corrected(&b, &[0.1, -0.1, 0.2, 0.0], 0.0), [11.0, 18.0, 22.0, 40.0]);
        assert_eq!(corrected(&b, &[1.0, 1.0, 0.0, 0.0], 1.0), [21.0, 41.0, 20.0, 40.0]);
    }

    #[test]
    fn squares_keep_the_centre() {
        assert_eq!(squared(&[10.0, 20.0, 20.0, 40.0]), [5.0, 20.0, 25.0, 40.0]);
        assert_eq!(squared(&[0.0, 0.0, 8.0, 2.0]), [0.0, -3.0, 8.0, 5.0]);
    }

    #[test]
    fn clipping_truncates_counts_from_one_and_drops_what_is_outside() {
        let crop = |x, y, width, height| Some(Crop { x, y, width, height, mirror: false });
        assert_eq!(clipped(&[2.9, 3.9, 5.9, 5.1], 100, 100), crop(1, 2, 4, 3));
        assert_eq!(clipped(&[-7.5, -0.5, 5.0, 200.0], 100, 100), crop(0, 0, 5, 100));
        assert_eq!(clipped(&[3.0, 3.0, 3.0, 3.0], 100, 100), crop(2, 2, 1, 1));
        assert_eq!(clipped(&[101.0, 3.0, 120.0, 9.0], 100, 100), None);
        assert_eq!(clipped(&[-20.0, 3.0, -5.0, 9.0], 100, 100), None);
        assert_eq!(clipped(&[1e30, f32::NEG_INFINITY, -1e30, f32::INFINITY], 100, 100), None);
    }
}

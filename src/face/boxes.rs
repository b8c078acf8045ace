//! Boxes around faces, as facenet-pytorch computes with them: overlap, suppression, correction, squares.
//!
//! A box is x1, y1, x2, y2 in pixels, counted from 1 as in the Matlab original. Some of the steps count the pixel at
//! x2 into the width and some do not; the networks were trained with it, so each is kept as it is.

use crate::ops::Crop;

/// x1, y1, x2, y2 in pixels.
pub(super) type Bounds = [f32; 4];

/// A box that a network has looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub bounds: Bounds,
    /// The probability that it holds a face.
    pub score: f32,
    /// How far each edge should move, as a fraction of the box's size: for [`corrected`].
    pub offsets: [f32; 4],
}

/// How much of two boxes is common to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// Of their union; widths are x2 − x1.
    Union,
    /// Of the smaller one; widths are x2 − x1 + 1.
    Smaller,
}

impl Overlap {
    pub fn of(self, a: &Bounds, b: &Bounds) -> f32 {
        let extra = if self == Overlap::Smaller { 1.0 } else { 0.0 };
        let area = |b: &Bounds| (b[2] - b[0] + extra) * (b[3] - b[1] + extra);
        let width = (a[2].min(b[2]) - a[0].max(b[0]) + extra).max(0.0);
        let height = (a[3].min(b[3]) - a[1].max(b[1]) + extra).max(0.0);
        let common = width * height;
        match self {
            Overlap::Union => common / (area(a) + area(b) - common),
            Overlap::Smaller => common / area(a).min(area(b)),
        }
    }
}

/// Non-maximum suppression: the indices of the boxes that overlap no better one by more than the threshold, the best
/// first.
pub(super) fn suppress(boxes: &[Candidate], threshold: f32, overlap: Overlap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| boxes[b].score.total_cmp(&boxes[a].score));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let covered = |&k: &usize| overlap.of(&boxes[k].bounds, &boxes[i].bounds) > threshold;
        if !kept.iter().any(covered) {
            kept.push(i);
        }
    }
    kept
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

    fn scored(bounds: Bounds, score: f32) -> Candidate {
        Candidate { bounds, score, offsets: [0.0; 4] }
    }

    #[test]
    fn overlaps_count_pixels_as_the_reference_does() {
        let (a, b) = ([0.0, 0.0, 10.0, 10.0], [5.0, 0.0, 15.0, 10.0]);
        // 50 common of 100 + 100 − 50.
        assert_eq!(Overlap::Union.of(&a, &b), 50.0 / 150.0);
        // 6×11 common of 11×11.
        assert_eq!(Overlap::Smaller.of(&a, &b), 66.0 / 121.0);
        assert_eq!(Overlap::Union.of(&a, &[20.0, 20.0, 30.0, 30.0]), 0.0);
        // Neighbours that only touch share a column where both of its pixels count.
        assert_eq!(Overlap::Union.of(&a, &[10.0, 0.0, 20.0, 10.0]), 0.0);
        assert_eq!(Overlap::Smaller.of(&a, &[10.0, 0.0, 20.0, 10.0]), 11.0 / 121.0);
    }

    #[test]
    fn suppression_keeps_the_best_of_each_place() {
        let boxes = [
            scored([0.0, 0.0, 10.0, 10.0], 0.7),
            scored([1.0, 0.0, 11.0, 10.0], 0.9),
            scored([50.0, 50.0, 60.0, 60.0], 0.8),
            // Overlaps the second by 0.67 but only one that is itself suppressed by more than 0.7.
            scored([0.0, 0.0, 10.0, 8.0], 0.6),
        ];
        assert_eq!(suppress(&boxes, 0.7, Overlap::Union), [1, 2, 3]);
        assert_eq!(suppress(&boxes, 0.5, Overlap::Union), [1, 2]);
        assert!(suppress(&[], 0.5, Overlap::Union).is_empty());
    }

    #[test]
    fn a_box_within_another_counts_as_covered_only_by_the_smaller() {
        let boxes = [scored([0.0, 0.0, 100.0, 100.0], 0.9), scored([40.0, 40.0, 60.0, 60.0], 0.8)];
        assert_eq!(suppress(&boxes, 0.7, Overlap::Union), [0, 1]);
        assert_eq!(suppress(&boxes, 0.7, Overlap::Smaller), [0]);
    }

    #[test]
    fn an_overlap_of_the_threshold_itself_is_kept() {
        let boxes = [scored([0.0, 0.0, 10.0, 10.0], 0.9), scored([0.0, 0.0, 10.0, 5.0], 0.8)];
        assert_eq!(suppress(&boxes, 0.5, Overlap::Union), [0, 1]);
    }

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

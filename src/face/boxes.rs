//! Boxes around faces, and which of those that mean the same face is kept.

use crate::prepare::Overlap;
use crate::prepare::face::Face;

/// Left, upper, right and lower edge in pixels.
pub(super) type Bounds = [f32; 4];

/// Something in a box.
pub(super) trait Boxed {
    /// Where it is.
    fn bounds(&self) -> &Bounds;
    /// How surely it is a face.
    fn score(&self) -> f32;
}

impl Boxed for Face {
    fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    fn score(&self) -> f32 {
        self.probability
    }
}

/// Non-maximum suppression: the indices of the boxes that overlap no better one by more than the threshold, the best
/// first.
pub(super) fn suppress(boxes: &[impl Boxed], threshold: f32, overlap: Overlap) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| boxes[b].score().total_cmp(&boxes[a].score()));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let covered = |&k: &usize| overlap.of(boxes[k].bounds(), boxes[i].bounds()) > threshold;
        if !kept.iter().any(covered) {
            kept.push(i);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(bounds: Bounds, probability: f32) -> Face {
        Face { bounds, probability, landmarks: [[0.0; 2]; 5] }
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
        assert!(suppress(&[] as &[Face], 0.5, Overlap::Union).is_empty());
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
}

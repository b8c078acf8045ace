//! Which of the found faces is which of those that are expected.

use super::motion::centre;
use crate::prepare::Overlap;

/// How far a face can be from where it is expected, in its own sizes: what boxes tremble by, and a limit however much
/// time has passed.
const REACH: [f64; 2] = [0.3, 1.5];
/// How much faster or slower than expected a face can move, in its own sizes (about 20 cm) per second: less than people
/// walk, since what has not moved yet seldom starts so fast.
const SURPRISE: f64 = 4.0;
/// The largest ratio of the sizes of one face in two frames, where the boxes do not overlap.
const GROWTH: f64 = 1.6;

/// A face that is expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub bounds: [f32; 4],
    /// For how many seconds it has not been seen.
    pub unseen: f64,
}

/// For each found face the expected one that it is, if it is any. Pairs that overlap by the least overlap at least go
/// first, the one with the largest overlap before the others; then pairs that are near enough, the nearest first.
pub(super) fn associate(expected: &[Expected], found: &[[f32; 4]], least_overlap: f32) -> Vec<Option<usize>> {
    let mut matched = Matched { of_found: vec![None; found.len()], taken: vec![false; expected.len()] };
    matched.take(pairs(expected, found, |expected, found| {
        let overlap = Overlap::Union.of(&expected.bounds, found);
        (overlap > 0.0 && overlap >= least_overlap).then(|| -f64::from(overlap))
    }));
    matched.take(pairs(expected, found, distance));
    matched.of_found
}

/// Pairs of an expected and a found face.
struct Matched {
    of_found: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Matched {
    /// Takes these pairs, unless one of the two is taken already.
    fn take(&mut self, pairs: Vec<(usize, usize)>) {
        for (expected, found) in pairs {
            if !self.taken[expected] && self.of_found[found].is_none() {
                self.taken[expected] = true;
                self.of_found[found] = Some(expected);
            }
        }
    }
}

/// The pairs that have a cost, the cheapest first; of equal ones the first.
fn pairs(
    expected: &[Expected],
    found: &[[f32; 4]],
    cost: impl Fn(&Expected, &[f32; 4]) -> Option<f64>,
) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (i, expected) in expected.iter().enumerate() {
        pairs.extend(found.iter().enumerate().filter_map(|(k, found)| Some((cost(expected, found)?, i, k))));
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    pairs.into_iter().map(|(_, i, k)| (i, k)).collect()
}

/// How far the centres are apart, in the mean of both sizes, if both can be the same face.
fn distance(expected: &Expected, found: &[f32; 4]) -> Option<f64> {
    let (one, other) = (size(&expected.bounds), size(found));
    let [ax, ay] = centre(&expected.bounds);
    let [bx, by] = centre(found);
    let distance = (ax - bx).hypot(ay - by) / f64::midpoint(one, other);
    let reach = (REACH[0] + SURPRISE * expected.unseen).min(REACH[1]);
    (distance <= reach && one.max(other) <= GROWTH * one.min(other)).then_some(distance)
}

/// The side of the square that is as large as a box.
fn size(bounds: &[f32; 4]) -> f64 {
    let [x1, y1, x2, y2] = bounds.map(f64::from);
    ((x2 - x1).max(0.0) * (y2 - y1).max(0.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f32, side: f32) -> [f32; 4] {
        [x, 0.0, x + side, side]
    }

    fn expected<const N: usize>(squares: [[f32; 4]; N], unseen: f64) -> [Expected; N] {
        squares.map(|bounds| Expected { bounds, unseen })
    }

    #[test]
    fn the_best_overlap_goes_first() {
        // Overlaps: 0 with 0: 8/12, 0 with 1: 6/14, 1 with 0: 7/13, 1 with 1: 9/11.
        let expected = expected([square(0.0, 10.0), square(5.0, 10.0)], 0.04);
        let found = [square(2.0, 10.0), square(4.0, 10.0)];
        assert_eq!(associate(&expected, &found, 0.3), [Some(0), Some(1)]);
        assert_eq!(associate(&expected, &[found[1], found[0]], 0.3), [Some(1), Some(0)]);
        assert_eq!(associate(&expected[..1], &found, 0.3), [Some(0), None]);
        assert_eq!(associate(&[], &found, 0.3), [None, None]);
        assert_eq!(associate(&expected, &[], 0.3), []);
    }

    #[test]
    fn without_overlap_it_must_be_near_for_the_time_that_passed() {
        let near = |x: f32, unseen: f64| associate(&expected([square(0.0, 10.0)], unseen), &[square(x, 10.0)], 0.3)[0];
        // Centres of 12 pixels apart are 1.2 sizes: reached after (1.2 − 0.3) / 4 = 0.225 s.
        assert_eq!(near(12.0, 0.22), None);
        assert_eq!(near(12.0, 0.23), Some(0));
        assert_eq!(near(15.0, 100.0), Some(0));
        assert_eq!(near(15.1, 100.0), None);
        // At a distance of 0.3 sizes the overlap is 7/13: more than 0.3, less than 0.6.
        let still = expected([square(0.0, 10.0)], 0.0);
        assert_eq!(associate(&still, &[square(3.0, 10.0)], 0.6), [Some(0)]);
        assert_eq!(associate(&still, &[square(3.5, 10.0)], 0.6), [None]);
    }

    #[test]
    fn another_size_is_another_face() {
        let expected = expected([square(0.0, 10.0)], 1.0);
        assert_eq!(associate(&expected, &[square(11.0, 15.0)], 0.3), [Some(0)]);
        assert_eq!(associate(&expected, &[square(11.0, 17.0)], 0.3), [None]);
    }

    #[test]
    fn boxes_without_an_area_match_nothing() {
        let empty = [5.0, 5.0, 5.0, 5.0];
        assert_eq!(associate(&expected([empty], 1.0), &[empty, [9.0, 9.0, 1.0, 1.0]], 0.0), [None, None]);
        let huge = [-3e38, -3e38, 3e38, 3e38];
        assert_eq!(associate(&expected([huge], 1.0), &[[0.0, 0.0, 9.0, 9.0]], 0.3), [None]);
    }
}

//! How much of two boxes is common to both.

/// How much of two boxes is common to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// Of their union; widths are x2 − x1.
    Union,
    /// Of the smaller one; widths are x2 − x1 + 1.
    Smaller,
}

impl Overlap {
    /// For boxes as left, upper, right and lower edge.
    pub fn of(self, a: &[f32; 4], b: &[f32; 4]) -> f32 {
        let extra = if self == Overlap::Smaller { 1.0 } else { 0.0 };
        let area = |b: &[f32; 4]| (b[2] - b[0] + extra) * (b[3] - b[1] + extra);
        let width = (a[2].min(b[2]) - a[0].max(b[0]) + extra).max(0.0);
        let height = (a[3].min(b[3]) - a[1].max(b[1]) + extra).max(0.0);
        let common = width * height;
        match self {
            Overlap::Union => common / (area(a) + area(b) - common),
            Overlap::Smaller => common / area(a).min(area(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

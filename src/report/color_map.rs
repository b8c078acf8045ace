//! A perceptual colour map.

/// Matplotlib's map viridis (van der Walt and Smith, 2015) at nine places in equal steps: dark blue for 0, yellow for
/// 1, ever lighter between them, for every kind of colour vision.
const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 44, 122],
    [59, 81, 139],
    [44, 113, 142],
    [33, 144, 141],
    [39, 173, 129],
    [92, 200, 99],
    [170, 220, 50],
    [253, 231, 37],
];

/// The nearest number from 0 to 1; 0 for NaN.
pub(super) fn within_unit(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

/// The colour of a value from 0 to 1. Values beyond are taken as 0 or 1, NaN as 0.
pub(super) fn viridis(value: f32) -> [u8; 3] {
    let place = within_unit(value) * (VIRIDIS.len() - 1) as f32;
    let below = (place as usize).min(VIRIDIS.len() - 2);
    let part = place - below as f32;
    std::array::from_fn(|channel| {
        let (from, to) = (f32::from(VIRIDIS[below][channel]), f32::from(VIRIDIS[below + 1][channel]));
        (from + (to - from) * part).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::resize::LUMA;

    #[test]
    fn colours_get_lighter_all_the_way() {
        let luma = |value: f32| viridis(value).iter().zip(LUMA).map(|(&c, weight)| f32::from(c) * weight).sum::<f32>();
        for step in 0..100 {
            assert!(luma((step + 1) as f32 / 100.0) > luma(step as f32 / 100.0), "{step}");
        }
    }

    #[test]
    fn any_number_has_a_colour() {
        assert_eq!(viridis(f32::NAN), VIRIDIS[0]);
        assert_eq!(viridis(f32::NEG_INFINITY), VIRIDIS[0]);
        assert_eq!(viridis(7.0), VIRIDIS[8]);
        assert_eq!(viridis(0.5), VIRIDIS[4]);
    }
}

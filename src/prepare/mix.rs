//! Pairs of a batch mixed, and their labels with them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::Random;

/// How two images of a batch become one.
///
/// ```
/// use vultus::Random;
/// use vultus::prepare::{Mix, mix};
///
/// let (black, white) = ([0.0; 64], [1.0; 64]);
/// let (mut images, mut targets) = ([black, white].concat(), [1.0, 0.0, 0.0, 1.0]);
/// mix(Mix::CutMix, 1.0, &mut images, [2, 1, 8, 8], &mut targets, &mut Random::new(1))?;
/// // Each pixel is of the one or of the other image. With `Mix::Mixup` all would be gray.
/// assert!(images.iter().all(|&value| value == 0.0 || value == 1.0));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// λ of the one plus 1 − λ of the other (Zhang, Cissé, Dauphin, Lopez-Paz 2018, arXiv:1710.09412).
    Mixup,
    /// A rectangle of the other, with 1 − λ of the area, in place of the one's (Yun, Han, Oh, Chun, Choe, Yoo 2019,
    /// arXiv:1905.04899).
    CutMix,
}

/// Mixes every image of a batch, NCHW of this `shape`, with the one before it (the first with the last), and the rows
/// of `targets`, `[N, classes]`, in the same proportion. λ is drawn once from Beta(`alpha`, `alpha`), a small `alpha`
/// mixes little. The batch should be in random order. Returns λ: how much of each image is still its own.
///
/// ```
/// use vultus::prepare::{Mix, mix};
/// use vultus::Random;
///
/// let mut images = [0.0, 10.0];
/// let mut targets = [1.0, 0.0, 0.0, 1.0];
/// let own = mix(Mix::Mixup, 0.2, &mut images, [2, 1, 1, 1], &mut targets, &mut Random::new(1))?;
/// assert_eq!(targets, [own, 1.0 - own, 1.0 - own, own]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] if `alpha` is not within 0.05 and 100; [`Error::Shape`] if the images or targets are not
/// as `shape` says.
pub fn mix(
    kind: Mix,
    alpha: f32,
    images: &mut [f32],
    shape: [usize; 4],
    targets: &mut [f32],
    random: &mut Random,
) -> Result<f32> {
    let [count, channels, height, width] = shape;
    check(alpha, images.len(), shape, targets.len())?;
    if images.is_empty() || targets.is_empty() {
        return Ok(1.0);
    }
    let drawn = beta(f64::from(alpha), random) as f32;
    let area = match kind {
        Mix::Mixup => [0, 0, width, height],
        Mix::CutMix => rectangle(1.0 - drawn, width, height, random),
    };
    let [left, upper, right, lower] = area;
    let (weight, own) = match kind {
        Mix::Mixup => (drawn, drawn),
        Mix::CutMix => (0.0, 1.0 - ((right - left) * (lower - upper)) as f32 / (width * height) as f32),
    };
    with_the_one_before(images, channels * height * width, |image, other| {
        for row in (0..channels).flat_map(|channel| (upper..lower).map(move |y| (channel * height + y) * width)) {
            blend(&mut image[row + left..row + right], &other[row + left..row + right], weight);
        }
    });
    with_the_one_before(targets, targets.len() / count, |target, other| blend(target, other, own));
    Ok(own)
}

fn check(alpha: f32, images: usize, shape: [usize; 4], targets: usize) -> Result<()> {
    let refuse = |reason: String| Err(Error::shape("mix", reason));
    if !(0.05..=100.0).contains(&alpha) {
        return Err(Error::invalid("mix", format!("alpha is {alpha}, it must be within 0.05 and 100")));
    }
    let size = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
    if size != Some(images) {
        return refuse(format!("there are {images} values of images, their shape is {shape:?}"));
    }
    if !targets.is_multiple_of(shape[0]) {
        return refuse(format!("{targets} values of targets are not a row for each of {} images", shape[0]));
    }
    Ok(())
}

/// Changes every row by what the row before it was; the first one's is the last.
fn with_the_one_before(rows: &mut [f32], length: usize, change: impl Fn(&mut [f32], &[f32])) {
    let last = rows[rows.len() - length..].to_vec();
    for start in (length..rows.len()).step_by(length).rev() {
        let (before, from) = rows.split_at_mut(start);
        change(&mut from[..length], &before[start - length..]);
    }
    change(&mut rows[..length], &last);
}

/// `weight` of the one plus the rest of the other.
fn blend(values: &mut [f32], others: &[f32], weight: f32) {
    for (value, other) in values.iter_mut().zip(others) {
        *value = *value * weight + other * (1.0 - weight);
    }
}

/// A rectangle with this part of the area and the picture's shape, its centre anywhere, cut at the picture's edges.
fn rectangle(area: f32, width: usize, height: usize, random: &mut Random) -> [usize; 4] {
    let mut edges = |side: usize| {
        let (length, centre) = (area.sqrt() * side as f32, random.below(side) as f32 + 0.5);
        // Casts of what is below 0 give 0.
        [centre - length / 2.0, centre + length / 2.0].map(|edge| (edge.round() as usize).min(side))
    };
    let ([left, right], [upper, lower]) = (edges(width), edges(height));
    [left, upper, right, lower]
}

/// A number of the distribution Beta(`alpha`, `alpha`).
fn beta(alpha: f64, random: &mut Random) -> f64 {
    let (a, b) = (gamma(alpha, random), gamma(alpha, random));
    if a + b > 0.0 { a / (a + b) } else { 0.5 }
}

/// A number of the distribution Gamma(`shape`, 1) (Marsaglia and Tsang 2000).
fn gamma(shape: f64, random: &mut Random) -> f64 {
    // 0 is left out: it has no logarithm.
    let mut uniform = || 1.0 - f64::from(random.uniform());
    if shape < 1.0 {
        let factor = uniform().powf(1.0 / shape);
        return factor * gamma(shape + 1.0, random);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let normal = f64::from(random.normal());
        let v = (1.0 + c * normal).powi(3);
        let level = 1.0 - f64::from(random.uniform());
        if v > 0.0 && level.ln() < 0.5 * normal * normal + d * (1.0 - v + v.ln()) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    const SHAPE: [usize; 4] = [3, 2, 8, 10];

    /// Image i is all i + 1; target i is class i.
    fn batch() -> (Vec<f32>, Vec<f32>) {
        let images = (0..3).flat_map(|i| vec![i as f32 + 1.0; 160]).collect();
        let targets = (0..9).map(|i| if i % 4 == 0 { 1.0 } else { 0.0 }).collect();
        (images, targets)
    }

    #[test]
    fn images_and_targets_are_mixed_alike() {
        for kind in [Mix::Mixup, Mix::CutMix] {
            for seed in 0..50 {
                let (mut images, mut targets) = batch();
                let own = mix(kind, 1.0, &mut images, SHAPE, &mut targets, &mut Random::new(seed)).unwrap();
                assert!((0.0..=1.0).contains(&own));
                for (i, image) in images.chunks(160).enumerate() {
                    let before = (i + 2) % 3;
                    let mean = image.iter().sum::<f32>() / 160.0;
                    // Sums of 160 numbers up to 3 in f32.
                    let wanted = own * (i as f32 + 1.0) + (1.0 - own) * (before as f32 + 1.0);
                    assert_abs_diff_eq!(mean, wanted, epsilon = 1e-5);
                    let row = &targets[3 * i..][..3];
                    assert_eq!((row[i], row[before]), (own, 1.0 - own));
                    assert_eq!(row.iter().filter(|value| **value != 0.0).count() + usize::from(own == 1.0), 2);
                    let pure = |value: &f32| *value == i as f32 + 1.0 || *value == before as f32 + 1.0;
                    assert!(kind == Mix::Mixup || image.iter().all(pure));
                }
            }
        }
    }

    #[test]
    fn the_share_has_the_moments_of_beta() {
        for alpha in [0.1, 0.4, 1.0, 3.0] {
            let mut random = Random::new(9);
            let n = 20_000;
            let drawn: Vec<f64> = (0..n).map(|_| beta(alpha, &mut random)).collect();
            let mean = drawn.iter().sum::<f64>() / f64::from(n);
            let variance = drawn.iter().map(|value| (value - 0.5).powi(2)).sum::<f64>() / f64::from(n);
            let wanted = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            // Four standard errors; a squared distance from 0.5 is at most 0.25.
            let error = |variance: f64| 4.0 * (variance / f64::from(n)).sqrt();
            assert_abs_diff_eq!(mean, 0.5, epsilon = error(wanted));
            assert_abs_diff_eq!(variance, wanted, epsilon = error(wanted * (0.25 - wanted)));
        }
    }

    #[test]
    fn one_image_is_mixed_with_itself_and_none_with_none() {
        let (mut image, mut target) = (vec![2.0; 12], vec![0.0, 1.0]);
        mix(Mix::CutMix, 0.5, &mut image, [1, 3, 2, 2], &mut target, &mut Random::new(1)).unwrap();
        assert_eq!((image, target), (vec![2.0; 12], vec![0.0, 1.0]));
        assert_eq!(mix(Mix::Mixup, 0.5, &mut [], [0, 3, 2, 2], &mut [], &mut Random::new(1)).unwrap(), 1.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |alpha, shape, targets: usize| {
            let (mut images, _) = batch();
            let result = mix(Mix::Mixup, alpha, &mut images, shape, &mut vec![0.0; targets], &mut Random::new(1));
            result.unwrap_err().to_string()
        };
        assert!(refused(0.0, SHAPE, 9).contains("alpha is 0"));
        assert!(refused(f32::NAN, SHAPE, 9).contains("alpha is NaN"));
        assert!(refused(1.0, [3, 3, 8, 10], 9).contains("480 values of images"));
        assert!(refused(1.0, [usize::MAX, 2, 2, 2], 9).contains("480 values of images"));
        assert!(refused(1.0, SHAPE, 10).contains("10 values of targets"));
    }
}

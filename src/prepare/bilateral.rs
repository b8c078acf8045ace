use super::raster::Raster;

/// The mean of the pixels within a circle of this radius, each weighted by its distance and by how like its colour is
/// to the middle's (Tomasi and Manduchi 1998, "Bilateral filtering for gray and color images"): Gaussians with the
/// standard deviations `sigma_space`, in pixels, and `sigma_value`, in pixel values. The distance of two colours is the
/// mean distance of their channels.
pub(super) fn bilateral<const C: usize>(
    raster: &Raster<C>,
    radius: usize,
    sigma_space: f32,
    sigma_value: f32,
) -> Raster<C> {
    let padded = raster.padded(radius);
    let neighbours = circle(radius, sigma_space, padded.width);
    let gauss = |difference: usize| gaussian(difference as f32 / C as f32, sigma_value);
    let likeness: Vec<f32> = (0..=255 * C).map(gauss).collect();
    let mut out = raster.clone();
    for (at, pixel) in out.pixels.iter_mut().enumerate() {
        let upper_left = at / raster.width * padded.width + at % raster.width;
        let (mut sum, mut weights) = ([0.0; C], 0.0);
        for &(offset, near) in &neighbours {
            let other = padded.pixels[upper_left + offset];
            let difference: usize = pixel.iter().zip(other).map(|(a, b)| usize::from(a.abs_diff(b))).sum();
            let weight = near * likeness[difference];
            weights += weight;
            sum.iter_mut().zip(other).for_each(|(sum, value)| *sum += weight * f32::from(value));
        }
        // The middle itself has the weight 1, so that there is always something to divide by.
        *pixel = sum.map(|sum| (sum / weights).round() as u8);
    }
    out
}

/// Where the pixels of a circle lie in a raster of this width, from the upper left corner of the square around it, and
/// their weights.
fn circle(radius: usize, sigma: f32, width: usize) -> Vec<(usize, f32)> {
    let square = (0..=2 * radius).flat_map(|y| (0..=2 * radius).map(move |x| (x, y)));
    let weighted = square.map(|(x, y)| {
        let squared = (x.abs_diff(radius).pow(2) + y.abs_diff(radius).pow(2)) as f32;
        (y * width + x, squared.sqrt())
    });
    weighted.filter(|(_, d)| *d <= radius as f32).map(|(offset, d)| (offset, gaussian(d, sigma))).collect()
}

fn gaussian(distance: f32, sigma: f32) -> f32 {
    (-distance * distance / (2.0 * sigma * sigma)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_differences_are_smoothed_and_large_ones_stay() {
        let value = |i: usize| [if i % 10 < 5 { 50 } else { 200 } + (i * 7 % 5) as u8];
        let noisy = Raster { width: 10, height: 10, pixels: (0..100).map(value).collect() };
        let smooth = bilateral(&noisy, 3, 3.0, 10.0);
        let spread = |raster: &Raster<1>, dark: bool| {
            let values = || raster.pixels.iter().map(|[value]| *value).filter(|value| (*value < 128) == dark);
            values().max().unwrap() - values().min().unwrap()
        };
        for dark in [true, false] {
            assert_eq!(spread(&noisy, dark), 4);
            assert!(spread(&smooth, dark) <= 2, "{:?}", smooth.pixels);
        }
    }

    #[test]
    fn a_pixel_alone_is_its_own_mean() {
        let one = Raster { width: 1, height: 1, pixels: vec![[9, 8, 7]] };
        assert_eq!(bilateral(&one, 5, 2.0, 30.0), one);
    }

    #[test]
    fn the_neighbourhood_is_a_circle() {
        // 29 points of a grid lie within 3 of one of them.
        assert_eq!(circle(3, 1.0, 100).len(), 29);
    }
}

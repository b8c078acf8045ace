use super::raster::Raster;

/// Pixels whose weight is below this do not count.
const SMALLEST_WEIGHT: f32 = 0.001;

/// The mean of the pixels in a square of side `window` around each pixel, weighted by how alike the squares of side
/// `patch` around both are: exp(−d² / `strength`²), where d² is the mean squared difference of the patches (Buades,
/// Coll, Morel 2005, "A non-local algorithm for image denoising"). Both sides are odd. Patches are compared for all
/// pixels at once, offset by offset, by sums that move along (Darbon, Cunha, Chan, Osher, Jensen 2008).
pub(super) fn non_local_means<const C: usize>(
    raster: &Raster<C>,
    patch: usize,
    window: usize,
    strength: f32,
) -> Raster<C> {
    let padded = raster.padded(patch / 2 + window / 2);
    let scale = 1.0 / (strength * strength * (patch * patch * C) as f32);
    let farthest = -SMALLEST_WEIGHT.ln() / scale;
    let (mut sums, mut weights) = (vec![[0.0f32; C]; raster.pixels.len()], vec![0.0f32; raster.pixels.len()]);
    let mut distances = Distances::new(raster, &padded, patch, window / 2);
    for offset in (0..window).flat_map(|y| (0..window).map(move |x| [x, y])) {
        for y in 0..raster.height {
            let others = &padded.pixels[(y + patch / 2 + offset[1]) * padded.width + patch / 2 + offset[0]..];
            let row = y * raster.width;
            for (x, &distance) in distances.row(y, offset).iter().enumerate() {
                if distance as f32 <= farthest {
                    let weight = (-(distance as f32) * scale).exp();
                    weights[row + x] += weight;
                    let sum = &mut sums[row + x];
                    sum.iter_mut().zip(others[x]).for_each(|(sum, value)| *sum += weight * f32::from(value));
                }
            }
        }
    }
    let mean = |(sum, weight): (&[f32; C], &f32)| sum.map(|sum| (sum / weight).round() as u8);
    Raster { pixels: sums.iter().zip(&weights).map(mean).collect(), ..*raster }
}

/// Sums of squared differences between patches, row by row.
struct Distances<'a, const C: usize> {
    padded: &'a Raster<C>,
    patch: usize,
    reach: usize,
    /// The sum over the patch's rows for each column of the raster and the patch's half around it.
    columns: Vec<u32>,
    row: Vec<u32>,
}

impl<'a, const C: usize> Distances<'a, C> {
    fn new(raster: &Raster<C>, padded: &'a Raster<C>, patch: usize, reach: usize) -> Self {
        let columns = vec![0; raster.width + patch - 1];
        Distances { padded, patch, reach, columns, row: vec![0; raster.width] }
    }

    /// The distances of the patches in a row from those at an offset, which is counted from the window's upper left
    /// corner. The rows of an offset must be asked for in order.
    fn row(&mut self, y: usize, offset: [usize; 2]) -> &[u32] {
        if y == 0 {
            self.columns.fill(0);
            (0..self.patch).for_each(|line| self.add(line, offset, u32::wrapping_add));
        } else {
            self.add(y - 1, offset, u32::wrapping_sub);
            self.add(y + self.patch - 1, offset, u32::wrapping_add);
        }
        let mut sum: u32 = self.columns[..self.patch - 1].iter().sum();
        for (x, distance) in self.row.iter_mut().enumerate() {
            sum += self.columns[x + self.patch - 1];
            *distance = sum;
            sum -= self.columns[x];
        }
        &self.row
    }

    /// Adds a line of squared differences to the columns, or takes it away.
    fn add(&mut self, line: usize, [dx, dy]: [usize; 2], change: fn(u32, u32) -> u32) {
        let width = self.padded.width;
        let here = &self.padded.pixels[(line + self.reach) * width + self.reach..];
        let there = &self.padded.pixels[(line + dy) * width + dx..];
        for ((column, a), b) in self.columns.iter_mut().zip(here).zip(there) {
            let squared: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum();
            *column = change(*column, squared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The definition, without any saving.
    fn plain(raster: &Raster<1>, patch: isize, window: isize, strength: f32) -> Vec<f32> {
        let (width, height) = (raster.width as isize, raster.height as isize);
        let at = |x: isize, y: isize| {
            f32::from(raster.pixels[(y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize][0])
        };
        let around =
            |side: isize| (-side / 2..=side / 2).flat_map(move |y| (-side / 2..=side / 2).map(move |x| (x, y)));
        let value = |x: isize, y: isize| {
            let (mut sum, mut weights) = (0.0, 0.0);
            for (dx, dy) in around(window) {
                // Replicated borders: the padding is compared, not pixels beyond it.
                let squared = |(i, j)| (at(x + i, y + j) - at(x + dx + i, y + dy + j)).powi(2);
                let distance = around(patch).map(squared).sum::<f32>() / (patch * patch) as f32;
                let weight = (-distance / (strength * strength)).exp();
                if weight >= SMALLEST_WEIGHT {
                    sum += weight * at(x + dx, y + dy);
                    weights += weight;
                }
            }
            sum / weights
        };
        (0..width * height).map(|i| value(i % width, i / width)).collect()
    }

    #[test]
    fn moving_sums_give_what_the_definition_says() {
        let mut random = Random::new(4);
        for (width, height, patch, window) in [(9, 7, 3, 5), (5, 6, 5, 3), (1, 1, 3, 3), (4, 2, 1, 7)] {
            let pixels = (0..width * height).map(|_| [random.below(90) as u8]).collect();
            let raster = Raster { width, height, pixels };
            let wanted = plain(&raster, patch, window, 25.0);
            let filtered = non_local_means(&raster, patch as usize, window as usize, 25.0);
            for (value, wanted) in filtered.pixels.iter().zip(wanted) {
                // Rounded to whole numbers, of sums in f32.
                assert!((f32::from(value[0]) - wanted).abs() <= 0.501, "{value:?}, {wanted}");
            }
        }
    }
}

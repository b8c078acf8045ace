//! Histograms of oriented gradients (Dalal & Triggs, "Histograms of oriented gradients for human detection", 2005).

use image::GrayImage;

/// The side of a cell in pixels.
const CELL: usize = 8;
/// Bins of 20° for directions without sign; the first is centred at 10°.
const BINS: usize = 9;
/// The side of a block in pixels: 2×2 cells. Neighbouring blocks overlap by one cell.
const BLOCK: usize = 2 * CELL;
/// The values of a block.
const LENGTH: usize = 4 * BINS;
/// The largest value of a block between its two normalisations.
const CLIP: f32 = 0.2;
/// What is added to a block's norm, in gray levels: blocks without a gradient stay without a direction.
const EPSILON: f32 = 1.0;

/// How many values a square picture of this side has; 0 if it is smaller than a block.
pub(super) fn length(side: usize) -> usize {
    blocks(side) * blocks(side) * LENGTH
}

fn blocks(side: usize) -> usize {
    (side / CELL).saturating_sub(1)
}

/// Block by block, of each its four cells row by row, of each nine bins. As in the paper: centred differences without
/// smoothing, votes by magnitude, shared between the nearest bins and cells, weighted by a Gaussian with half a block
/// as its deviation; L2-Hys normalisation. Gray values are not compressed. Neighbours outside of the picture have the
/// value of its border.
pub(super) fn histograms(picture: &GrayImage) -> Vec<f32> {
    let (across, down) = (blocks(picture.width() as usize), blocks(picture.height() as usize));
    let gradients = gradients(picture);
    let weights: Vec<f32> = (0..BLOCK).map(|i| gaussian(i as f32 + 0.5)).collect();
    let mut values = Vec::with_capacity(across * down * LENGTH);
    for (row, column) in (0..down).flat_map(|row| (0..across).map(move |column| (row, column))) {
        let mut block = [0.0; LENGTH];
        for (y, x) in (0..BLOCK).flat_map(|y| (0..BLOCK).map(move |x| (y, x))) {
            let place = (row * CELL + y) * picture.width() as usize + column * CELL + x;
            let (magnitude, angle) = gradients[place];
            vote(&mut block, x, y, angle, magnitude * weights[x] * weights[y]);
        }
        normalize(&mut block);
        values.extend_from_slice(&block);
    }
    values
}

/// The weight of a place within a block, along one side.
fn gaussian(place: f32) -> f32 {
    let distance = (place - BLOCK as f32 / 2.0) / (BLOCK as f32 / 2.0);
    (-0.5 * distance * distance).exp()
}

/// Length in gray levels per two pixels, and angle in 0 to 180° from the x axis, of each pixel's gradient.
fn gradients(picture: &GrayImage) -> Vec<(f32, f32)> {
    let (width, height) = picture.dimensions();
    let gray = |x: u32, y: u32| f32::from(picture.get_pixel(x, y).0[0]);
    let gradient = |x: u32, y: u32| {
        let dx = gray((x + 1).min(width - 1), y) - gray(x.saturating_sub(1), y);
        let dy = gray(x, (y + 1).min(height - 1)) - gray(x, y.saturating_sub(1));
        let angle = dy.atan2(dx).to_degrees().rem_euclid(180.0);
        // Rounding may lift a tiny negative angle to 180 itself.
        (dx.hypot(dy), if angle < 180.0 { angle } else { 0.0 })
    };
    (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| gradient(x, y)).collect()
}

/// Shares a vote at a place of the block between the two nearest bins of the nearest cells.
fn vote(block: &mut [f32; LENGTH], x: usize, y: usize, angle: f32, weight: f32) {
    let bin = angle / (180.0 / BINS as f32) - 0.5;
    let part = bin - bin.floor();
    let lower = (bin.floor() as isize).rem_euclid(BINS as isize) as usize;
    let upper = (lower + 1) % BINS;
    for (cell, share) in [0, 1, 2, 3].map(|cell: usize| (cell, near(x, cell % 2) * near(y, cell / 2))) {
        block[cell * BINS + lower] += weight * share * (1.0 - part);
        block[cell * BINS + upper] += weight * share * part;
    }
}

/// How near a pixel is to the middle of a cell along one side: 1 in the middle, 0 from one cell's side on.
fn near(place: usize, cell: usize) -> f32 {
    let middle = (cell * CELL) as f32 + CELL as f32 / 2.0;
    (1.0 - (place as f32 + 0.5 - middle).abs() / CELL as f32).max(0.0)
}

/// L2-Hys: to a length of 1, clipped, and to a length of 1 again.
fn normalize(block: &mut [f32; LENGTH]) {
    let norm = |block: &[f32; LENGTH], least: f32| block.iter().map(|v| v * v).sum::<f32>().sqrt().max(least);
    let length = (norm(block, 0.0).powi(2) + EPSILON * EPSILON).sqrt();
    block.iter_mut().for_each(|value| *value = (*value / length).min(CLIP));
    let length = norm(block, f32::MIN_POSITIVE);
    block.iter_mut().for_each(|value| *value /= length);
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn sum_of_bins(values: &[f32]) -> [f32; BINS] {
        let mut sums = [0.0; BINS];
        values.iter().enumerate().for_each(|(i, value)| sums[i % BINS] += value);
        sums
    }

    #[test]
    fn a_face_of_48_pixels_has_25_blocks() {
        assert_eq!(length(48), 900);
        assert_eq!(histograms(&GrayImage::new(48, 48)).len(), 900);
        assert_eq!(length(15), 0);
    }

    #[test]
    fn a_vertical_edge_votes_for_0_degrees_at_the_edge_only() {
        // The edge lies in the middle of the first cells: only the pixels 3 and 4 of each row have a gradient.
        let picture = GrayImage::from_fn(16, 16, |x, _| image::Luma([if x < 4 { 0 } else { 200 }]));
        let values = histograms(&picture);
        let sums = sum_of_bins(&values);
        // 0° lies half-way between the middle of the last bin (170°) and of the first (10°).
        assert_abs_diff_eq!(sums[0], sums[8], epsilon = 1e-5);
        assert!(sums[0] > 0.5);
        assert_eq!(sums[1..8], [0.0; 7]);
        // Pixels 3 and 4 are in the left cells except for 1/16 of pixel 4's vote.
        let cell = |i: usize| values[i * BINS];
        assert_abs_diff_eq!(values.iter().map(|v| v * v).sum::<f32>(), 1.0, epsilon = 1e-5);
        assert!(cell(1) < 0.1 * cell(0) && cell(1) > 0.0, "{} {}", cell(0), cell(1));
        assert_abs_diff_eq!(cell(0), cell(2), epsilon = 1e-5);
    }

    #[test]
    fn votes_are_shared_by_hand_computed_parts() {
        let mut block = [0.0; LENGTH];
        // 35° lies a quarter of a bin above the middle of bin 1 (30°).
        vote(&mut block, 3, 3, 35.0, 16.0);
        // Pixel 3 is half a pixel before the middle of cell 0: 15/16 of it in each direction.
        let near = 16.0 * (15.0f32 / 16.0).powi(2);
        assert_abs_diff_eq!(block[1], 0.75 * near, epsilon = 1e-4);
        assert_abs_diff_eq!(block[2], 0.25 * near, epsilon = 1e-4);
        assert_abs_diff_eq!(block.iter().sum::<f32>(), near, epsilon = 1e-4);
    }

    #[test]
    fn directions_have_no_sign_and_flat_blocks_no_direction() {
        let edge = |low: u8, high: u8| GrayImage::from_fn(16, 16, |_, y| image::Luma([if y < 8 { low } else { high }]));
        let (up, down) = (histograms(&edge(0, 100)), histograms(&edge(100, 0)));
        up.iter().zip(&down).for_each(|(up, down)| assert_abs_diff_eq!(up, down, epsilon = 1e-6));
        // 90° is the middle of bin 4.
        assert_eq!(up.iter().enumerate().filter(|(i, v)| i % BINS != 4 && **v > 1e-5).count(), 0);
        assert_eq!(histograms(&edge(50, 50)), vec![0.0; LENGTH]);
    }
}

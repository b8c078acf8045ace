//! Pictures varied and normalised. What training does on the host, and what `Augmentation::apply` gives, is this too.

use crate::image::bytes::Bytes;
use crate::image::resample::normalized;
use crate::ops::augment::Purpose;
use crate::ops::{Normalization, Variation};
use crate::parallel::*;

/// Fills `[pictures, 3, height, width]`.
pub(super) fn forward(pictures: &[Bytes], variations: &[Variation], normalization: &Normalization, out: &mut [f32]) {
    let plane = pictures.first().map_or(1, |picture| picture.width * picture.height);
    let each = out.par_chunks_mut(3 * plane).zip(pictures).zip(variations);
    each.for_each(|((out, picture), variation)| into_planes(picture, variation, normalization, out));
}

/// Fills `[3, height, width]`.
pub(crate) fn into_planes(picture: &Bytes, variation: &Variation, normalization: &Normalization, out: &mut [f32]) {
    let plane = picture.width * picture.height;
    vary(picture, variation, |place, rgb| {
        for (channel, value) in normalized(rgb, normalization).into_iter().enumerate() {
            out[channel * plane + place] = value;
        }
    });
}

/// Gives every pixel of the varied picture, in the order of rows, with its number: red, green and blue of 0 to 255.
pub(crate) fn vary(picture: &Bytes, variation: &Variation, mut give: impl FnMut(usize, [f32; 3])) {
    let (plane, is_still) = (picture.width * picture.height, variation.is_still());
    let noise_factor = variation.noise_factor();
    for first in (0..plane).step_by(4) {
        let draw = |purpose| variation.words((first / 4) as u32, purpose);
        let noise = if noise_factor > 0.0 { draw(Purpose::Noise) } else { [0; 4] };
        let mut gray = None;
        for (place, word) in (first..plane.min(first + 4)).zip(noise) {
            let (x, y) = (place % picture.width, place / picture.width);
            if variation.erases(x as u32, y as u32) {
                let words = *gray.get_or_insert_with(|| draw(Purpose::Erasing));
                give(place, [(words[place - first] >> 24) as f32; 3]);
                continue;
            }
            let value = if is_still { picture.at(x, y) } else { moved(picture, variation, x, y) };
            let value = value.map(|value| (value * variation.gain + variation.offset).clamp(0.0, 255.0));
            let added = if noise_factor > 0.0 { noise_of(word) * noise_factor } else { 0.0 };
            give(place, value.map(|value| (value + added).clamp(0.0, 255.0)));
        }
    }
}

/// What the variation brings to a pixel's centre.
fn moved(picture: &Bytes, variation: &Variation, x: usize, y: usize) -> [f32; 3] {
    let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
    let along = |row: &[f32; 3]| row[0] * x + row[1] * y + row[2];
    picture.between(along(&variation.x) - 0.5, along(&variation.y) - 0.5)
}

/// The sum of a word's bytes, less its mean.
fn noise_of(word: u32) -> f32 {
    word.to_le_bytes().map(f32::from).iter().sum::<f32>() - 510.0
}

//! What can be asked of a picture.

use vultus::face::FaceSize;

/// The smallest face to find, as it is given on the command line or in an address.
///
/// # Errors
/// What is wrong with it.
pub fn min_face(text: &str) -> Result<FaceSize, String> {
    // What is said before the colon is where the library looked.
    text.parse().map_err(|error: vultus::Error| error.to_string().trim_start_matches("detector: ").to_owned())
}

/// A probability.
///
/// # Errors
/// What is wrong with it.
pub fn probability(text: &str) -> Result<f32, String> {
    let probability = text.parse().ok().filter(|probability| (0.0..=1.0).contains(probability));
    probability.ok_or_else(|| "a number from 0 to 1 is needed".to_owned())
}

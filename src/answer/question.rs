//! What can be asked of a picture.

/// The smallest face that can be found, in pixels.
const LEAST_FACE: f32 = 12.0;

/// The side of the smallest face to find, as it is given on the command line or in an address.
///
/// # Errors
/// What is wrong with it.
pub fn min_face(text: &str) -> Result<f32, String> {
    let side = text.parse().map_err(|_| "this is not a number".to_owned())?;
    checked_min_face(side)
}

/// The same from a number.
///
/// # Errors
/// As [`min_face`].
pub fn checked_min_face(side: f32) -> Result<f32, String> {
    if side.is_finite() && side >= LEAST_FACE {
        return Ok(side);
    }
    Err(format!("the smallest face has at least {LEAST_FACE} pixels"))
}

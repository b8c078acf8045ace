//! A face in a picture, as a detector finds it, as data sets keep it and as it is cut out.

use serde::Serialize;

/// A face in a picture.
///
/// ```
/// use vultus::face::Face;
///
/// let landmarks = [[30.0, 40.0], [60.0, 40.0], [45.0, 55.0], [33.0, 70.0], [57.0, 70.0]];
/// let face = Face { bounds: [15.0, 20.0, 75.0, 90.0], probability: 0.99, landmarks };
/// let [left, right, ..] = face.landmarks;
/// assert_eq!(right[0] - left[0], 30.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Face {
    /// Left, upper, right and lower edge in pixels of the picture. They may lie a little outside of it.
    pub bounds: [f32; 4],
    /// The probability that this is a face.
    pub probability: f32,
    /// x and y of the eyes, the nose and the corners of the mouth; of pairs first what is left in the picture.
    pub landmarks: [[f32; 2]; 5],
}

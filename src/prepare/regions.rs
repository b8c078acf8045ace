//! The parts of a face that expressions change most.

use crate::ops::Crop;

/// The boxes of `eyes`, `nose` and `mouth` in a picture of this size, from x and y of the eyes, the nose and the
/// corners of the mouth, as in [`crate::face::Face`]. Their sizes are parts of the distance between the eyes or, for
/// faces seen from the side, of that between eyes and mouth, where it is longer. They are cut at the picture's edges,
/// but hold at least one pixel.
///
/// ```
/// let landmarks = [[20.0, 30.0], [60.0, 30.0], [40.0, 50.0], [25.0, 70.0], [55.0, 70.0]];
/// let [eyes, nose, mouth] = vultus::prepare::regions(&landmarks, 80, 100);
/// assert_eq!((eyes.0, eyes.1.x, eyes.1.width), ("eyes", 2, 76));
/// assert!(nose.1.y > 20 && nose.1.y + nose.1.height < 70 && mouth.1.y < 70);
/// ```
pub fn regions(landmarks: &[[f32; 2]; 5], width: u32, height: u32) -> [(&'static str, Crop); 3] {
    let [left_eye, right_eye, nose, left_corner, right_corner] = *landmarks;
    let (eyes, mouth) = (middle(left_eye, right_eye), middle(left_corner, right_corner));
    // From the front, both distances are about the same.
    let unit = distance(left_eye, right_eye).max(0.9 * distance(eyes, mouth));
    let around = |points: &[[f32; 2]], sides: f32, above: f32, below: f32| {
        let axis = |i: usize| points.iter().map(move |point| point[i]);
        let low = |i: usize| axis(i).fold(f32::INFINITY, f32::min);
        let high = |i: usize| axis(i).fold(f32::NEG_INFINITY, f32::max);
        let x = inside(low(0) - sides * unit, high(0) + sides * unit, width);
        let y = inside(low(1) - above * unit, high(1) + below * unit, height);
        Crop { x: x.0, y: y.0, width: x.1, height: y.1, mirror: false }
    };
    [
        ("eyes", around(&[left_eye, right_eye], 0.45, 0.45, 0.3)),
        ("nose", around(&[middle(eyes, nose), nose], 0.45, 0.3, 0.3)),
        ("mouth", around(&[left_corner, right_corner], 0.3, 0.35, 0.4)),
    ]
}

fn middle(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0]
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// Start and length of a range within a picture's side.
fn inside(low: f32, high: f32, side: u32) -> (u32, u32) {
    // Casts saturate, so that any numbers give a range.
    let start = (low.round() as u32).min(side.saturating_sub(1));
    let end = (high.round() as u32).min(side);
    (start, end.saturating_sub(start).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_box_holds_its_landmarks() {
        let landmarks = [[31.0, 38.0], [69.0, 40.0], [50.0, 60.0], [36.0, 78.0], [65.0, 80.0]];
        let regions = regions(&landmarks, 100, 100);
        let holds = |crop: &Crop, [x, y]: [f32; 2]| {
            let within = |at: f32, start: u32, length: u32| at > start as f32 && at < (start + length) as f32;
            within(x, crop.x, crop.width) && within(y, crop.y, crop.height)
        };
        let expected = [
            ("eyes", [true, true, false, false, false]),
            ("nose", [false, false, true, false, false]),
            ("mouth", [false, false, false, true, true]),
        ];
        for ((name, crop), (wanted, held)) in regions.iter().zip(expected) {
            assert_eq!((*name, landmarks.map(|point| holds(crop, point))), (wanted, held));
        }
    }

    #[test]
    fn any_landmarks_give_boxes_within_the_picture() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -5.0, 0.0] {
            let points = [[value; 2]; 5];
            let mixed = [[value, 3.0], [4.0, value], [0.0; 2], [2.0, 2.0], [1.0; 2]];
            for (width, height) in [(1, 1), (9, 3), (50, 70)] {
                for (_, crop) in regions(&points, width, height).iter().chain(&regions(&mixed, width, height)) {
                    crop.check(width, height).unwrap();
                }
            }
        }
    }
}

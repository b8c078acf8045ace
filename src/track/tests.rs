//! The tracker on faces that move as in videos.

use super::{TrackedFace, Tracker, TrackerOptions};
use crate::error::Error;
use crate::prepare::face::Face;

fn face(x: f32, y: f32, side: f32) -> Face {
    Face { bounds: [x, y, x + side, y + side], probability: 0.99, landmarks: [[0.0; 2]; 5] }
}

/// Faces count from the first frame on.
const AT_ONCE: TrackerOptions = TrackerOptions { min_hits: 1, least_overlap: 0.3, patience: 0.7, smoothing: 0.4 };

fn tracker() -> Tracker {
    Tracker::new(AT_ONCE).unwrap()
}

/// The numbers of these faces, which all show the same.
fn ids(tracker: &mut Tracker, time: f64, faces: Vec<Face>) -> Vec<u64> {
    let scores = vec![vec![0.5, 0.5]; faces.len()];
    tracker.update(time, faces, scores).unwrap().iter().map(|tracked| tracked.id).collect()
}

/// What one face that stays shows after it gave these probabilities of the first of two classes at these times.
fn averaged(smoothing: f64, seen: &[(f64, f32)]) -> TrackedFace {
    let mut tracker = Tracker::new(TrackerOptions { smoothing, ..AT_ONCE }).unwrap();
    let mut last = Vec::new();
    for &(time, score) in seen {
        last = tracker.update(time, vec![face(0.0, 0.0, 50.0)], vec![vec![score, 1.0 - score]]).unwrap();
        assert!((last[0].smoothed.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    last.remove(0)
}

#[test]
fn numbers_count_from_one_and_answers_keep_the_order() {
    let mut tracker = tracker();
    let tracked = tracker
        .update(5.0, vec![face(0.0, 0.0, 50.0), face(200.0, 0.0, 40.0)], vec![vec![1.0, 0.0], vec![0.25, 0.75]])
        .unwrap();
    let first =
        TrackedFace { id: 1, face: face(0.0, 0.0, 50.0), scores: vec![1.0, 0.0], smoothed: vec![1.0, 0.0], since: 0.0 };
    assert_eq!(tracked[0], first);
    assert_eq!((tracked[1].id, &tracked[1].smoothed), (2, &vec![0.25, 0.75]));
    assert_eq!(
        ids(&mut tracker, 5.1, vec![face(200.0, 3.0, 40.0), face(400.0, 0.0, 30.0), face(2.0, 0.0, 50.0)]),
        [2, 3, 1]
    );
    let later = tracker.update(5.5, vec![face(2.0, 0.0, 50.0)], vec![vec![0.5, 0.5]]).unwrap();
    assert_eq!(later[0].since, 0.5);
}

#[test]
fn an_average_takes_its_time() {
    // 1 at first, then 0 for 0.4 s: 1/e is left, however the frames lie in that time.
    let regular: Vec<(f64, f32)> = (0..=8).map(|i| (f64::from(i) / 20.0, f32::from(i == 0))).collect();
    let irregular = [(0.0, 1.0), (0.01, 0.0), (0.15, 0.0), (0.16, 0.0), (0.38, 0.0), (0.4, 0.0)];
    for seen in [regular.as_slice(), &irregular, &[(0.0, 1.0), (0.4, 0.0)]] {
        let tracked = averaged(0.4, seen);
        assert!((tracked.smoothed[0] - (-1f32).exp()).abs() < 1e-6, "{tracked:?}");
        assert_eq!(tracked.scores, [0.0, 1.0]);
    }
    // Half of the time constant later: 1 − e^(−1/2) of the way.
    assert!((averaged(0.4, &[(0.0, 0.0), (0.2, 1.0)]).smoothed[0] - (1.0 - (-0.5f32).exp())).abs() < 1e-6);
}

#[test]
fn without_a_time_constant_nothing_is_averaged() {
    assert_eq!(averaged(0.0, &[(0.0, 1.0), (0.1, 0.25), (0.1, 0.5)]).smoothed, [0.5, 0.5]);
    // With one, a frame at the same time counts nothing.
    assert_eq!(averaged(0.4, &[(0.0, 1.0), (0.0, 0.25)]).smoothed, [1.0, 0.0]);
}

#[test]
fn averages_stay_probabilities_over_many_frames() {
    let seen: Vec<(f64, f32)> = (0..20_000).map(|i| (f64::from(i) / 30.0, (i % 7) as f32 / 7.0)).collect();
    averaged(0.4, &seen);
}

#[test]
fn people_who_cross_keep_their_numbers() {
    // Two faces of 60 pixels pass each other within 2 s, one a little lower; at 25, 10 and 5 frames per second.
    for rate in [25, 10, 5] {
        let mut tracker = tracker();
        for frame in 0..=2 * rate {
            let way = 400.0 * frame as f32 / (2 * rate) as f32;
            let [left, right] = [face(way, 100.0, 60.0), face(400.0 - way, 110.0, 60.0)];
            let time = f64::from(frame) / f64::from(rate);
            // In whichever order they are found.
            let (faces, wanted) =
                if frame % 2 == 0 { (vec![left, right], [1, 2]) } else { (vec![right, left], [2, 1]) };
            assert_eq!(ids(&mut tracker, time, faces), wanted, "{rate} frames/s, frame {frame}");
        }
    }
}

#[test]
fn who_is_hidden_while_crossing_keeps_the_number_too() {
    let mut tracker = tracker();
    for frame in 0..=50 {
        let way = 8.0 * frame as f32;
        let (front, behind) = (face(way, 100.0, 60.0), face(400.0 - way, 105.0, 60.0));
        let hidden = (front.bounds[0] - behind.bounds[0]).abs() < 40.0;
        let (faces, wanted) = if hidden { (vec![front], vec![1]) } else { (vec![front, behind], vec![1, 2]) };
        assert_eq!(ids(&mut tracker, f64::from(frame) / 25.0, faces), wanted, "frame {frame}");
    }
}

#[test]
fn fast_faces_at_low_rates_are_followed() {
    // More than its own width from frame to frame, so that no box overlaps the one before; walking starts from rest.
    for rate in [2.0, 3.0, 5.0] {
        let mut tracker = tracker();
        let step = 70.0;
        for frame in 0..12 {
            let x = step * f64::from(frame) * if rate > 4.0 { 0.9 } else { 1.0 };
            assert_eq!(ids(&mut tracker, f64::from(frame) / rate, vec![face(x as f32, 50.0, 60.0)]), [1], "{rate}");
        }
    }
}

#[test]
fn frames_that_are_far_apart_are_no_absence() {
    let mut tracker = tracker();
    for frame in 0..5 {
        assert_eq!(ids(&mut tracker, 10.0 * f64::from(frame), vec![face(0.0, 0.0, 50.0)]), [1]);
    }
}

#[test]
fn who_returns_in_time_is_known_and_later_is_not() {
    let here = || vec![face(100.0, 100.0, 50.0)];
    let returning = |after: f64| {
        let mut tracker = tracker();
        ids(&mut tracker, 0.0, here());
        ids(&mut tracker, 0.1, vec![]);
        ids(&mut tracker, 0.3, vec![]);
        ids(&mut tracker, 0.1 + after, here())
    };
    assert_eq!(returning(0.69), [1]);
    assert_eq!(returning(0.71), [2]);
    let mut hasty = Tracker::new(TrackerOptions { patience: 0.0, ..AT_ONCE }).unwrap();
    assert_eq!(ids(&mut hasty, 0.0, here()), [1]);
    assert_eq!(ids(&mut hasty, 0.1, here()), [1]);
    ids(&mut hasty, 0.2, vec![]);
    assert_eq!(ids(&mut hasty, 0.3, here()), [2]);
}

#[test]
fn after_a_reset_nobody_is_known_and_no_number_returns() {
    let mut tracker = tracker();
    assert_eq!(ids(&mut tracker, 9.0, vec![face(0.0, 0.0, 50.0)]), [1]);
    tracker.reset();
    assert_eq!(ids(&mut tracker, 0.0, vec![face(0.0, 0.0, 50.0)]), [2]);
    // Another model may follow, with other classes.
    tracker.reset();
    assert!(tracker.update(0.0, vec![face(0.0, 0.0, 50.0)], vec![vec![0.2; 5]]).is_ok());
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut tracker = tracker();
    let one = || vec![face(0.0, 0.0, 50.0)];
    tracker.update(1.0, one(), vec![vec![0.5, 0.5]]).unwrap();
    let infinite = Face { bounds: [0.0, 0.0, f32::INFINITY, 9.0], ..face(0.0, 0.0, 50.0) };
    let wrong = [
        (0.9, one(), vec![vec![0.5, 0.5]], "before"),
        (f64::NAN, one(), vec![vec![0.5, 0.5]], "NaN"),
        (f64::INFINITY, one(), vec![vec![0.5, 0.5]], "inf"),
        (2.0, one(), vec![], "1 faces have 0"),
        (2.0, vec![], vec![vec![0.5, 0.5]], "0 faces have 1"),
        (2.0, one(), vec![vec![0.2, 0.3, 0.5]], "3 probabilities"),
        (2.0, one(), vec![vec![f32::NAN, 0.5]], "not finite"),
        (2.0, vec![infinite], vec![vec![0.5, 0.5]], "not finite"),
    ];
    for (time, faces, scores, reason) in wrong {
        let error = tracker.update(time, faces, scores).unwrap_err();
        let is_refusal = matches!(error, Error::Shape { .. } | Error::InvalidArgument { .. });
        assert!(is_refusal && error.to_string().contains(reason), "{error}");
    }
    assert_eq!(ids(&mut tracker, 1.0, one()), [1]);
}

#[test]
fn options_out_of_range_are_refused() {
    let usual = TrackerOptions::default();
    let wrong = [
        TrackerOptions { min_hits: 0, ..usual },
        TrackerOptions { least_overlap: f32::NAN, ..usual },
        TrackerOptions { least_overlap: 1.1, ..usual },
        TrackerOptions { patience: -0.1, ..usual },
        TrackerOptions { patience: f64::INFINITY, ..usual },
        TrackerOptions { smoothing: f64::NAN, ..usual },
        TrackerOptions { smoothing: -1.0, ..usual },
    ];
    for options in wrong {
        assert!(matches!(Tracker::new(options), Err(Error::InvalidArgument { .. })), "{options:?}");
    }
}

#[test]
fn what_is_found_in_a_frame_or_two_is_left_out() {
    let mut tracker = Tracker::new(TrackerOptions::default()).unwrap();
    let (person, ghost) = (|| face(0.0, 0.0, 50.0), || face(300.0, 200.0, 30.0));
    let mut see = |frame: u32, faces| ids(&mut tracker, f64::from(frame) / 25.0, faces);
    assert!(see(0, vec![person(), ghost()]).is_empty());
    assert!(see(1, vec![person(), ghost()]).is_empty());
    // The third time in a row; the other one is gone, and what comes in its place begins anew.
    assert_eq!(see(2, vec![person()]), [1]);
    assert_eq!(see(3, vec![ghost(), person()]), [1]);
    assert!(see(4, vec![ghost()]).is_empty());
    // Who has a number keeps it without three more frames; the next new face gets the next number.
    assert_eq!(see(5, vec![ghost(), person()]), [2, 1]);
}

#[test]
fn a_face_is_averaged_from_the_first_frame_on() {
    let mut tracker = Tracker::new(TrackerOptions { min_hits: 2, ..AT_ONCE }).unwrap();
    let mut see =
        |time, score| tracker.update(time, vec![face(0.0, 0.0, 50.0)], vec![vec![score, 1.0 - score]]).unwrap();
    assert!(see(1.0, 1.0).is_empty());
    let tracked = see(1.4, 0.0).remove(0);
    assert_eq!((tracked.id, tracked.scores), (1, vec![0.0, 1.0]));
    assert!((tracked.since - 0.4).abs() < 1e-9 && (tracked.smoothed[0] - (-1f32).exp()).abs() < 1e-6);
}

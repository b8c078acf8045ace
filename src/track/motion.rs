//! How a face moves, and where it is expected next.

/// Over how many seconds the speed is averaged: boxes tremble by a pixel or two from frame to frame.
const SPEED: f64 = 0.1;
/// How long a face that is missing is believed to go on as it did, in seconds: what it goes on by falls off with this
/// time constant, so that it never gets further than this many seconds would take it.
const MOMENTUM: f64 = 0.3;

/// The course of one face: where it was seen last, and how fast its centre moves. Its size is taken to stay.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    bounds: [f32; 4],
    seen: f64,
    /// Pixels per second.
    velocity: [f64; 2],
    /// How many steps the velocity was measured over.
    steps: u32,
    /// How long the last of them took: over that time the velocity is known to hold.
    step: f64,
}

impl Motion {
    /// A face that is seen for the first time, and taken to stay.
    pub fn new(time: f64, bounds: [f32; 4]) -> Self {
        Motion { bounds, seen: time, velocity: [0.0; 2], steps: 0, step: 0.0 }
    }

    /// When it was seen last.
    pub fn seen(&self) -> f64 {
        self.seen
    }

    /// Where it should be at a later time.
    pub fn expected(&self, time: f64) -> [f32; 4] {
        let passed = time - self.seen;
        let beyond = (passed - self.step).max(0.0);
        // The whole way for as long as from the frame before to the last; beyond that, ever slower.
        let seconds = passed.min(self.step) + MOMENTUM * -(-beyond / MOMENTUM).exp_m1();
        let [dx, dy] = self.velocity.map(|speed| (speed * seconds) as f32);
        let [x1, y1, x2, y2] = self.bounds;
        [x1 + dx, y1 + dy, x2 + dx, y2 + dy]
    }

    /// Takes note of where it is seen, at the same time or later.
    pub fn see(&mut self, time: f64, bounds: [f32; 4]) {
        let passed = time - self.seen;
        if passed > 0.0 {
            self.steps = self.steps.saturating_add(1);
            // The first measurements count alike: an average that begins at rest would be too slow.
            let weight = (-(-passed / SPEED).exp_m1()).max(1.0 / f64::from(self.steps));
            let (from, to) = (centre(&self.bounds), centre(&bounds));
            for axis in 0..2 {
                let measured = (to[axis] - from[axis]) / passed;
                self.velocity[axis] += weight * (measured - self.velocity[axis]);
            }
            self.step = passed;
        }
        self.seen = time;
        self.bounds = bounds;
    }
}

/// The centre of a box.
pub(super) fn centre(bounds: &[f32; 4]) -> [f64; 2] {
    let [x1, y1, x2, y2] = bounds.map(f64::from);
    [(x1 + x2) / 2.0, (y1 + y2) / 2.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32) -> [f32; 4] {
        [x, 0.0, x + 10.0, 20.0]
    }

    #[test]
    fn a_face_that_was_seen_once_is_expected_where_it_was() {
        assert_eq!(Motion::new(1.0, at(5.0)).expected(9.0), at(5.0));
    }

    #[test]
    fn it_goes_on_for_a_frame_and_then_ever_slower() {
        let mut motion = Motion::new(0.0, at(0.0));
        motion.see(0.5, at(50.0));
        // 100 pixels per second: all of it for the half second that it was measured over.
        assert_eq!(motion.expected(0.75), at(75.0));
        assert_eq!(motion.expected(1.0), at(100.0));
        // Then 0.3 s × (1 − e^(−1)) of it for the next 0.3 s, and 0.3 s of it in all.
        assert!((motion.expected(1.3)[0] - (100.0 + 30.0 * (1.0 - (-1.0f32).exp()))).abs() < 1e-3);
        assert!((motion.expected(1e6)[0] - 130.0).abs() < 1e-3);
    }

    #[test]
    fn trembling_is_averaged_and_time_that_stands_still_changes_no_speed() {
        let mut motion = Motion::new(0.0, at(0.0));
        for frame in 1..=60 {
            let trembling = if frame % 2 == 0 { 1.0 } else { -1.0 };
            motion.see(f64::from(frame) / 30.0, at(2.0 * frame as f32 + trembling));
        }
        // 60 pixels per second; single steps give 0 and 120.
        assert!((motion.velocity[0] - 60.0).abs() < 15.0, "{motion:?}");
        let velocity = motion.velocity;
        motion.see(2.0, at(500.0));
        assert_eq!((motion.velocity, motion.expected(2.0)), (velocity, at(500.0)));
    }
}

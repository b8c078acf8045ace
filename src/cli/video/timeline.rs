//! Time in a bounded number of parts, which grow with the video.

use std::collections::BTreeMap;

/// The most parts: about as many as can be told apart on a page.
const MOST: usize = 240;

/// How the time is divided into equal parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    start: f64,
    /// Seconds of a part.
    width: f64,
}

impl Scale {
    /// From a time on, in parts of so many seconds at first.
    pub fn new(start: f64, width: f64) -> Self {
        Scale { start, width: width.max(1e-6) }
    }

    /// Makes the parts so large that a time lies in one of them; how often they were doubled.
    pub fn reach(&mut self, time: f64) -> u32 {
        let mut doubled = 0;
        while self.part(time) >= MOST {
            self.width *= 2.0;
            doubled += 1;
        }
        doubled
    }

    /// The part in which a time lies.
    pub fn part(&self, time: f64) -> usize {
        // The times of frames are multiples of the first width, up to rounding.
        ((time - self.start) / self.width + 1e-6) as usize
    }

    /// From when to when a part lasts.
    pub fn times(&self, part: usize) -> [f64; 2] {
        [part, part + 1].map(|part| self.start + part as f64 * self.width)
    }
}

/// Sums of probabilities for the parts in which there were any.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    classes: usize,
    parts: BTreeMap<usize, Sum>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sum {
    count: f64,
    scores: Vec<f64>,
}

impl Sums {
    pub fn new(classes: usize) -> Self {
        Sums { classes, parts: BTreeMap::new() }
    }

    /// Adds the probabilities of a frame.
    pub fn add(&mut self, part: usize, scores: &[f32]) {
        let scores = scores.iter().copied().map(f64::from).collect();
        self.add_sum(part, &Sum { count: 1.0, scores });
    }

    fn add_sum(&mut self, part: usize, sum: &Sum) {
        let new = || Sum { count: 0.0, scores: vec![0.0; self.classes] };
        let all = self.parts.entry(part).or_insert_with(new);
        all.count += sum.count;
        all.scores.iter_mut().zip(&sum.scores).for_each(|(all, score)| *all += score);
    }

    /// Puts two parts each into one.
    pub fn halve(&mut self) {
        for (part, sum) in std::mem::take(&mut self.parts) {
            self.add_sum(part / 2, &sum);
        }
    }

    /// The mean probabilities for each part in which there were any, in the order of time.
    pub fn means(&self) -> impl Iterator<Item = (usize, Vec<f64>)> {
        self.parts.iter().map(|(&part, sum)| (part, sum.scores.iter().map(|score| score / sum.count).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_grow_and_means_stay() {
        let (mut scale, mut sums) = (Scale::new(100.0, 0.04), Sums::new(2));
        let rate = 25.0;
        for frame in 0..25 * 600 {
            let time = 100.0 + f64::from(frame) / rate;
            (0..scale.reach(time)).for_each(|_| sums.halve());
            // The first class in the first half of the time, then the second; nothing in the last minute.
            let first = if frame < 25 * 300 { 1.0 } else { 0.0 };
            if frame < 25 * 540 {
                sums.add(scale.part(time), &[first, 1.0 - first]);
            }
        }
        let means: Vec<_> = sums.means().collect();
        // 600 s in parts of 0.04 s × 2^6.
        assert_eq!(scale.times(1), [102.56, 105.12]);
        assert_eq!(means.len(), (540f64 / 2.56).ceil() as usize);
        for (part, mean) in means {
            let [from, to] = scale.times(part);
            let wanted = ((400.0 - from) / (to - from)).clamp(0.0, 1.0);
            assert!((mean[0] - wanted).abs() < 0.02 && (mean[0] + mean[1] - 1.0).abs() < 1e-9, "{part}: {mean:?}");
        }
    }

    #[test]
    fn each_frame_of_a_short_video_has_a_part() {
        for rate in [25.0, 29.97, 10.0 / 3.0] {
            let mut scale = Scale::new(0.0, 1.0 / rate);
            for frame in 0..MOST {
                assert_eq!((scale.reach(frame as f64 / rate), scale.part(frame as f64 / rate)), (0, frame));
            }
            assert_eq!(scale.reach(MOST as f64 / rate), 1);
        }
    }
}

//! How many frames a second has.

use std::fmt;
use std::str::FromStr;

/// Frames per second, as a ratio: 30000/1001 is exact where 29.97 is not.
///
/// ```
/// use vultus::video::FrameRate;
///
/// let rate: FrameRate = "30000/1001".parse()?;
/// assert_eq!((rate.numerator(), rate.denominator()), (30000, 1001));
/// assert_eq!(rate.to_string(), "29.97");
/// assert_eq!(rate.time_of(30), 1.001);
/// assert_eq!(FrameRate::new(25, 0), None);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRate {
    numerator: u32,
    denominator: u32,
}

impl FrameRate {
    /// So many frames in so many seconds; none if either is 0.
    pub fn new(numerator: u32, denominator: u32) -> Option<Self> {
        (numerator > 0 && denominator > 0).then_some(FrameRate { numerator, denominator })
    }

    /// How many frames in [`FrameRate::denominator`] seconds.
    pub fn numerator(self) -> u32 {
        self.numerator
    }

    /// In how many seconds [`FrameRate::numerator`] frames.
    pub fn denominator(self) -> u32 {
        self.denominator
    }

    /// When a frame is shown, in seconds; the first one, number 0, at 0.
    pub fn time_of(self, frame: u64) -> f64 {
        frame as f64 * f64::from(self.denominator) / f64::from(self.numerator)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = f64::from(self.numerator) / f64::from(self.denominator);
        write!(f, "{}", (rate * 1000.0).round() / 1000.0)
    }
}

impl FromStr for FrameRate {
    type Err = String;

    /// A number such as `25` or `29.97`, or a ratio such as `30000/1001`.
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || "a frame rate is a number such as 25 or 29.97, or a ratio such as 30000/1001".to_owned();
        let rate = match text.split_once(['/', ':']) {
            Some((numerator, denominator)) => {
                let whole = |text: &str| text.parse().map_err(|_| unknown());
                FrameRate::new(whole(numerator)?, whole(denominator)?)
            }
            None => {
                let rate: f64 = text.parse().map_err(|_| unknown())?;
                let thousandths = (rate * 1000.0).round();
                if !(1.0..=1e6).contains(&thousandths) {
                    return Err("a frame rate is at least 0.001 and at most 1000".to_owned());
                }
                let divisor = greatest_common_divisor(thousandths as u32, 1000);
                FrameRate::new(thousandths as u32 / divisor, 1000 / divisor)
            }
        };
        rate.ok_or_else(|| "neither part of a frame rate can be 0".to_owned())
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_exactly() {
        let parts = |text: &str| text.parse::<FrameRate>().map(|rate| (rate.numerator, rate.denominator));
        assert_eq!(parts("25"), Ok((25, 1)));
        assert_eq!(parts("29.97"), Ok((2997, 100)));
        assert_eq!(parts("30000/1001"), Ok((30000, 1001)));
        assert_eq!(parts("30000:1001"), Ok((30000, 1001)));
        for wrong in ["", "0", "-1", "nan", "inf", "1e9", "0.0001", "25/0", "0/1", "a/b", "1/2/3", "fast"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn frames_have_their_times() {
        let rate = FrameRate::new(30000, 1001).unwrap();
        assert_eq!(rate.time_of(0), 0.0);
        assert!((rate.time_of(30) - 1.001).abs() < 1e-12);
        assert_eq!((rate.to_string(), FrameRate::new(25, 1).unwrap().to_string()), ("29.97".into(), "25".into()));
    }
}

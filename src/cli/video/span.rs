//! Which part of a video is meant, and how moments are read and written.

use super::Arguments;
use crate::cli::failure::Failure;

/// From when to when, in seconds, and which of the frames in between.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    pub from: f64,
    pub to: Option<f64>,
    pub every: u64,
}

impl Span {
    /// What the command line asks for.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is nothing between both ends.
    pub fn of(arguments: &Arguments) -> Result<Self, Failure> {
        let from = arguments.from.unwrap_or(0.0);
        match arguments.to {
            Some(to) if to <= from => {
                Err(Failure::Usage(format!("--to {} is not after --from {}", moment(to), moment(from))))
            }
            to => Ok(Span { from, to, every: arguments.every }),
        }
    }
}

/// Reads seconds (`90`, `90.5`), minutes (`1:30`) or hours (`0:01:30`).
pub fn parse_moment(text: &str) -> Result<f64, String> {
    let unknown = || "a moment is given in seconds, as m:ss or as h:mm:ss, such as 90, 1:30 or 0:01:30.5".to_owned();
    let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 || !parts.iter().all(|part| is_number(part)) {
        return Err(unknown());
    }
    let mut seconds = 0.0;
    for (place, part) in parts.iter().enumerate() {
        let value: f64 = part.parse().map_err(|_| unknown())?;
        let is_last = place + 1 == parts.len();
        // Only the first part may be 60 or more, only the last may have a fraction.
        if (place > 0 && value >= 60.0) || (!is_last && value.fract() != 0.0) || value > 1e9 {
            return Err(unknown());
        }
        seconds = 60.0 * seconds + value;
    }
    Ok(seconds)
}

/// A moment as it is written: `1:30.5`, or `1:01:30.5`.
pub fn moment(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let seconds = format!("{:02}.{}", rest / 10, rest % 10);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds}") } else { format!("{minutes}:{seconds}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        let read = ["90", "1:30", "0:01:30", "90.5", "1:30.25", "1:00:00", "0"].map(|text| parse_moment(text).unwrap());
        assert_eq!(read, [90.0, 90.0, 90.0, 90.5, 90.25, 3600.0, 0.0]);
        for wrong in ["", ":", "1:", "-1", "1:60", "1.5:00", "1:2:3:4", "nan", "inf", "1e99", "a", "+1", "1:-1"] {
            assert!(parse_moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn moments_are_written() {
        assert_eq!(
            [0.0, 59.96, 90.5, 3690.04, -1.0].map(moment),
            ["0:00.0", "1:00.0", "1:30.5", "1:01:30.0", "0:00.0"]
        );
    }
}

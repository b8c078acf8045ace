//! Axes: from values to places, and the values that are labelled.

use super::super::number;
use super::Unit;

/// Values beyond are drawn as this.
const LIMIT: f64 = 1e100;

/// A linear or logarithmic axis.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    /// Where `low` and `high` are drawn.
    from: f64,
    to: f64,
    logarithmic: bool,
    ticks: Vec<f64>,
    step: f64,
}

impl Scale {
    /// From the first to the last of these round values that hold all given ones. What is not finite does not count;
    /// without any value the axis goes from 0 to 1.
    pub fn round(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = extent(values);
        let step = round_step((high - low) / 4.5);
        Scale::between((low / step).floor() * step, (high / step).ceil() * step, step, from, to)
    }

    /// From the lowest to the highest of these values, with ticks at whole numbers only if `whole`.
    pub fn tight(values: impl IntoIterator<Item = f64>, whole: bool, from: f64, to: f64) -> Self {
        let (low, high) = extent(values);
        let step = round_step((high - low) / 7.0);
        Scale::between(low, high, if whole { step.max(1.0) } else { step }, from, to)
    }

    /// From 0 to 1 with ticks a fifth apart.
    pub fn unit(from: f64, to: f64) -> Self {
        Scale::between(0.0, 1.0, 0.2, from, to)
    }

    fn between(low: f64, high: f64, step: f64, from: f64, to: f64) -> Self {
        let first = (low / step - 1e-9).ceil();
        let ticks = (0..64).map(|i| (first + f64::from(i)) * step).take_while(|&v| v <= high + step * 1e-9).collect();
        Scale { low, high, from, to, logarithmic: false, ticks, step }
    }

    /// Logarithmic, with a margin around all values; those that are not above 0 do not count.
    pub fn logarithmic(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let positive = values.into_iter().filter(|&value| value > 0.0).map(f64::log10);
        let (low, high) = extent_or(positive, [0.0, 1.0]);
        // Half a power of ten at least, so that equal values stand in the middle of round ones.
        let margin = (0.08 * (high - low)).max(0.25 - (high - low) / 2.0);
        let (low, high) = (low - margin, high + margin);
        // Every power of ten; also 2 and 5 where there are few powers.
        let factors: &[f64] = if high - low > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = (low.floor() as i32..=high.ceil() as i32).step_by(((high - low) / 6.0).ceil().max(1.0) as usize);
        let ticks = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        let ticks = ticks.filter(|tick| (low..=high).contains(&tick.log10())).collect();
        Scale { low, high, from, to, logarithmic: true, ticks, step: 0.0 }
    }

    /// Where a value is drawn, at the ends of the axis if it lies beyond.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        let part = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * if part.is_nan() { 0.0 } else { part }
    }

    /// The values that are labelled.
    pub fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// What stands at a tick.
    pub fn label(&self, tick: f64, unit: Unit) -> String {
        let factor = if unit == Unit::Percent { 100.0 } else { 1.0 };
        let (value, step) = (tick * factor, if self.logarithmic { tick } else { self.step } * factor);
        let decimals = (-(step * 1.000_001).log10().floor()).clamp(0.0, 9.0) as usize;
        let text = if value.abs() < 1e5 { number::decimal(value, decimals) } else { format!("{value:.1e}") };
        if unit == Unit::Percent { format!("{text}\u{A0}%") } else { text }
    }
}

/// The lowest and the highest finite value, apart from each other.
fn extent(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    extent_or(values, [0.0, 1.0])
}

fn extent_or(values: impl IntoIterator<Item = f64>, otherwise: [f64; 2]) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite()).map(|value| value.clamp(-LIMIT, LIMIT));
    let range = finite.fold(None, |range, v| {
        let (low, high) = range.unwrap_or((v, v));
        Some((v.min(low), v.max(high)))
    });
    let (low, high) = range.unwrap_or((otherwise[0], otherwise[1]));
    let largest = low.abs().max(high.abs());
    // Values that are equal, or nearly so, stand in the middle.
    if high - low > 1e-6 * largest {
        return (low, high);
    }
    let half = if largest > 0.0 { 0.1 * largest } else { 0.5 };
    (low - half, high + half)
}

/// 1, 2 or 5 times a power of ten, at least as much.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale, unit: Unit) -> Vec<String> {
        scale.ticks().iter().map(|&tick| scale.label(tick, unit)).collect()
    }

    #[test]
    fn ticks_are_round() {
        let loss = Scale::round([0.62, 1.93], 0.0, 100.0);
        assert_eq!(labels(&loss, Unit::Number), ["0.5", "1.0", "1.5", "2.0"]);
        let accuracy = Scale::round([0.31, 0.64], 0.0, 100.0);
        assert_eq!(labels(&accuracy, Unit::Percent), ["30\u{A0}%", "40\u{A0}%", "50\u{A0}%", "60\u{A0}%", "70\u{A0}%"]);
        let epochs = Scale::tight([1.0, 2.0, 3.0], true, 0.0, 100.0);
        assert_eq!(labels(&epochs, Unit::Number), ["1", "2", "3"]);
        let times = Scale::logarithmic([0.8, 72.0], 0.0, 100.0);
        assert_eq!(labels(&times, Unit::Number), ["1", "2", "5", "10", "20", "50", "100"]);
    }

    #[test]
    fn places_go_from_one_end_to_the_other() {
        let scale = Scale::unit(100.0, 0.0);
        assert_eq!([0.0, 0.25, 1.0, 3.0].map(|value| scale.at(value)), [100.0, 75.0, 0.0, 0.0]);
        let log = Scale::logarithmic([1.0, 100.0], 0.0, 116.0);
        assert!((log.at(10.0) - 58.0).abs() < 1e-9);
    }

    #[test]
    fn any_values_make_an_axis() {
        let odd: [&[f64]; 8] = [
            &[],
            &[5.0],
            &[0.0],
            &[f64::NAN, f64::INFINITY],
            &[1e308, -1e308],
            &[1e15, 1e15 + 0.125],
            &[-3.0, -3.0],
            &[1e-300, 2e-300],
        ];
        for values in odd {
            let of = || values.iter().copied();
            for scale in
                [Scale::round(of(), 0.0, 9.0), Scale::tight(of(), true, 0.0, 9.0), Scale::logarithmic(of(), 0.0, 9.0)]
            {
                assert!(scale.ticks().len() < 20, "{values:?}: {:?}", scale.ticks());
                for &value in values.iter().chain(scale.ticks()).chain(&[f64::NAN, -1.0]) {
                    assert!((0.0..=9.0).contains(&scale.at(value)), "{values:?}: {value}");
                }
                labels(&scale, Unit::Percent).iter().for_each(|label| assert!(label.len() < 20, "{label}"));
            }
        }
    }
}

//! The options that say of a classifier in ONNX what its file does not.

use std::fs;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use vultus::face::Classifier;
use vultus::onnx::Import;
use vultus::ops::{Normalization, Order};

use super::imported::ImportArguments;
use super::preprocess::Preprocess;

/// What help puts these options under.
const HEADING: &str = "Of a --model in ONNX that does not say it";

/// What a classifier's file does not say.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct ClassifierArguments {
    /// The names of the classes in the order of the outputs, separated by commas, or a file with a name in each line
    #[arg(long, value_name = "A,B,…|FILE", value_parser = names, help_heading = HEADING)]
    class_names: Option<Names>,
    /// What the network expects of its input, where that is well known
    #[arg(long, conflicts_with_all = ["channels", "scale", "mean", "std"], help_heading = HEADING)]
    preprocess: Option<Preprocess>,
    /// The channels that the network takes [default: rgb, or gray where it takes one channel]
    #[arg(long, help_heading = HEADING)]
    channels: Option<Channels>,
    /// What pixels, which go from 0 to 255, are multiplied by first: 1/255, say [default: 1]
    #[arg(long, value_name = "X", value_parser = scale, help_heading = HEADING)]
    scale: Option<f64>,
    /// What is subtracted from the scaled pixels, one number or one for each channel [default: 0]
    #[arg(long, value_name = "X[,Y,Z]", value_parser = numbers, allow_hyphen_values = true, help_heading = HEADING)]
    mean: Option<[f64; 3]>,
    /// What the difference is divided by, one number or one for each channel [default: 1]
    #[arg(long, value_name = "X[,Y,Z]", value_parser = positive, help_heading = HEADING)]
    std: Option<[f64; 3]>,
    /// Height and width that faces are scaled to, where the model takes any
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(32..=1024), help_heading = HEADING)]
    input_size: Option<usize>,
    #[command(flatten)]
    import: ImportArguments,
}

/// The names of classes.
#[derive(Clone, Debug, PartialEq)]
struct Names(Vec<String>);

/// What a network's channels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Channels {
    /// Red, green, blue
    Rgb,
    /// Blue, green, red
    Bgr,
    /// The gray value, in each channel
    Gray,
}

impl ClassifierArguments {
    /// Whether anything is said.
    pub fn is_given(&self) -> bool {
        *self != Self::default()
    }

    /// What is said.
    pub fn said(&self) -> Classifier {
        Classifier {
            classes: self.class_names.clone().map(|Names(names)| names),
            preprocessing: self.preprocessing(),
            import: Import { size: self.input_size, ..self.import.import() },
        }
    }

    fn preprocessing(&self) -> Option<Normalization> {
        if let Some(known) = self.preprocess {
            return Some(known.into());
        }
        if self.channels.is_none() && self.scale.is_none() && self.mean.is_none() && self.std.is_none() {
            return None;
        }
        // Of the pixels as they are, (x − mean / scale) / (std / scale) is the same.
        let scale = self.scale.unwrap_or(1.0);
        let unscaled = |values: [f64; 3]| values.map(|value| (value / scale) as f32);
        Some(Normalization {
            order: if self.channels == Some(Channels::Bgr) { Order::Bgr } else { Order::Rgb },
            mean: unscaled(self.mean.unwrap_or([0.0; 3])),
            std: unscaled(self.std.unwrap_or([1.0; 3])),
            gray: self.channels == Some(Channels::Gray),
        })
    }
}

fn names(text: &str) -> Result<Names, String> {
    let lines = match text.contains(',') {
        true => text.replace(',', "\n"),
        false => fs::read_to_string(text).map_err(|error| {
            format!("names are separated by commas, or stand in a file, each in a line of its own: {error}")
        })?,
    };
    Ok(Names(lines.trim().lines().map(|name| name.trim().to_owned()).collect()))
}

/// A number above 0, or the quotient of two.
fn scale(text: &str) -> Result<f64, &'static str> {
    let parsed = match text.split_once('/') {
        Some((above, below)) => {
            above.trim().parse().ok().zip(below.trim().parse().ok()).map(|(a, b): (f64, f64)| a / b)
        }
        None => text.parse().ok(),
    };
    parsed.filter(|scale| scale.is_normal() && *scale > 0.0).ok_or("it is a number above 0, such as 1/255")
}

/// One number for all channels, or one for each.
fn numbers(text: &str) -> Result<[f64; 3], &'static str> {
    let parsed: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let parsed = parsed.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
    match parsed.as_deref() {
        Some(&[one]) => Ok([one; 3]),
        Some(&[first, second, third]) => Ok([first, second, third]),
        _ => Err("it is one number, or three that are separated by commas"),
    }
}

fn positive(text: &str) -> Result<[f64; 3], &'static str> {
    let found = numbers(text)?;
    if found.iter().all(|&number| number > 0.0) { Ok(found) } else { Err("each number must be above 0") }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        classifier: ClassifierArguments,
    }

    fn parse(arguments: &str) -> Option<ClassifierArguments> {
        Program::try_parse_from(std::iter::once("vultus").chain(arguments.split_whitespace()))
            .ok()
            .map(|p| p.classifier)
    }

    #[test]
    fn the_ways_to_say_what_torchvision_expects_are_one() {
        let scaled = parse("--scale 1/255 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225").unwrap().said();
        let Normalization { mean, std, order, gray } = scaled.preprocessing.unwrap();
        let wanted = Normalization::TORCHVISION;
        assert_eq!((order, gray), (wanted.order, wanted.gray));
        for (found, wanted) in mean.iter().chain(&std).zip(wanted.mean.iter().chain(&wanted.std)) {
            // Each is a quotient that was rounded once.
            assert!((found - wanted).abs() <= 1e-6 * wanted, "{found} {wanted}");
        }
        assert_eq!(parse("--preprocess torchvision").unwrap().said().preprocessing, Some(wanted));
    }

    #[test]
    fn what_is_not_said_has_its_default_and_nothing_is_nothing() {
        assert!(!parse("").unwrap().is_given());
        let gray = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: true };
        let said = parse("--channels gray --class-names a,b --input-size 64").unwrap().said();
        assert_eq!((said.preprocessing, said.import.size), (Some(gray), Some(64)));
        assert_eq!(said.classes.unwrap(), ["a", "b"]);
        let bgr = parse("--channels bgr --mean -1").unwrap().said().preprocessing.unwrap();
        assert_eq!((bgr.order, bgr.mean), (Order::Bgr, [-1.0; 3]));
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            "--mean 1,2",
            "--mean nan",
            "--std 0",
            "--std 1,1,-1",
            "--scale 1/0",
            "--scale -1",
            "--preprocess caffe --mean 1",
            "--input-size 31",
            "--class-names no/such/file",
            "--dimension height",
            "--dimension height=0",
        ] {
            assert!(parse(arguments).is_none(), "{arguments}");
        }
    }
}

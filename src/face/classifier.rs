//! Classifiers of faces that other programs have written as ONNX.

use std::path::Path;

use super::model_card::{MARGIN, ModelCard};
use crate::error::{Error, Result};
use crate::nn::{Network, Source};
use crate::onnx::{self, Import, Imported};
use crate::ops::{Activation, Normalization, Op, Order};
use crate::tensor::Parameters;

/// What is said of a classifier in an ONNX model besides what its metadata say, or instead.
///
/// ```
/// use vultus::face::Classifier;
/// use vultus::ops::Normalization;
///
/// let names = ["happy", "sad"].map(str::to_owned).to_vec();
/// let said = Classifier { classes: Some(names), preprocessing: Some(Normalization::TORCHVISION), ..Classifier::default() };
/// assert_eq!(said.import.size, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Classifier {
    /// The names of the classes, in the order of the outputs.
    pub classes: Option<Vec<String>>,
    /// What the model expects of its input.
    pub preprocessing: Option<Normalization>,
    /// How the file is read: the sizes of what it leaves open.
    pub import: Import,
}

/// Reads a classifier of faces from an ONNX model: its card and the parameters of the card's network, for
/// [`Recognizer::from_card`](super::Recognizer::from_card).
///
/// The model takes square pictures, `[N, 3, side, side]`, `[N, side, side, 3]`, or of one channel, which gets the gray value;
/// without a batch, of one picture. It gives a number for each class: probabilities, where it ends in a softmax, else logits,
/// to which one is added here. Models that vultus has written say the rest in their metadata, also those that take bytes and
/// normalise them themselves; of others it must be said.
///
/// ```
/// use vultus::face::{Architecture, Classifier, ModelCard, from_onnx};
/// use vultus::onnx::{self, Export};
/// use vultus::ops::Normalization;
///
/// let classes = ["happy", "sad"].map(str::to_owned).to_vec();
/// let card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
/// let (network, folder) = (card.network()?, tempfile::tempdir().unwrap());
/// let (path, parameters) = (folder.path().join("light.onnx"), network.initialize(1)?);
/// onnx::write(&path, &network, &parameters, &Export { metadata: card.to_metadata()?, ..Export::default() })?;
/// let (read, found) = from_onnx(&path, &Classifier::default())?;
/// assert_eq!((read.classes, read.preprocessing), (card.classes, card.preprocessing));
/// assert_eq!(found, parameters);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// As [`onnx::read`]; [`Error::Model`] if this is no classifier of pictures, or classes or preprocessing are said nowhere;
/// [`Error::Weights`] if the metadata hold what cannot be.
pub fn from_onnx(path: &Path, said: &Classifier) -> Result<(ModelCard, Parameters)> {
    let Imported { network, parameters, outputs, has_batch, mut metadata } = onnx::read(path, &said.import)?;
    let refuse = |reason: String| Error::model(path, reason);
    let form = Form::of(&network, has_batch).map_err(refuse)?;
    let network = form.fed_by_picture(network)?;
    let (network, count) = with_probabilities(network, &outputs, refuse)?;
    let mut set = |key: &str, value: serde_json::Result<String>| -> Result<()> {
        metadata.insert(key.to_owned(), value.map_err(|error| refuse(error.to_string()))?);
        Ok(())
    };
    set("input", serde_json::to_string(&form.side))?;
    if let Some(classes) = &said.classes {
        set("classes", serde_json::to_string(classes))?;
    }
    if let Some(preprocessing) = &said.preprocessing {
        set("preprocessing", serde_json::to_string(preprocessing))?;
    }
    for (key, missing) in [
        ("classes", "what its classes are called: give their names in the order of its outputs (--class-names)"),
        (
            "preprocessing",
            "what it expects of its input: say it (--preprocess, or --channels, --scale, --mean and --std)",
        ),
    ] {
        if !metadata.contains_key(key) {
            return Err(refuse(format!("its metadata (key {key:?}) do not say {missing}")));
        }
    }
    metadata.entry("margin".to_owned()).or_insert_with(|| MARGIN.to_string());
    let mut card = ModelCard::of_network(path, &metadata, network)?;
    if card.classes.len() != count {
        let names = card.classes.len();
        return Err(refuse(format!("it gives {count} numbers, but its classes have {names} names")));
    }
    if form.channels_last && said.preprocessing.is_none() {
        card.preprocessing = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: false };
    }
    card.preprocessing.gray |= form.channels == 1;
    Ok((card, parameters))
}

/// How a network takes pictures.
struct Form {
    side: usize,
    channels: usize,
    channels_last: bool,
    /// Whether it takes a single picture as a batch.
    is_single: bool,
}

impl Form {
    fn of(network: &Network, has_batch: bool) -> std::result::Result<Self, String> {
        if network.inputs().len() != 1 {
            let names: Vec<&str> = network.inputs().map(|(name, _)| name).collect();
            return Err(format!("it takes {}: a classifier of faces takes one picture", names.join(", ")));
        }
        let shape = network.input();
        let picture = match shape {
            _ if has_batch => shape,
            [1, rest @ ..] => rest,
            _ => &[],
        };
        let (channels, sides, channels_last) = match *picture {
            [channels @ (1 | 3), height, width] => (channels, [height, width], false),
            [height, width, channels @ (1 | 3)] => (channels, [height, width], true),
            _ => {
                return Err(format!(
                    "it takes {shape:?}, not pictures [3, side, side], [side, side, 3] or of one channel"
                ));
            }
        };
        match sides {
            [height, width] if height == width => {
                Ok(Form { side: height, channels, channels_last, is_single: !has_batch })
            }
            [height, width] => Err(format!("it takes pictures of {width}×{height}: faces are square")),
        }
    }

    /// The network after what makes its input from a picture `[3, side, side]`.
    fn fed_by_picture(&self, network: Network) -> Result<Network> {
        let mut picture = Network::new(network.name(), [3, self.side, self.side]);
        if self.channels == 1 {
            picture = picture.slice("picture.gray", 1, 0..1);
        }
        if self.channels_last {
            picture = picture.transpose("picture.channels_last", &[0, 2, 3, 1]);
        }
        if self.is_single {
            let sizes: Vec<Option<usize>> = network.input().iter().copied().map(Some).collect();
            picture = picture.reshape("picture.single", &sizes);
        }
        if picture.layers().is_empty() { Ok(network) } else { picture.followed_by(network) }
    }
}

/// The network with a softmax after it, unless it ends in one, and how many classes there are.
fn with_probabilities(
    network: Network,
    outputs: &[String],
    refuse: impl Fn(String) -> Error,
) -> Result<(Network, usize)> {
    let shapes = network.output_shapes()?;
    let [shape] = shapes.as_slice() else {
        let reason = format!("it gives {}: a classifier gives one number for each class", outputs.join(", "));
        return Err(refuse(reason));
    };
    let count: usize = shape.iter().product();
    if count < 2 || shape.iter().all(|&size| size != count) {
        return Err(refuse(format!("it gives {shape:?}: a classifier gives one number for each class")));
    }
    let last = last_computed(&network);
    if last == Some(&Op::Activation(Activation::Sigmoid)) {
        let reason =
            "it ends in a sigmoid, which judges each class by itself: a classifier gives logits or probabilities";
        return Err(refuse(reason.to_owned()));
    }
    let mut tail = Network::new(network.name(), shape.as_slice());
    if shape.len() != 1 {
        tail = tail.reshape("classes.flat", &[Some(count)]);
    }
    if !matches!(last, Some(Op::Softmax(_))) {
        tail = tail.softmax_over("classes.softmax", 1);
    }
    let network = if tail.layers().is_empty() { network } else { network.followed_by(tail)? };
    Ok((network, count))
}

/// The last layer that does not merely give values another shape.
fn last_computed(network: &Network) -> Option<&Op> {
    let mut layer = network.layers().last()?;
    while let (Op::Reshape(_), Some(Source::Layer(before))) = (&layer.op, layer.inputs.first()) {
        layer = &network.layers()[*before];
    }
    Some(&layer.op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, Options, Tensor};

    #[test]
    fn a_single_gray_picture_with_its_channel_last_is_taken_as_it_is() {
        let network = Network::new("single", [1, 4, 4, 1]).flatten().dense_without_bias("fc", "fc", 2);
        let weight = Tensor::from_fn([2, 16], |i| (i % 5) as f32);
        let form = Form::of(&network, false).unwrap();
        assert!(form.is_single && form.channels_last && form.channels == 1);
        let network = form.fed_by_picture(network).unwrap();
        let parameters = [("fc.weight".to_owned(), weight)].into();
        let mut plan = Device::Cpu.load(&network, &parameters).unwrap().compile(1, &Options::default()).unwrap();
        // Only the first channel counts, in which each pixel is its number.
        let picture = Tensor::from_fn([1, 3, 4, 4], |i| if i < 16 { i as f32 } else { 1e3 });
        let wanted = [0, 1].map(|row| (0..16).map(|i| ((row * 16 + i) % 5 * i) as f32).sum::<f32>());
        assert_eq!(plan.run(&picture).unwrap()[0].data(), wanted);
        assert!(Form::of(&Network::new("several", [2, 3, 4, 4]), false).is_err());
    }
}

//! What the file of a trained model says about its network and how pictures reach it.

use std::collections::BTreeMap;
use std::path::Path;

use ::image::RgbImage;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::crop::cut_square;
use crate::error::{Error, Result};
use crate::metrics::check_priors;
use crate::nn::vgg16::{self, Pooling};
use crate::nn::{Layer, Network, Published, light};
use crate::ops::Normalization;
use crate::prepare::face::Face;
use crate::prepare::{Alignment, Preparation};
use crate::tensor::Parameters;
use crate::weights::WeightFile;

/// The keys that the card itself has; all others are notes.
const KEYS: [&str; 14] = [
    "network",
    "classes",
    "input",
    "pooling",
    "hidden",
    "preprocessing",
    "preparation",
    "base_sha256",
    "alignment",
    "margin",
    "tta",
    "uncertain_below",
    "temperature",
    "priors",
];

/// The margin of a model that says nothing else.
pub(super) const MARGIN: f32 = 0.9;

/// What must be known of a trained model to run it: written into the metadata of its file by training, read by
/// [`super::Recognizer`]. Numbers and lists are JSON, the other values are plain text.
///
/// ```
/// use vultus::face::{Architecture, ModelCard, TestTimeAugmentation};
/// use vultus::ops::Normalization;
///
/// let classes = ["happy", "neutral", "sad"].map(str::to_owned).to_vec();
/// let mut card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
/// card.tta = TestTimeAugmentation::Flip;
/// card.notes.insert("trained_on".to_owned(), "my own photos".to_owned());
/// assert_eq!(card.network()?.output_shapes()?[0], [3]);
/// assert_eq!(card.to_metadata()?["classes"], r#"["happy","neutral","sad"]"#);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelCard {
    /// The network and what belongs to that kind alone.
    pub architecture: Architecture,
    /// The names of the classes, in the order of the outputs. Key `classes`, a list.
    pub classes: Vec<String>,
    /// Height and width of the network's input in pixels, 32 to 1024. Key `input`.
    pub input: usize,
    /// What the network expects of its input. Key `preprocessing`.
    pub preprocessing: Normalization,
    /// What is done to the picture of a face before it is scaled. Key `preparation`; nothing where it is missing.
    pub preparation: Preparation,
    /// How a found face is turned, scaled and moved by its eyes. Key `alignment`; where it is missing, the square
    /// around the face's box is cut out.
    pub alignment: Option<Alignment>,
    /// The side of the crop that goes into the network, relative to the longer side of the face's box: 0.5 to 4. Key
    /// `margin`.
    pub margin: f32,
    /// How often a face is best looked at. Key `tta`: `flip`, or `none`, which a missing key means too.
    pub tta: TestTimeAugmentation,
    /// The probability of the most probable class below which the model says that it is uncertain instead of naming a
    /// class, 0 to 1. Key `uncertain_below`; where it is missing, it always names one.
    pub uncertain_below: Option<f32>,
    /// What the logits were divided by to make the probabilities true (C. Guo et al. 2017, *On Calibration of Modern
    /// Neural Networks*). The parameters have it in them already; the card only says so. Key `temperature`.
    pub temperature: Option<f32>,
    /// How frequent each class is expected to be, all together 1, where probabilities were calibrated. They are true of
    /// pictures of which that holds; [`Predictions::with_priors`](crate::metrics::Predictions::with_priors) gives those of
    /// others. Key `priors`, a list.
    pub priors: Option<Vec<f32>>,
    /// Free text under other keys, such as `trained_on`, `recipe` and `license`.
    pub notes: BTreeMap<String, String>,
}

/// The network of a trained model. Key `network`: `vgg16`, which a missing key means too, `light`, or the name of a
/// [`Published`] one.
///
/// ```
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::nn::vgg16::Pooling;
/// use vultus::ops::Normalization;
///
/// // A head with a hidden layer of 64 on the means of the base's feature maps.
/// let (pooling, base_sha256) = (Pooling::Average, "0".repeat(64));
/// let vgg16 = Architecture::Vgg16 { pooling, hidden: vec![64], base_sha256 };
/// let card = ModelCard::new(vgg16, vec!["happy".to_owned(), "sad".to_owned()], 96, Normalization::CAFFE);
/// let shapes = card.network()?.parameter_shapes()?;
/// assert!(shapes.contains(&("classifier.0.weight".to_owned(), vec![64, 512])));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Architecture {
    /// VGG16's convolutions with a head of dense layers. The file holds the head and any number of the last
    /// convolutions; the others come from the base.
    Vgg16 {
        /// What stands between base and head. Key `pooling`: `flatten` or `average`.
        pooling: Pooling,
        /// The widths of the hidden layers, none for a linear head. Key `hidden`, a list.
        hidden: Vec<usize>,
        /// The SHA-256 of the base's file, in lower-case hexadecimal. Key `base_sha256`.
        base_sha256: String,
    },
    /// The small network of [`light`], all of which is in the file.
    Light,
    /// A network of the literature, all of which is in the file.
    Published(Published),
    /// A network that was read from ONNX and gives probabilities ([`super::from_onnx`]). Only files of ONNX hold it.
    Imported(Box<Network>),
}

impl Architecture {
    /// The name of the layer that the head begins with, which is trained where nothing else is.
    pub fn head(&self) -> &str {
        match self {
            Architecture::Vgg16 { .. } => "fc6",
            Architecture::Light => "fc",
            Architecture::Published(network) => network.classifier(),
            Architecture::Imported(network) => last_trained(network).map_or("", |layer| &layer.name),
        }
    }
}

/// The last layer that has parameters.
fn last_trained(network: &Network) -> Option<&Layer> {
    network.layers().iter().rev().find(|layer| !layer.parameters.is_empty())
}

/// How often a face is looked at to judge it.
///
/// ```
/// use vultus::face::TestTimeAugmentation;
///
/// let looks = |tta| if tta == TestTimeAugmentation::Flip { 2 } else { 1 };
/// assert_eq!((looks(TestTimeAugmentation::default()), looks(TestTimeAugmentation::Flip)), (1, 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestTimeAugmentation {
    /// Once.
    #[default]
    None,
    /// Twice, as it is and mirrored; the probabilities are averaged.
    Flip,
}

impl ModelCard {
    /// A card with a margin of 0.9, no alignment, no preparation, one look at each face, a class for each face, and no
    /// notes.
    pub fn new(architecture: Architecture, classes: Vec<String>, input: usize, preprocessing: Normalization) -> Self {
        ModelCard {
            architecture,
            classes,
            input,
            preprocessing,
            preparation: Preparation::NONE,
            alignment: None,
            margin: MARGIN,
            tta: TestTimeAugmentation::None,
            uncertain_below: None,
            temperature: None,
            priors: None,
            notes: BTreeMap::new(),
        }
    }

    /// Reads and checks the card of a model's file.
    ///
    /// ```
    /// use vultus::Parameters;
    /// use vultus::face::ModelCard;
    /// use vultus::weights::WeightFile;
    ///
    /// // What such a file says at least; all the rest has its defaults.
    /// let normalization = r#"{"order":"rgb","mean":[0,0,0],"std":[255,255,255],"gray":false}"#;
    /// let said = [("classes", r#"["happy","sad"]"#), ("input", "48"), ("preprocessing", normalization)];
    /// let said = said.into_iter().chain([("network", "light"), ("margin", "0.9")]);
    /// let metadata = said.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    /// let (path, parameters) = ("light.safetensors".into(), Parameters::new());
    /// let card = ModelCard::from_file(&WeightFile { path, parameters, metadata, sha256: String::new() })?;
    /// assert_eq!((card.classes.len(), card.input, card.alignment), (2, 48, None));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Weights`] that names the key that is missing or wrong, and what is wrong with it.
    pub fn from_file(file: &WeightFile) -> Result<Self> {
        let keys = Keys { path: &file.path, metadata: &file.metadata };
        ModelCard::read(&keys, architecture(&keys)?)
    }

    /// The card in the metadata of a file of ONNX, which also holds the network.
    #[cfg(feature = "onnx")]
    pub(super) fn of_network(path: &Path, metadata: &BTreeMap<String, String>, network: Network) -> Result<Self> {
        ModelCard::read(&Keys { path, metadata }, Architecture::Imported(Box::new(network)))
    }

    fn read(keys: &Keys, architecture: Architecture) -> Result<Self> {
        let tta = match keys.optional("tta").unwrap_or("none") {
            "none" => TestTimeAugmentation::None,
            "flip" => TestTimeAugmentation::Flip,
            other => return Err(keys.wrong("tta", format!("is {other:?}, not none or flip"))),
        };
        let notes = keys.metadata.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()));
        let card = ModelCard {
            architecture,
            classes: keys.json("classes")?,
            input: keys.json("input")?,
            preprocessing: keys.json("preprocessing")?,
            preparation: keys.optional_json("preparation")?.unwrap_or(Preparation::NONE),
            alignment: keys.optional_json("alignment")?,
            margin: keys.json("margin")?,
            tta,
            uncertain_below: keys.optional_json("uncertain_below")?,
            temperature: keys.optional_json("temperature")?,
            priors: keys.optional_json("priors")?,
            notes: notes.map(|(key, text)| (key.clone(), text.clone())).collect(),
        };
        card.check().map_err(|(key, reason)| keys.wrong(key, reason))?;
        Ok(card)
    }

    /// The card as a file's metadata.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a value is out of its range, so that the file could not be read again, or if a
    /// note has one of the card's own keys.
    pub fn to_metadata(&self) -> Result<BTreeMap<String, String>> {
        self.check().map_err(|(key, reason)| Error::invalid("model card", format!("{key} {reason}")))?;
        if let Some(key) = self.notes.keys().find(|key| KEYS.contains(&key.as_str())) {
            return Err(Error::invalid("model card", format!("a note must not have the card's own key {key:?}")));
        }
        let mut pairs = vec![
            ("classes", json(&self.classes)?),
            ("input", json(&self.input)?),
            ("preprocessing", json(&self.preprocessing)?),
            ("margin", json(&self.margin)?),
            ("tta", if self.tta == TestTimeAugmentation::Flip { "flip" } else { "none" }.to_owned()),
        ];
        if let Some(alignment) = &self.alignment {
            pairs.push(("alignment", json(alignment)?));
        }
        if let Some(bound) = &self.uncertain_below {
            pairs.push(("uncertain_below", json(bound)?));
        }
        if let Some(temperature) = &self.temperature {
            pairs.push(("temperature", json(temperature)?));
        }
        if let Some(priors) = &self.priors {
            pairs.push(("priors", json(priors)?));
        }
        if self.preparation != Preparation::NONE {
            pairs.push(("preparation", json(&self.preparation)?));
        }
        match &self.architecture {
            Architecture::Light => pairs.push(("network", "light".to_owned())),
            Architecture::Published(network) => pairs.push(("network", network.name().to_owned())),
            Architecture::Imported(_) => pairs.push(("network", "onnx".to_owned())),
            Architecture::Vgg16 { pooling, hidden, base_sha256 } => {
                let pooling = if *pooling == Pooling::Flatten { "flatten" } else { "average" };
                pairs.extend([
                    ("network", "vgg16".to_owned()),
                    ("pooling", pooling.to_owned()),
                    ("hidden", json(hidden)?),
                    ("base_sha256", base_sha256.clone()),
                ]);
            }
        }
        let own = pairs.into_iter().map(|(key, value)| (key.to_owned(), value));
        Ok(own.chain(self.notes.clone()).collect())
    }

    /// The picture of a face to judge it by, cut out as the model was trained: turned, scaled and moved by the eyes if
    /// the card has an alignment, else the square around the box with the card's margin.
    ///
    /// ```
    /// use vultus::face::{Architecture, Face, ModelCard};
    /// use vultus::image::RgbImage;
    /// use vultus::ops::Normalization;
    /// use vultus::prepare::Alignment;
    ///
    /// let photo = RgbImage::new(640, 480);
    /// let landmarks = [[220.0, 230.0], [260.0, 230.0], [240.0, 250.0], [225.0, 270.0], [255.0, 270.0]];
    /// let face = Face { bounds: [200.0, 200.0, 280.0, 300.0], probability: 1.0, landmarks };
    /// let classes = ["happy", "sad"].map(str::to_owned).to_vec();
    /// let mut card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
    /// assert_eq!(card.cut(&photo, &face)?.dimensions(), (90, 90));
    /// card.alignment = Some(Alignment { eye_x: 0.3, eye_y: 0.4 });
    /// assert_eq!(card.cut(&photo, &face)?.dimensions(), (100, 100));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the face is to be aligned and its eyes are less than a pixel apart.
    pub fn cut(&self, image: &RgbImage, face: &Face) -> Result<RgbImage> {
        match &self.alignment {
            Some(alignment) => alignment.cut(image, &face.landmarks),
            None => Ok(cut_square(image, face.bounds, self.margin)),
        }
    }

    /// What the model says of a face with these probabilities: the most probable class, or that it is uncertain, where
    /// that class's probability is below [`ModelCard::uncertain_below`]. Of equals it is the last.
    pub fn answer(&self, scores: &[f32]) -> Answer {
        Answer::of(scores, self.uncertain_below)
    }

    /// The whole network that the card describes, giving a probability for each class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input is too small for the network.
    pub fn network(&self) -> Result<Network> {
        self.training_network(0.0)
    }

    /// The same network with this probability of dropout: behind each hidden layer of VGG16's head, before the last
    /// layer of the light network. A linear head has none, and a network that was read from ONNX stays as it is.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input is too small for the network.
    pub fn training_network(&self, dropout: f32) -> Result<Network> {
        match &self.architecture {
            Architecture::Light => Ok(light::network(self.input, dropout, self.classes.len())),
            Architecture::Published(network) => network.network(self.input, dropout, self.classes.len()),
            Architecture::Imported(network) => Ok(network.as_ref().clone()),
            Architecture::Vgg16 { pooling, hidden, .. } => {
                let base = vgg16::base(self.input);
                let shapes = base.output_shapes()?;
                let &[channels, height, width] = shapes[0].as_slice() else {
                    return Err(Error::shape("vgg16-base", format!("gives {:?}, not feature maps", shapes[0])));
                };
                let classes = self.classes.len();
                base.followed_by(vgg16::head([channels, height, width], *pooling, hidden, dropout, classes))
            }
        }
    }

    /// Divides the logits by a temperature, and adds a bias to the logit of each class: the weights and the bias of the last
    /// layer change, and nothing else is needed when the network is used.
    ///
    /// ```
    /// use vultus::face::{Architecture, ModelCard};
    /// use vultus::ops::Normalization;
    ///
    /// let classes = ["happy", "sad"].map(str::to_owned).to_vec();
    /// let card = ModelCard::new(Architecture::Light, classes, 32, Normalization::TORCHVISION);
    /// let mut parameters = card.network()?.initialize(1)?;
    /// let before = parameters["classifier.0.weight"].data()[0];
    /// card.calibrate(&mut parameters, 2.0, &[0.0, 0.3])?;
    /// assert_eq!(parameters["classifier.0.weight"].data()[0], before / 2.0);
    /// assert_eq!(parameters["classifier.0.bias"].data(), [0.0, 0.3]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the temperature is not above 0, there are not as many biases as classes, or the last
    /// layer's parameters are missing.
    pub fn calibrate(&self, parameters: &mut Parameters, temperature: f32, biases: &[f32]) -> Result<()> {
        let refused = |reason: String| Err(Error::invalid("model card", reason));
        if !(temperature > 0.0 && temperature.is_finite()) {
            return refused(format!("a temperature of {temperature}: it must be above 0"));
        }
        if biases.len() != self.classes.len() {
            return refused(format!("{} biases for {} classes", biases.len(), self.classes.len()));
        }
        let weight = self.last_weight();
        let bias = format!("{}bias", weight.strip_suffix("weight").unwrap_or(&weight));
        for name in [&weight, &bias] {
            let Some(tensor) = parameters.get_mut(name) else {
                return refused(format!("the parameter {name} is missing"));
            };
            tensor.data_mut().iter_mut().for_each(|value| *value /= temperature);
        }
        let values = parameters.get_mut(&bias).into_iter().flat_map(|tensor| tensor.data_mut());
        values.zip(biases).for_each(|(value, bias)| *value += bias);
        Ok(())
    }

    /// The weight of the last layer, which has a row for each class.
    pub(super) fn last_weight(&self) -> String {
        match &self.architecture {
            Architecture::Light => "classifier.0.weight".to_owned(),
            Architecture::Published(network) => format!("{}.weight", network.classifier()),
            Architecture::Imported(network) => {
                last_trained(network).and_then(|layer| layer.parameters.first()).cloned().unwrap_or_default()
            }
            Architecture::Vgg16 { hidden, .. } => format!("classifier.{}.weight", 3 * hidden.len()),
        }
    }

    /// The first key whose value is out of its range, and why.
    fn check(&self) -> std::result::Result<(), (&'static str, String)> {
        let wrong = |key, reason: String| Err((key, reason));
        if self.classes.len() < 2 {
            return wrong("classes", format!("has {} names, at least 2 are needed", self.classes.len()));
        }
        if self.classes.iter().any(|name| name.trim().is_empty()) {
            return wrong("classes", "has a name that is empty".to_owned());
        }
        if let Some(i) = (1..self.classes.len()).find(|&i| self.classes[..i].contains(&self.classes[i])) {
            return wrong("classes", format!("has the name {:?} twice", self.classes[i]));
        }
        if !(32..=1024).contains(&self.input) {
            return wrong("input", format!("is {}, not within 32 and 1024 pixels", self.input));
        }
        let Normalization { mean, std, .. } = self.preprocessing;
        if !mean.iter().chain(&std).all(|value| value.is_finite()) || std.iter().any(|&value| value <= 0.0) {
            return wrong("preprocessing", format!("has mean {mean:?} and std {std:?}: std must be above 0"));
        }
        if let Err(error) = self.preparation.check() {
            return wrong("preparation", format!("is out of its range: {error}"));
        }
        if let Some(Err(error)) = self.alignment.map(|alignment| alignment.check()) {
            return wrong("alignment", format!("is out of its range: {error}"));
        }
        if !(0.5..=4.0).contains(&self.margin) {
            return wrong("margin", format!("is {}, not within 0.5 and 4", self.margin));
        }
        if let Some(bound) = self.uncertain_below {
            if !(0.0..=1.0).contains(&bound) {
                return wrong("uncertain_below", format!("is {bound}, not a probability within 0 and 1"));
            }
            if self.classes.iter().any(|name| name == Answer::UNCERTAIN) {
                let name = Answer::UNCERTAIN;
                return wrong("uncertain_below", format!("cannot be told from the class {name:?}: rename the class"));
            }
        }
        if let Some(temperature) = self.temperature.filter(|value| !(value.is_finite() && *value > 0.0)) {
            return wrong("temperature", format!("is {temperature}, not a number above 0"));
        }
        let check = |priors: &Vec<f32>| check_priors(priors, self.classes.len(), f32::MIN_POSITIVE);
        if let Some(Err(reason)) = self.priors.as_ref().map(check) {
            return wrong("priors", format!("is a list of which {reason}"));
        }
        let Architecture::Vgg16 { hidden, base_sha256, .. } = &self.architecture else { return Ok(()) };
        if let Some(width) = hidden.iter().find(|width| !(1..=65_536).contains(*width)) {
            return wrong("hidden", format!("has the width {width}, not within 1 and 65536"));
        }
        if base_sha256.len() != 64 || !base_sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return wrong("base_sha256", format!("is {base_sha256:?}, not 64 hexadecimal digits"));
        }
        Ok(())
    }
}

fn architecture(keys: &Keys) -> Result<Architecture> {
    match keys.optional("network").unwrap_or("vgg16") {
        "light" => Ok(Architecture::Light),
        "vgg16" => Ok(Architecture::Vgg16 {
            pooling: match keys.text("pooling")? {
                "flatten" => Pooling::Flatten,
                "average" => Pooling::Average,
                other => return Err(keys.wrong("pooling", format!("is {other:?}, not flatten or average"))),
            },
            hidden: keys.json("hidden")?,
            base_sha256: keys.text("base_sha256")?.to_owned(),
        }),
        other => match Published::named(other) {
            Some(network) => Ok(Architecture::Published(network)),
            None => {
                let names = Published::ALL.map(Published::name).join(", ");
                Err(keys.wrong("network", format!("is {other:?}, not vgg16, light, {names}")))
            }
        },
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::invalid("model card", e.to_string()))
}

/// The metadata of a file, with errors that name file and key.
struct Keys<'a> {
    path: &'a Path,
    metadata: &'a BTreeMap<String, String>,
}

impl<'a> Keys<'a> {
    fn optional(&self, key: &str) -> Option<&'a str> {
        self.metadata.get(key).map(String::as_str)
    }

    fn text(&self, key: &str) -> Result<&'a str> {
        self.optional(key).ok_or_else(|| {
            let reason = format!("its metadata lack the key {key:?}: this is not a model that `vultus train` wrote");
            Error::weights(self.path, None, reason)
        })
    }

    fn optional_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.optional(key).map(|_| self.json(key)).transpose()
    }

    fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let text = self.text(key)?;
        serde_json::from_str(text).map_err(|e| self.wrong(key, format!("cannot be read ({e}) from {text:?}")))
    }

    fn wrong(&self, key: &str, reason: impl AsRef<str>) -> Error {
        let reason = format!("its metadata key {key:?} {}", reason.as_ref());
        Error::weights(self.path, None, reason)
    }
}

//! What the file of a head says about the network that it belongs to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::nn::vgg16::{self, Pooling};
use crate::nn::{Network, vgg16::head};
use crate::ops::Normalization;
use crate::weights::WeightFile;

/// What must be known of a head to run it: written into the metadata of its file by training, read by
/// [`super::Recognizer`]. All values but `pooling` and `base_sha256` are JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadCard {
    /// The names of the classes, in the order of the outputs. Key `classes`, a list.
    pub classes: Vec<String>,
    /// Height and width of the base's input in pixels, 32 to 1024. Key `input`.
    pub input: usize,
    /// What stands between base and head. Key `pooling`: `flatten` or `average`.
    pub pooling: Pooling,
    /// The widths of the hidden layers, none for a linear head. Key `hidden`, a list.
    pub hidden: Vec<usize>,
    /// What the base expects of its input. Key `preprocessing`.
    pub preprocessing: Normalization,
    /// The SHA-256 of the base's file, in lower-case hexadecimal. Key `base_sha256`.
    pub base_sha256: String,
    /// The side of the crop that goes into the base, relative to the longer side of the face's box: 0.5 to 4. Key
    /// `margin`.
    pub margin: f32,
}

impl HeadCard {
    /// Reads and checks the card of a head's file; other keys are left alone.
    ///
    /// # Errors
    /// [`Error::Weights`] that names the key that is missing or wrong, and what is wrong with it.
    pub fn from_file(file: &WeightFile) -> Result<Self> {
        let keys = Keys { file };
        let card = HeadCard {
            classes: keys.json("classes")?,
            input: keys.json("input")?,
            pooling: match keys.text("pooling")? {
                "flatten" => Pooling::Flatten,
                "average" => Pooling::Average,
                other => return Err(keys.wrong("pooling", format!("is {other:?}, not flatten or average"))),
            },
            hidden: keys.json("hidden")?,
            preprocessing: keys.json("preprocessing")?,
            base_sha256: keys.text("base_sha256")?.to_owned(),
            margin: keys.json("margin")?,
        };
        card.check().map_err(|(key, reason)| keys.wrong(key, reason))?;
        Ok(card)
    }

    /// The card as a file's metadata.
    ///
    /// # Errors
    /// [`Error::Shape`] if a value is out of its range, so that the file could not be read again.
    pub fn to_metadata(&self) -> Result<BTreeMap<String, String>> {
        self.check().map_err(|(key, reason)| Error::shape("head", format!("{key} {reason}")))?;
        let pooling = match self.pooling {
            Pooling::Flatten => "flatten",
            Pooling::Average => "average",
        };
        let pairs = [
            ("classes", json(&self.classes)?),
            ("input", json(&self.input)?),
            ("pooling", pooling.to_owned()),
            ("hidden", json(&self.hidden)?),
            ("preprocessing", json(&self.preprocessing)?),
            ("base_sha256", self.base_sha256.clone()),
            ("margin", json(&self.margin)?),
        ];
        Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The whole network that the card describes: VGG16's base and the head behind it, giving a probability for each
    /// class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input is too small for the base.
    pub fn network(&self) -> Result<Network> {
        let base = vgg16::base(self.input);
        let head = self.head()?;
        base.followed_by(head)
    }

    /// The head alone, without dropout.
    pub(super) fn head(&self) -> Result<Network> {
        let shapes = vgg16::base(self.input).output_shapes()?;
        let &[channels, height, width] = shapes[0].as_slice() else {
            return Err(Error::shape("vgg16-base", format!("gives {:?}, not feature maps", shapes[0])));
        };
        Ok(head([channels, height, width], self.pooling, &self.hidden, 0.0, self.classes.len()))
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
        if let Some(width) = self.hidden.iter().find(|width| !(1..=65_536).contains(*width)) {
            return wrong("hidden", format!("has the width {width}, not within 1 and 65536"));
        }
        let Normalization { mean, std, .. } = self.preprocessing;
        if !mean.iter().chain(&std).all(|value| value.is_finite()) || std.iter().any(|&value| value <= 0.0) {
            return wrong("preprocessing", format!("has mean {mean:?} and std {std:?}: std must be above 0"));
        }
        if self.base_sha256.len() != 64 || !self.base_sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return wrong("base_sha256", format!("is {:?}, not 64 hexadecimal digits", self.base_sha256));
        }
        if !(0.5..=4.0).contains(&self.margin) {
            return wrong("margin", format!("is {}, not within 0.5 and 4", self.margin));
        }
        Ok(())
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::shape("head", e.to_string()))
}

/// The metadata of a file, with errors that name file and key.
struct Keys<'a> {
    file: &'a WeightFile,
}

impl<'a> Keys<'a> {
    fn text(&self, key: &str) -> Result<&'a str> {
        self.file.metadata.get(key).map(String::as_str).ok_or_else(|| {
            let reason = format!("its metadata lack the key {key:?}: this is not a head that `vultus train` wrote");
            Error::weights(&self.file.path, None, reason)
        })
    }

    fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        let text = self.text(key)?;
        serde_json::from_str(text).map_err(|e| self.wrong(key, format!("cannot be read ({e}) from {text:?}")))
    }

    fn wrong(&self, key: &str, reason: impl AsRef<str>) -> Error {
        let reason = format!("its metadata key {key:?} {}", reason.as_ref());
        Error::weights(&self.file.path, None, reason)
    }
}

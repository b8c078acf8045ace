//! Recognising what a face shows: VGG16's base with a trained head.

use super::crop::square_crop;
use super::detect::Face;
use super::head::HeadCard;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::vgg16;
use crate::ops::Crop;
use crate::picture::Picture;
use crate::plan::{Options, Plan};
use crate::weights::WeightFile;

/// Gives every face a probability for each class.
pub struct Recognizer {
    card: HeadCard,
    plan: Plan,
}

impl Recognizer {
    /// Puts base and head together on a device, to run on batches of this many faces.
    ///
    /// # Errors
    /// [`Error::Weights`] if one of the files holds other tensors than it should, the head's metadata are not those of
    /// a [`HeadCard`], or the head was made for another base; [`Error::Shape`] if the batch is empty; [`Error::Limit`]
    /// or [`Error::Device`] if the device cannot hold the network.
    pub fn new(device: &Device, base: WeightFile, head: WeightFile, batch: usize) -> Result<Self> {
        Self::with_options(device, base, head, batch, &Options::default())
    }

    /// As [`Recognizer::new`], with options for the plan, such as the precision of its weights.
    ///
    /// # Errors
    /// As [`Recognizer::new`].
    pub fn with_options(
        device: &Device,
        base: WeightFile,
        head: WeightFile,
        batch: usize,
        options: &Options,
    ) -> Result<Self> {
        if batch == 0 {
            return Err(Error::shape("recognizer", "a batch needs at least one face"));
        }
        let card = HeadCard::from_file(&head)?;
        check_base(&card, &base, &head)?;
        base.check_shapes(&vgg16::base(card.input).parameter_shapes()?)?;
        check_classes(&card, &head)?;
        head.check_shapes(&card.head()?.parameter_shapes()?)?;
        let mut parameters = base.parameters;
        parameters.extend(head.parameters);
        let plan = device.load(&card.network()?, &parameters)?.compile(batch, options)?;
        Ok(Recognizer { card, plan })
    }

    /// The names of the classes, in the order of the scores.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// What the head says about itself.
    pub fn card(&self) -> &HeadCard {
        &self.card
    }

    /// The part of the picture to judge a face by: the square that the head was trained on.
    pub fn crop(&self, face: &Face, picture: &Picture) -> Crop {
        square_crop(face.bounds, self.card.margin, picture.width(), picture.height())
    }

    /// The probabilities of the classes for each crop of a picture.
    ///
    /// # Errors
    /// [`Error::Shape`] if a crop is empty or leaves the picture, or the picture is on another device;
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn recognize(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        self.plan.run_crops(picture, crops, &self.card.preprocessing)
    }
}

/// Whether the head was trained on the features of this base.
fn check_base(card: &HeadCard, base: &WeightFile, head: &WeightFile) -> Result<()> {
    if card.base_sha256 == base.sha256 {
        return Ok(());
    }
    let (wanted, found, path) = (&card.base_sha256, &base.sha256, base.path.display());
    let reason = format!("this head was made for another base: its key \"base_sha256\" is {wanted}");
    Err(Error::weights(&head.path, None, format!("{reason}, but {path} has the SHA-256 {found}")))
}

/// Whether the last layer has as many outputs as there are names.
fn check_classes(card: &HeadCard, head: &WeightFile) -> Result<()> {
    let last = format!("classifier.{}.weight", 3 * card.hidden.len());
    let names = card.classes.len();
    match head.parameters.get(&last).and_then(|weight| weight.shape().first()) {
        Some(&rows) if rows != names => {
            let reason = format!("it has {rows} rows, but the metadata key \"classes\" has {names} names");
            Err(Error::weights(&head.path, Some(&last), reason))
        }
        _ => Ok(()),
    }
}

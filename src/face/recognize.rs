//! Recognising what a face shows, by a trained model.

use super::assemble::assemble;
use super::crop::square_crop;
use super::detect::Face;
use super::model_card::ModelCard;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::ops::Crop;
use crate::picture::Picture;
use crate::plan::{Options, Plan};
use crate::weights::WeightFile;

/// Gives every face a probability for each class.
pub struct Recognizer {
    card: ModelCard,
    plan: Plan,
}

impl Recognizer {
    /// Puts a trained model on a device, to run on batches of this many faces. The base is VGG16's, for a model whose
    /// file does not hold all layers ([`super::needs_base`]); `None` will do for others.
    ///
    /// # Errors
    /// [`Error::Weights`] as [`assemble`]; [`Error::Shape`] if the batch is empty; [`Error::Limit`] or
    /// [`Error::Device`] if the device cannot hold the network.
    pub fn new(device: &Device, base: impl Into<Option<WeightFile>>, model: WeightFile, batch: usize) -> Result<Self> {
        Self::with_options(device, base, model, batch, &Options::default())
    }

    /// As [`Recognizer::new`], with options for the plan, such as the precision of its weights.
    ///
    /// # Errors
    /// As [`Recognizer::new`].
    pub fn with_options(
        device: &Device,
        base: impl Into<Option<WeightFile>>,
        model: WeightFile,
        batch: usize,
        options: &Options,
    ) -> Result<Self> {
        if batch == 0 {
            return Err(Error::shape("recognizer", "a batch needs at least one face"));
        }
        let path = model.path.clone();
        let (card, parameters) = assemble(base.into(), model)?;
        if card.preparation.is_some() {
            let reason = "its metadata key \"preparation\" asks for what this version cannot do";
            return Err(Error::weights(&path, None, reason));
        }
        let plan = device.load(&card.network()?, &parameters)?.compile(batch, options)?;
        Ok(Recognizer { card, plan })
    }

    /// The names of the classes, in the order of the scores.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// What the model says about itself.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The part of the picture to judge a face by: the square that the model was trained on.
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

    /// As [`Recognizer::recognize`], from two looks at each crop, as it is and mirrored, whose probabilities are
    /// averaged: twice the work, for models whose card recommends it ([`super::TestTimeAugmentation`]) and others. A
    /// crop and its mirror image get the same answer.
    ///
    /// # Errors
    /// As [`Recognizer::recognize`].
    pub fn recognize_with_flip(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        // Side by side, so that both looks at a face share a batch.
        let twice: Vec<Crop> = crops.iter().flat_map(|crop| [*crop, crop.mirrored()]).collect();
        let looks = self.recognize(picture, &twice)?;
        let mean = |(a, b): (&f32, &f32)| (a + b) / 2.0;
        Ok(looks.chunks_exact(2).map(|looks| looks[0].iter().zip(&looks[1]).map(mean).collect()).collect())
    }
}

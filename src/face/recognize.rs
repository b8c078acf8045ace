//! Recognising what a face shows, by a trained model.

use ::image::RgbImage;
use ::image::imageops;

use super::assemble::assemble;
use super::crop::square_crop;
use super::detect::Face;
use super::model_card::{ModelCard, TestTimeAugmentation};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::ops::Crop;
use crate::picture::Picture;
use crate::plan::{Options, Plan};
use crate::prepare::Preparation;
use crate::weights::WeightFile;

/// Gives every face a probability for each class.
pub struct Recognizer {
    device: Device,
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
        let (card, parameters) = assemble(base.into(), model)?;
        let plan = device.load(&card.network()?, &parameters)?.compile(batch, options)?;
        Ok(Recognizer { device: device.clone(), card, plan })
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
    /// [`Error::Shape`] if a crop is empty or leaves the picture, the picture is on another device, or the model wants
    /// its faces prepared, which [`Recognizer::recognize_image`] does; [`Error::DeviceLost`] if the device is gone.
    pub fn recognize(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        self.check_unprepared()?;
        self.scores(picture, crops, TestTimeAugmentation::None)
    }

    /// As [`Recognizer::recognize`], from two looks at each crop, as it is and mirrored, whose probabilities are
    /// averaged: twice the work, for models whose card recommends it ([`TestTimeAugmentation`]) and others. A crop and
    /// its mirror image get the same answer.
    ///
    /// # Errors
    /// As [`Recognizer::recognize`].
    pub fn recognize_with_flip(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        self.check_unprepared()?;
        self.scores(picture, crops, TestTimeAugmentation::Flip)
    }

    /// The probabilities of the classes for each crop of a picture that is not on a device yet. What the model's card
    /// asks for as a preparation is done to each crop; without any, the numbers are those of
    /// [`Recognizer::recognize`].
    ///
    /// # Errors
    /// [`Error::Shape`] if a crop is empty or leaves the picture; [`Error::Limit`] or [`Error::Device`] if the faces do
    /// not fit on the device; [`Error::DeviceLost`] if it is gone.
    pub fn recognize_image(
        &mut self,
        image: &RgbImage,
        crops: &[Crop],
        tta: TestTimeAugmentation,
    ) -> Result<Vec<Vec<f32>>> {
        crops.iter().try_for_each(|crop| crop.check(image.width(), image.height()))?;
        let mut rows = Vec::new();
        for crops in crops.chunks(self.plan.input_shapes()[0][0]) {
            let (sheet, places) = prepared_sheet(&self.card.preparation, image, crops);
            let picture = self.device.upload(&sheet, sheet.width(), sheet.height())?;
            rows.extend(self.scores(&picture, &places, tta)?);
        }
        Ok(rows)
    }

    /// A preparation that is left out silently would make the answers worse.
    fn check_unprepared(&self) -> Result<()> {
        if self.card.preparation == Preparation::NONE {
            return Ok(());
        }
        Err(Error::shape("recognizer", "this model wants its faces prepared: give the image (recognize_image)"))
    }

    fn scores(&mut self, picture: &Picture, crops: &[Crop], tta: TestTimeAugmentation) -> Result<Vec<Vec<f32>>> {
        if tta == TestTimeAugmentation::None {
            return self.plan.run_crops(picture, crops, &self.card.preprocessing);
        }
        // Side by side, so that both looks at a face share a batch.
        let twice: Vec<Crop> = crops.iter().flat_map(|crop| [*crop, crop.mirrored()]).collect();
        let looks = self.plan.run_crops(picture, &twice, &self.card.preprocessing)?;
        let mean = |(a, b): (&f32, &f32)| (a + b) / 2.0;
        Ok(looks.chunks_exact(2).map(|looks| looks[0].iter().zip(&looks[1]).map(mean).collect()).collect())
    }
}

/// The prepared crops of a picture below each other in one, and where they are in it.
fn prepared_sheet(preparation: &Preparation, image: &RgbImage, crops: &[Crop]) -> (RgbImage, Vec<Crop>) {
    let width = crops.iter().map(|crop| crop.width).max().unwrap_or(1);
    let mut sheet = RgbImage::new(width, crops.iter().map(|crop| crop.height).sum());
    let mut top = 0;
    let place = |crop: &Crop| {
        let face = imageops::crop_imm(image, crop.x, crop.y, crop.width, crop.height).to_image();
        imageops::replace(&mut sheet, &preparation.apply(&face), 0, i64::from(top));
        top += crop.height;
        Crop { x: 0, y: top - crop.height, ..*crop }
    };
    let places = crops.iter().map(place).collect();
    (sheet, places)
}

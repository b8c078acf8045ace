//! Recognising what a face shows, by a trained model.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ::image::RgbImage;
use ::image::imageops;

use super::assemble::assemble;
use super::crop::square_crop;
use super::model_card::{ModelCard, TestTimeAugmentation};
use crate::engine::{Device, Model, Options, Picture, Plan};
use crate::error::{Error, Result};
use crate::ops::Crop;
use crate::prepare::Preparation;
use crate::prepare::face::Face;
use crate::reading::{Reading, at_once};
use crate::tensor::Parameters;
use crate::weights::WeightFile;

/// Gives every face a probability for each class.
///
/// Faces are computed in batches. A plan takes as long for a batch that is not full as for a full one, so there is a
/// plan for every power of two below the largest batch too, compiled when it is first of use.
///
/// ```
/// use vultus::Device;
/// use vultus::face::{Architecture, ModelCard, Recognizer, TestTimeAugmentation};
/// use vultus::image::RgbImage;
/// use vultus::ops::Normalization;
/// use vultus::weights::WeightFile;
///
/// // A model that has learned nothing yet; mostly it comes from a file.
/// let classes = vec!["happy".to_owned(), "sad".to_owned()];
/// let card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
/// let (parameters, metadata) = (card.network()?.initialize(1)?, card.to_metadata()?);
/// let model = WeightFile { path: "light.safetensors".into(), parameters, metadata, sha256: String::new() };
///
/// let mut recognizer = Recognizer::new(&Device::Cpu, None, model, 4)?;
/// let scores = recognizer.recognize_faces(&[RgbImage::new(60, 60)], TestTimeAugmentation::Flip)?;
/// assert_eq!((recognizer.classes().len(), scores[0].len()), (2, 2));
/// assert!((scores[0].iter().sum::<f32>() - 1.0).abs() < 1e-5);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Recognizer {
    device: Device,
    card: ModelCard,
    model: Model,
    options: Options,
    /// The largest batch.
    batch: usize,
    /// By their batch.
    plans: BTreeMap<usize, Plan>,
}

impl Recognizer {
    /// Puts a trained model on a device, to run on batches of at most this many faces. The base is VGG16's, for a model
    /// whose file does not hold all layers ([`super::needs_base`]); `None` will do for others.
    ///
    /// # Errors
    /// [`Error::Weights`] as [`assemble`]; [`Error::InvalidArgument`] if the batch is empty; [`Error::Limit`] or
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
        let (card, parameters) = assemble(base.into(), model)?;
        Self::from_card(device, card, &parameters, batch, options)
    }

    /// As [`Recognizer::with_options`], for a card and all parameters of its network, as [`assemble`] and
    /// [`super::from_onnx`] give them.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the batch is empty or a parameter is missing; [`Error::Shape`] or
    /// [`Error::UnknownName`] if these are not the network's parameters; [`Error::Limit`] or [`Error::Device`] if the
    /// device cannot hold the network.
    pub fn from_card(
        device: &Device,
        card: ModelCard,
        parameters: &Parameters,
        batch: usize,
        options: &Options,
    ) -> Result<Self> {
        if batch == 0 {
            return Err(Error::invalid("recognizer", "a batch needs at least one face"));
        }
        let model = device.load(&card.network()?, parameters)?;
        let plans = BTreeMap::from([(batch, model.compile(batch, options)?)]);
        Ok(Recognizer { device: device.clone(), card, model, options: options.clone(), batch, plans })
    }

    /// The names of the classes, in the order of the scores.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// What the model says about itself.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// The picture of a face to judge it by, cut out as the model was trained: turned, scaled and moved by the eyes if
    /// its card has an alignment, else the square around the box ([`Recognizer::crop`]).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the face is to be aligned and its eyes are less than a pixel apart.
    pub fn cut(&self, image: &RgbImage, face: &Face) -> Result<RgbImage> {
        self.card.cut(image, face)
    }

    /// The part of the picture to judge a face by, for a model that does not align faces.
    pub fn crop(&self, face: &Face, picture: &Picture) -> Crop {
        square_crop(face.bounds, self.card.margin, picture.width(), picture.height())
    }

    /// The probabilities of the classes for each crop of a picture.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use vultus::Device;
    /// use vultus::face::Recognizer;
    /// use vultus::ops::Crop;
    /// use vultus::weights::{DefaultFile, Store};
    ///
    /// let (device, store) = (Device::best(), Store::open(None)?);
    /// let model = store.load(DefaultFile::ExpressionModel)?;
    /// let mut recognizer = Recognizer::new(&device, None, model, 8)?;
    /// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
    /// let picture = device.upload(&photo, photo.width(), photo.height())?;
    /// let crop = Crop { x: 120, y: 40, width: 200, height: 200, mirror: false };
    /// let scores = recognizer.recognize(&picture, &[crop])?;
    /// for (class, score) in recognizer.classes().iter().zip(&scores[0]) {
    ///     println!("{class}: {score:.2}");
    /// }
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if a crop is empty or leaves the picture; [`Error::InvalidArgument`] if the picture is on
    /// another device, or the model wants its faces aligned or prepared, which [`Recognizer::cut`] and
    /// [`Recognizer::recognize_faces`] do; [`Error::DeviceLost`] if the device is gone.
    pub fn recognize(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        self.check_unprepared()?;
        at_once(self.scores(picture, crops, TestTimeAugmentation::None, Reading::Blocking))
    }

    /// As [`Recognizer::recognize`], from two looks at each crop, as it is and mirrored, whose probabilities are
    /// averaged: twice the work, for models whose card recommends it ([`TestTimeAugmentation`]) and others. A crop and
    /// its mirror image get the same answer.
    ///
    /// # Errors
    /// As [`Recognizer::recognize`].
    pub fn recognize_with_flip(&mut self, picture: &Picture, crops: &[Crop]) -> Result<Vec<Vec<f32>>> {
        self.check_unprepared()?;
        at_once(self.scores(picture, crops, TestTimeAugmentation::Flip, Reading::Blocking))
    }

    /// The probabilities of the classes for pictures each of which is a face as a whole, as [`Recognizer::cut`] makes
    /// them. What the model's card asks for as a preparation is done to each; without any, the numbers are those of
    /// [`Recognizer::recognize`].
    ///
    /// # Errors
    /// [`Error::Shape`] if a picture is empty; [`Error::Limit`] or [`Error::Device`] if the faces of a batch do not fit
    /// on the device; [`Error::DeviceLost`] if it is gone.
    pub fn recognize_faces(&mut self, faces: &[RgbImage], tta: TestTimeAugmentation) -> Result<Vec<Vec<f32>>> {
        at_once(self.judge(faces, tta, Reading::Blocking))
    }

    /// As [`Recognizer::recognize_faces`], without blocking while a GPU computes: see [`Plan::output_async`].
    ///
    /// # Errors
    /// As [`Recognizer::recognize_faces`].
    pub async fn recognize_faces_async(
        &mut self,
        faces: &[RgbImage],
        tta: TestTimeAugmentation,
    ) -> Result<Vec<Vec<f32>>> {
        self.judge(faces, tta, Reading::Async).await
    }

    pub(super) async fn judge(
        &mut self,
        faces: &[RgbImage],
        tta: TestTimeAugmentation,
        reading: Reading,
    ) -> Result<Vec<Vec<f32>>> {
        faces.iter().map(RgbImage::dimensions).try_for_each(|(w, h)| Crop::whole(w, h).check(w, h))?;
        let mut rows = Vec::new();
        for faces in faces.chunks(self.batch) {
            let (sheet, places) = prepared_sheet(&self.card.preparation, faces);
            let picture = self.device.upload(&sheet, sheet.width(), sheet.height())?;
            rows.extend(self.scores(&picture, &places, tta, reading).await?);
        }
        Ok(rows)
    }

    /// Whether faces are cut out on the device: the model wants them neither aligned nor prepared.
    pub(super) fn cuts_on_device(&self) -> bool {
        self.card.alignment.is_none() && self.card.preparation == Preparation::NONE
    }

    /// What is left out silently would make the answers worse.
    fn check_unprepared(&self) -> Result<()> {
        let refuse = |what: &str| {
            let reason = format!("this model wants its faces {what}: give them to recognize_faces as cut makes them");
            Err(Error::invalid("recognizer", reason))
        };
        match (self.card.alignment, self.card.preparation) {
            (Some(_), _) => refuse("aligned"),
            (None, Preparation::NONE) => Ok(()),
            _ => refuse("prepared"),
        }
    }

    pub(super) async fn scores(
        &mut self,
        picture: &Picture,
        crops: &[Crop],
        tta: TestTimeAugmentation,
        reading: Reading,
    ) -> Result<Vec<Vec<f32>>> {
        if tta == TestTimeAugmentation::None {
            return self.looks(picture, crops, reading).await;
        }
        // Side by side, so that both looks at a face share a batch.
        let twice: Vec<Crop> = crops.iter().flat_map(|crop| [*crop, crop.mirrored()]).collect();
        let looks = self.looks(picture, &twice, reading).await?;
        let mean = |(a, b): (&f32, &f32)| (a + b) / 2.0;
        Ok(looks.chunks_exact(2).map(|looks| looks[0].iter().zip(&looks[1]).map(mean).collect()).collect())
    }

    /// The probabilities for each crop, by plans that fit their number.
    async fn looks(&mut self, picture: &Picture, crops: &[Crop], reading: Reading) -> Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(crops.len());
        for crops in crops.chunks(self.batch) {
            let preprocessing = self.card.preprocessing;
            let plan = self.plan(crops.len())?;
            rows.extend(plan.run_crops(picture, crops, &preprocessing, reading).await?);
        }
        Ok(rows)
    }

    /// The smallest plan for this many looks.
    fn plan(&mut self, looks: usize) -> Result<&mut Plan> {
        let batch = looks.next_power_of_two().min(self.batch);
        match self.plans.entry(batch) {
            Entry::Occupied(plan) => Ok(plan.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.model.compile(batch, &self.options)?)),
        }
    }
}

/// Prepared faces below each other in one picture, and where they are in it: a plan takes any number of crops of one
/// picture, and what a crop gives does not depend on what is beside it.
fn prepared_sheet(preparation: &Preparation, faces: &[RgbImage]) -> (RgbImage, Vec<Crop>) {
    let width = faces.iter().map(RgbImage::width).max().unwrap_or(1);
    let mut sheet = RgbImage::new(width, faces.iter().map(RgbImage::height).sum());
    let mut top = 0;
    let place = |face: &RgbImage| {
        imageops::replace(&mut sheet, &preparation.apply(face), 0, i64::from(top));
        top += face.height();
        Crop { y: top - face.height(), ..Crop::whole(face.width(), face.height()) }
    };
    let places = faces.iter().map(place).collect();
    (sheet, places)
}

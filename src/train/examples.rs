//! Where a network's inputs come from: pictures that are decoded and varied again in every epoch, or features that were
//! computed once.

use image::RgbImage;
use sha2::{Digest, Sha256};

use crate::cpu::augment::into_planes;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::face::{ModelCard, cut_square};
use crate::image::bytes::Bytes;
use crate::image::resample::{Pixels, resample};
use crate::ops::{Crop, Filter, Normalization, Order, Variation};
use crate::prepare::{Alignment, Augmentation, Preparation};
use crate::random::Random;

/// Numbered inputs of a network, all of one shape.
///
/// ```
/// use vultus::train::Examples;
/// use vultus::{Random, Result};
///
/// /// Numbers from a list, three in a row, with a little noise in training.
/// struct Rows(Vec<[f32; 3]>);
///
/// impl Examples for Rows {
///     fn shape(&self) -> [usize; 3] {
///         [1, 1, 3]
///     }
///
///     fn write(&self, index: usize, mut random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
///         out.copy_from_slice(&self.0[index]);
///         for value in out {
///             *value += random.as_mut().map_or(0.0, |random| 0.01 * random.normal());
///         }
///         Ok(())
///     }
/// }
///
/// let (rows, mut out) = (Rows(vec![[1.0, 2.0, 3.0]]), [0.0; 3]);
/// rows.write(0, None, &mut out)?;
/// assert_eq!(out, [1.0, 2.0, 3.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub trait Examples: Sync {
    /// The shape of each: channels, height, width.
    fn shape(&self) -> [usize; 3];

    /// How examples are made, as a text that is another one for other settings: a training that goes on must not go on
    /// with others.
    fn settings(&self) -> String {
        String::new()
    }

    /// Writes one example into `out`, which has room for its shape; varied at random where a source is given.
    ///
    /// # Errors
    /// If it cannot be read: the example is then left out and listed.
    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()>;

    /// The same examples as pictures in bytes, where these are varied: a GPU then does what `write` would do on the host,
    /// from the same random numbers. `None` where examples come in another way.
    fn varied(&self) -> Option<&dyn Varied> {
        None
    }
}

/// Pictures in bytes that are varied and normalised on the device that is trained on.
///
/// ```
/// use vultus::data::Dataset;
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::ops::Normalization;
/// use vultus::prepare::Augmentation;
/// use vultus::train::{Examples, Pictures, Varied};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let data = Dataset::open(folder.path())?;
/// let card = ModelCard::new(Architecture::Light, data.classes.clone(), 48, Normalization::TORCHVISION);
/// let pictures = Pictures::new(&data, &card, Augmentation::standard());
/// let (bytes, variation) = pictures.draw(0, &mut vultus::Random::new(1))?;
/// assert_eq!(bytes.len(), 3 * 48 * 48);
/// assert_ne!(pictures.draw(0, &mut vultus::Random::new(2))?.1, variation);
/// // What is not varied is made ready on the host.
/// assert!(Pictures::new(&data, &card, Augmentation::none()).varied().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Varied: Sync {
    /// What the network expects of its input.
    fn normalization(&self) -> Normalization;

    /// One picture of the network's size as [`Plan::set_varied`](crate::Plan::set_varied) takes it, and what is to be done
    /// to it.
    ///
    /// # Errors
    /// If it cannot be read: the example is then left out and listed.
    fn draw(&self, index: usize, random: &mut Random) -> Result<(Vec<u8>, Variation)>;
}

/// Does on the host what a device would do with a picture of this side.
pub(super) fn write_varied(
    varied: &dyn Varied,
    side: usize,
    (index, random): (usize, &mut Random),
    out: &mut [f32],
) -> Result<()> {
    let (bytes, variation) = varied.draw(index, random)?;
    let picture = Bytes::new(&bytes, side, side);
    let picture =
        picture.ok_or_else(|| Error::shape("picture", format!("{} bytes for a side of {side}", bytes.len())))?;
    into_planes(&picture, &variation, &varied.normalization(), out);
    Ok(())
}

/// The pictures of a data set as a network takes them.
///
/// ```
/// use vultus::data::Dataset;
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::ops::Normalization;
/// use vultus::prepare::Augmentation;
/// use vultus::train::{Examples, Pictures};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let data = Dataset::open(folder.path())?;
/// let card = ModelCard::new(Architecture::Light, data.classes.clone(), 48, Normalization::TORCHVISION);
/// let pictures = Pictures::new(&data, &card, Augmentation::standard());
/// assert_eq!(pictures.shape(), [3, 48, 48]);
/// // Without a source of random numbers a picture is not varied.
/// assert_eq!(pictures.picture(0, None)?, pictures.picture(1, None)?);
/// assert_ne!(pictures.picture(0, Some(&mut vultus::Random::new(1)))?, pictures.picture(0, None)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pictures<'a> {
    /// The data set.
    pub data: &'a Dataset,
    /// Height and width of the network's input.
    pub input: usize,
    /// What the network expects of its input.
    pub normalization: Normalization,
    /// What is done to each picture before it is scaled.
    pub preparation: Preparation,
    /// How pictures are varied for training.
    pub augmentation: Augmentation,
    /// How faces that a detector found are turned, scaled and moved by their eyes. All others are cut out by their box.
    pub alignment: Option<Alignment>,
    /// The side of the crop around a face's box, relative to the box, which is the data set's or else the detector's.
    /// Pictures without a box are faces as a whole.
    pub margin: f32,
}

impl<'a> Pictures<'a> {
    /// The pictures as the model with this card takes them.
    pub fn new(data: &'a Dataset, card: &ModelCard, augmentation: Augmentation) -> Self {
        Pictures {
            data,
            input: card.input,
            normalization: card.preprocessing,
            preparation: card.preparation,
            augmentation,
            alignment: card.alignment,
            margin: card.margin,
        }
    }

    /// One picture as it goes into the network before it is normalised, but rounded to bytes.
    ///
    /// # Errors
    /// As [`crate::data::Sample::decode`].
    pub fn picture(&self, index: usize, random: Option<&mut Random>) -> Result<RgbImage> {
        let face = self.face(index)?;
        Ok(match random.filter(|_| !self.augmentation.is_none()) {
            Some(random) => self.augmentation.apply(&scale(&face, self.input), random),
            None => scale(&face, self.input),
        })
    }

    /// Whether a picture is the same in every epoch.
    pub(super) fn is_fixed(&self) -> bool {
        self.augmentation.is_none()
    }

    /// A text that is another one if pictures are treated otherwise.
    pub(super) fn treatment(&self) -> String {
        let Pictures { input, normalization, preparation, augmentation, alignment, margin, .. } = self;
        format!("{input} {normalization:?} {preparation:?} {augmentation:?} {alignment:?} {margin}\n")
    }

    /// A text that is another one for other pictures, or if they are treated otherwise.
    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.treatment());
        (0..self.data.samples.len()).for_each(|index| hash.update(self.stamp(index)));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A text that is another one for other pictures, wherever the data set lies: by the names and sizes of all files and the
    /// pixels of some.
    fn contents(&self) -> String {
        let (mut hash, samples) = (Sha256::new(), &self.data.samples);
        for sample in samples {
            let size = sample.file().metadata().map_or(0, |file| file.len());
            hash.update(format!("{} {size} {:?} {:?}\n", sample.name(&self.data.path), sample.face, sample.detected));
        }
        for sample in samples.iter().step_by(samples.len().div_ceil(COMPARED).max(1)) {
            match sample.decode() {
                Ok(image) => hash.update(image.as_raw()),
                Err(_) => hash.update("unreadable"),
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A text that is another one if a picture is in another place or is another one.
    pub(super) fn stamp(&self, index: usize) -> String {
        let sample = &self.data.samples[index];
        let stamp = sample.file().metadata().ok().map(|file| (file.len(), file.modified().ok()));
        format!("{:?} {:?} {:?} {stamp:?}\n", sample.source, sample.face, sample.detected)
    }

    /// The prepared face of a sample in its own size.
    pub(super) fn face(&self, index: usize) -> Result<RgbImage> {
        let sample = &self.data.samples[index];
        let image = sample.decode()?;
        let bounds = sample.face.or(sample.detected.as_ref().map(|face| face.bounds));
        let face = match (&self.alignment, &sample.detected, bounds) {
            (Some(alignment), Some(face), _) => alignment.cut(&image, &face.landmarks)?,
            (_, _, Some(bounds)) => cut_square(&image, bounds, self.margin),
            _ => image,
        };
        Ok(self.preparation.apply(&face))
    }
}

impl Examples for Pictures<'_> {
    fn shape(&self) -> [usize; 3] {
        [3, self.input, self.input]
    }

    fn settings(&self) -> String {
        format!("{}{}\n", self.treatment(), self.contents())
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        match random.filter(|_| !self.is_fixed()) {
            Some(random) => write_varied(self, self.input, (index, random), out)?,
            None => normalize(&self.face(index)?, self.input, &self.normalization, out),
        }
        Ok(())
    }

    fn varied(&self) -> Option<&dyn Varied> {
        if self.is_fixed() { None } else { Some(self) }
    }
}

impl Varied for Pictures<'_> {
    fn normalization(&self) -> Normalization {
        self.normalization
    }

    fn draw(&self, index: usize, random: &mut Random) -> Result<(Vec<u8>, Variation)> {
        let picture = scale(&self.face(index)?, self.input);
        let variation = self.augmentation.draw(&picture, random);
        Ok((picture.into_raw(), variation))
    }
}

/// Pictures whose pixels tell a data set from another one with files of the same names and sizes.
const COMPARED: usize = 64;

/// Leaves values as they are.
pub(super) const PLAIN: Normalization = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: false };

/// Scales a picture to a square and normalises it: exactly what a device makes of an uploaded picture.
pub(super) fn normalize(picture: &RgbImage, side: usize, normalization: &Normalization, out: &mut [f32]) {
    let crop = Crop::whole(picture.width(), picture.height());
    let pixels = Pixels { data: picture.as_raw(), width: picture.width(), linear: false };
    resample(&pixels, &[crop], [side, side], Filter::for_crop(&crop, side), normalization, out);
}

/// A picture scaled to a square as [`normalize`] does it, rounded to bytes.
pub(super) fn scale(picture: &RgbImage, side: usize) -> RgbImage {
    if picture.dimensions() == (side as u32, side as u32) {
        return picture.clone();
    }
    let plane = side * side;
    let mut values = vec![0.0; 3 * plane];
    normalize(picture, side, &PLAIN, &mut values);
    RgbImage::from_fn(side as u32, side as u32, |x, y| {
        let place = y as usize * side + x as usize;
        image::Rgb([0, 1, 2].map(|channel| values[channel * plane + place].round() as u8))
    })
}

//! What the frozen base makes of every picture of a data set: computed once, kept in a file.

use std::path::Path;

use ::image::RgbImage;
use ::image::imageops::{self, FilterType};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::data::ImageFolder;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::image::decode_file;
use crate::model::Model;
use crate::nn::vgg16;
use crate::ops::{Crop, Normalization};
use crate::plan::{Options, Plan};
use crate::tensor::{Parameters, Tensor};
use crate::weights::{WeightFile, safetensors};

/// Pictures larger than this are reduced before they go to the device: a data set of photographs would not fit.
const LARGEST: u32 = 512;

/// Pictures that are computed at once.
const BATCH: usize = 32;

/// The features of a data set's pictures.
pub struct Features {
    /// `[pictures, channels, height, width]`.
    pub tensor: Tensor,
    /// The class of each picture.
    pub labels: Vec<usize>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<Error>,
}

/// The frozen base on a device.
pub struct Extractor {
    device: Device,
    plan: Plan,
    /// Kept alive with its plan.
    _model: Model,
    input: usize,
    normalization: Normalization,
    base_sha256: String,
}

impl Extractor {
    /// VGG16's base with these weights, for pictures scaled to this height and width and normalised like this.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file does not hold the base; the device's own errors.
    pub fn new(device: &Device, base: WeightFile, input: usize, normalization: Normalization) -> Result<Self> {
        let network = vgg16::base(input);
        let base = base.with_prefix("features.")?;
        base.check_shapes(&network.parameter_shapes()?)?;
        let model = device.load(&network, &base.parameters)?;
        let plan = model.compile(BATCH, &Options::default())?;
        Ok(Extractor { device: device.clone(), plan, _model: model, input, normalization, base_sha256: base.sha256 })
    }

    /// The shape of one picture's features: channels, height, width.
    pub fn shape(&self) -> [usize; 3] {
        let shape = self.plan.output_shapes()[0];
        [shape[1], shape[2], shape[3]]
    }

    /// The features of a data set, from the cache folder if they were computed before, and put there if not.
    /// `progress` hears after each batch how many pictures are done.
    ///
    /// # Errors
    /// [`Error::Data`] if no picture can be read; the device's own errors; [`Error::Io`] if the cache cannot be
    /// written: that its folder cannot be made is found before anything is computed. Single pictures that cannot be
    /// read are left out and listed.
    pub fn features(
        &mut self,
        data: &ImageFolder,
        cache: Option<&Path>,
        mut progress: impl FnMut(usize),
    ) -> Result<Features> {
        let file = cache.map(|folder| folder.join(format!("features-{}.safetensors", self.key(data))));
        let found = file.as_deref().filter(|file| file.exists()).and_then(|file| read_cache(file, data, self.shape()));
        if let Some(found) = found {
            progress(data.samples.len());
            return Ok(found);
        }
        if let Some(folder) = cache {
            std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        }
        let (mut values, mut labels, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
        for (index, samples) in data.samples.chunks(BATCH).enumerate() {
            let pictures: Vec<Result<RgbImage>> = samples.par_iter().map(|(path, _)| small_picture(path)).collect();
            let mut good = Vec::new();
            for (picture, (_, class)) in pictures.into_iter().zip(samples) {
                match picture {
                    Ok(picture) => {
                        good.push(picture);
                        labels.push(*class);
                    }
                    Err(error) => unreadable.push(error),
                }
            }
            self.extract(&good, &mut values)?;
            progress(index * BATCH + samples.len());
        }
        if labels.is_empty() {
            let reason = match unreadable.first() {
                Some(error) => format!("no picture can be read; the first: {error}"),
                None => "has no pictures".to_owned(),
            };
            return Err(Error::Data { folder: data.folder.clone(), reason });
        }
        let [channels, height, width] = self.shape();
        let tensor = Tensor::new([labels.len(), channels, height, width], values)?;
        let features = Features { tensor, labels, unreadable };
        if let Some(file) = file.filter(|_| features.unreadable.is_empty()) {
            write_cache(&file, &features)?;
        }
        Ok(features)
    }

    /// Adds the features of up to [`BATCH`] pictures to `values`.
    fn extract(&mut self, pictures: &[RgbImage], values: &mut Vec<f32>) -> Result<()> {
        if pictures.is_empty() {
            return Ok(());
        }
        // All pictures of a batch lie below each other in one, so that they are uploaded and scaled in one go.
        let width = pictures.iter().map(|p| p.width()).max().unwrap_or(1);
        let height = pictures.iter().map(|p| p.height()).sum();
        let mut sheet = RgbImage::new(width, height);
        let mut crops = Vec::new();
        let mut top = 0;
        for picture in pictures {
            imageops::replace(&mut sheet, picture, 0, i64::from(top));
            crops.push(Crop { y: top, ..Crop::whole(picture.width(), picture.height()) });
            top += picture.height();
        }
        let sheet = self.device.upload(sheet.as_raw(), width, height)?;
        values.extend(self.plan.run_crops(&sheet, &crops, &self.normalization)?.into_iter().flatten());
        Ok(())
    }

    /// What the features depend on: base, input, normalisation, device, and the files by name, size and time.
    fn key(&self, data: &ImageFolder) -> String {
        let mut hash = Sha256::new();
        let device = &self.device;
        hash.update(format!("{} {} {:?} {device}", self.base_sha256, self.input, self.normalization));
        for (path, class) in &data.samples {
            let stamp = path.metadata().ok().map(|m| (m.len(), m.modified().ok()));
            hash.update(format!("{} {class} {stamp:?}\n", path.display()));
        }
        hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn small_picture(path: &Path) -> Result<RgbImage> {
    let picture = decode_file(path)?;
    if picture.width().max(picture.height()) <= LARGEST {
        return Ok(picture);
    }
    let scale = f64::from(LARGEST) / f64::from(picture.width().max(picture.height()));
    let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    Ok(imageops::resize(&picture, side(picture.width()), side(picture.height()), FilterType::Triangle))
}

/// The features of an earlier run; `None` if the file is not whole or holds something else, so that they are computed
/// again.
fn read_cache(file: &Path, data: &ImageFolder, [channels, height, width]: [usize; 3]) -> Option<Features> {
    let tensor = safetensors::read(file).ok()?.parameters.remove("features")?;
    let labels: Vec<usize> = data.samples.iter().map(|(_, class)| *class).collect();
    let fits = tensor.shape() == [labels.len(), channels, height, width];
    fits.then_some(Features { tensor, labels, unreadable: Vec::new() })
}

fn write_cache(file: &Path, features: &Features) -> Result<()> {
    let contents = Parameters::from([("features".to_owned(), features.tensor.clone())]);
    safetensors::write(file, &contents, &Default::default(), safetensors::Precision::F32)
}

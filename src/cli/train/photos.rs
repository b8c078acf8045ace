//! Whether the pictures of a data set look like photos with a face somewhere in them.

use vultus::Device;
use vultus::data::Dataset;
use vultus::face::Face;

use super::Arguments;
use crate::cli::global::Global;

/// Pictures that are looked at.
const LOOKED_AT: usize = 8;

/// The longer side from which on a picture may be a photo.
const LARGE: u32 = 257;

/// The largest face of a photo, relative to the picture's shorter side. Pictures that were cut to a face have more.
const SMALL: f32 = 0.5;

/// Warns if what is to be trained on as faces are whole photos. Pictures that cannot be read do not stop the training.
pub fn warn(arguments: &Arguments, data: &Dataset, training: &[usize], device: &Device, global: &Global) {
    if arguments.faces.detect || arguments.faces.faces || training.is_empty() {
        return;
    }
    let step = training.len().div_ceil(LOOKED_AT);
    let samples = training.iter().step_by(step).map(|&index| &data.samples[index]);
    let decoded =
        samples.filter(|sample| sample.face.is_none()).filter_map(|sample| Some((sample, sample.decode().ok()?)));
    let large: Vec<_> = decoded.filter(|(_, image)| image.width().max(image.height()) >= LARGE).collect();
    if large.is_empty() {
        return;
    }
    let Ok(mut detector) = arguments.faces.detector.load(device, global) else { return };
    let mut side = |image: &vultus::image::RgbImage| {
        let picture = device.upload(image.as_raw(), image.width(), image.height()).ok()?;
        let face = Face::meant(detector.detect(&picture).ok()?, None)?;
        let [x1, y1, x2, y2] = face.bounds;
        Some((x2 - x1).max(y2 - y1)).filter(|side| *side < SMALL * image.width().min(image.height()) as f32)
    };
    let small: Vec<_> = large.iter().filter_map(|(sample, image)| Some((sample, image, side(image)?))).collect();
    if let Some((sample, image, side)) = small.first().filter(|_| 2 * small.len() >= large.len()) {
        let (name, width, height) = (sample.name(&data.path), image.width(), image.height());
        global.note(&format!(
            "warning: the pictures look like whole photos, and are taken for faces: in {name} ({width}×{height}) the face is \
             {side:.0} pixels large; --detect finds the faces first"
        ));
    }
}

//! Faces in the photos of a data set.

use vultus::Device;
use vultus::data::Dataset;
use vultus::face::{Detector, DetectorOptions};
use vultus::weights::DefaultFile;

use crate::cli::failure::Failure;
use crate::cli::global::Global;

/// Gives every picture without a box that of its largest face. The numbers of those in which no face is found, which are
/// named, sorted. Pictures that cannot be read are passed over: they are named when it is tried to train on them.
pub fn locate(data: &mut Dataset, device: &Device, global: &Global) -> Result<Vec<usize>, Failure> {
    let mut detector = Detector::new(device, global.store()?.load(DefaultFile::Mtcnn)?, DetectorOptions::default())?;
    let bar = global.progress("faces", data.samples.len());
    let mut without = Vec::new();
    for (index, sample) in data.samples.iter_mut().enumerate() {
        bar.inc(1);
        let Some(image) = sample.decode().ok().filter(|_| sample.face.is_none()) else { continue };
        let picture = device.upload(image.as_raw(), image.width(), image.height())?;
        match detector.detect(&picture)?.first() {
            Some(face) => sample.face = Some(face.bounds),
            None => {
                bar.suspend(|| global.note(&format!("{}: no face found", sample.name(&data.path))));
                without.push(index);
            }
        }
    }
    bar.finish_and_clear();
    if !without.is_empty() {
        global.note(&format!("{} pictures without a face are left out", without.len()));
    }
    Ok(without)
}

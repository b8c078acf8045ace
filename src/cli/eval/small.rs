//! Whether the images of a data set are faces already, by their sizes.

use vultus::data::{Dataset, Source};
use vultus::image::stored_size;

use crate::cli::global::Global;

/// Images that are looked at.
const LOOKED_AT: usize = 16;

/// The longer side up to which an image is hardly a photo with a face somewhere in it: FER2013 has 48 pixels, RAF-DB 100,
/// crops for networks mostly 224.
const SMALL: u32 = 256;

/// Whether all of some images are small, which is said. Where boxes of faces are known, or an image cannot be read, they are
/// taken for photos.
pub fn are_faces(data: &Dataset, global: &Global) -> bool {
    let step = data.samples.len().div_ceil(LOOKED_AT).max(1);
    let mut largest = [0; 2];
    for sample in data.samples.iter().step_by(step) {
        let size = match &sample.source {
            _ if sample.face.is_some() => None,
            Source::File(file) => std::fs::read(file).ok().and_then(|bytes| stored_size(file, &bytes).ok()),
            Source::Row { .. } => sample.decode().ok().map(|image| image.dimensions().into()),
        };
        match size {
            Some(size @ [width, height]) if width.max(height) <= SMALL => largest = largest.max(size),
            _ => return false,
        }
    }
    let [width, height] = largest;
    global.note(&format!(
        "the images are small ({width}×{height}) and taken for faces as they are; --detect searches them for faces"
    ));
    !data.samples.is_empty()
}

//! What a network expects of its input, told by where its file comes from.

use crate::error::Result;
use crate::ops::{Normalization, Order};
use crate::weights::catalog::Catalog;
use crate::weights::format::Format;
use crate::weights::weight_file::declared_preprocessing;

/// The first digits of the SHA-256 of files that torchvision publishes, which stand in the files' names, and what their
/// networks expect: <https://docs.pytorch.org/vision/main/models/generated/torchvision.models.vgg16.html>.
const PUBLISHED: [(&str, Normalization); 2] = [
    ("397923af", Normalization::TORCHVISION),
    // VGG16_Weights.IMAGENET1K_FEATURES: the weights from Caffe with the first layer's channels turned round.
    (
        "88682ab5",
        Normalization { order: Order::Rgb, mean: [122.999_25, 116.999_1, 103.999_2], std: [1.0; 3], gray: false },
    ),
];

/// What the file tells.
pub(super) fn preprocessing(catalog: &Catalog) -> Result<Option<Normalization>> {
    let declared = declared_preprocessing(catalog.source().path(), catalog.metadata())?;
    if declared.is_some() {
        return Ok(declared);
    }
    match catalog.format() {
        Format::Hdf5 => Ok(Some(Normalization::CAFFE)),
        _ => {
            let sum = catalog.sha256()?;
            Ok(PUBLISHED.iter().find(|(start, _)| sum.starts_with(start)).map(|&(_, normalization)| normalization))
        }
    }
}

/// What is to be used, as the text of the metadata: what the file tells or the caller does, which must not contradict each
/// other.
pub(super) fn decide(catalog: &Catalog, given: Option<Normalization>) -> Result<String> {
    let told = preprocessing(catalog)?;
    let decided = match (told, given) {
        (Some(told), Some(given)) if told != given => {
            let reason = "the file itself tells another preprocessing than the one that is asked for: leave that out";
            return Err(catalog.source().refuse(reason));
        }
        (told, given) => told.or(given),
    };
    let Some(decided) = decided else {
        let reason = "nothing in the file tells what its network expects of its input: `vultus weights convert` takes --preprocess caffe \
                      (BGR less the mean: the original weights, Keras) or torchvision (RGB, mean and standard deviation)";
        return Err(catalog.source().refuse(reason));
    };
    serde_json::to_string(&decided).map_err(|e| catalog.source().refuse(e.to_string()))
}

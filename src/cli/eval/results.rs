//! What an evaluation gives: figures, and on what they were measured.

use std::collections::BTreeMap;

use serde::Serialize;
use vultus::face::TestTimeAugmentation;
use vultus::metrics::Evaluation;

use super::votes::Agreement;

/// The results of `vultus eval`, as they are written in JSON.
#[derive(Serialize)]
pub struct Results {
    /// All figures; their keys stand beside the others.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The data set's path, as it was named.
    pub data: String,
    /// The part of it: `train`, `validation`, `test` or `all`.
    pub part: &'static str,
    /// The model's file, as it was named; none for the default one.
    pub model: Option<String>,
    /// Whether images were taken for faces as they are.
    pub faces: bool,
    /// What found the faces: `yunet` or `mtcnn`; none where images were taken for faces.
    pub detector: Option<&'static str>,
    /// `none`, or `flip` if each face was looked at mirrored too.
    pub tta: &'static str,
    /// Whether the choice was among those classes only that the model and the data set both have.
    pub restricted: bool,
    /// How people voted, where a table of votes was given.
    pub votes: Option<Agreement>,
    /// Numbers of images of the data set's classes that the model does not have.
    pub left_out: BTreeMap<String, usize>,
    /// The names of the images in which no face was found.
    pub without_face: Vec<String>,
    /// The names of the images that could not be read.
    pub unreadable: Vec<String>,
}

/// The name of a way to look at faces.
pub fn tta_name(tta: TestTimeAugmentation) -> &'static str {
    match tta {
        TestTimeAugmentation::None => "none",
        TestTimeAugmentation::Flip => "flip",
    }
}

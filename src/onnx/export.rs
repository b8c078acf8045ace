//! How a network is written.

use std::collections::BTreeMap;

use crate::ops::Normalization;

/// How a network is written.
///
/// ```
/// use vultus::nn::light;
/// use vultus::onnx::{self, Export, Precision};
/// use vultus::ops::Normalization;
///
/// let network = light::network(48, 0.0, 7);
/// let export = Export {
///     // The model takes pictures as bytes.
///     preprocessing: Some(Normalization::TORCHVISION),
///     precision: Precision::F16,
///     metadata: [("license".to_owned(), "MIT".to_owned())].into(),
///     description: "expressions of faces".to_owned(),
/// };
/// let folder = tempfile::tempdir().unwrap();
/// onnx::write(&folder.path().join("light.onnx"), &network, &network.initialize(1)?, &export)?;
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Export {
    /// What is done to pictures within the model. With it, the model takes `image`, pictures of the network's height
    /// and width as bytes, `[N, H, W, 3]` in the order red, green, blue; without it `input`, `[N, C, H, W]`, as the
    /// network does. Pictures are not scaled: ONNX has no operator for the mean over areas.
    pub preprocessing: Option<Normalization>,
    /// The type of the parameters in the file.
    pub precision: Precision,
    /// What the model says about itself, by key.
    pub metadata: BTreeMap<String, String>,
    /// What the model is, in a few words.
    pub description: String,
}

/// The type of the parameters in an ONNX file. Whatever it is, the model computes in f32.
///
/// ```
/// use vultus::nn::light;
/// use vultus::onnx::{self, Export, Precision};
///
/// let (network, folder) = (light::network(48, 0.0, 7), tempfile::tempdir().unwrap());
/// let size = |precision| {
///     let path = folder.path().join("light.onnx");
///     onnx::write(&path, &network, &network.initialize(1)?, &Export { precision, ..Export::default() })?;
///     Ok::<_, vultus::Error>(std::fs::metadata(path).unwrap().len())
/// };
/// assert!(size(Precision::F32)? > 4 * 841_703 && size(Precision::F16)? < 2 * 850_000);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes: the values as they are.
    #[default]
    F32,
    /// Two bytes: values rounded to 11 significant bits, up to 65504.
    F16,
}

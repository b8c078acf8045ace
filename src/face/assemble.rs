//! A trained model's file and VGG16's base put together to one network's parameters, and taken apart again.

use super::model_card::{Architecture, ModelCard};
use crate::error::{Error, Result};
use crate::nn::vgg16;
use crate::tensor::Parameters;
use crate::weights::WeightFile;

/// Whether some of the model's layers are not in its file, so that [`assemble`] needs the base.
///
/// ```
/// use std::collections::BTreeMap;
/// use vultus::face::{Architecture, ModelCard, needs_base};
/// use vultus::ops::Normalization;
/// use vultus::weights::WeightFile;
///
/// let classes = vec!["happy".to_owned(), "sad".to_owned()];
/// let card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
/// let (parameters, metadata) = (card.network()?.initialize(1)?, card.to_metadata()?);
/// let file = WeightFile { path: "light.safetensors".into(), parameters, metadata, sha256: String::new() };
/// assert!(!needs_base(&file)?);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Weights`] if the file's metadata are not those of a [`ModelCard`].
pub fn needs_base(file: &WeightFile) -> Result<bool> {
    Ok(first_own(&ModelCard::from_file(file)?, file)? > 0)
}

/// The card of a model's file and all parameters of the card's network: from the first layer that the file holds, they
/// are the file's, those before it the base's, which is used for nothing else.
///
/// ```no_run
/// use vultus::Device;
/// use vultus::face::assemble;
/// use vultus::weights::{DefaultFile, Store};
///
/// let store = Store::open(None)?;
/// let (base, file) = (store.load(DefaultFile::Vgg16Base)?, store.load(DefaultFile::Vgg16Model)?);
/// let (card, parameters) = assemble(Some(base), file)?;
/// let model = Device::best().load(&card.network()?, &parameters)?;
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Weights`] if the file's metadata are not those of a [`ModelCard`], a tensor is missing, has another shape
/// than the network's or belongs to no layer, or if the base is needed and is missing, another one than the model was
/// made for, or not VGG16's base.
pub fn assemble(base: Option<WeightFile>, file: WeightFile) -> Result<(ModelCard, Parameters)> {
    let card = ModelCard::from_file(&file)?;
    check_classes(&card, &file)?;
    let shapes = card.network()?.parameter_shapes()?;
    let first = first_own(&card, &file)?;
    file.check_shapes(&shapes[first..])?;
    if first == 0 {
        return Ok((card, file.parameters));
    }
    let Some(base) = base else {
        let reason =
            format!("it holds only the layers from {} on: the others are those of VGG16's base", shapes[first].0);
        return Err(Error::weights(&file.path, None, format!("{reason}, which must be given too")));
    };
    check_base(&card, &base, &file)?;
    base.check_shapes(&vgg16::base(card.input).parameter_shapes()?)?;
    let mut parameters = base.parameters;
    parameters.extend(file.parameters);
    Ok((card, parameters))
}

/// What of a network's parameters must be in the model's file: all of them but for VGG16, of which those from the
/// first layer on that differs from the base, and the head in any case. [`assemble`] makes the whole of it again.
///
/// ```
/// use vultus::face::{Architecture, ModelCard, without_base};
/// use vultus::nn::vgg16::Pooling;
/// use vultus::ops::Normalization;
/// use vultus::{Parameters, Tensor};
///
/// let vgg16 = Architecture::Vgg16 { pooling: Pooling::Average, hidden: vec![], base_sha256: "0".repeat(64) };
/// let card = ModelCard::new(vgg16, vec!["happy".to_owned(), "sad".to_owned()], 64, Normalization::CAFFE);
/// let base = Parameters::from([("features.0.weight".to_owned(), Tensor::zeros([64, 3, 3, 3]))]);
/// let mut trained = base.clone();
/// trained.insert("classifier.0.weight".to_owned(), Tensor::zeros([2, 512]));
/// assert!(without_base(&card, &base, trained)?.keys().eq(["classifier.0.weight"]));
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the card's network cannot be.
pub fn without_base(card: &ModelCard, base: &Parameters, mut parameters: Parameters) -> Result<Parameters> {
    let shapes = card.network()?.parameter_shapes()?;
    if !matches!(card.architecture, Architecture::Vgg16 { .. }) {
        return Ok(parameters);
    }
    let differs = |name: &String| parameters.get(name) != base.get(name);
    let first = shapes.iter().position(|(name, _)| is_head(name) || differs(name)).unwrap_or(shapes.len());
    // A layer goes as a whole, even if only its bias has changed.
    let first_layer = shapes.get(first).map(|(name, _)| layer(name));
    for (name, _) in shapes.iter().take(first).filter(|(name, _)| Some(layer(name)) != first_layer) {
        parameters.remove(name);
    }
    Ok(parameters)
}

/// The place of the first parameter, in the order of the layers, that must be in the file: everything from there on
/// must be, since a gap is a file that lacks something.
fn first_own(card: &ModelCard, file: &WeightFile) -> Result<usize> {
    let shapes = card.network()?.parameter_shapes()?;
    if !matches!(card.architecture, Architecture::Vgg16 { .. }) {
        return Ok(0);
    }
    let held = |prefix: &str| file.parameters.keys().any(|name| layer(name) == prefix);
    let first = shapes.iter().position(|(name, _)| is_head(name) || held(layer(name)));
    Ok(first.unwrap_or(shapes.len()))
}

/// `features.10` of `features.10.weight`.
fn layer(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer)
}

fn is_head(parameter: &str) -> bool {
    parameter.starts_with("classifier.")
}

/// Whether the model was trained on the features of this base.
fn check_base(card: &ModelCard, base: &WeightFile, file: &WeightFile) -> Result<()> {
    let Architecture::Vgg16 { base_sha256: wanted, .. } = &card.architecture else { return Ok(()) };
    if *wanted == base.sha256 {
        return Ok(());
    }
    let (found, path) = (&base.sha256, base.path.display());
    let reason = format!("this model was made for another base: its key \"base_sha256\" is {wanted}");
    Err(Error::weights(&file.path, None, format!("{reason}, but {path} has the SHA-256 {found}")))
}

/// Whether the last layer has as many outputs as there are names.
fn check_classes(card: &ModelCard, file: &WeightFile) -> Result<()> {
    let (last, names) = (card.last_weight(), card.classes.len());
    match file.parameters.get(&last).and_then(|weight| weight.shape().first()) {
        Some(&rows) if rows != names => {
            let reason = format!("it has {rows} rows, but the metadata key \"classes\" has {names} names");
            Err(Error::weights(&file.path, Some(&last), reason))
        }
        _ => Ok(()),
    }
}

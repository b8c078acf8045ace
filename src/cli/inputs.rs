//! What the inputs of an ONNX model are given: arrays of files, or random numbers.

use std::collections::BTreeMap;
use std::path::Path;

use vultus::weights::arrays;
use vultus::{Parameters, Random, Tensor};

use super::failure::Failure;
use super::imported::ImportedModel;

/// The inputs of a plan for a batch of this size.
pub struct Inputs {
    pub batch: usize,
    pub tensors: Vec<Tensor>,
}

impl Inputs {
    /// Numbers in −1 … 1.
    pub fn random(model: &ImportedModel, batch: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let shapes = model.inputs().into_iter().map(|(_, shape)| [&[batch], shape].concat());
        Inputs { batch, tensors: shapes.map(|shape| uniform(shape, &mut random)).collect() }
    }

    /// The arrays of the files that an option names. Each text is `NAME=FILE` with an input's name, or a file whose arrays
    /// have the names of inputs; where there is only one input and one array, it may have any.
    pub fn read(model: &ImportedModel, option: &str, texts: &[String]) -> Result<Self, Failure> {
        let inputs = model.inputs();
        let mut found: BTreeMap<String, (&str, Tensor)> = BTreeMap::new();
        for text in texts {
            let (file, arrays) = arrays_of(model, option, text)?;
            for (name, tensor) in arrays {
                if found.insert(name.clone(), (file, tensor)).is_some() {
                    return Err(Failure::Usage(format!("the input {name:?} is given twice")));
                }
            }
        }
        if let Some((name, shape)) = inputs.iter().find(|(name, _)| !found.contains_key(*name)) {
            let (path, wanted) = (model.path.display(), model.shape(shape));
            let reason = format!("the input {name:?} of the shape {wanted} is missing");
            return Err(Failure::Usage(format!(
                "{path}: {reason}: give {option} {name}=FILE, or a file of several arrays"
            )));
        }
        let mut batch: Option<(usize, &str)> = None;
        let mut tensors = Vec::new();
        for (name, shape) in inputs {
            let Some((file, tensor)) = found.remove(name) else { continue };
            let refuse = |reason: String| Failure::Failed(format!("{file}: the array for the input {name:?} {reason}"));
            let tensor = fitting(model, shape, tensor).map_err(refuse)?;
            let size = tensor.shape()[0];
            match batch {
                Some((other, first)) if other != size => {
                    return Err(refuse(format!("has a batch of {size}, but that for {first:?} one of {other}")));
                }
                _ => batch = Some((size, name)),
            }
            tensors.push(tensor);
        }
        Ok(Inputs { batch: batch.map_or(1, |(size, _)| size), tensors })
    }
}

/// Numbers in −1 … 1.
pub fn uniform(shape: Vec<usize>, random: &mut Random) -> Tensor {
    Tensor::from_fn(shape, |_| 2.0 * random.uniform() - 1.0)
}

/// The arrays that a text asks for, by the inputs that they are for, and their file.
fn arrays_of<'t>(model: &ImportedModel, option: &str, text: &'t str) -> Result<(&'t str, Parameters), Failure> {
    let inputs = model.inputs();
    let names = || inputs.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let named = inputs.iter().find_map(|(name, _)| Some((*name, text.strip_prefix(name)?.strip_prefix('=')?)));
    if let Some((name, file)) = named {
        let mut arrays = arrays::read(Path::new(file))?;
        let known = arrays.keys().cloned().collect::<Vec<_>>().join(", ");
        let tensor = match arrays.remove(name) {
            Some(tensor) => Some(tensor),
            None if arrays.len() == 1 => arrays.pop_first().map(|(_, tensor)| tensor),
            None => None,
        };
        let reason = || format!("{file}: none of its arrays ({known}) is called {name:?}");
        let tensor = tensor.ok_or_else(|| Failure::Failed(reason()))?;
        return Ok((file, [(name.to_owned(), tensor)].into()));
    }
    if let Some((name, _)) = text.split_once('=').filter(|_| !Path::new(text).exists()) {
        let path = model.path.display();
        return Err(Failure::Usage(format!("{path}: there is no input {name:?}; there are {}", names())));
    }
    let mut arrays = arrays::read(Path::new(text))?;
    if let ([(name, _)], 1) = (inputs.as_slice(), arrays.len()) {
        let array = arrays.pop_first().map(|(_, tensor)| ((*name).to_owned(), tensor));
        return Ok((text, array.into_iter().collect()));
    }
    if let Some(other) = arrays.keys().find(|array| inputs.iter().all(|(name, _)| name != array)) {
        let reason = format!("its array {other:?} has the name of no input; there are {}", names());
        return Err(Failure::Failed(format!("{text}: {reason} ({option} NAME=FILE says which it is for)")));
    }
    Ok((text, arrays))
}

/// An array as a plan takes it, if it has the shape of this input.
fn fitting(model: &ImportedModel, shape: &[usize], tensor: Tensor) -> Result<Tensor, String> {
    let given = tensor.shape().to_vec();
    let wanted = model.shape(shape);
    let advice = if given == shape && model.model.has_batch {
        "give it a first dimension for the batch (array[None])".to_owned()
    } else if let Some(order) = exchanged(model, shape, &given) {
        format!("exchange its dimensions (array.transpose({order}))")
    } else {
        "give one of that shape".to_owned()
    };
    let refused = format!("has the shape {given:?}, but {wanted} is needed: {advice}");
    match (model.model.has_batch, given.as_slice()) {
        (true, [1..=usize::MAX, rest @ ..]) if rest == shape => Ok(tensor),
        (false, given) if given == shape => tensor.reshape([&[1], shape].concat()).map_err(|error| error.to_string()),
        _ => Err(refused),
    }
}

/// The order of NumPy's `transpose` that makes pictures fit whose channels stand on the other side.
fn exchanged(model: &ImportedModel, shape: &[usize], given: &[usize]) -> Option<&'static str> {
    match (model.model.has_batch, shape, given) {
        (true, &[a, b, c], &[_, x, y, z]) if [z, x, y] == [a, b, c] => Some("0, 3, 1, 2"),
        (true, &[a, b, c], &[_, x, y, z]) if [y, z, x] == [a, b, c] => Some("0, 2, 3, 1"),
        _ => None,
    }
}

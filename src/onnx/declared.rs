//! The inputs that a file declares, and their sizes.

use std::collections::{BTreeMap, BTreeSet};

use super::import::{Constant, Input, elements};
use super::imported::Import;
use super::proto;

/// An input as the file has it.
pub(super) struct Declared {
    name: String,
    /// Sizes, or what the sizes are called.
    dims: Vec<Result<usize, String>>,
    is_integer: bool,
}

/// The inputs that no initialiser stands for.
pub(super) fn declared(
    graph: &proto::Graph,
    initializers: &BTreeMap<String, Constant>,
) -> Result<Vec<Declared>, String> {
    let mut found = Vec::new();
    for input in graph.input.iter().filter(|input| !initializers.contains_key(&input.name)) {
        let name = input.name.clone();
        let Some(tensor) = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()) else {
            return Err(format!("the input {name:?} is not a tensor"));
        };
        let Some(shape) = &tensor.shape else { return Err(format!("the input {name:?} has no shape")) };
        let is_integer = !matches!(tensor.elem_type, proto::FLOAT | proto::FLOAT16 | proto::BFLOAT16 | proto::DOUBLE);
        let mut dims = Vec::new();
        for (place, dim) in shape.dim.iter().enumerate() {
            dims.push(match (dim.dim_value, dim.dim_param.as_deref()) {
                (Some(size), _) if size > 0 => {
                    Ok(usize::try_from(size).map_err(|_| format!("the input {name:?} has a size {size}"))?)
                }
                // Some programs write −1 or 0 for a size that is open.
                (_, Some(symbol)) if !symbol.is_empty() => Err(symbol.to_owned()),
                _ => Err(format!("{name}[{place}]")),
            });
        }
        found.push(Declared { name, dims, is_integer });
    }
    if found.is_empty() {
        return Err("it has no input".to_owned());
    }
    if found.iter().map(|input| &input.name).collect::<BTreeSet<_>>().len() < found.len() {
        return Err("two inputs have the same name".to_owned());
    }
    Ok(found)
}

/// The inputs with their sizes, for a batch of this size where that is open.
pub(super) fn sized(inputs: &[Declared], import: &Import, batch: usize) -> Result<Vec<Input>, String> {
    let mut all = Vec::new();
    for Declared { name, dims, is_integer } in inputs {
        let mut shape = Vec::new();
        for (place, dim) in dims.iter().enumerate() {
            shape.push(match dim {
                Ok(size) => *size,
                Err(symbol) => {
                    let size = if place == 0 { Some(batch) } else { import.size };
                    import.dimensions.get(symbol).copied().or(size).ok_or_else(|| {
                        let reason = format!("the dimension {place} of the input {name:?}, {symbol:?}, has no size");
                        format!("{reason}: give it one (--dimension {symbol}=SIZE, Import::dimensions)")
                    })?
                }
            });
        }
        if shape.contains(&0) || elements(&shape).is_none() {
            return Err(format!("the input {name:?} has the shape {shape:?}"));
        }
        all.push(Input { name: name.clone(), shape, is_integer: *is_integer });
    }
    Ok(all)
}

//! Batch and layer normalisation, and softmax.

use super::constant::Constant;
use super::draft::{Draft, Given};
use super::node::{Node, axis};
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{BatchNorm2d, LayerNorm, Softmax};

/// `BatchNormalization` by running statistics.
pub(super) fn batch_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    // Before opset 14 it was a training that asked for further outputs.
    let asks = node.opset < 14 && node.proto.output.iter().skip(1).any(|name| !name.is_empty());
    if asks || node.integer("training_mode", 0)? != 0 {
        return Err(Refusal::unsupported("in training"));
    }
    let (x, name) = (node.traced(0)?, node.name());
    let norm = BatchNorm2d { eps: node.float("epsilon", 1e-5)?, ..BatchNorm2d::default() };
    let shape = draft.shape(x).to_vec();
    let &[first, channels, ..] = shape.as_slice() else {
        return Err(Refusal::unsupported(format!("of the shape {shape:?}")));
    };
    if draft.lead() == 1 && first != 1 {
        return Err(Refusal::unsupported("of several samples that are not a batch"));
    }
    let mut given = Vec::new();
    for index in 1..5 {
        given.push(Given::of(node.needed(index)?, [channels])?);
    }
    // The dimension that stands for the batch in the graph is 1.
    let plain = draft.view(&format!("{name}.plain"), x, &[&x.shape[..1], &shape[1..]].concat())?;
    let y = draft.layer_with(name, norm, &[&plain], 0, given)?;
    Ok(vec![Value::Traced(draft.view(&format!("{name}.restored"), &y, &x.shape)?)])
}

/// `LayerNormalization` over the last dimensions.
pub(super) fn layer_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let shape = draft.shape(x);
    let from = axis(node.integer("axis", -1)?, shape.len())? + draft.lead();
    let features: usize = x.shape[from..].iter().product();
    let norm = LayerNorm { eps: node.float("epsilon", 1e-5)? };
    let rows = flat(draft, &format!("{name}.rows"), x, from)?;
    let part = |constant: &Constant| {
        if constant.len() != features {
            return Err(Refusal::unsupported("with a scale or bias that is repeated"));
        }
        Given::of(constant, [features])
    };
    let mut given = vec![part(node.needed(1)?)?];
    given.extend(node.constant(2)?.map(part).transpose()?);
    let y = draft.layer_with(name, norm, &[&rows], 0, given)?;
    Ok(vec![Value::Traced(draft.view(&format!("{name}.restored"), &y, &x.shape)?)])
}

/// A value whose dimensions from one on are one.
fn flat(draft: &mut Draft, name: &str, x: &Traced, from: usize) -> Outcome<Traced> {
    if from == 0 {
        return Err(Refusal::MixesBatch);
    }
    let last: usize = x.shape[from..].iter().product();
    let shape = [&x.shape[..from], &[last]].concat();
    draft.view(name, x, &shape)
}

/// `Softmax`: before opset 13 over all dimensions from the axis on, then over one.
pub(super) fn softmax(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let rank = draft.shape(x).len();
    let along = axis(node.integer("axis", if node.opset < 13 { 1 } else { -1 })?, rank)? + draft.lead();
    if node.opset >= 13 || along + 1 == x.shape.len() {
        return Ok(vec![Value::Traced(draft.layer(name, Softmax { dim: along }, &[x])?)]);
    }
    let rows = flat(draft, &format!("{name}.rows"), x, along)?;
    let y = draft.layer(name, Softmax { dim: along }, &[&rows])?;
    Ok(vec![Value::Traced(draft.view(&format!("{name}.restored"), &y, &x.shape)?)])
}

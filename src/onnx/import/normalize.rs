//! Normalisations, and softmax.

use super::arithmetic::{add, mul, scaled, shifted};
use super::constant::Constant;
use super::draft::{Draft, Given};
use super::node::{Node, axis};
use super::reduce::Over;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{Activation, AvgPool2d, BatchNorm2d, LayerNorm, Op, Pad, Softmax, Unary};

/// `BatchNormalization` by running statistics.
pub(super) fn batch_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    // Before opset 14 it was a training that asked for further outputs.
    let asks = node.opset < 14 && node.proto.output.iter().skip(1).any(|name| !name.is_empty());
    if asks || node.integer("training_mode", 0)? != 0 {
        return Err(Refusal::unsupported("in training"));
    }
    let (is_test, is_spatial) = (node.integer("is_test", 0)?, node.integer("spatial", 1)?);
    if node.opset < 7 && is_test == 0 || node.opset < 9 && is_spatial == 0 {
        return Err(Refusal::unsupported("in training, or of single pixels"));
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

/// `InstanceNormalization` and `GroupNormalization`: over the pixels of each channel, or of each group of channels.
pub(super) fn group_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name, lead) = (node.traced(0)?, node.name(), draft.lead());
    let (scale, bias) = (node.needed(1)?, node.needed(2)?);
    let shape = draft.shape(x).to_vec();
    let [first, channels, pixels @ ..] = shape.as_slice() else {
        return Err(Refusal::damaged(format!("has a value of the shape {shape:?}")));
    };
    let groups = match node.operator() {
        "InstanceNormalization" => *channels,
        _ => usize::try_from(node.integer("num_groups", 0)?).unwrap_or(0),
    };
    if groups == 0 || channels % groups != 0 {
        return Err(Refusal::damaged(format!("makes {groups} groups of {channels} channels")));
    }
    let rest = channels / groups * pixels.iter().product::<usize>();
    let rows = draft.with_lead(&[*first, groups, rest]);
    let rows = draft.view(&format!("{name}.groups"), x, &rows)?;
    let over = Over { dims: vec![2 + lead], keepdim: true };
    let normal = over.standardized(draft, &format!("{name}.normal"), &rows, node.float("epsilon", 1e-5)?)?;
    let normal = draft.view(&format!("{name}.restored"), &normal, &x.shape)?;
    let each = |given: &Constant| -> Outcome<Constant> {
        let spread = [&[*channels], vec![1; pixels.len()].as_slice()].concat();
        match given.len() {
            count if count == *channels => given.reshaped(spread),
            // Before opset 21 there was one for each group.
            count if count == groups && node.opset < 21 => {
                let share = channels / groups;
                let all = (0..*channels).map(|channel| channel / share);
                Ok(Constant { origin: given.origin.clone(), ..given.picked(spread, all) })
            }
            count => Err(Refusal::damaged(format!("has {count} scales or biases for {channels} channels"))),
        }
    };
    let (scale, bias) = (each(scale)?, each(bias)?);
    let wide = mul(draft, &format!("{name}.scaled"), &Value::Traced(normal), &Value::Constant(scale))?;
    Ok(vec![Value::Traced(add(draft, name, &Value::Traced(wide), &Value::Constant(bias))?)])
}

/// `LpNormalization`: a value over its norm.
pub(super) fn lp_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let dim = axis(node.integer("axis", -1)?, draft.shape(x).len())? + draft.lead();
    let over = Over { dims: vec![dim], keepdim: true };
    let norm = match node.integer("p", 2)? {
        1 => {
            let sizes = draft.layer(&format!("{name}.sizes"), Unary::Abs, &[x])?;
            over.sum(draft, &format!("{name}.sum"), &sizes)?
        }
        2 => {
            let squares = draft.layer(&format!("{name}.squares"), Op::Mul, &[x, x])?;
            let sum = over.sum(draft, &format!("{name}.sum"), &squares)?;
            draft.layer(&format!("{name}.norm"), Unary::Sqrt, &[&sum])?
        }
        other => return Err(Refusal::unsupported(format!("with p {other}"))),
    };
    // Zeros stay zeros.
    let limit = Activation::Clip { min: f32::MIN_POSITIVE, max: f32::INFINITY };
    let norm = draft.layer(&format!("{name}.limited"), limit, &[&norm])?;
    let share = draft.layer(&format!("{name}.share"), Unary::Reciprocal, &[&norm])?;
    Ok(vec![Value::Traced(draft.layer(name, Op::Mul, &[x, &share])?)])
}

/// `LRN`: a value over a power of the sum of squares in the channels around (Krizhevsky et al. 2012).
pub(super) fn local_response_norm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name, at) = (node.traced(0)?, node.name(), 1 + draft.lead());
    let size = usize::try_from(node.integer("size", 0)?).unwrap_or(0);
    let (Some(&channels), true) = (x.shape.get(at), (1..1 << 15).contains(&size)) else {
        return Err(Refusal::damaged("has no channels, or no size"));
    };
    let squares = draft.layer(&format!("{name}.squares"), Op::Mul, &[x, x])?;
    let (outer, inner): (usize, usize) = (x.shape[1..at].iter().product(), x.shape[at + 1..].iter().product());
    let lines = draft.view(&format!("{name}.lines"), &squares, &[x.shape[0], outer, channels, inner])?;
    let padding = vec![[0, 0], [0, 0], [(size - 1) / 2, size / 2], [0, 0]];
    let padded = draft.layer(&format!("{name}.padded"), Pad { padding, value: 0.0 }, &[&lines])?;
    let pool = AvgPool2d { kernel: [size, 1], stride: [1, 1], ..AvgPool2d::new(1, 1) };
    let mean = draft.layer(&format!("{name}.mean"), pool, &[&padded])?;
    let mean = draft.view(&format!("{name}.restored"), &mean, &x.shape)?;
    let mean = scaled(draft, &format!("{name}.part"), &mean, node.float("alpha", 1e-4)?)?;
    let sum = shifted(draft, &format!("{name}.sum"), &mean, node.float("bias", 1.0)?)?;
    let exponent = -node.float("beta", 0.75)?;
    let share = draft.layer(&format!("{name}.share"), Unary::Pow { exponent }, &[&sum])?;
    Ok(vec![Value::Traced(draft.layer(name, Op::Mul, &[x, &share])?)])
}

/// `Softmax` and `LogSoftmax`: before opset 13 over all dimensions from the axis on, then over one.
pub(super) fn softmax(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let rank = draft.shape(x).len();
    let along = axis(node.integer("axis", if node.opset < 13 { 1 } else { -1 })?, rank)? + draft.lead();
    if node.opset >= 13 || along + 1 == x.shape.len() {
        return Ok(vec![Value::Traced(softmax_over(draft, node, x, along)?)]);
    }
    let rows = flat(draft, &format!("{name}.rows"), x, along)?;
    let y = softmax_over(draft, node, &rows, along)?;
    Ok(vec![Value::Traced(draft.view(&format!("{name}.restored"), &y, &x.shape)?)])
}

/// The softmax, or its logarithm, over one dimension of the network's.
fn softmax_over(draft: &mut Draft, node: &Node, x: &Traced, dim: usize) -> Outcome<Traced> {
    match node.operator() {
        "LogSoftmax" => Over { dims: vec![dim], keepdim: true }.log_softmax(draft, node.name(), x),
        _ => draft.layer(node.name(), Softmax { dim }, &[x]),
    }
}

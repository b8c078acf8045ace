//! Activation functions, and what is composed of them.

use super::arithmetic::{add, mul, scaled, shifted};
use super::draft::{Draft, Given};
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{Activation, Op};

/// Functions without parameters, and with a number as one.
pub(super) fn simple(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let activation = match node.operator() {
        "Relu" => Activation::Relu,
        "Sigmoid" => Activation::Sigmoid,
        "HardSwish" => Activation::Hardswish,
        "Gelu" => match node.text("approximate", "none")? {
            "none" => Activation::Gelu,
            "tanh" => Activation::GeluTanh,
            other => return Err(Refusal::unsupported(format!("with approximate {other}"))),
        },
        "LeakyRelu" => return leaky(draft, node, x, node.float("alpha", 0.01)?),
        other => return Err(Refusal::damaged(format!("is {other}, which is not an activation function"))),
    };
    Ok(vec![Value::Traced(draft.layer(node.name(), activation, &[x])?)])
}

fn leaky(draft: &mut Draft, node: &Node, x: &Traced, slope: f32) -> Outcome<Vec<Value>> {
    if slope > 0.0 && slope.is_finite() {
        let activation = Activation::LeakyRelu { negative_slope: slope };
        return Ok(vec![Value::Traced(draft.layer(node.name(), activation, &[x])?)]);
    }
    let (above, below) = halves(draft, node.name(), x)?;
    let below = scaled(draft, &format!("{}.scaled", node.name()), &below, -slope)?;
    Ok(vec![Value::Traced(add(draft, node.name(), &Value::Traced(above), &Value::Traced(below))?)])
}

/// What of a value is above 0, and how far it is below.
fn halves(draft: &mut Draft, name: &str, x: &Traced) -> Outcome<(Traced, Traced)> {
    let above = draft.layer(&format!("{name}.above"), Activation::Relu, &[x])?;
    let negative = scaled(draft, &format!("{name}.negative"), x, -1.0)?;
    Ok((above, draft.layer(&format!("{name}.below"), Activation::Relu, &[&negative])?))
}

/// `Abs`.
pub(super) fn absolute(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (above, below) = halves(draft, node.name(), node.traced(0)?)?;
    Ok(vec![Value::Traced(draft.layer(node.name(), Op::Add, &[&above, &below])?)])
}

/// `Clip`, whose limits are attributes or inputs.
pub(super) fn clip(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let limit = |name, index, default: f32| match node.constant(index)? {
        None => node.float(name, default),
        Some(limit) => limit.single().ok_or_else(|| Refusal::damaged(format!("has a {name} of several numbers"))),
    };
    let (min, max) = (limit("min", 1, f32::NEG_INFINITY)?, limit("max", 2, f32::INFINITY)?);
    if min == f32::NEG_INFINITY && max == f32::INFINITY {
        return Ok(vec![Value::Traced(x.clone())]);
    }
    // Where the limits cross, the larger one wins.
    Ok(vec![Value::Traced(draft.layer(node.name(), Activation::Clip { min: min.min(max), max }, &[x])?)])
}

/// `HardSigmoid`: a straight line between 0 and 1.
pub(super) fn hard_sigmoid(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let line = scaled(draft, &format!("{name}.scaled"), x, node.float("alpha", 0.2)?)?;
    let line = shifted(draft, &format!("{name}.line"), &line, node.float("beta", 0.5)?)?;
    Ok(vec![Value::Traced(draft.layer(name, Activation::Clip { min: 0.0, max: 1.0 }, &[&line])?)])
}

/// `Tanh`, which is 2 · sigmoid(2x) − 1.
pub(super) fn tanh(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let twice = scaled(draft, &format!("{name}.twice"), x, 2.0)?;
    let sigmoid = draft.layer(&format!("{name}.sigmoid"), Activation::Sigmoid, &[&twice])?;
    let wide = scaled(draft, &format!("{name}.wide"), &sigmoid, 2.0)?;
    Ok(vec![Value::Traced(shifted(draft, name, &wide, -1.0)?)])
}

/// `PRelu`: with a slope for each channel a layer of its own, else composed.
pub(super) fn prelu(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, slope, name) = (node.traced(0)?, node.needed(1)?, node.name());
    let channels = x.shape.get(1).copied().unwrap_or(0);
    // Slopes are compared with the value from the end; those of channels have sizes of 1 after them.
    let places = x.shape.len().saturating_sub(2);
    let is_of_channels = slope.shape.len() > places
        && slope.shape[slope.shape.len() - places..].iter().all(|&size| size == 1)
        && slope.shape[slope.shape.len() - places - 1] == channels
        && slope.len() == channels;
    if is_of_channels && draft.lead() == 0 {
        let given = Given::of(slope, [channels])?;
        return Ok(vec![Value::Traced(draft.layer_with(name, Op::Prelu, &[x], 0, vec![given])?)]);
    }
    let (above, below) = halves(draft, name, x)?;
    let below = scaled(draft, &format!("{name}.part"), &below, -1.0)?;
    let below = mul(draft, &format!("{name}.scaled"), &Value::Traced(below), &Value::Constant(slope.clone()))?;
    Ok(vec![Value::Traced(add(draft, name, &Value::Traced(above), &Value::Traced(below))?)])
}

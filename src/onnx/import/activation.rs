//! Activation functions, and what is composed of them.

use super::arithmetic::{add, mul, scaled, shifted};
use super::draft::{Draft, Given};
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{Activation, Op, Unary};

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

/// Elementary functions.
pub(super) fn elementary(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let function = match node.operator() {
        "Abs" => Unary::Abs,
        "Ceil" => Unary::Ceil,
        "Cos" => Unary::Cos,
        "Elu" => Unary::Elu { alpha: node.float("alpha", 1.0)? },
        "Exp" => Unary::Exp,
        "Floor" => Unary::Floor,
        "Log" => Unary::Log,
        "Reciprocal" => Unary::Reciprocal,
        "Round" => Unary::Round,
        "Sign" => Unary::Sign,
        "Sin" => Unary::Sin,
        "Softplus" => Unary::Softplus,
        "Softsign" => Unary::Softsign,
        "Sqrt" => Unary::Sqrt,
        "Tanh" => Unary::Tanh,
        other => return Err(Refusal::damaged(format!("is {other}, which is not an elementary function"))),
    };
    Ok(vec![Value::Traced(draft.layer(node.name(), function, &[x])?)])
}

/// What is composed of an elementary function, sums and products.
pub(super) fn composed(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let inner = format!("{name}.inner");
    let y = match node.operator() {
        "Selu" => {
            // The constants of Klambauer et al. 2017.
            let (alpha, gamma) = (node.float("alpha", 1.673_263_2)?, node.float("gamma", 1.050_701)?);
            let elu = draft.layer(&inner, Unary::Elu { alpha }, &[x])?;
            scaled(draft, name, &elu, gamma)?
        }
        "Celu" => {
            let alpha = node.float("alpha", 1.0)?;
            if alpha == 0.0 {
                return Err(Refusal::unsupported("with an alpha of 0"));
            }
            let part = scaled(draft, &format!("{name}.part"), x, alpha.recip())?;
            let elu = draft.layer(&inner, Unary::Elu { alpha: 1.0 }, &[&part])?;
            scaled(draft, name, &elu, alpha)?
        }
        "Mish" => {
            let softplus = draft.layer(&format!("{name}.softplus"), Unary::Softplus, &[x])?;
            let tanh = draft.layer(&inner, Unary::Tanh, &[&softplus])?;
            draft.layer(name, Op::Mul, &[x, &tanh])?
        }
        "ThresholdedRelu" => {
            let gate = beyond(draft, &inner, x, node.float("alpha", 1.0)?)?;
            draft.layer(name, Op::Mul, &[x, &gate])?
        }
        // Shrink.
        _ => {
            let (limit, bias) = (node.float("lambd", 0.5)?, node.float("bias", 0.0)?);
            let negative = scaled(draft, &format!("{name}.negative"), x, -1.0)?;
            let (above, below) =
                (shifted(draft, &format!("{name}.less"), x, -bias)?, shifted(draft, &format!("{name}.more"), x, bias)?);
            let right = beyond(draft, &format!("{name}.right"), x, limit)?;
            let left = beyond(draft, &format!("{name}.left"), &negative, limit)?;
            let above = draft.layer(&format!("{name}.above"), Op::Mul, &[&above, &right])?;
            let below = draft.layer(&format!("{name}.below"), Op::Mul, &[&below, &left])?;
            draft.layer(name, Op::Add, &[&above, &below])?
        }
    };
    Ok(vec![Value::Traced(y)])
}

/// 1 where a value is above a limit, else 0.
fn beyond(draft: &mut Draft, name: &str, x: &Traced, limit: f32) -> Outcome<Traced> {
    let distance = shifted(draft, &format!("{name}.distance"), x, -limit)?;
    let sign = draft.layer(&format!("{name}.sign"), Unary::Sign, &[&distance])?;
    draft.layer(&format!("{name}.gate"), Activation::Relu, &[&sign])
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

/// `PRelu`: with a slope for each channel a layer of its own, else composed.
pub(super) fn prelu(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, slope, name) = (node.traced(0)?, node.needed(1)?, node.name());
    // Before opset 7 a list of slopes was one of channels, whatever came after these.
    let after = draft.shape(x).len().saturating_sub(2);
    let slope = &match slope.shape.as_slice() {
        [count] if node.opset < 7 && *count > 1 => slope.reshaped([&[*count], vec![1; after].as_slice()].concat())?,
        _ => slope.clone(),
    };
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

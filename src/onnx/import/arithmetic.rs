//! Sums and products, with what is expressed by them.

use std::f32::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use super::constant::{Constant, Numbers};
use super::draft::Draft;
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Note, Traced, Value};
use crate::nn::Source;
use crate::ops::{Activation, Op};

/// `Add`, `Sub`, `Mul` and `Div` of two values.
pub(super) fn two(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let ([Some(a), Some(b)], name) = ([node.input(0), node.input(1)], node.name()) else { return Err(node.lacks(1)) };
    let result = match (node.operator(), a, b) {
        ("Add", ..) => add(draft, name, a, b)?,
        ("Mul", ..) => mul(draft, name, a, b)?,
        ("Sub", ..) => {
            let negative = opposite(draft, &format!("{name}.negative"), b)?;
            add(draft, name, a, &negative)?
        }
        ("Div", _, Value::Constant(b)) => mul(draft, name, a, &Value::Constant(changed(b, "reciprocal", f32::recip)?))?,
        _ => return Err(Refusal::unsupported("by a value that the network computes")),
    };
    Ok(vec![Value::Traced(result)])
}

/// `Sum` and `Mean` of any number of values.
pub(super) fn several(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let values = computed_first(node);
    let (Some(&first), name) = (values.first(), node.name()) else { return Err(node.lacks(0)) };
    let mut sum = first.clone();
    for (index, &value) in values.iter().enumerate().skip(1) {
        let is_last = index + 1 == values.len() && node.operator() == "Sum";
        let part = if is_last { name.to_owned() } else { format!("{name}.sum.{index}") };
        sum = Value::Traced(add(draft, &part, &sum, value)?);
    }
    match (node.operator(), &sum) {
        ("Mean", Value::Traced(sum)) => Ok(vec![Value::Traced(scaled(draft, name, sum, 1.0 / values.len() as f32)?)]),
        _ => Ok(vec![sum]),
    }
}

/// The inputs in an order in which no two constants meet first.
fn computed_first<'n>(node: &'n Node) -> Vec<&'n Value> {
    let (mut values, constants): (Vec<&Value>, Vec<&Value>) =
        node.inputs.iter().flatten().partition(|value| matches!(value, Value::Traced(_)));
    values.extend(constants);
    values
}

/// `Neg`.
pub(super) fn negative(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    Ok(vec![Value::Traced(scaled(draft, node.name(), node.traced(0)?, -1.0)?)])
}

/// `Pow` with a small whole exponent.
pub(super) fn power(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, exponent) = (node.traced(0)?, node.needed(1)?);
    let exponent = match &exponent.numbers {
        Numbers::Integer(values) if values.len() == 1 => values.first().map(|&value| value as f32),
        _ => exponent.single(),
    };
    let count = match exponent {
        Some(1.0) => return Ok(vec![Value::Traced(x.clone())]),
        Some(exponent) if [2.0, 3.0, 4.0].contains(&exponent) => exponent as usize,
        _ => return Err(Refusal::unsupported("with an exponent other than 1, 2, 3 and 4")),
    };
    let mut product = x.clone();
    for factor in 1..count {
        let part = if factor + 1 == count { node.name().to_owned() } else { format!("{}.{factor}", node.name()) };
        product = draft.layer(&part, Op::Mul, &[&product, x])?;
    }
    Ok(vec![Value::Traced(product)])
}

/// `Min` and `Max`: limits, where one is a number, else what the one has more than the other.
pub(super) fn extremes(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let values = computed_first(node);
    let (Some(&first), is_max) = (values.first(), node.operator() == "Max") else { return Err(node.lacks(0)) };
    let mut result = first.clone();
    for (index, &value) in values.iter().enumerate().skip(1) {
        let name = if index + 1 == values.len() { node.name().to_owned() } else { format!("{}.{index}", node.name()) };
        result = Value::Traced(extreme(draft, &name, &result, value, is_max)?);
    }
    Ok(vec![result])
}

fn extreme(draft: &mut Draft, name: &str, a: &Value, b: &Value, is_max: bool) -> Outcome<Traced> {
    if let (Value::Traced(x), Value::Constant(limit)) | (Value::Constant(limit), Value::Traced(x)) = (a, b)
        && let Some(limit) = limit.single()
    {
        let (min, max) = if is_max { (limit, f32::INFINITY) } else { (f32::NEG_INFINITY, limit) };
        return draft.layer(name, Activation::Clip { min, max }, &[x]);
    }
    if let (_, Value::Constant(limits)) | (Value::Constant(limits), _) = (a, b)
        && limits.as_floats()?.iter().any(|limit| !limit.is_finite())
    {
        return Err(Refusal::unsupported("with several limits, one of them infinite"));
    }
    // max(a, b) = b + max(a − b, 0), and min(a, b) = b − max(b − a, 0).
    let (more, less) = if is_max { (a, b) } else { (b, a) };
    let less = opposite(draft, &format!("{name}.negative"), less)?;
    let difference = add(draft, &format!("{name}.difference"), more, &less)?;
    let excess = draft.layer(&format!("{name}.excess"), Activation::Relu, &[&difference])?;
    let excess = if is_max { excess } else { scaled(draft, &format!("{name}.less"), &excess, -1.0)? };
    add(draft, name, b, &Value::Traced(excess))
}

/// The negated value.
fn opposite(draft: &mut Draft, name: &str, value: &Value) -> Outcome<Value> {
    match value {
        Value::Constant(constant) => Ok(Value::Constant(changed(constant, "negated", |x| -x)?)),
        Value::Traced(x) => Ok(Value::Traced(scaled(draft, name, x, -1.0)?)),
        other => Ok(other.clone()),
    }
}

/// A constant with other numbers. What it is called says so, since it may be a parameter.
fn changed(constant: &Constant, how: &str, function: fn(f32) -> f32) -> Outcome<Constant> {
    let origin = constant.origin.as_ref().map(|origin| Arc::from(format!("{origin}.{how}")));
    Ok(Constant { origin, ..constant.map(function)? })
}

/// The error function, as far as it is that of a GELU: of x/√2.
pub(super) fn erf(_: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    match x.note {
        Note::Scaled { of, by } if (by - FRAC_1_SQRT_2).abs() < 1e-5 => {
            Ok(vec![Value::Traced(Traced { note: Note::Erf { of }, ..x.clone() })])
        }
        _ => Err(Refusal::unsupported("of another value than x/√2, as in a GELU")),
    }
}

/// The sum of two values.
pub(super) fn add(draft: &mut Draft, name: &str, a: &Value, b: &Value) -> Outcome<Traced> {
    if let (Value::Traced(x), Value::Constant(c)) | (Value::Constant(c), Value::Traced(x)) = (a, b)
        && let Note::Erf { of } = x.note
        && c.single() == Some(1.0)
    {
        return Ok(Traced { note: Note::ErfSum { of, factor: 1.0 }, ..x.clone() });
    }
    pair(draft, name, Op::Add, a, b)
}

/// The product of two values.
pub(super) fn mul(draft: &mut Draft, name: &str, a: &Value, b: &Value) -> Outcome<Traced> {
    match (a, b) {
        (Value::Traced(x), Value::Constant(c)) | (Value::Constant(c), Value::Traced(x)) => {
            if let (Some(by), Note::ErfSum { of, factor }) = (c.single(), &x.note) {
                return Ok(Traced { note: Note::ErfSum { of: *of, factor: factor * by }, ..x.clone() });
            }
            let product = pair(draft, name, Op::Mul, a, b)?;
            let note = match c.single().filter(|_| product.shape == x.shape) {
                Some(by) => Note::Scaled { of: x.source, by },
                None => Note::None,
            };
            Ok(Traced { note, ..product })
        }
        (Value::Traced(x), Value::Traced(y)) => match (gelu(x, y), gelu(y, x)) {
            (Some(found), _) | (None, Some(found)) => {
                let (of, by) = found;
                let of = Traced { source: of, note: Note::None, ..x.clone() };
                if (by - 1.0).abs() < 1e-5 {
                    return draft.layer(name, Activation::Gelu, &[&of]);
                }
                let gelu = draft.layer(&format!("{name}.gelu"), Activation::Gelu, &[&of])?;
                scaled(draft, name, &gelu, by)
            }
            (None, None) => pair(draft, name, Op::Mul, a, b),
        },
        _ => pair(draft, name, Op::Mul, a, b),
    }
}

/// What a product is a GELU of, and how many times that, where it is one: `x · (1 + erf(x/√2)) / 2`.
fn gelu(erf: &Traced, other: &Traced) -> Option<(Source, f32)> {
    let Note::ErfSum { of, factor } = erf.note else { return None };
    match other.note {
        _ if other.source == of && other.is_computed() => Some((of, 2.0 * factor)),
        Note::Scaled { of: same, by } if same == of => Some((of, 2.0 * factor * by)),
        _ => None,
    }
}

/// A number times a value.
pub(super) fn scaled(draft: &mut Draft, name: &str, x: &Traced, by: f32) -> Outcome<Traced> {
    mul(draft, name, &Value::Traced(x.clone()), &Value::Constant(Constant::floats([], vec![by])))
}

/// A number added to a value.
pub(super) fn shifted(draft: &mut Draft, name: &str, x: &Traced, by: f32) -> Outcome<Traced> {
    add(draft, name, &Value::Traced(x.clone()), &Value::Constant(Constant::floats([], vec![by])))
}

/// Two values element by element, of which at least one is computed; each is repeated where it has the size 1.
fn pair(draft: &mut Draft, name: &str, op: Op, a: &Value, b: &Value) -> Outcome<Traced> {
    let rank = |value: &Value| match value {
        Value::Traced(x) => x.shape.len(),
        Value::Constant(c) => c.shape.len() + draft.lead(),
        _ => 0,
    };
    let most = rank(a).max(rank(b));
    // What is held comes second, where layers may take it for their own.
    let (a, b) = if let Value::Constant(_) = a { (b, a) } else { (a, b) };
    if let Value::Constant(_) = a {
        return Err(Refusal::unsupported("of constants alone"));
    }
    let mut sides = Vec::new();
    for (value, side) in [(a, "a"), (b, "b")] {
        sides.push(match value {
            Value::Traced(x) => raised(draft, &format!("{name}.{side}"), x, most)?,
            Value::Constant(c) => draft.held(&format!("{name}.{side}"), c, most)?,
            _ => return Err(Refusal::damaged("reads what is not known")),
        });
    }
    draft.layer(name, op, &[&sides[0], &sides[1]])
}

/// A value with so many dimensions in the network, of which new ones are before its own.
fn raised(draft: &mut Draft, name: &str, x: &Traced, rank: usize) -> Outcome<Traced> {
    if x.shape.len() == rank {
        return Ok(x.clone());
    }
    if draft.lead() == 0 {
        return Err(Refusal::MixesBatch);
    }
    let shape = [&x.shape[..1], &vec![1; rank - x.shape.len()], &x.shape[1..]].concat();
    draft.view(name, x, &shape)
}

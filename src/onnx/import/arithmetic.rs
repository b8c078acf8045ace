//! Sums and products, with what is expressed by them.

use std::f32::consts::FRAC_1_SQRT_2;
use std::sync::Arc;

use super::constant::{Constant, Numbers};
use super::draft::Draft;
use super::node::{Node, axis};
use super::refusal::{Outcome, Refusal};
use super::value::{Note, Traced, Value};
use crate::nn::Source;
use crate::ops::{Activation, Op, Unary};

/// `Add`, `Sub`, `Mul` and `Div` of two values.
pub(super) fn two(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let ([Some(a), Some(b)], name) = ([node.input(0), node.input(1)], node.name()) else { return Err(node.lacks(1)) };
    let b = &aligned(draft, node, a, b)?;
    let result = match (node.operator(), a, b) {
        ("Add", ..) => add(draft, name, a, b)?,
        ("Mul", ..) => mul(draft, name, a, b)?,
        ("Sub", ..) => {
            let negative = opposite(draft, &format!("{name}.negative"), b)?;
            add(draft, name, a, &negative)?
        }
        ("Div", _, Value::Constant(b)) => mul(draft, name, a, &Value::Constant(changed(b, "reciprocal", f32::recip)?))?,
        ("Div", _, Value::Traced(b)) => {
            let reciprocal = draft.layer(&format!("{name}.reciprocal"), Unary::Reciprocal, &[b])?;
            mul(draft, name, a, &Value::Traced(reciprocal))?
        }
        _ => return Err(Refusal::damaged("reads what is not known")),
    };
    Ok(vec![Value::Traced(result)])
}

/// The second of two values with as many dimensions as it needs: before opset 7 a node could say with which dimension of
/// the first its own begin.
fn aligned(draft: &mut Draft, node: &Node, a: &Value, b: &Value) -> Outcome<Value> {
    if node.opset >= 7 || !node.has("axis") {
        return Ok(b.clone());
    }
    let rank = |value: &Value| match value {
        Value::Traced(x) => draft.shape(x).len(),
        Value::Constant(c) => c.shape.len(),
        _ => 0,
    };
    let at = axis(node.integer("axis", 0)?, rank(a))?;
    let after = rank(a).checked_sub(at + rank(b)).ok_or_else(|| Refusal::damaged("has an axis that does not fit"))?;
    match b {
        Value::Constant(c) => Ok(Value::Constant(c.reshaped([c.shape.as_slice(), &vec![1; after]].concat())?)),
        Value::Traced(x) => {
            let shape = [x.shape.as_slice(), &vec![1; after]].concat();
            Ok(Value::Traced(draft.view(&format!("{}.aligned", node.name()), x, &shape)?))
        }
        other => Ok(other.clone()),
    }
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

/// `Pow`: one of the two is known.
pub(super) fn power(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    if let (Some(Value::Constant(base)), Some(Value::Traced(x))) = (node.input(0), node.input(1)) {
        if base.as_floats()?.iter().any(|&base| base.partial_cmp(&0.0).is_none_or(std::cmp::Ordering::is_le)) {
            return Err(Refusal::unsupported("of a base that is not above 0"));
        }
        let logarithms = Value::Constant(changed(base, "logarithm", f32::ln)?);
        let inner = mul(draft, &format!("{name}.inner"), &Value::Traced(x.clone()), &logarithms)?;
        return Ok(vec![Value::Traced(draft.layer(name, Unary::Exp, &[&inner])?)]);
    }
    let (x, exponent) = (node.traced(0)?, node.needed(1)?);
    let exponent = match &exponent.numbers {
        Numbers::Integer(values) if values.len() == 1 => values.first().map(|&value| value as f32),
        _ => exponent.single(),
    };
    let Some(exponent) = exponent else { return Err(Refusal::unsupported("with several exponents")) };
    if exponent == 1.0 {
        return Ok(vec![Value::Traced(x.clone())]);
    }
    let (size, inner) = (exponent.abs(), format!("{name}.inner"));
    let direct = if exponent < 0.0 { inner.as_str() } else { name };
    let y = match size {
        1.0 => x.clone(),
        2.0 | 3.0 | 4.0 => product(draft, direct, x, size as usize)?,
        0.5 => draft.layer(direct, Unary::Sqrt, &[x])?,
        _ => return Ok(vec![Value::Traced(draft.layer(name, Unary::Pow { exponent }, &[x])?)]),
    };
    let y = if exponent < 0.0 { draft.layer(name, Unary::Reciprocal, &[&y])? } else { y };
    Ok(vec![Value::Traced(y)])
}

/// So many times a value as factors.
fn product(draft: &mut Draft, name: &str, x: &Traced, count: usize) -> Outcome<Traced> {
    let mut product = x.clone();
    for factor in 1..count {
        let part = if factor + 1 == count { name.to_owned() } else { format!("{name}.{factor}") };
        product = draft.layer(&part, Op::Mul, &[&product, x])?;
    }
    Ok(product)
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
pub(super) fn opposite(draft: &mut Draft, name: &str, value: &Value) -> Outcome<Value> {
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

/// `Erf`. That of x/√2 may be a part of a GELU.
pub(super) fn erf(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let note = match x.note {
        Note::Scaled { of, by } if (by - FRAC_1_SQRT_2).abs() < 1e-5 => Note::Erf { of },
        _ => Note::None,
    };
    Ok(vec![Value::Traced(Traced { note, ..draft.layer(node.name(), Unary::Erf, &[x])? })])
}

/// The sum of two values.
pub(super) fn add(draft: &mut Draft, name: &str, a: &Value, b: &Value) -> Outcome<Traced> {
    let sum = pair(draft, name, Op::Add, a, b)?;
    let note = match (a, b) {
        (Value::Traced(x), Value::Constant(c)) | (Value::Constant(c), Value::Traced(x)) => match x.note {
            Note::Erf { of } if c.single() == Some(1.0) => Note::ErfSum { of, factor: 1.0 },
            _ => Note::None,
        },
        _ => Note::None,
    };
    Ok(Traced { note, ..sum })
}

/// The product of two values.
pub(super) fn mul(draft: &mut Draft, name: &str, a: &Value, b: &Value) -> Outcome<Traced> {
    match (a, b) {
        (Value::Traced(x), Value::Constant(c)) | (Value::Constant(c), Value::Traced(x)) => {
            // What a factor does, another takes back: the halves and doubles of a GELU.
            if let (Some(by), Note::Scaled { of, by: before }) = (c.single(), &x.note)
                && by * before == 1.0
                && c.shape.len() <= draft.shape(x).len()
            {
                return Ok(Traced { source: *of, note: Note::None, ..x.clone() });
            }
            let product = pair(draft, name, Op::Mul, a, b)?;
            let note = match (c.single().filter(|_| product.shape == x.shape), &x.note) {
                (Some(by), Note::ErfSum { of, factor }) => Note::ErfSum { of: *of, factor: factor * by },
                (Some(by), _) => Note::Scaled { of: x.source, by },
                (None, _) => Note::None,
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
        _ if other.source == of => Some((of, 2.0 * factor)),
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
pub(super) fn raised(draft: &mut Draft, name: &str, x: &Traced, rank: usize) -> Outcome<Traced> {
    if x.shape.len() == rank {
        return Ok(x.clone());
    }
    if draft.lead() == 0 {
        return Err(Refusal::MixesBatch);
    }
    let shape = [&x.shape[..1], &vec![1; rank - x.shape.len()], &x.shape[1..]].concat();
    draft.view(name, x, &shape)
}

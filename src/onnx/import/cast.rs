//! Changes of type.

use super::draft::Draft;
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::truth;
use super::value::{Note, Traced, Value};
use crate::ops::Unary;

/// `Cast` to real numbers, whatever their precision, and to truth values.
pub(super) fn cast(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    use crate::onnx::proto::{BFLOAT16, BOOL, DOUBLE, FLOAT, FLOAT16};
    let x = node.traced(0)?;
    match (i32::try_from(node.integer("to", 0)?), &x.note) {
        (Ok(FLOAT | DOUBLE | FLOAT16 | BFLOAT16), Note::Truth) => {
            Ok(vec![Value::Traced(truth::numbers(draft, node.name(), x, [1.0, 0.0])?)])
        }
        (Ok(BOOL), _) if !x.is_integer => {
            let sizes = draft.layer(node.name(), Unary::Abs, &[x])?;
            Ok(vec![Value::Traced(truth::of(&sizes))])
        }
        (Ok(FLOAT | DOUBLE | FLOAT16 | BFLOAT16), _) => {
            Ok(vec![Value::Traced(Traced { is_integer: false, ..x.clone() })])
        }
        _ => Err(Refusal::unsupported("of computed values to whole numbers")),
    }
}

/// `CastLike`, where both are real numbers, or the one that is cast is known and the other is real.
pub(super) fn cast_like(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let is_real = |value: &Value| match value {
        Value::Traced(x) => !x.is_integer,
        Value::Constant(constant) => constant.as_floats().is_ok(),
        _ => false,
    };
    match (node.input(0), node.input(1)) {
        (Some(Value::Constant(constant)), Some(like)) if is_real(like) => {
            draft.take(constant.len())?;
            Ok(vec![Value::Constant(constant.real())])
        }
        (Some(value), Some(like)) if is_real(value) && is_real(like) => Ok(vec![value.clone()]),
        _ => Err(Refusal::unsupported("of computed values to whole numbers")),
    }
}

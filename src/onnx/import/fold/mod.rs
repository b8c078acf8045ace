//! What is computed while a graph is read, since all that it depends on is known: shapes, mostly.

mod arrange;
mod numbers;

use super::constant::{Constant, elements};
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::shapes::sizes_of;
use super::value::Value;

/// How many numbers folding may still make.
pub(in crate::onnx) struct Budget(pub usize);

impl Budget {
    /// Takes memory for a value of this shape.
    fn take(&mut self, shape: &[usize]) -> Outcome<usize> {
        let count = elements(shape).unwrap_or(usize::MAX);
        let too_large = || Refusal::damaged(format!("would make a constant of the shape {shape:?}: too large"));
        self.0 = self.0.checked_sub(count.max(1)).ok_or_else(too_large)?;
        Ok(count)
    }
}

/// What a node gives whose inputs are all known; `None` where it is an operator that only layers compute.
pub(in crate::onnx) fn fold(node: &Node, budget: &mut Budget) -> Outcome<Option<Vec<Value>>> {
    let mut inputs = Vec::new();
    for input in &node.inputs {
        match input {
            None => inputs.push(None),
            Some(Value::Constant(constant)) => inputs.push(Some(constant)),
            Some(_) => return Ok(None),
        }
    }
    let found = match evaluate(node, &inputs, budget)? {
        None => match arrange::evaluate(node, &inputs, budget)? {
            None => return Ok(None),
            Some(constants) => constants,
        },
        Some(constant) => vec![constant],
    };
    Ok(Some(found.into_iter().map(Value::Constant).collect()))
}

/// An input that must be there.
fn given<'a>(node: &Node, inputs: &[Option<&'a Constant>], index: usize) -> Outcome<&'a Constant> {
    inputs.get(index).copied().flatten().ok_or_else(|| node.lacks(index))
}

/// Operators that make numbers, or others of numbers.
fn evaluate(node: &Node, inputs: &[Option<&Constant>], budget: &mut Budget) -> Outcome<Option<Constant>> {
    let input = |index| given(node, inputs, index);
    Ok(Some(match node.operator() {
        "Constant" => constant(node, budget)?,
        "ConstantOfShape" => of_shape(node, input(0)?, budget)?,
        "Range" => range(input(0)?, input(1)?, input(2)?, budget)?,
        "Identity" => input(0)?.clone(),
        "Dropout" => input(0)?.clone(),
        "Cast" => numbers::cast(input(0)?, node.integer("to", 1)?, budget)?,
        "CastLike" => numbers::cast_like(input(0)?, input(1)?, budget)?,
        "Where" => numbers::choose(input(0)?, input(1)?, input(2)?, budget)?,
        "Shape" => shape(node, &input(0)?.shape)?,
        "Size" => Constant::integers([], vec![input(0)?.len() as i64]),
        operator => match (numbers::of_one(operator), numbers::of_two(operator)) {
            (Some(function), _) => {
                let x = input(0)?;
                budget.take(&x.shape)?;
                function(x)?
            }
            (None, Some(_)) if node.opset < 7 && node.has("axis") => {
                return Err(Refusal::unsupported("of constants along an axis, as before opset 7"));
            }
            (None, Some(function)) => {
                // Some of these take any number of inputs.
                let mut result = input(0)?.clone();
                for index in 1..inputs.len() {
                    result = function(&result, input(index)?, budget)?;
                }
                result
            }
            (None, None) => return Ok(None),
        },
    }))
}

/// The sizes of a shape as numbers, from one dimension up to another.
pub(in crate::onnx) fn shape(node: &Node, shape: &[usize]) -> Outcome<Constant> {
    let rank = shape.len() as i64;
    let place = |value: i64| if value < 0 { value.saturating_add(rank) } else { value }.clamp(0, rank) as usize;
    let (start, end) = (place(node.integer("start", 0)?), place(node.integer("end", rank)?));
    let sizes: Vec<i64> = shape.get(start..end).unwrap_or_default().iter().map(|&size| size as i64).collect();
    Ok(Constant::integers([sizes.len()], sizes))
}

fn constant(node: &Node, budget: &mut Budget) -> Outcome<Constant> {
    let constant = if let Some(tensor) = node.tensor("value")? {
        tensor
    } else if node.has("value_int") {
        Constant::integers([], vec![node.integer("value_int", 0)?])
    } else if node.has("value_float") {
        Constant::floats([], vec![node.float("value_float", 0.0)?])
    } else if let Some(values) = node.floats("value_floats") {
        Constant::floats([values.len()], values.to_vec())
    } else if let Some(values) = node.integers("value_ints") {
        Constant::integers([values.len()], values.to_vec())
    } else {
        return Err(Refusal::unsupported("of another kind than numbers"));
    };
    budget.take(&constant.shape)?;
    Ok(constant)
}

fn of_shape(node: &Node, sizes: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    let value = node.tensor("value")?.unwrap_or_else(|| Constant::floats([1], vec![0.0]));
    if value.len() != 1 {
        return Err(Refusal::damaged("has a value of several numbers"));
    }
    let shape = sizes_of(sizes.as_integers()?)?;
    let count = budget.take(&shape)?;
    Ok(value.picked(shape, std::iter::repeat_n(0, count)))
}

fn range(start: &Constant, limit: &Constant, delta: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    if let (Some(start), Some(limit), Some(delta)) = (start.single(), limit.single(), delta.single()) {
        let count = ((f64::from(limit) - f64::from(start)) / f64::from(delta)).ceil();
        let count = if count.is_finite() { count.max(0.0) as usize } else { usize::MAX };
        budget.take(&[count])?;
        return Ok(Constant::floats([count], (0..count).map(|i| start + delta * i as f32).collect()));
    }
    let [Some(&start), Some(&limit), Some(&delta)] =
        [start.as_integers()?.first(), limit.as_integers()?.first(), delta.as_integers()?.first()]
    else {
        return Err(Refusal::damaged("lacks a number"));
    };
    if delta == 0 {
        return Err(Refusal::damaged("has a step of 0"));
    }
    let span = i128::from(limit) - i128::from(start);
    let (span, step) = if delta > 0 { (span, i128::from(delta)) } else { (-span, -i128::from(delta)) };
    let count = usize::try_from(((span + step - 1) / step).max(0)).unwrap_or(usize::MAX);
    budget.take(&[count])?;
    let value = |i: usize| start.wrapping_add(delta.wrapping_mul(i as i64));
    Ok(Constant::integers([count], (0..count).map(value).collect()))
}

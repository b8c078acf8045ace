//! `MatMul` and `Gemm`: dense layers where one factor is known, else products of matrices.

use super::arithmetic::{add, scaled};
use super::constant::Constant;
use super::draft::{Draft, Given};
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use crate::ops::{Dense, MatMul, Transpose};

/// `MatMul`.
pub(super) fn matmul(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let (Some(a), Some(b)) = (node.input(0), node.input(1)) else { return Err(node.lacks(1)) };
    let y = match (a, b) {
        (Value::Traced(x), Value::Constant(weight)) if weight.shape.len() == 2 => {
            draft.take(weight.len())?;
            let columns = weight.transposed(&[1, 0]);
            dense(draft, name, x, &columns, None)?
        }
        _ => product(draft, name, a, b)?,
    };
    Ok(vec![Value::Traced(y)])
}

/// A dense layer on the last dimension, by weights of the shape `[out, in]`.
fn dense(draft: &mut Draft, name: &str, x: &Traced, weight: &Constant, bias: Option<&Constant>) -> Outcome<Traced> {
    let &[out, features] = weight.shape.as_slice() else { return Err(Refusal::damaged("has weights without rows")) };
    if x.shape.len() < 2 {
        return Err(Refusal::MixesBatch);
    }
    if x.shape.last() != Some(&features) {
        return Err(Refusal::damaged(format!("has {:?} and weights of {features} features", x.shape)));
    }
    let mut given = vec![Given::of(weight, [out, features])?];
    if let Some(bias) = bias {
        given.push(Given::of(bias, [out])?);
    }
    draft.layer_with(name, Dense::default(), &[x], out, given)
}

/// A product of matrices of which none, or not the second alone, is known.
fn product(draft: &mut Draft, name: &str, a: &Value, b: &Value) -> Outcome<Traced> {
    let rank = |draft: &Draft, value: &Value| match value {
        Value::Traced(x) => draft.shape(x).len(),
        Value::Constant(c) => c.shape.len(),
        _ => 0,
    };
    let (rank_a, rank_b) = (rank(draft, a), rank(draft, b));
    // The first of two matrices would be summed over the samples of the second, and vectors are samples themselves.
    if draft.lead() == 0 {
        let sums = |value: &Value, least: usize, rank: usize| matches!(value, Value::Traced(_)) && rank < least;
        if sums(a, 2, rank_a) || sums(b, 3, rank_b) {
            return Err(Refusal::MixesBatch);
        }
    }
    let (wide_a, wide_b) = (rank_a.max(2), rank_b.max(2));
    let most = wide_a.max(wide_b);
    // A vector is one row on the left and one column on the right.
    let left = matrix(draft, &format!("{name}.a"), a, rank_a == 1, false, most)?;
    let right = matrix(draft, &format!("{name}.b"), b, rank_b == 1, true, most)?;
    let y = draft.layer(name, MatMul::default(), &[&left, &right])?;
    let mut shape = y.shape.clone();
    if rank_b == 1 {
        shape.pop();
    }
    if rank_a == 1 {
        shape.remove(shape.len() - if rank_b == 1 { 1 } else { 2 });
    }
    draft.view(&format!("{name}.vector"), &y, &shape)
}

/// A factor with so many dimensions in the graph.
fn matrix(
    draft: &mut Draft,
    name: &str,
    value: &Value,
    is_vector: bool,
    is_column: bool,
    rank: usize,
) -> Outcome<Traced> {
    let with_ones = |shape: &[usize]| {
        let mut shape = shape.to_vec();
        if is_vector {
            shape.insert(if is_column { shape.len() } else { 0 }, 1);
        }
        let missing = rank.saturating_sub(shape.len());
        shape.splice(0..0, vec![1; missing]);
        shape
    };
    match value {
        Value::Traced(x) if draft.lead() == 0 => {
            // The batch of one side must meet that of the other.
            if draft.shape(x).len() == rank { Ok(x.clone()) } else { Err(Refusal::MixesBatch) }
        }
        Value::Traced(x) => {
            let shape = with_ones(draft.shape(x));
            let shape = draft.with_lead(&shape);
            draft.view(name, x, &shape)
        }
        Value::Constant(c) => {
            let shape = with_ones(&c.shape);
            let shape = draft.with_lead(&shape);
            if shape.first() != Some(&1) && shape.len() > 2 {
                return Err(Refusal::MixesBatch);
            }
            draft.held_in(name, c, shape)
        }
        _ => Err(Refusal::damaged("reads what is not known")),
    }
}

/// `Gemm`: `alpha · A · B + beta · C`.
pub(super) fn gemm(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (name, a) = (node.name(), node.traced(0)?);
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let (turns_a, turns_b) = (node.integer("transA", 0)? != 0, node.integer("transB", 0)? != 0);
    let Some(b) = node.input(1) else { return Err(node.lacks(1)) };
    if draft.shape(a).len() != 2 {
        return Err(Refusal::damaged(format!("has a first input of the shape {:?}", draft.shape(a))));
    }
    let turned = |draft: &mut Draft, side: &str, x: &Traced| {
        let lead = draft.lead();
        let permutation = (0..lead).chain([lead + 1, lead]).collect();
        draft.layer(&format!("{name}.{side}"), Transpose { permutation }, &[x])
    };
    let x = if turns_a { turned(draft, "a", a)? } else { a.clone() };
    let addend = node.input(2);
    let (product, bias) = match b {
        Value::Constant(weight) => {
            let (weight, bias) = folded(draft, weight, addend, [alpha, beta], turns_b)?;
            let is_done = bias.is_some();
            // Whatever is still to be added has the name of the node.
            let inner = if is_done || addend.is_none() { name.to_owned() } else { format!("{name}.product") };
            (dense(draft, &inner, &x, &weight, bias.as_ref())?, is_done)
        }
        Value::Traced(b) => {
            let b = if turns_b { turned(draft, "b", b)? } else { b.clone() };
            let product = product(draft, &format!("{name}.product"), &Value::Traced(x), &Value::Traced(b))?;
            let scales = alpha != 1.0;
            (if scales { scaled(draft, &format!("{name}.scaled"), &product, alpha)? } else { product }, false)
        }
        _ => return Err(Refusal::damaged("reads what is not known")),
    };
    let y = match addend {
        None => product,
        Some(_) if bias => product,
        Some(Value::Constant(c)) if beta != 1.0 => {
            let c = c.map(|value| value * beta)?;
            add(draft, name, &Value::Traced(product), &Value::Constant(c))?
        }
        Some(Value::Traced(c)) if beta != 1.0 => {
            let c = scaled(draft, &format!("{name}.c"), c, beta)?;
            add(draft, name, &Value::Traced(product), &Value::Traced(c))?
        }
        Some(c) => add(draft, name, &Value::Traced(product), c)?,
    };
    Ok(vec![Value::Traced(y)])
}

/// Weights `[out, in]` of a dense layer that does a whole `Gemm`, and its bias, where what is added is one.
fn folded(
    draft: &mut Draft,
    weight: &Constant,
    addend: Option<&Value>,
    [alpha, beta]: [f32; 2],
    is_turned: bool,
) -> Outcome<(Constant, Option<Constant>)> {
    if weight.shape.len() != 2 {
        return Err(Refusal::damaged(format!("has weights of the shape {:?}", weight.shape)));
    }
    if !is_turned || alpha != 1.0 {
        draft.take(weight.len())?;
    }
    let weight = if is_turned { weight.clone() } else { weight.transposed(&[1, 0]) };
    let scale = |constant: Constant, by: f32| match by {
        1.0 => Outcome::Ok(constant),
        _ => Ok(Constant { origin: constant.origin.clone(), ..constant.map(|value| value * by)? }),
    };
    let out = weight.shape[0];
    let bias = match addend {
        Some(Value::Constant(c)) if c.shape == [out] || c.shape == [1, out] => {
            draft.take(if beta == 1.0 { 0 } else { out })?;
            Some(scale(c.reshaped([out])?, beta)?)
        }
        _ => None,
    };
    Ok((scale(weight, alpha)?, bias))
}

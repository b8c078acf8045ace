//! Means and sums over dimensions.

use super::arithmetic::scaled;
use super::draft::Draft;
use super::node::{Node, axes};
use super::refusal::Outcome;
use super::value::Value;
use crate::ops::{Op, ReduceMean};

/// `ReduceMean`, `ReduceSum` and `ReduceSumSquare`.
pub(super) fn reduce(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let (rank, lead) = (draft.shape(x).len(), draft.lead());
    let given = node.list("axes", 1)?.unwrap_or_default();
    let squares = node.operator() == "ReduceSumSquare";
    let x = if squares { draft.layer(&format!("{name}.squares"), Op::Mul, &[x, x])? } else { x.clone() };
    if given.is_empty() && node.integer("noop_with_empty_axes", 0)? != 0 || rank == 0 {
        return Ok(vec![Value::Traced(x)]);
    }
    let dims: Vec<usize> = match given.as_slice() {
        [] => (lead..lead + rank).collect(),
        given => axes(given, rank)?.into_iter().map(|dim| dim + lead).collect(),
    };
    let count: usize = dims.iter().map(|&dim| x.shape[dim]).product();
    let mean = ReduceMean { dims, keepdim: node.integer("keepdims", 1)? != 0 };
    if node.operator() == "ReduceMean" {
        return Ok(vec![Value::Traced(draft.layer(name, mean, &[&x])?)]);
    }
    let mean = draft.layer(&format!("{name}.mean"), mean, &[&x])?;
    Ok(vec![Value::Traced(scaled(draft, name, &mean, count as f32)?)])
}

//! Operators that put known numbers into another order or shape.

use super::{Budget, given};
use crate::onnx::import::constant::{Constant, Numbers, Places, broadcast, strides};
use crate::onnx::import::node::{Node, axes, axis};
use crate::onnx::import::refusal::{Outcome, Refusal};
use crate::onnx::import::shapes::{self, Range, sizes_of};

/// What such a node gives; `None` where it is of another operator.
pub(super) fn evaluate(
    node: &Node,
    inputs: &[Option<&Constant>],
    budget: &mut Budget,
) -> Outcome<Option<Vec<Constant>>> {
    let input = |index| given(node, inputs, index);
    Ok(Some(vec![match node.operator() {
        "Reshape" => {
            let x = input(0)?;
            x.reshaped(shapes::reshaped(&x.shape, input(1)?.as_integers()?, node.integer("allowzero", 0)? != 0)?)?
        }
        "Flatten" => {
            let x = input(0)?;
            x.reshaped(shapes::flattened(&x.shape, node.integer("axis", 1)?)?)?
        }
        "Squeeze" => {
            let x = input(0)?;
            x.reshaped(shapes::squeezed(&x.shape, node.list("axes", 1)?.as_deref())?)?
        }
        "Unsqueeze" => {
            let x = input(0)?;
            x.reshaped(shapes::unsqueezed(&x.shape, &node.list("axes", 1)?.ok_or_else(|| node.lacks(1))?)?)?
        }
        "Transpose" => {
            let x = input(0)?;
            budget.take(&x.shape)?;
            x.transposed(&shapes::permutation(node.integers("perm"), x.shape.len())?)
        }
        "Expand" => {
            let (x, shape) = (input(0)?, sizes_of(input(1)?.as_integers()?)?);
            let shape = broadcast(&x.shape, &shape)?;
            budget.take(&shape)?;
            let places = Places::repeated(&x.shape, &shape);
            // What is only repeated for each sample is still what it was.
            let is_same = x.shape.len() == shape.len() && x.shape.get(1..) == shape.get(1..);
            let origin = x.origin.clone().filter(|_| is_same);
            Constant { origin, ..x.picked(shape, places) }
        }
        "Gather" => gather(input(0)?, input(1)?, node.integer("axis", 0)?, budget)?,
        "Concat" => concat(node, inputs, budget)?,
        "Slice" => {
            let x = input(0)?;
            slice(x, &shapes::slices(node, &x.shape)?, budget)?
        }
        "Split" => return split(node, input(0)?, budget).map(Some),
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" => reduce(node, input(0)?, budget)?,
        _ => return Ok(None),
    }]))
}

fn gather(x: &Constant, indices: &Constant, along: i64, budget: &mut Budget) -> Outcome<Constant> {
    let along = axis(along, x.shape.len())?;
    let size = x.shape[along];
    let chosen: Vec<usize> = indices.as_integers()?.iter().map(|&i| axis(i, size)).collect::<Outcome<_>>()?;
    let shape = [&x.shape[..along], &indices.shape, &x.shape[along + 1..]].concat();
    budget.take(&shape)?;
    let inner: usize = x.shape[along + 1..].iter().product();
    let outer: usize = x.shape[..along].iter().product();
    let row = |o: usize| chosen.iter().flat_map(move |&i| (0..inner).map(move |k| (o * size + i) * inner + k));
    Ok(x.picked(shape, (0..outer).flat_map(row)))
}

fn concat(node: &Node, inputs: &[Option<&Constant>], budget: &mut Budget) -> Outcome<Constant> {
    let first = given(node, inputs, 0)?;
    let along = axis(node.integer("axis", 0)?, first.shape.len())?;
    let mut shape = first.shape.clone();
    let mut parts = Vec::new();
    for index in 0..inputs.len() {
        let part = given(node, inputs, index)?;
        let alike = |(d, (a, b)): (usize, (&usize, &usize))| d == along || a == b;
        if part.shape.len() != shape.len() || !part.shape.iter().zip(&shape).enumerate().all(alike) {
            return Err(Refusal::damaged(format!("puts {:?} after {shape:?}", part.shape)));
        }
        if index > 0 {
            shape[along] = shape[along].saturating_add(part.shape[along]);
        }
        parts.push(part);
    }
    budget.take(&shape)?;
    let outer: usize = shape[..along].iter().product();
    let inner: usize = shape[along + 1..].iter().product();
    /// The rows of all parts in turn.
    fn join<T: Copy>(parts: &[(&[T], usize)], outer: usize) -> Vec<T> {
        let rows = (0..outer).flat_map(|o| parts.iter().map(move |&(values, row)| (values, o * row..(o + 1) * row)));
        rows.flat_map(|(values, range)| values.get(range).unwrap_or_default().iter().copied()).collect()
    }
    let row = |part: &Constant| part.shape[along] * inner;
    Ok(match &first.numbers {
        Numbers::Float(_) => {
            let all = parts.iter().map(|part| Ok((part.as_floats()?.as_slice(), row(part))));
            Constant::floats(shape, join(&all.collect::<Outcome<Vec<_>>>()?, outer))
        }
        Numbers::Integer(_) => {
            let all = parts.iter().map(|part| Ok((part.as_integers()?, row(part))));
            Constant::integers(shape, join(&all.collect::<Outcome<Vec<_>>>()?, outer))
        }
        Numbers::Bool(_) => {
            let all = parts.iter().map(|part| Ok((part.as_bools()?, row(part))));
            Constant::bools(shape, join(&all.collect::<Outcome<Vec<_>>>()?, outer))
        }
    })
}

fn slice(x: &Constant, ranges: &[Range], budget: &mut Budget) -> Outcome<Constant> {
    let shape: Vec<usize> = ranges.iter().map(|range| range.count).collect();
    budget.take(&shape)?;
    let own = strides(&x.shape);
    if shape.contains(&0) {
        return Ok(x.picked(shape, std::iter::empty()));
    }
    // Wherever steps go backwards, elements are found one by one.
    let inner: Vec<Vec<usize>> =
        ranges.iter().zip(&own).map(|(range, stride)| range.places().map(|at| at * stride).collect()).collect();
    let count: usize = shape.iter().product();
    let place = |mut index: usize| {
        let mut at = 0;
        for d in (0..shape.len()).rev() {
            at += inner[d][index % shape[d]];
            index /= shape[d];
        }
        at
    };
    let places: Vec<usize> = (0..count).map(place).collect();
    Ok(x.picked(shape, places.into_iter()))
}

fn split(node: &Node, x: &Constant, budget: &mut Budget) -> Outcome<Vec<Constant>> {
    let along = axis(node.integer("axis", 0)?, x.shape.len())?;
    let mut start = 0;
    let mut parts = Vec::new();
    for size in shapes::parts(node, x.shape[along])? {
        let mut ranges: Vec<Range> = x.shape.iter().map(|&size| Range::whole(size)).collect();
        ranges[along] = Range { start, step: 1, count: size };
        parts.push(slice(x, &ranges, budget)?);
        start += size;
    }
    Ok(parts)
}

fn reduce(node: &Node, x: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    let along = match node.list("axes", 1)? {
        Some(given) if !given.is_empty() => axes(&given, x.shape.len())?,
        _ => (0..x.shape.len()).collect(),
    };
    let kept: Vec<usize> = (0..x.shape.len()).filter(|d| !along.contains(d)).collect();
    let order = [kept.as_slice(), &along].concat();
    budget.take(&x.shape)?;
    let ordered = x.transposed(&order);
    let terms: usize = along.iter().map(|&d| x.shape[d]).product();
    if terms == 0 {
        return Err(Refusal::unsupported("of nothing"));
    }
    let shape: Vec<usize> = match node.integer("keepdims", 1)? {
        0 => kept.iter().map(|&d| x.shape[d]).collect(),
        _ => (0..x.shape.len()).map(|d| if along.contains(&d) { 1 } else { x.shape[d] }).collect(),
    };
    let operator = node.operator();
    Ok(match &ordered.numbers {
        Numbers::Float(values) => {
            let result = |values: &[f32]| match operator {
                "ReduceProd" => values.iter().product(),
                "ReduceSum" => values.iter().sum(),
                "ReduceMax" => values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                _ => values.iter().copied().fold(f32::INFINITY, f32::min),
            };
            Constant::floats(shape, values.chunks_exact(terms).map(result).collect())
        }
        Numbers::Integer(values) => {
            let result = |values: &[i64]| match operator {
                "ReduceProd" => values.iter().fold(1, |a: i64, &b| a.wrapping_mul(b)),
                "ReduceSum" => values.iter().fold(0, |a: i64, &b| a.wrapping_add(b)),
                "ReduceMax" => values.iter().copied().max().unwrap_or(0),
                _ => values.iter().copied().min().unwrap_or(0),
            };
            Constant::integers(shape, values.chunks_exact(terms).map(result).collect())
        }
        Numbers::Bool(_) => return Err(Refusal::unsupported("of truth values")),
    })
}

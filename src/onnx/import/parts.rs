//! Operators that take parts of values, and put them together.

use super::constant::Constant;
use super::draft::Draft;
use super::node::{Node, axis};
use super::refusal::{Outcome, Refusal};
use super::shapes::{self, Range};
use super::value::{Traced, Value};
use crate::ops::{Activation, Concat, Op, ReduceMean, Slice};

/// The most values that one layer puts together.
const MOST: usize = 8;

/// More parts than a gather is taken apart into.
const MOST_PARTS: usize = 1 << 10;

/// `Slice` with steps of 1.
pub(super) fn slice(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let ranges = shapes::slices(node, draft.shape(x))?;
    if ranges.iter().any(|range| range.step != 1 && range.count > 1) {
        return Err(Refusal::unsupported("with steps other than 1"));
    }
    Ok(vec![Value::Traced(part(draft, node.name(), x, &ranges)?)])
}

/// A part of a value, by what is taken of each dimension of the graph's.
fn part(draft: &mut Draft, name: &str, x: &Traced, ranges: &[Range]) -> Outcome<Traced> {
    if ranges.iter().any(|range| range.count == 0) {
        return Err(Refusal::unsupported("of nothing"));
    }
    let whole = draft.shape(x).iter().map(|&size| Range::whole(size));
    let differs = |(range, whole): (&Range, Range)| *range != whole;
    let chosen: Vec<bool> = ranges.iter().zip(whole).map(differs).collect();
    if !chosen.contains(&true) {
        return Ok(x.clone());
    }
    let mut taken = vec![None; draft.lead()];
    taken.extend(
        ranges.iter().zip(chosen).map(|(range, chosen)| chosen.then(|| range.start..range.start + range.count)),
    );
    draft.layer(name, Slice { ranges: taken }, &[x])
}

/// So many elements of one dimension.
fn along(draft: &mut Draft, name: &str, x: &Traced, dim: usize, start: usize, count: usize) -> Outcome<Traced> {
    let mut ranges: Vec<Range> = draft.shape(x).iter().map(|&size| Range::whole(size)).collect();
    ranges[dim] = Range { start, step: 1, count };
    part(draft, name, x, &ranges)
}

/// `Split`.
pub(super) fn split(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let shape = draft.shape(x).to_vec();
    let dim = axis(node.integer("axis", 0)?, shape.len())?;
    let (mut start, mut values) = (0, Vec::new());
    for (index, size) in shapes::parts(node, shape[dim])?.into_iter().enumerate() {
        let name = node.proto.output.get(index).filter(|name| !name.is_empty());
        let name = name.cloned().unwrap_or_else(|| format!("{}.{index}", node.name()));
        values.push(Value::Traced(along(draft, &name, x, dim, start, size)?));
        start += size;
    }
    Ok(values)
}

/// `Gather` of elements whose numbers are known: runs of neighbours are parts.
pub(super) fn gather(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, indices, name) = (node.traced(0)?, node.needed(1)?, node.name());
    let shape = draft.shape(x).to_vec();
    let dim = axis(node.integer("axis", 0)?, shape.len())?;
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for &index in indices.as_integers()? {
        let index = axis(index, shape[dim])?;
        match runs.last_mut() {
            Some([_, end]) if *end == index => *end += 1,
            _ => runs.push([index, index + 1]),
        }
    }
    if runs.is_empty() || runs.len() > MOST_PARTS {
        return Err(Refusal::unsupported(format!("of {} parts", runs.len())));
    }
    let mut parts = Vec::new();
    for (number, &[start, end]) in runs.iter().enumerate() {
        parts.push(along(draft, &format!("{name}.{number}"), x, dim, start, end - start)?);
    }
    let joined = join(draft, &format!("{name}.joined"), parts, dim)?;
    let result = [&shape[..dim], &indices.shape, &shape[dim + 1..]].concat();
    let result = draft.with_lead(&result);
    Ok(vec![Value::Traced(draft.view(name, &joined, &result)?)])
}

/// `Concat`.
pub(super) fn concat(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let values: Vec<&Value> = node.inputs.iter().flatten().collect();
    let traced = |value: &&Value| if let Value::Traced(x) = value { Some(x.clone()) } else { None };
    let Some(like) = values.iter().find_map(traced) else { return Err(node.lacks(0)) };
    let dim = axis(node.integer("axis", 0)?, draft.shape(&like).len())?;
    if draft.lead() == 0 && dim == 0 && values.len() > 1 {
        return Err(Refusal::MixesBatch);
    }
    let mut parts = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        parts.push(match value {
            Value::Traced(x) => x.clone(),
            Value::Constant(c) => for_each_sample(draft, &format!("{}.{index}", node.name()), c, &like)?,
            _ => return Err(Refusal::damaged("reads what is not known")),
        });
    }
    Ok(vec![Value::Traced(join(draft, node.name(), parts, dim)?)])
}

/// Values one after the other, as many at a time as a layer takes.
fn join(draft: &mut Draft, name: &str, mut parts: Vec<Traced>, dim: usize) -> Outcome<Traced> {
    let concat = Concat { dim: dim + draft.lead() };
    let mut round = 0;
    while parts.len() > MOST {
        let mut joined = Vec::new();
        for (index, group) in parts.chunks(MOST).enumerate() {
            joined.push(match group {
                [single] => single.clone(),
                several => {
                    draft.layer(&format!("{name}.{round}.{index}"), concat, &several.iter().collect::<Vec<_>>())?
                }
            });
        }
        (parts, round) = (joined, round + 1);
    }
    match parts.as_slice() {
        [] => Err(Refusal::damaged("reads nothing")),
        [single] => Ok(single.clone()),
        several => draft.layer(name, concat, &several.iter().collect::<Vec<_>>()),
    }
}

/// A constant once for each sample of a value: added to a zero that each has.
pub(super) fn for_each_sample(draft: &mut Draft, name: &str, constant: &Constant, like: &Traced) -> Outcome<Traced> {
    let rank = constant.shape.len() + draft.lead();
    let held = draft.held(&format!("{name}.constant"), constant, rank)?;
    let dims: Vec<usize> = (1..like.shape.len()).collect();
    let single = match dims.is_empty() {
        true => like.clone(),
        false => draft.layer(&format!("{name}.mean"), ReduceMean { dims, keepdim: true }, &[like])?,
    };
    let zero = draft.layer(&format!("{name}.zero"), Activation::Clip { min: 0.0, max: 0.0 }, &[&single])?;
    let mut shape = vec![1; held.shape.len()];
    shape[0] = zero.shape[0];
    let zero = draft.view(&format!("{name}.zeros"), &zero, &shape)?;
    draft.layer(name, Op::Add, &[&zero, &held])
}

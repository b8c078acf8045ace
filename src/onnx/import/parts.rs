//! Operators that take parts of values, and put them together.

use super::constant::Constant;
use super::draft::Draft;
use super::node::{Node, axis};
use super::refusal::{Outcome, Refusal};
use super::shapes::{self, Range};
use super::value::{Traced, Value};
use crate::ops::{Activation, Concat, Op, Pad, ReduceMean, Slice};

/// The most values that one layer puts together.
const MOST: usize = 8;

/// More parts than a gather is taken apart into.
const MOST_PARTS: usize = 1 << 10;

/// `Slice`.
pub(super) fn slice(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let ranges = shapes::slices(node, draft.shape(x))?;
    let is_plain = |range: &Range| range.step == 1 || range.count <= 1;
    let plain = |(range, &size): (&Range, &usize)| if is_plain(range) { *range } else { Range::whole(size) };
    let taken: Vec<Range> = ranges.iter().zip(draft.shape(x)).map(plain).collect();
    let last = ranges.iter().rposition(|range| !is_plain(range));
    let first = if last.is_none() { name.to_owned() } else { format!("{name}.taken") };
    let mut y = part(draft, &first, x, &taken)?;
    for (d, range) in ranges.iter().enumerate().filter(|(_, range)| !is_plain(range)) {
        let name = if Some(d) == last { name.to_owned() } else { format!("{name}.{d}") };
        y = match usize::try_from(range.step) {
            Ok(step) => every(draft, &name, &y, d, Steps { start: range.start, step, count: range.count })?,
            // Before places are listed: each is a part.
            Err(_) if range.count > MOST_PARTS => {
                return Err(Refusal::unsupported(format!("of {} parts", range.count)));
            }
            Err(_) => picked(draft, &name, &y, d, &range.places().collect::<Vec<_>>())?,
        };
    }
    Ok(vec![Value::Traced(y)])
}

/// Elements of a dimension at a distance from each other.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub start: usize,
    pub step: usize,
    pub count: usize,
}

/// Such elements: each is the first of a row of its own.
pub(super) fn every(draft: &mut Draft, name: &str, x: &Traced, dim: usize, steps: Steps) -> Outcome<Traced> {
    let Steps { start, step, count } = steps;
    let d = dim + draft.lead();
    if d == 0 {
        return Err(Refusal::MixesBatch);
    }
    let span = count.checked_mul(step).ok_or_else(|| Refusal::unsupported("with such steps"))?;
    let size = draft.shape(x)[dim];
    let inside = span.min(size.saturating_sub(start));
    let mut y = along(draft, &format!("{name}.span"), x, dim, start, inside)?;
    if inside < span {
        let mut padding = vec![[0, 0]; y.shape.len()];
        padding[d] = [0, span - inside];
        y = draft.layer(&format!("{name}.filled"), Pad { padding, value: 0.0 }, &[&y])?;
    }
    let rows = [&y.shape[..d], &[count, step], &y.shape[d + 1..]].concat();
    let rows = draft.view(&format!("{name}.rows"), &y, &rows)?;
    let first = draft.layer(&format!("{name}.first"), Slice::along(d + 1, 0..1), &[&rows])?;
    let shape = [&y.shape[..d], &[count], &y.shape[d + 1..]].concat();
    draft.view(name, &first, &shape)
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
pub(super) fn along(
    draft: &mut Draft,
    name: &str,
    x: &Traced,
    dim: usize,
    start: usize,
    count: usize,
) -> Outcome<Traced> {
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
    let places = indices.as_integers()?.iter().map(|&index| axis(index, shape[dim])).collect::<Outcome<Vec<_>>>()?;
    let joined = picked(draft, &format!("{name}.joined"), x, dim, &places)?;
    let result = [&shape[..dim], &indices.shape, &shape[dim + 1..]].concat();
    let result = draft.with_lead(&result);
    Ok(vec![Value::Traced(draft.view(name, &joined, &result)?)])
}

/// Elements of a dimension by their places: runs of neighbours are parts.
pub(super) fn picked(draft: &mut Draft, name: &str, x: &Traced, dim: usize, places: &[usize]) -> Outcome<Traced> {
    let mut runs: Vec<[usize; 2]> = Vec::new();
    for &place in places {
        match runs.last_mut() {
            Some([_, end]) if *end == place => *end += 1,
            _ => runs.push([place, place + 1]),
        }
    }
    if runs.is_empty() || runs.len() > MOST_PARTS {
        return Err(Refusal::unsupported(format!("of {} parts", runs.len())));
    }
    let mut parts = Vec::new();
    for (number, &[start, end]) in runs.iter().enumerate() {
        parts.push(along(draft, &format!("{name}.{number}"), x, dim, start, end - start)?);
    }
    join(draft, name, parts, dim)
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

//! The rules by which operators change shapes, as the file format defines them.

use super::constant::elements;
use super::node::{Node, axes, axis};
use super::refusal::{Outcome, Refusal};

/// A shape from a list of sizes.
pub(in crate::onnx) fn sizes_of(values: &[i64]) -> Outcome<Vec<usize>> {
    let sizes: Option<Vec<usize>> = values.iter().map(|&size| usize::try_from(size).ok()).collect();
    sizes.ok_or_else(|| Refusal::damaged(format!("has a shape {values:?}")))
}

/// The shape that a `Reshape` gives: a 0 keeps a size (unless zeros are allowed), one −1 stands for what is left.
pub(in crate::onnx) fn reshaped(from: &[usize], target: &[i64], allows_zero: bool) -> Outcome<Vec<usize>> {
    let wrong = || Refusal::damaged(format!("makes {target:?} of the shape {from:?}"));
    let mut shape = Vec::new();
    for (d, &size) in target.iter().enumerate() {
        shape.push(match size {
            -1 => 1,
            0 if !allows_zero => *from.get(d).ok_or_else(wrong)?,
            size => usize::try_from(size).map_err(|_| wrong())?,
        });
    }
    let (count, given) = (elements(from).ok_or_else(wrong)?, elements(&shape).ok_or_else(wrong)?);
    let mut open = target.iter().enumerate().filter(|&(_, &size)| size == -1);
    if let Some((d, _)) = open.next() {
        shape[d] = count.checked_div(given).ok_or_else(wrong)?;
    }
    if open.next().is_some() || elements(&shape) != Some(count) {
        return Err(wrong());
    }
    Ok(shape)
}

/// Two dimensions: those before an axis, and the others.
pub(in crate::onnx) fn flattened(from: &[usize], at: i64) -> Outcome<Vec<usize>> {
    let at = if at == from.len() as i64 { from.len() } else { axis(at, from.len())? };
    let size = |part: &[usize]| elements(part).ok_or_else(|| Refusal::damaged("has a shape that is too large"));
    Ok(vec![size(&from[..at])?, size(&from[at..])?])
}

/// Without these dimensions of the size 1, or without all of that size.
pub(in crate::onnx) fn squeezed(from: &[usize], given: Option<&[i64]>) -> Outcome<Vec<usize>> {
    let removed = match given {
        Some(given) => axes(given, from.len())?,
        None => (0..from.len()).filter(|&d| from[d] == 1).collect(),
    };
    if removed.iter().any(|&d| from[d] != 1) {
        return Err(Refusal::damaged(format!("takes dimensions {removed:?} out of {from:?}")));
    }
    Ok((0..from.len()).filter(|d| !removed.contains(d)).map(|d| from[d]).collect())
}

/// With dimensions of the size 1 at these places of the result.
pub(in crate::onnx) fn unsqueezed(from: &[usize], given: &[i64]) -> Outcome<Vec<usize>> {
    let rank = from.len() + given.len();
    let added = axes(given, rank)?;
    let mut old = from.iter().copied();
    Ok((0..rank).map(|d| if added.contains(&d) { 1 } else { old.next().unwrap_or(1) }).collect())
}

/// The order of dimensions, which is the reverse one where none is given.
pub(in crate::onnx) fn permutation(given: Option<&[i64]>, rank: usize) -> Outcome<Vec<usize>> {
    let Some(given) = given else { return Ok((0..rank).rev().collect()) };
    let order = given.iter().map(|&one| axis(one, rank)).collect::<Outcome<Vec<usize>>>()?;
    if order.len() != rank || (0..rank).any(|d| !order.contains(&d)) {
        return Err(Refusal::damaged(format!("has the order {given:?} of {rank} dimensions")));
    }
    Ok(order)
}

/// What is taken of a dimension: so many elements, from a first one on, at a distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) struct Range {
    pub start: usize,
    pub step: i64,
    pub count: usize,
}

impl Range {
    /// All of a dimension.
    pub fn whole(size: usize) -> Self {
        Range { start: 0, step: 1, count: size }
    }

    /// The elements that are taken.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |i| (self.start as i64).wrapping_add(self.step.wrapping_mul(i as i64)) as usize)
    }

    /// From `start` up to `end`, which may be counted from the end or lie outside.
    fn between(start: i64, end: i64, step: i64, size: usize) -> Outcome<Self> {
        let size = i64::try_from(size).map_err(|_| Refusal::damaged("has a dimension that is too large"))?;
        let place = |value: i64| if value < 0 { value.saturating_add(size) } else { value };
        let (first, last) = match step {
            0 => return Err(Refusal::damaged("has a step of 0")),
            1.. => (place(start).clamp(0, size), place(end).clamp(0, size)),
            _ => (place(start).clamp(-1, size - 1), place(end).clamp(-1, size - 1)),
        };
        let span = if step > 0 { last - first } else { first - last };
        let count = if span > 0 { (span as u64).div_ceil(step.unsigned_abs()) } else { 0 };
        Ok(Range { start: first.max(0) as usize, step, count: count as usize })
    }
}

/// What a `Slice` takes of each dimension.
pub(in crate::onnx) fn slices(node: &Node, shape: &[usize]) -> Outcome<Vec<Range>> {
    let starts = node.list("starts", 1)?.ok_or_else(|| node.lacks(1))?;
    let ends = node.list("ends", 2)?.ok_or_else(|| node.lacks(2))?;
    let given = node.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = node.list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), given.len(), steps.len()] != [starts.len(); 3] {
        return Err(Refusal::damaged("has starts, ends, axes and steps of different numbers"));
    }
    let mut ranges: Vec<Range> = shape.iter().map(|&size| Range::whole(size)).collect();
    for ((&start, &end), (&along, &step)) in starts.iter().zip(&ends).zip(given.iter().zip(&steps)) {
        let d = axis(along, shape.len())?;
        ranges[d] = Range::between(start, end, step, shape[d])?;
    }
    Ok(ranges)
}

/// The sizes of the parts of a `Split` of a dimension.
pub(in crate::onnx) fn parts(node: &Node, size: usize) -> Outcome<Vec<usize>> {
    let wrong =
        |sizes: &[usize]| Refusal::damaged(format!("makes parts of the sizes {sizes:?} of a dimension of {size}"));
    let count = node.proto.output.len();
    let sizes = match node.list("split", 1)? {
        Some(given) => sizes_of(&given)?,
        None => {
            let each = size.div_ceil(count.max(1));
            (0..count).map(|i| each.min(size.saturating_sub(i * each))).collect()
        }
    };
    let total = sizes.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
    if sizes.len() != count || total != Some(size) {
        return Err(wrong(&sizes));
    }
    Ok(sizes)
}

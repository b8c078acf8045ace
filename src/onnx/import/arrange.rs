//! Operators that give the elements of a value another order or shape, or repeat them.

use super::arithmetic::mul;
use super::constant::{Constant, broadcast, elements};
use super::draft::Draft;
use super::fold;
use super::node::Node;
use super::parts;
use super::refusal::{Outcome, Refusal};
use super::shapes;
use super::value::{Traced, Value};
use crate::ops::{Op, Pad, Transpose};

/// More elements than a side has that goes on beyond its borders.
const MOST_PLACES: i64 = 1 << 16;

/// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`.
pub(super) fn reshape(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let from = draft.shape(x);
    let shape = match node.operator() {
        "Reshape" => shapes::reshaped(from, node.needed(1)?.as_integers()?, node.integer("allowzero", 0)? != 0)?,
        "Flatten" => shapes::flattened(from, node.integer("axis", 1)?)?,
        "Squeeze" => shapes::squeezed(from, node.list("axes", 1)?.as_deref())?,
        _ => shapes::unsqueezed(from, &node.list("axes", 1)?.ok_or_else(|| node.lacks(1))?)?,
    };
    let shape = draft.with_lead(&shape);
    Ok(vec![Value::Traced(draft.view(node.name(), x, &shape)?)])
}

/// `Identity`, and `Dropout` when nothing is trained.
pub(super) fn identity(_: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    if let Some(Value::Constant(training)) = node.input(2)
        && training.as_bools()?.first() == Some(&true)
    {
        return Err(Refusal::unsupported("in training"));
    }
    if node.operator() == "Dropout" && node.opset < 7 && node.integer("is_test", 0)? == 0 {
        return Err(Refusal::unsupported("in training"));
    }
    Ok(vec![Value::Traced(node.traced(0)?.clone())])
}

/// `Shape` and `Size`, which are known before anything runs.
pub(super) fn shape(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let x = node.traced(0)?;
    let shape = draft.shape(x);
    Ok(vec![Value::Constant(match node.operator() {
        "Size" => Constant::integers([], vec![elements(shape).unwrap_or(0) as i64]),
        _ => fold::shape(node, shape)?,
    })])
}

/// `Transpose`.
pub(super) fn transpose(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, lead) = (node.traced(0)?, draft.lead());
    let order = shapes::permutation(node.integers("perm"), draft.shape(x).len())?;
    let permutation = (0..lead).chain(order.into_iter().map(|d| d + lead)).collect();
    // Bytes of pictures are still that in another order.
    let plain = Traced { is_integer: false, ..x.clone() };
    let y = draft.layer(node.name(), Transpose { permutation }, &[&plain])?;
    Ok(vec![Value::Traced(Traced { is_integer: x.is_integer, ..y })])
}

/// `Expand`: each size of 1 becomes that of the shape.
pub(super) fn expand(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, target) = (node.traced(0)?, shapes::sizes_of(node.needed(1)?.as_integers()?)?);
    let from = draft.shape(x).to_vec();
    let shape = broadcast(&from, &target)?;
    Ok(vec![Value::Traced(repeated(draft, node.name(), x, &shape)?)])
}

/// A value repeated to this shape of the graph: it is multiplied with ones.
pub(super) fn repeated(draft: &mut Draft, name: &str, x: &Traced, shape: &[usize]) -> Outcome<Traced> {
    let from = draft.shape(x).to_vec();
    if from == shape {
        return Ok(x.clone());
    }
    let missing = shape.len() - from.len();
    let size = |d: usize| if d >= missing && from[d - missing] == shape[d] { 1 } else { shape[d] };
    let ones: Vec<usize> = (0..shape.len()).map(size).collect();
    let count = elements(&ones).unwrap_or(usize::MAX);
    draft.take(count)?;
    let ones = Constant::floats(ones, vec![1.0; count]);
    mul(draft, name, &Value::Traced(x.clone()), &Value::Constant(ones))
}

/// `Tile`: the whole is repeated along each dimension.
pub(super) fn tile(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let (from, repeats) = (draft.shape(x).to_vec(), shapes::sizes_of(node.needed(1)?.as_integers()?)?);
    if repeats.len() != from.len() || repeats.contains(&0) {
        return Err(Refusal::damaged(format!("repeats {from:?} {repeats:?} times")));
    }
    let (mut apart, mut wide, mut result) = (Vec::new(), Vec::new(), Vec::new());
    for (&size, &times) in from.iter().zip(&repeats) {
        // A dimension before this one holds its repetitions.
        apart.extend(if times == 1 { vec![size] } else { vec![1, size] });
        wide.extend(if times == 1 { vec![size] } else { vec![times, size] });
        result.push(size.checked_mul(times).ok_or_else(|| Refusal::unsupported("of such a size"))?);
    }
    let shape = draft.with_lead(&apart);
    let apart = draft.view(&format!("{name}.apart"), x, &shape)?;
    let wide = repeated(draft, &format!("{name}.repeated"), &apart, &wide)?;
    let shape = draft.with_lead(&result);
    Ok(vec![Value::Traced(draft.view(name, &wide, &shape)?)])
}

/// `Pad`: with a value, or with elements of the value itself; a border below 0 is taken away.
pub(super) fn pad(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let rank = draft.shape(x).len();
    let mode = node.text("mode", "constant")?;
    let given = node.list("pads", 1)?.ok_or_else(|| node.lacks(1))?;
    let value = match node.constant(2)? {
        Some(value) => value.single().ok_or_else(|| Refusal::damaged("has a border of several numbers"))?,
        None => node.float("value", 0.0)?,
    };
    let axes = match node.constant(3)? {
        Some(axes) => axes.as_integers()?.iter().map(|&d| super::node::axis(d, rank)).collect::<Outcome<Vec<_>>>()?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return Err(Refusal::damaged(format!("has {} pads for {} dimensions", given.len(), axes.len())));
    }
    let mut borders = vec![[0i32; 2]; rank];
    for (index, &d) in axes.iter().enumerate() {
        let [before, after] = [given[index], given[index + axes.len()]].map(|size| i32::try_from(size).ok());
        let (Some(before), Some(after)) = (before, after) else {
            return Err(Refusal::unsupported("with a border out of any range"));
        };
        borders[d] = [before, after];
    }
    if mode != "constant" {
        return Ok(vec![Value::Traced(continued(draft, name, x, &borders, mode)?)]);
    }
    let mut inner = x.clone();
    for (d, &[before, after]) in borders.iter().enumerate() {
        let [less, fewer] = [before, after].map(|size| size.min(0).unsigned_abs() as usize);
        if less + fewer > 0 {
            let size = draft.shape(&inner)[d];
            let left = size.checked_sub(less + fewer).ok_or_else(|| Refusal::unsupported("that leaves nothing"))?;
            inner = parts::along(draft, &format!("{name}.{d}"), &inner, d, less, left)?;
        }
    }
    let more = |[before, after]: [i32; 2]| [before, after].map(|size| size.max(0) as usize);
    let padding: Vec<[usize; 2]> =
        std::iter::repeat_n([0, 0], draft.lead()).chain(borders.into_iter().map(more)).collect();
    if padding.iter().all(|border| *border == [0, 0]) {
        return Ok(vec![Value::Traced(inner)]);
    }
    Ok(vec![Value::Traced(draft.layer(name, Pad { padding, value }, &[&inner])?)])
}

/// A value that goes on beyond its borders by its own elements.
fn continued(draft: &mut Draft, name: &str, x: &Traced, borders: &[[i32; 2]], mode: &str) -> Outcome<Traced> {
    let mut y = x.clone();
    for (d, &[before, after]) in borders.iter().enumerate().filter(|(_, border)| **border != [0, 0]) {
        let size = draft.shape(&y)[d] as i64;
        let place = |at: i64| match mode {
            "edge" => Some(at.clamp(0, size - 1)),
            "wrap" => Some(at.rem_euclid(size)),
            "reflect" if size == 1 => Some(0),
            // There and back, without the outermost elements twice.
            "reflect" => Some((size - 1) - (at.rem_euclid(2 * size - 2) - (size - 1)).abs()),
            _ => None,
        };
        let all = -i64::from(before)..size.saturating_add(i64::from(after));
        if all.end.saturating_sub(all.start) > MOST_PLACES {
            return Err(Refusal::unsupported("with a border of that size"));
        }
        let places: Option<Vec<usize>> = all.map(|at| place(at).map(|at| at as usize)).collect();
        let places = places.ok_or_else(|| Refusal::unsupported(format!("with mode {mode}")))?;
        y = parts::picked(draft, &format!("{name}.{d}"), &y, d, &places)?;
    }
    Ok(y)
}

/// `DepthToSpace` and `SpaceToDepth`: blocks of pixels become channels, and these such blocks.
pub(super) fn blocks(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name, lead) = (node.traced(0)?, node.name(), draft.lead());
    let &[first, channels, height, width] = draft.shape(x) else {
        return Err(Refusal::damaged("takes pictures"));
    };
    let side = usize::try_from(node.integer("blocksize", 0)?).ok().filter(|side| (1..1 << 15).contains(side));
    let side = side.ok_or_else(|| Refusal::damaged("has no blocksize"))?;
    let (apart, order, shape) = if node.operator() == "SpaceToDepth" {
        let apart = vec![first, channels, height / side, side, width / side, side];
        let order = match node.text("mode", "DCR")? {
            "CRD" => [0, 1, 3, 5, 2, 4],
            _ => [0, 3, 5, 1, 2, 4],
        };
        (apart, order, [first, channels * side * side, height / side, width / side])
    } else {
        let rest = channels / (side * side);
        let shape = [first, rest, height * side, width * side];
        match node.text("mode", "DCR")? {
            "CRD" => (vec![first, rest, side, side, height, width], [0, 1, 4, 2, 5, 3], shape),
            _ => (vec![first, side, side, rest, height, width], [0, 3, 4, 1, 5, 2], shape),
        }
    };
    if elements(&apart) != elements(draft.shape(x)) {
        return Err(Refusal::damaged(format!("has pictures of {:?} and a blocksize of {side}", draft.shape(x))));
    }
    let apart = draft.with_lead(&apart);
    let apart = draft.view(&format!("{name}.apart"), x, &apart)?;
    let permutation = (0..lead).chain(order.into_iter().map(|d| d + lead)).collect();
    let moved = draft.layer(&format!("{name}.moved"), Op::Transpose(Transpose { permutation }), &[&apart])?;
    let shape = draft.with_lead(&shape);
    Ok(vec![Value::Traced(draft.view(name, &moved, &shape)?)])
}

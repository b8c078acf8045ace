//! Broadcasting as NumPy does it: shapes are compared from their ends, and a value is repeated along the dimensions in which
//! it has the size 1, or which it lacks.

use super::walk::{Dimension, Sizes, Walk, check_rank, strides, strides_within};
use super::{Case, Fill, Op, Shape, elements};
use crate::error::{Error, Result};
use crate::random::Random;

/// The shape of the result for two values of these shapes.
pub(super) fn broadcast(what: &str, a: &[usize], b: &[usize]) -> Result<Shape> {
    check_rank(what, a)?;
    check_rank(what, b)?;
    let Some(shape) = merged(a, b) else {
        let reason = format!("{a:?} and {b:?} cannot be broadcast: from the end, sizes must be equal or 1");
        return Err(Error::shape(what, reason));
    };
    Ok(shape.to_vec())
}

/// The same without a text for the error.
fn merged(a: &[usize], b: &[usize]) -> Option<Sizes> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], d: usize| (d + shape.len()).checked_sub(rank).map_or(1, |d| shape[d]);
    let merge = |d: usize| match (size(a, d), size(b, d)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    (0..rank).map(merge).collect()
}

/// The same for shapes that have been checked.
pub(crate) fn broadcast_checked(a: &[usize], b: &[usize]) -> Sizes {
    let Some(shape) = merged(a, b) else { unreachable!("checked by the shape rule") };
    shape
}

/// The walk over the result of two values that are broadcast to this shape.
pub(crate) fn walk(a: &[usize], b: &[usize], result: &[usize]) -> Walk {
    Walk::new(result, [&strides_within(a, result), &strides_within(b, result), &strides(result)])
}

/// The walks of a sum of products of two values, broadcast to the shape `whole`, down to the shape `kept`: over the
/// elements of the result, and over the terms of one of them.
pub(crate) fn reduction(a: &[usize], b: &[usize], whole: &[usize], kept: &[usize]) -> (Walk, Walk) {
    let missing = whole.len() - kept.len();
    let is_kept = |d: usize| whole[d] == 1 || d >= missing && kept[d - missing] != 1;
    let strides = [a, b, kept].map(|shape| strides_within(shape, whole));
    let walk = |wanted: bool| {
        let chosen = (0..whole.len()).filter(|&d| is_kept(d) == wanted);
        chosen.map(|d| Dimension { size: whole[d], strides: strides.map(|strides| strides[d]) }).collect()
    };
    (walk(true), walk(false))
}

/// Checks that `shape` can be repeated to become `whole`.
pub(super) fn check_within(what: &str, shape: &[usize], whole: &[usize]) -> Result<()> {
    let fits = !shape.is_empty() && broadcast(what, shape, whole).is_ok_and(|result| result == whole);
    if fits {
        return check_rank(what, whole);
    }
    Err(Error::shape(what, format!("a sum over dimensions of {whole:?} cannot have the shape {shape:?}")))
}

/// Shapes that every kernel of two values must get right: equal ones at the edges of workgroups, a gate per channel, one
/// number, rows, both sides repeated, no dimension that can be merged with its neighbour.
pub(super) fn cases(op: &Op) -> Vec<Case> {
    let equal = [vec![1], vec![2, 64, 9, 7], vec![3, 513], vec![256]].into_iter().map(|shape| (shape.clone(), shape));
    let repeated = [
        (vec![2, 6, 5, 4], vec![2, 6, 1, 1]),
        (vec![2, 6, 1, 1], vec![2, 6, 5, 4]),
        (vec![2, 6, 5, 4], vec![6, 1, 1]),
        (vec![7], vec![1]),
        (vec![3, 4, 7], vec![7]),
        (vec![2, 1, 5], vec![1, 4, 1]),
        (vec![1, 1], vec![3, 5]),
        (vec![2, 1, 3, 1, 2, 1, 3, 1], vec![1, 2, 1, 3, 1, 2, 1, 3]),
        (vec![5, 257, 3], vec![257, 1]),
    ];
    equal.chain(repeated).map(|(a, b)| case(op, a, b)).collect()
}

/// A case with random shapes that can be broadcast.
pub(super) fn random_case(op: &Op, random: &mut Random) -> Case {
    let whole: Shape = (0..1 + random.below(5)).map(|_| 1 + random.below(9)).collect();
    let part = |random: &mut Random| -> Shape {
        let start = random.below(whole.len());
        let repeated = random.below(3);
        let size = |&size: &usize| if repeated > 0 && random.below(3) < repeated { 1 } else { size };
        whole[start..].iter().map(size).collect()
    };
    match random.below(4) {
        0 => case(op, whole.clone(), whole),
        1 => case(op, whole.clone(), part(random)),
        2 => case(op, part(random), whole.clone()),
        _ => {
            let (a, b) = (part(random), part(random));
            case(op, a, b)
        }
    }
}

fn case(op: &Op, a: Shape, b: Shape) -> Case {
    Case::new(op.clone(), vec![(a, Fill::Normal(1.0)), (b, Fill::Normal(1.0))])
}

/// How many terms each element of a sum has.
pub(crate) fn terms(whole: &[usize], kept: &[usize]) -> usize {
    (elements(whole) / elements(kept)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_compared_from_their_ends() {
        for (a, b, wanted) in [
            (&[2, 3, 4][..], &[4][..], Some(vec![2, 3, 4])),
            (&[2, 1, 4], &[3, 1], Some(vec![2, 3, 4])),
            (&[1], &[5], Some(vec![5])),
            (&[2, 3], &[2], None),
            (&[2, 3], &[3, 3], None),
        ] {
            assert_eq!(broadcast("add", a, b).ok(), wanted, "{a:?} {b:?}");
            assert_eq!(broadcast("add", b, a).ok(), wanted, "{b:?} {a:?}");
        }
        assert!(broadcast("add", &[1; 9], &[1]).is_err());
    }

    #[test]
    fn a_sum_over_pixels_keeps_images_and_channels() {
        let (kept, summed) = reduction(&[2, 3, 4, 5], &[2, 3, 4, 5], &[2, 3, 4, 5], &[2, 3, 1, 1]);
        assert_eq!((kept.len(), summed.len()), (6, 20));
        assert_eq!((kept.places(4), summed.places(7)), ([80, 80, 4], [7, 7, 0]));
    }
}

//! Truth values: a value whose numbers are above 0 where they hold.

use super::arithmetic::{add, mul, opposite, raised, shifted};
use super::arrange::repeated;
use super::constant::{Constant, Places, broadcast, elements};
use super::draft::Draft;
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Note, Traced, Value};
use crate::ops::{MaskedFill, Unary};

/// The truth values of whether each number is above 0.
pub(super) fn of(x: &Traced) -> Traced {
    Traced { is_integer: true, note: Note::Truth, ..x.clone() }
}

/// The numbers that are above 0 where truth values hold.
fn plain(x: &Traced) -> Outcome<Traced> {
    match x.note {
        Note::Truth => Ok(Traced { is_integer: false, note: Note::None, ..x.clone() }),
        _ => Err(Refusal::unsupported("by a condition of whole numbers")),
    }
}

/// One number where truth values hold, and another where they do not.
pub(super) fn numbers(draft: &mut Draft, name: &str, x: &Traced, [holds, fails]: [f32; 2]) -> Outcome<Traced> {
    let mask = plain(x)?;
    // Filled everywhere, whatever was there.
    let one = draft.held_in(
        name,
        &Constant::floats([], vec![1.0]).reshaped(vec![1; mask.shape.len()])?,
        vec![1; mask.shape.len()],
    )?;
    let all = draft.layer(&format!("{name}.all"), MaskedFill { value: fails }, &[&mask, &one])?;
    draft.layer(name, MaskedFill { value: holds }, &[&all, &mask])
}

/// Truth values that are known, as ones where they are this.
fn known(constant: &Constant, wanted: bool) -> Outcome<Constant> {
    let ones = constant.as_bools()?.iter().map(|&holds| f32::from(u8::from(holds == wanted)));
    Ok(Constant::floats(constant.shape.clone(), ones.collect()))
}

/// Comparisons of two values by what the one is more than the other; `IsNaN` and `IsInf`.
pub(super) fn compare(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let difference = |draft: &mut Draft, more: usize, less: usize| {
        let (Some(more), Some(less)) = (node.input(more), node.input(less)) else { return Err(node.lacks(1)) };
        let less = opposite(draft, &format!("{name}.negative"), less)?;
        add(draft, &format!("{name}.difference"), more, &less)
    };
    let (mask, is_it) = match node.operator() {
        "Greater" => (difference(draft, 0, 1)?, true),
        "Less" => (difference(draft, 1, 0)?, true),
        "GreaterOrEqual" => (difference(draft, 1, 0)?, false),
        "LessOrEqual" => (difference(draft, 0, 1)?, false),
        "Equal" => {
            let difference = difference(draft, 0, 1)?;
            (draft.layer(&format!("{name}.distance"), Unary::Abs, &[&difference])?, false)
        }
        "IsInf" if node.integer("detect_negative", 1)? != 0 && node.integer("detect_positive", 1)? != 0 => {
            let size = draft.layer(&format!("{name}.size"), Unary::Abs, &[node.traced(0)?])?;
            (shifted(draft, &format!("{name}.more"), &size, -f32::MAX)?, true)
        }
        "IsNaN" => {
            let size = draft.layer(&format!("{name}.size"), Unary::Abs, &[node.traced(0)?])?;
            (shifted(draft, &format!("{name}.more"), &size, 1.0)?, false)
        }
        _ => return Err(Refusal::unsupported("of one sign")),
    };
    Ok(vec![Value::Traced(if is_it { of(&mask) } else { of(&numbers(draft, name, &of(&mask), [0.0, 1.0])?) })])
}

/// `Not`, `And`, `Or` and `Xor`.
pub(super) fn logic(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    if node.operator() == "Not" {
        return Ok(vec![Value::Traced(of(&numbers(draft, name, node.traced(0)?, [0.0, 1.0])?))]);
    }
    let mut sides = Vec::new();
    for index in 0..2 {
        sides.push(match node.input(index) {
            Some(Value::Traced(x)) => Value::Traced(numbers(draft, &format!("{name}.{index}"), x, [1.0, 0.0])?),
            Some(Value::Constant(constant)) => {
                draft.take(constant.len())?;
                Value::Constant(known(constant, true)?)
            }
            _ => return Err(node.lacks(index)),
        });
    }
    let y = match node.operator() {
        "And" => mul(draft, name, &sides[0], &sides[1])?,
        "Or" => add(draft, name, &sides[0], &sides[1])?,
        _ => {
            let less = opposite(draft, &format!("{name}.negative"), &sides[1])?;
            let difference = add(draft, &format!("{name}.difference"), &sides[0], &less)?;
            draft.layer(name, Unary::Abs, &[&difference])?
        }
    };
    Ok(vec![Value::Traced(of(&y))])
}

/// `Where`: what is not taken of a value is filled with zeros, or with the number that is taken instead.
pub(super) fn choose(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let [Some(condition), Some(a), Some(b)] = [0, 1, 2].map(|index| node.input(index)) else {
        return Err(node.lacks(2));
    };
    let [holds, fails] = masks(draft, name, condition)?;
    let y = match (a, b) {
        (Value::Constant(number), Value::Traced(x)) if number.len() == 1 => {
            filled(draft, name, x, &holds, number.as_floats()?[0])?
        }
        (Value::Traced(x), Value::Constant(number)) if number.len() == 1 => {
            filled(draft, name, x, &fails, number.as_floats()?[0])?
        }
        _ => {
            let mut parts = Vec::new();
            for (value, mask, side) in [(a, &fails, "first"), (b, &holds, "second")] {
                parts.push(match (value, mask) {
                    (Value::Constant(constant), Value::Constant(mask)) => {
                        Value::Constant(masked(draft, constant, mask)?)
                    }
                    (Value::Traced(x), mask) => Value::Traced(filled(draft, &format!("{name}.{side}"), x, mask, 0.0)?),
                    _ => return Err(Refusal::unsupported("of several constant numbers by a computed condition")),
                });
            }
            add(draft, name, &parts[0], &parts[1])?
        }
    };
    Ok(vec![Value::Traced(y)])
}

/// Where a condition holds, and where it does not, as numbers that are above 0 there.
fn masks(draft: &mut Draft, name: &str, condition: &Value) -> Outcome<[Value; 2]> {
    match condition {
        Value::Constant(condition) => {
            draft.take(2 * condition.len())?;
            Ok([Value::Constant(known(condition, true)?), Value::Constant(known(condition, false)?)])
        }
        Value::Traced(x) => {
            let fails = numbers(draft, &format!("{name}.fails"), x, [0.0, 1.0])?;
            Ok([Value::Traced(plain(x)?), Value::Traced(fails)])
        }
        _ => Err(Refusal::damaged("reads what is not known")),
    }
}

/// A value with this number wherever a mask is above 0, repeated to the shape of both.
fn filled(draft: &mut Draft, name: &str, x: &Traced, mask: &Value, number: f32) -> Outcome<Traced> {
    let of_mask = match mask {
        Value::Constant(mask) => mask.shape.clone(),
        Value::Traced(mask) => draft.shape(mask).to_vec(),
        _ => return Err(Refusal::damaged("reads what is not known")),
    };
    let shape = broadcast(draft.shape(x), &of_mask)?;
    let rank = shape.len() + draft.lead();
    let x = raised(draft, &format!("{name}.raised"), x, rank)?;
    let x = repeated(draft, &format!("{name}.repeated"), &x, &shape)?;
    let mask = match mask {
        Value::Constant(mask) => draft.held(&format!("{name}.mask"), mask, rank)?,
        Value::Traced(mask) => raised(draft, &format!("{name}.mask"), mask, rank)?,
        _ => return Err(Refusal::damaged("reads what is not known")),
    };
    draft.layer(name, MaskedFill { value: number }, &[&x, &mask])
}

/// A constant with 0 wherever a mask is not.
fn masked(draft: &mut Draft, constant: &Constant, mask: &Constant) -> Outcome<Constant> {
    let shape = broadcast(&constant.shape, &mask.shape)?;
    draft.take(elements(&shape).unwrap_or(usize::MAX))?;
    let (values, holds) = (constant.as_floats()?, mask.as_floats()?);
    let places = Places::repeated(&constant.shape, &shape).zip(Places::repeated(&mask.shape, &shape));
    let value = |(at, mask): (usize, usize)| if holds[mask] == 0.0 { values[at] } else { 0.0 };
    let values = places.map(value).collect();
    Ok(Constant::floats(shape, values))
}

//! Functions of numbers that are known when a graph is read.

use std::sync::Arc;

use super::Budget;
use crate::onnx::import::constant::{Constant, Numbers, Places, broadcast};
use crate::onnx::import::refusal::{Outcome, Refusal};
use crate::onnx::proto;

/// A function of one value.
type OfOne = fn(&Constant) -> Outcome<Constant>;

/// A function of two values, of which each is repeated where it has the size 1.
type OfTwo = fn(&Constant, &Constant, &mut Budget) -> Outcome<Constant>;

/// What an operator of one value does.
pub(super) fn of_one(operator: &str) -> Option<OfOne> {
    Some(match operator {
        "Neg" => |x| with_sign(x, |x| -x, i64::wrapping_neg),
        "Abs" => |x| with_sign(x, f32::abs, i64::wrapping_abs),
        "Floor" => |x| x.map(f32::floor),
        "Ceil" => |x| x.map(f32::ceil),
        "Round" => |x| x.map(f32::round_ties_even),
        "Sqrt" => |x| x.map(f32::sqrt),
        "Exp" => |x| x.map(f32::exp),
        "Log" => |x| x.map(f32::ln),
        "Reciprocal" => |x| x.map(f32::recip),
        "Sin" => |x| x.map(f32::sin),
        "Cos" => |x| x.map(f32::cos),
        "Tanh" => |x| x.map(f32::tanh),
        "Sigmoid" => |x| x.map(|x| 1.0 / (1.0 + (-x).exp())),
        "Relu" => |x| x.map(|x| if x < 0.0 { 0.0 } else { x }),
        "Not" => |x| Ok(Constant::bools(x.shape.clone(), x.as_bools()?.iter().map(|x| !x).collect())),
        _ => return None,
    })
}

/// What an operator of two values does.
pub(super) fn of_two(operator: &str) -> Option<OfTwo> {
    Some(match operator {
        "Add" | "Sum" => |a, b, left| calculate(a, b, left, |a, b| a + b, |a, b| Some(a.wrapping_add(b))),
        "Sub" => |a, b, left| calculate(a, b, left, |a, b| a - b, |a, b| Some(a.wrapping_sub(b))),
        "Mul" => |a, b, left| calculate(a, b, left, |a, b| a * b, |a, b| Some(a.wrapping_mul(b))),
        "Div" => |a, b, left| calculate(a, b, left, |a, b| a / b, i64::checked_div),
        "Mod" => |a, b, left| calculate(a, b, left, |a, b| a % b, |a, b| a.checked_rem(b).map(|r| modulo(r, b))),
        "Min" => |a, b, left| calculate(a, b, left, f32::min, |a, b| Some(a.min(b))),
        "Max" => |a, b, left| calculate(a, b, left, f32::max, |a, b| Some(a.max(b))),
        "Pow" => |a, b, left| calculate(a, b, left, f32::powf, |a, b| a.checked_pow(u32::try_from(b).ok()?)),
        "Equal" => |a, b, left| compare(a, b, left, |a, b| a == b, |a, b| a == b, |a, b| a == b),
        "Less" => |a, b, left| compare(a, b, left, |a, b| a < b, |a, b| a < b, |a, b| !a & b),
        "LessOrEqual" => |a, b, left| compare(a, b, left, |a, b| a <= b, |a, b| a <= b, |a, b| a <= b),
        "Greater" => |a, b, left| compare(a, b, left, |a, b| a > b, |a, b| a > b, |a, b| a & !b),
        "GreaterOrEqual" => |a, b, left| compare(a, b, left, |a, b| a >= b, |a, b| a >= b, |a, b| a >= b),
        "And" => |a, b, left| logic(a, b, left, |a, b| a & b),
        "Or" => |a, b, left| logic(a, b, left, |a, b| a | b),
        "Xor" => |a, b, left| logic(a, b, left, |a, b| a ^ b),
        _ => return None,
    })
}

/// With the sign of the divisor.
fn modulo(rest: i64, divisor: i64) -> i64 {
    if rest != 0 && (rest < 0) != (divisor < 0) { rest.wrapping_add(divisor) } else { rest }
}

fn with_sign(x: &Constant, float: fn(f32) -> f32, integer: fn(i64) -> i64) -> Outcome<Constant> {
    match &x.numbers {
        Numbers::Integer(values) => {
            Ok(Constant::integers(x.shape.clone(), values.iter().map(|&value| integer(value)).collect()))
        }
        _ => x.map(float),
    }
}

/// What a function makes of each pair.
fn pairs<T: Copy, R>(
    (a, of_a): (&Constant, &[T]),
    (b, of_b): (&Constant, &[T]),
    budget: &mut Budget,
    function: impl Fn(T, T) -> Option<R>,
) -> Outcome<(Vec<usize>, Vec<R>)> {
    let shape = broadcast(&a.shape, &b.shape)?;
    budget.take(&shape)?;
    let places = Places::repeated(&a.shape, &shape).zip(Places::repeated(&b.shape, &shape));
    let result = |(a, b): (usize, usize)| of_a.get(a).zip(of_b.get(b)).and_then(|(&a, &b)| function(a, b));
    let values: Option<Vec<R>> = places.map(result).collect();
    let values =
        values.ok_or_else(|| Refusal::damaged("has a result that is not a number: a division by zero, say"))?;
    Ok((shape, values))
}

fn calculate(
    a: &Constant,
    b: &Constant,
    budget: &mut Budget,
    float: impl Fn(f32, f32) -> f32,
    integer: impl Fn(i64, i64) -> Option<i64>,
) -> Outcome<Constant> {
    match (&a.numbers, &b.numbers) {
        (Numbers::Float(x), Numbers::Float(y)) => {
            let (shape, values) = pairs((a, x), (b, y), budget, |x, y| Some(float(x, y)))?;
            Ok(Constant::floats(shape, values))
        }
        (Numbers::Integer(x), Numbers::Integer(y)) => {
            let (shape, values) = pairs((a, x), (b, y), budget, integer)?;
            Ok(Constant::integers(shape, values))
        }
        _ => Err(Refusal::unsupported("of constants of two types")),
    }
}

fn compare(
    a: &Constant,
    b: &Constant,
    budget: &mut Budget,
    float: impl Fn(f32, f32) -> bool,
    integer: impl Fn(i64, i64) -> bool,
    bools: impl Fn(bool, bool) -> bool,
) -> Outcome<Constant> {
    let (shape, values) = match (&a.numbers, &b.numbers) {
        (Numbers::Float(x), Numbers::Float(y)) => pairs((a, x), (b, y), budget, |x, y| Some(float(x, y)))?,
        (Numbers::Integer(x), Numbers::Integer(y)) => pairs((a, x), (b, y), budget, |x, y| Some(integer(x, y)))?,
        (Numbers::Bool(x), Numbers::Bool(y)) => pairs((a, x), (b, y), budget, |x, y| Some(bools(x, y)))?,
        _ => return Err(Refusal::unsupported("of constants of two types")),
    };
    Ok(Constant::bools(shape, values))
}

fn logic(a: &Constant, b: &Constant, budget: &mut Budget, function: fn(bool, bool) -> bool) -> Outcome<Constant> {
    let (shape, values) = pairs((a, a.as_bools()?), (b, b.as_bools()?), budget, |x, y| Some(function(x, y)))?;
    Ok(Constant::bools(shape, values))
}

/// One of two values where a condition holds, else the other.
pub(super) fn choose(condition: &Constant, a: &Constant, b: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    let shape = broadcast(&broadcast(&condition.shape, &a.shape)?, &b.shape)?;
    budget.take(&shape)?;
    let holds = condition.as_bools()?;
    let chosen = |which: bool| -> Vec<usize> {
        let source = if which { a } else { b };
        Places::repeated(&source.shape, &shape).collect()
    };
    let (of_a, of_b) = (chosen(true), chosen(false));
    let takes_a: Vec<bool> =
        Places::repeated(&condition.shape, &shape).map(|at| holds.get(at).copied().unwrap_or(false)).collect();
    let pick = |i: usize| if takes_a[i] { (true, of_a[i]) } else { (false, of_b[i]) };
    let all = (0..takes_a.len()).map(pick);
    let numbers = match (&a.numbers, &b.numbers) {
        (Numbers::Float(x), Numbers::Float(y)) => {
            Numbers::Float(Arc::new(all.map(|(first, at)| if first { x[at] } else { y[at] }).collect()))
        }
        (Numbers::Integer(x), Numbers::Integer(y)) => {
            Numbers::Integer(Arc::new(all.map(|(first, at)| if first { x[at] } else { y[at] }).collect()))
        }
        (Numbers::Bool(x), Numbers::Bool(y)) => {
            Numbers::Bool(Arc::new(all.map(|(first, at)| if first { x[at] } else { y[at] }).collect()))
        }
        _ => return Err(Refusal::unsupported("of constants of two types")),
    };
    Ok(Constant { shape, numbers, origin: None })
}

/// The same numbers as this type of the file format.
pub(super) fn cast(x: &Constant, to: i64, budget: &mut Budget) -> Outcome<Constant> {
    let to = i32::try_from(to).unwrap_or(0);
    match to {
        proto::FLOAT | proto::DOUBLE | proto::FLOAT16 | proto::BFLOAT16 => to_float(x, budget),
        proto::BOOL => to_bool(x, budget),
        proto::INT8..=proto::INT64 | proto::UINT8 | proto::UINT32 | proto::UINT64 => to_integer(x, budget),
        other => Err(Refusal::unsupported(format!("to the type {other}"))),
    }
}

/// The same numbers in the type of another value.
pub(super) fn cast_like(x: &Constant, other: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    match &other.numbers {
        Numbers::Float(_) => to_float(x, budget),
        Numbers::Integer(_) => to_integer(x, budget),
        Numbers::Bool(_) => to_bool(x, budget),
    }
}

fn to_float(x: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    if x.as_floats().is_err() {
        budget.take(&x.shape)?;
    }
    Ok(x.real())
}

fn to_integer(x: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    let values = match &x.numbers {
        Numbers::Integer(_) => return Ok(x.clone()),
        Numbers::Float(values) => values.iter().map(|&value| value as i64).collect(),
        Numbers::Bool(values) => values.iter().map(|&value| i64::from(value)).collect(),
    };
    budget.take(&x.shape)?;
    Ok(Constant::integers(x.shape.clone(), values))
}

fn to_bool(x: &Constant, budget: &mut Budget) -> Outcome<Constant> {
    let values = match &x.numbers {
        Numbers::Bool(_) => return Ok(x.clone()),
        Numbers::Float(values) => values.iter().map(|&value| value != 0.0).collect(),
        Numbers::Integer(values) => values.iter().map(|&value| value != 0).collect(),
    };
    budget.take(&x.shape)?;
    Ok(Constant::bools(x.shape.clone(), values))
}

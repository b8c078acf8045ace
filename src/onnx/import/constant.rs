//! Tensors whose numbers are known when a graph is read.

use std::sync::Arc;

use super::refusal::{Outcome, Refusal};
use crate::tensor::Tensor;

/// Numbers of one type. Every type of real numbers is f32 here, every type of whole numbers i64.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx) enum Numbers {
    Float(Arc<Vec<f32>>),
    Integer(Arc<Vec<i64>>),
    Bool(Arc<Vec<bool>>),
}

/// A tensor whose numbers are known.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::onnx) struct Constant {
    pub shape: Vec<usize>,
    pub numbers: Numbers,
    /// The initialiser that it is, in whatever shape, order and type: what a parameter is called after.
    pub origin: Option<Arc<str>>,
}

/// How many elements a shape has, if that is a number.
pub(in crate::onnx) fn elements(shape: &[usize]) -> Option<usize> {
    // Zeros must not hide that the others are too large.
    let rest = shape.iter().filter(|&&size| size > 0).try_fold(1usize, |n, &size| n.checked_mul(size))?;
    Some(if shape.contains(&0) { 0 } else { rest })
}

impl Constant {
    pub fn floats(shape: impl Into<Vec<usize>>, values: Vec<f32>) -> Self {
        Constant { shape: shape.into(), numbers: Numbers::Float(Arc::new(values)), origin: None }
    }

    pub fn integers(shape: impl Into<Vec<usize>>, values: Vec<i64>) -> Self {
        Constant { shape: shape.into(), numbers: Numbers::Integer(Arc::new(values)), origin: None }
    }

    pub fn bools(shape: impl Into<Vec<usize>>, values: Vec<bool>) -> Self {
        Constant { shape: shape.into(), numbers: Numbers::Bool(Arc::new(values)), origin: None }
    }

    pub fn len(&self) -> usize {
        match &self.numbers {
            Numbers::Float(values) => values.len(),
            Numbers::Integer(values) => values.len(),
            Numbers::Bool(values) => values.len(),
        }
    }

    /// The numbers as f32, shared where they are that.
    pub fn as_floats(&self) -> Outcome<&Arc<Vec<f32>>> {
        match &self.numbers {
            Numbers::Float(values) => Ok(values),
            _ => Err(Refusal::damaged("has whole numbers where real ones are needed")),
        }
    }

    /// The whole numbers.
    pub fn as_integers(&self) -> Outcome<&[i64]> {
        match &self.numbers {
            Numbers::Integer(values) => Ok(values),
            _ => Err(Refusal::damaged("has other numbers where whole ones are needed")),
        }
    }

    /// The truth values.
    pub fn as_bools(&self) -> Outcome<&[bool]> {
        match &self.numbers {
            Numbers::Bool(values) => Ok(values),
            _ => Err(Refusal::damaged("has numbers where truth values are needed")),
        }
    }

    /// The only number, where it has one.
    pub fn single(&self) -> Option<f32> {
        match &self.numbers {
            Numbers::Float(values) if values.len() == 1 => values.first().copied(),
            _ => None,
        }
    }

    /// The same as real numbers.
    pub fn real(&self) -> Self {
        let values = match &self.numbers {
            Numbers::Float(_) => return self.clone(),
            Numbers::Integer(values) => values.iter().map(|&value| value as f32).collect(),
            Numbers::Bool(values) => values.iter().map(|&value| f32::from(u8::from(value))).collect(),
        };
        Constant::floats(self.shape.clone(), values)
    }

    /// The same numbers in another shape.
    pub fn reshaped(&self, shape: impl Into<Vec<usize>>) -> Outcome<Self> {
        let shape = shape.into();
        if elements(&shape) != Some(self.len()) {
            let reason = format!("{} numbers of the shape {:?} do not fill {shape:?}", self.len(), self.shape);
            return Err(Refusal::damaged(reason));
        }
        Ok(Constant { shape, ..self.clone() })
    }

    /// As a tensor of this shape.
    pub fn tensor(&self, shape: impl Into<Vec<usize>>) -> Outcome<Tensor> {
        let shape = shape.into();
        Tensor::from_shared(shape, self.as_floats()?.clone()).map_err(|error| Refusal::damaged(error.to_string()))
    }

    /// What a function makes of each number. The result is no longer an initialiser.
    pub fn map(&self, function: impl Fn(f32) -> f32) -> Outcome<Self> {
        let values = self.as_floats()?.iter().map(|&value| function(value)).collect();
        Ok(Constant::floats(self.shape.clone(), values))
    }

    /// Elements of it by their numbers, in a new shape that these fill.
    pub fn picked(&self, shape: Vec<usize>, places: impl Iterator<Item = usize>) -> Self {
        fn pick<T: Copy>(values: &[T], places: impl Iterator<Item = usize>) -> Arc<Vec<T>> {
            Arc::new(places.filter_map(|place| values.get(place).copied()).collect())
        }
        let numbers = match &self.numbers {
            Numbers::Float(values) => Numbers::Float(pick(values, places)),
            Numbers::Integer(values) => Numbers::Integer(pick(values, places)),
            Numbers::Bool(values) => Numbers::Bool(pick(values, places)),
        };
        Constant { shape, numbers, origin: None }
    }

    /// The same with its dimensions in another order, which names each once.
    pub fn transposed(&self, permutation: &[usize]) -> Self {
        let shape: Vec<usize> = permutation.iter().map(|&d| self.shape[d]).collect();
        let strides = strides(&self.shape);
        let strides: Vec<usize> = permutation.iter().map(|&d| strides[d]).collect();
        let places = Places::new(&shape, strides, 0);
        Constant { origin: self.origin.clone(), ..self.picked(shape, places) }
    }
}

/// How far apart neighbours lie in each dimension.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d].saturating_mul(shape[d]);
    }
    strides
}

/// Where the elements of a result are in what it is made of, in row order.
pub(super) struct Places {
    shape: Vec<usize>,
    strides: Vec<usize>,
    at: Vec<usize>,
    place: usize,
    left: usize,
}

impl Places {
    /// For a result of this shape, with the steps that each of its dimensions makes in the source, from a first place on.
    pub fn new(shape: &[usize], strides: Vec<usize>, first: usize) -> Self {
        let left = elements(shape).unwrap_or(0);
        Places { shape: shape.to_vec(), strides, at: vec![0; shape.len()], place: first, left }
    }

    /// For a source of this shape that is repeated to fill the result's.
    pub fn repeated(source: &[usize], shape: &[usize]) -> Self {
        let missing = shape.len().saturating_sub(source.len());
        let own = strides(source);
        let stride = |d: usize| match d.checked_sub(missing).and_then(|d| source.get(d).map(|&size| (d, size))) {
            Some((d, size)) if size > 1 => own[d],
            _ => 0,
        };
        Places::new(shape, (0..shape.len()).map(stride).collect(), 0)
    }
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for d in (0..self.shape.len()).rev() {
            self.at[d] += 1;
            self.place += self.strides[d];
            if self.at[d] < self.shape[d] {
                break;
            }
            self.place -= self.strides[d] * self.shape[d];
            self.at[d] = 0;
        }
        Some(place)
    }
}

/// The shape that two become when each is repeated where it has the size 1.
pub(in crate::onnx) fn broadcast(a: &[usize], b: &[usize]) -> Outcome<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], d: usize| (d + shape.len()).checked_sub(rank).map_or(1, |d| shape[d]);
    let merged = |d: usize| match (size(a, d), size(b, d)) {
        (a, b) if a == b || b == 1 => Some(a),
        (1, b) => Some(b),
        _ => None,
    };
    let shape: Option<Vec<usize>> = (0..rank).map(merged).collect();
    shape.ok_or_else(|| Refusal::damaged(format!("has the shapes {a:?} and {b:?}, which do not go together")))
}

//! A node of a graph as those see it that make layers of it: its inputs and its attributes.

use std::path::Path;

use super::constant::Constant;
use super::refusal::{Outcome, Refusal};
use super::tensor;
use super::value::{Traced, Value};
use crate::onnx::proto;

/// Larger than any kernel, stride, padding or dilation of a network. What is calculated with them stays in its range.
const LARGEST: i64 = 1 << 15;

/// A node with the values that it reads.
pub(in crate::onnx) struct Node<'a> {
    pub proto: &'a proto::Node,
    /// The version of the operators.
    pub opset: i64,
    /// `None` for those that are left out.
    pub inputs: Vec<Option<Value>>,
    /// The model's folder.
    pub folder: &'a Path,
}

impl Node<'_> {
    pub fn operator(&self) -> &str {
        &self.proto.op_type
    }

    /// What its layers are called after: its first output.
    pub fn name(&self) -> &str {
        self.proto.output.iter().find(|name| !name.is_empty()).unwrap_or(&self.proto.name)
    }

    fn attribute(&self, name: &str) -> Option<&proto::Attribute> {
        self.proto.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// Whether there is an attribute of this name.
    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// An attribute that is a whole number.
    pub fn integer(&self, name: &str, default: i64) -> Outcome<i64> {
        match self.attribute(name) {
            None => Ok(default),
            Some(attribute) if attribute.r#type == proto::INT || attribute.i.is_some() => Ok(attribute.i.unwrap_or(0)),
            Some(_) => Err(mistyped(name)),
        }
    }

    /// An attribute that is a number.
    pub fn float(&self, name: &str, default: f32) -> Outcome<f32> {
        match self.attribute(name) {
            None => Ok(default),
            Some(attribute) if attribute.r#type == proto::FLOAT_ATTRIBUTE || attribute.f.is_some() => {
                Ok(attribute.f.unwrap_or(0.0))
            }
            Some(_) => Err(mistyped(name)),
        }
    }

    /// An attribute that is a list of whole numbers.
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| attribute.ints.as_slice())
    }

    /// An attribute that is a list of numbers.
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        self.attribute(name).map(|attribute| attribute.floats.as_slice())
    }

    /// An attribute that is a word.
    pub fn text<'s>(&'s self, name: &str, default: &'s str) -> Outcome<&'s str> {
        let Some(attribute) = self.attribute(name) else { return Ok(default) };
        attribute.s.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(|| mistyped(name))
    }

    /// An attribute that is a tensor.
    pub fn tensor(&self, name: &str) -> Outcome<Option<Constant>> {
        let Some(attribute) = self.attribute(name) else { return Ok(None) };
        let Some(tensor) = &attribute.t else { return Err(mistyped(name)) };
        let found = tensor::constant(&mut tensor.as_ref().clone(), self.folder);
        found.map(Some).map_err(|reason| Refusal::damaged(format!("has a tensor {name}: {reason}")))
    }

    /// An attribute of so many sizes from 0 on, each small enough to be calculated with.
    pub fn sizes<const N: usize>(&self, name: &str, default: [usize; N]) -> Outcome<[usize; N]> {
        let Some(values) = self.integers(name) else { return Ok(default) };
        let size = |&value: &i64| usize::try_from(value).ok().filter(|_| value <= LARGEST);
        let sizes: Option<Vec<usize>> = values.iter().map(size).collect();
        let wrong = || Refusal::unsupported(format!("with {name} {values:?}"));
        sizes.ok_or_else(wrong)?.try_into().map_err(|_| wrong())
    }

    /// An input, if it is there.
    pub fn input(&self, index: usize) -> Option<&Value> {
        self.inputs.get(index).and_then(Option::as_ref)
    }

    /// An input that a network computes.
    pub fn traced(&self, index: usize) -> Outcome<&Traced> {
        match self.input(index) {
            Some(Value::Traced(value)) => Ok(value),
            Some(_) => Err(Refusal::unsupported(format!("of a constant input {index}"))),
            None => Err(self.lacks(index)),
        }
    }

    /// An input that must be known when the graph is read, if it is there.
    pub fn constant(&self, index: usize) -> Outcome<Option<&Constant>> {
        match self.input(index) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => Err(Refusal::unsupported(format!("whose input {index} is not a constant"))),
        }
    }

    /// An input that must be there and known.
    pub fn needed(&self, index: usize) -> Outcome<&Constant> {
        self.constant(index)?.ok_or_else(|| self.lacks(index))
    }

    /// Whole numbers that are an attribute in older opsets and an input in newer ones.
    pub fn list(&self, name: &str, index: usize) -> Outcome<Option<Vec<i64>>> {
        if let Some(values) = self.integers(name) {
            return Ok(Some(values.to_vec()));
        }
        self.constant(index)?.map(|constant| constant.as_integers().map(<[i64]>::to_vec)).transpose()
    }

    pub fn lacks(&self, index: usize) -> Refusal {
        Refusal::damaged(format!("lacks its input {index}"))
    }
}

fn mistyped(name: &str) -> Refusal {
    Refusal::damaged(format!("has an attribute {name} of another type than it should be"))
}

/// An axis counted from the front, of so many.
pub(in crate::onnx) fn axis(axis: i64, rank: usize) -> Outcome<usize> {
    let found = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = found.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank);
    found.ok_or_else(|| Refusal::damaged(format!("has an axis {axis} of {rank}")))
}

/// Several of them, in order, each once.
pub(in crate::onnx) fn axes(given: &[i64], rank: usize) -> Outcome<Vec<usize>> {
    let mut found = given.iter().map(|&one| axis(one, rank)).collect::<Outcome<Vec<usize>>>()?;
    found.sort_unstable();
    found.dedup();
    if found.len() != given.len() {
        return Err(Refusal::damaged(format!("has an axis twice in {given:?}")));
    }
    Ok(found)
}

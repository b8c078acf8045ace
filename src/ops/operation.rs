//! What every operation declares about itself, in its own file; [`Op`] asks it.

use super::{Op, Shape};
use crate::error::Result;

pub(crate) trait Operation {
    /// Its name; the files that implement it begin with it.
    fn name(&self) -> &'static str;

    /// The shapes of the outputs for inputs of these shapes, of which none is empty.
    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>>;

    /// Floating-point operations by the definition (a multiply-add counts as two).
    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64;

    /// Inputs that are parameters: read by rows of their first dimension, and allowed to be larger than one binding.
    fn parameter_inputs(&self) -> &'static [usize] {
        &[]
    }

    /// Outputs that have the shape of parameters and are stored as these are.
    fn parameter_outputs(&self) -> &'static [usize] {
        &[]
    }

    /// For each output, the input that it overwrites, if it works in place.
    fn in_place(&self) -> &'static [usize] {
        &[]
    }

    /// Whether it is done once in a step of training, after the last micro-batch.
    fn ends_step(&self) -> bool {
        false
    }

    /// Whether a sample of its output depends on other samples of the batch, or the output has no batch: no layer of a network
    /// may do that.
    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        false
    }

    /// The parameters of a layer that does this to an input of this shape, in the order in which they follow the other
    /// inputs. `features` is how many channels or features the layer's output has, where that is a choice.
    fn parameters(&self, _input: &[usize], _features: usize) -> Vec<Parameter> {
        Vec::new()
    }

    /// How the gradients of the inputs come from the gradient of the first output, for inputs of these shapes; `None`
    /// where there is no derivative. An input that nothing here names has none.
    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        None
    }
}

/// A parameter of a layer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    /// The end of its name, after the layer's: `weight`, `bias`, …
    pub suffix: &'static str,
    pub shape: Shape,
    pub start: Start,
}

/// What a parameter is before any training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Start {
    /// Normally distributed, with a variance of 2 / (values of one row) (He et al. 2015).
    He,
    /// The same number everywhere.
    Constant(f32),
}

impl Parameter {
    pub fn new(suffix: &'static str, shape: impl Into<Shape>, start: Start) -> Self {
        Parameter { suffix, shape: shape.into(), start }
    }

    /// A weight and a bias for each of its rows.
    pub fn weight_and_bias(weight: Shape) -> Vec<Self> {
        let bias = vec![weight[0]];
        vec![Parameter::new("weight", weight, Start::He), Parameter::new("bias", bias, Start::Constant(0.0))]
    }
}

/// A part of an operation's backward pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Backward {
    /// The gradient of this input is the output's gradient itself.
    Same(usize),
    /// Another operation, whose outputs are the gradients of these inputs.
    Step { op: Op, reads: Vec<Operand>, gives: Vec<usize> },
}

/// What a step of the backward pass reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An input of the forward step.
    Input(usize),
    /// An output of the forward step.
    Output(usize),
    /// The gradient of its first output.
    Gradient,
}

impl Backward {
    pub fn step(op: impl Into<Op>, reads: impl Into<Vec<Operand>>, gives: impl Into<Vec<usize>>) -> Self {
        Backward::Step { op: op.into(), reads: reads.into(), gives: gives.into() }
    }
}

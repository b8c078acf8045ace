//! What a network becomes before a backend gets it: values, and steps that make values from values.
//!
//! Both backends run the same program; they differ only in how they run a step.

mod differentiate;
mod fuse;
mod memory;

pub(crate) use differentiate::{differentiate, gradient_name};
pub(crate) use memory::{Place, plan_memory};

use crate::error::Result;
use crate::ops::{Op, Shape};

/// The index of a value in its program.
pub(crate) type ValueId = usize;

/// Where a value lives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Storage {
    /// In the plan's working memory, shared with values whose lives do not overlap.
    Activation,
    /// In the plan, apart from the working memory: gradients of parameters; stored by rows.
    Gradient,
    /// In the plan, from one step of training to the next: the optimiser's memory, zero at first; stored by rows.
    State,
    /// In the plan, written once.
    Constant(Vec<f32>),
    /// In the model, under this name, shared by all of its plans; stored by rows.
    Parameter(String),
    /// Where another value is, which is not a view itself: the same numbers in another shape.
    View(ValueId),
}

#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub name: String,
    pub shape: Shape,
    pub storage: Storage,
}

impl Value {
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The layer that it belongs to.
    pub name: String,
    pub op: Op,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    pub flops: u64,
}

/// When something ran.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// Milliseconds from the start of the run until it began.
    pub start: f64,
    /// How many milliseconds it took.
    pub milliseconds: f64,
}

/// Steps in the order in which they run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub name: String,
    pub values: Vec<Value>,
    pub steps: Vec<Step>,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    /// How many steps at the beginning depend on parameters and constants only: they run again when one of these has changed.
    pub prologue: usize,
    /// Whether every activation outlives the run, to be looked at.
    pub keep_activations: bool,
    /// How many micro-batches a step of training may have; 0 where nothing is trained.
    pub micro_batches: usize,
}

impl Program {
    pub fn add_value(&mut self, name: impl Into<String>, shape: Shape, storage: Storage) -> ValueId {
        self.values.push(Value { name: name.into(), shape, storage });
        self.values.len() - 1
    }

    pub fn shapes(&self, values: &[ValueId]) -> Vec<&[usize]> {
        values.iter().map(|&v| self.values[v].shape.as_slice()).collect()
    }

    /// What a step of training leaves for the next.
    pub fn states(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().filter(|(_, value)| value.storage == Storage::State)
    }

    /// The value whose memory this one has: itself, if it is not a view.
    pub fn base(&self, value: ValueId) -> ValueId {
        if let Storage::View(base) = self.values[value].storage { base } else { value }
    }

    /// The same numbers as a value of another shape.
    pub fn add_view(&mut self, name: impl Into<String>, of: ValueId, shape: Shape) -> ValueId {
        self.add_value(name, shape, Storage::View(self.base(of)))
    }

    /// A value in the shape of another one of as many elements: itself, where it has that already.
    pub fn in_shape_of(&mut self, value: ValueId, other: ValueId) -> ValueId {
        let shape = self.values[other].shape.clone();
        if self.values[value].shape == shape {
            return value;
        }
        let name = self.values[value].name.clone();
        self.add_view(name, value, shape)
    }

    /// Adds a step and the values that it makes (under these names), and gives the latter. A reshape takes no step.
    ///
    /// # Errors
    /// The operation's own, if it does not accept these inputs.
    pub fn add_step(&mut self, layer: &str, op: Op, inputs: &[ValueId], names: &[String]) -> Result<Vec<ValueId>> {
        let mut shapes = op.output_shapes(&self.shapes(inputs))?;
        if let Op::Reshape(_) = op {
            return Ok(vec![self.add_view(&names[0], inputs[0], shapes.swap_remove(0))]);
        }
        let flops = op.flops(&self.shapes(inputs), &shapes);
        let outputs: Vec<ValueId> = if op.in_place().is_empty() {
            let rows = op.parameter_outputs();
            shapes
                .into_iter()
                .zip(names)
                .enumerate()
                .map(|(i, (shape, name))| {
                    let storage = if rows.contains(&i) { Storage::Gradient } else { Storage::Activation };
                    self.add_value(name, shape, storage)
                })
                .collect()
        } else {
            op.in_place().iter().map(|&i| inputs[i]).collect()
        };
        self.steps.push(Step { name: layer.to_owned(), op, inputs: inputs.to_vec(), outputs: outputs.clone(), flops });
        Ok(outputs)
    }

    /// Bytes of the values that a step reads and of those that it writes, each counted once.
    pub fn bytes(&self, step: &Step) -> u64 {
        let values = step.inputs.iter().chain(&step.outputs);
        values.map(|&value| (self.values[value].len() * size_of::<f32>()) as u64).sum()
    }

    /// A program of one operation, whose inputs and outputs are all to be written and read.
    pub fn single(op: Op, shapes: &[&[usize]]) -> Result<Self> {
        let rows = |i| if op.parameter_inputs().contains(&i) { Storage::Gradient } else { Storage::Activation };
        let (mut program, values) = Self::of_one_step(&op, shapes, rows)?;
        program.inputs = values;
        Ok(program)
    }

    /// The same, but weights are parameters of a model, under the names of [`Program::input_name`], and no inputs.
    ///
    /// # Errors
    /// As [`Program::single`].
    pub fn single_with_parameters(op: &Op, shapes: &[&[usize]]) -> Result<Self> {
        let is_parameter = |i: &usize| op.parameter_inputs().contains(i);
        let storage = |i| if is_parameter(&i) { Storage::Parameter(Self::input_name(i)) } else { Storage::Activation };
        let (mut program, values) = Self::of_one_step(op, shapes, storage)?;
        program.inputs = values.into_iter().enumerate().filter(|(i, _)| !is_parameter(i)).map(|(_, v)| v).collect();
        Ok(program)
    }

    /// The name of an input of an operation that is run by itself.
    pub fn input_name(index: usize) -> String {
        format!("input {index}")
    }

    fn of_one_step(op: &Op, shapes: &[&[usize]], storage: impl Fn(usize) -> Storage) -> Result<(Self, Vec<ValueId>)> {
        let mut program = Program { name: op.name().to_owned(), ..Program::default() };
        let add = |(i, shape): (usize, &&[usize])| program.add_value(Self::input_name(i), shape.to_vec(), storage(i));
        let values: Vec<ValueId> = shapes.iter().enumerate().map(add).collect();
        let names: Vec<String> = (0..3).map(|i| format!("output {i}")).collect();
        program.outputs = program.add_step(op.name(), op.clone(), &values, &names)?;
        Ok((program, values))
    }
}

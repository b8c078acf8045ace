//! From a network to a program: shapes are checked, activations fused, what is not needed is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Layer, Network, Trainable, Training};
use crate::error::{Error, Result};
use crate::ops::{Dense, Dropout, Op};
use crate::program::{Program, Storage, ValueId};

/// What a program is made for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// The network's outputs.
    Inference,
    /// Steps of training.
    Training(&'a Training),
    /// The gradient of a weighted sum of the logits with respect to this layer's output.
    Gradient(&'a str),
}

/// A network on its way to a program.
pub(super) struct Lowering<'a> {
    pub network: &'a Network,
    pub program: Program,
    /// The value that each layer makes.
    pub outputs: Vec<ValueId>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, ValueId>,
    /// The first trained layer; the number of layers where none is.
    pub first_trained: usize,
}

impl Network {
    /// The program that runs this network on a batch, for this purpose.
    pub(crate) fn lower(&self, batch: usize, purpose: Purpose, keep_activations: bool) -> Result<Program> {
        if batch == 0 || self.layers.is_empty() {
            return Err(Error::shape(&self.name, format!("a batch of {batch} through {} layers", self.layers.len())));
        }
        self.check_names()?;
        let mut program = Program { name: self.name.clone(), keep_activations, ..Program::default() };
        let input = program.add_value("input", [&[batch], self.input.as_slice()].concat(), Storage::Activation);
        program.inputs.push(input);
        let first_trained = match purpose {
            Purpose::Inference | Purpose::Gradient(_) => self.layers.len(),
            Purpose::Training(Training { trainable: Trainable::All, .. }) => 0,
            Purpose::Training(Training { trainable: Trainable::From(name), .. }) => self.index(name)?,
        };
        let mut lowering =
            Lowering { network: self, program, outputs: Vec::new(), parameters: BTreeMap::new(), first_trained };
        for index in 0..self.layers.len() {
            let value = lowering.forward(index).map_err(|error| in_layer(self, index, error))?;
            lowering.outputs.push(value);
        }
        let flat = |layer: &usize| {
            lowering.is_flattened(*layer) && lowering.program.values[lowering.outputs[*layer]].shape.len() > 2
        };
        if self.outputs().iter().any(flat) {
            return Err(Error::shape(
                &self.name,
                "a flattening is no output: end the network before it, or with a dense layer",
            ));
        }
        match purpose {
            Purpose::Inference => lowering.program.outputs = lowering.network_outputs(),
            Purpose::Training(training) => lowering.train(training)?,
            Purpose::Gradient(layer) => lowering.gradient(layer)?,
        }
        Ok(lowering.program)
    }
}

impl Network {
    fn check_names(&self) -> Result<()> {
        let mut names = BTreeSet::new();
        match self.layers.iter().find(|layer| !names.insert(&layer.name)) {
            Some(layer) => Err(Error::shape(&self.name, format!("two layers are called {:?}", layer.name))),
            None => Ok(()),
        }
    }
}

pub(super) fn in_layer(network: &Network, index: usize, error: Error) -> Error {
    match error {
        Error::Shape { what, reason } => {
            Error::shape(format!("{}, layer {}", network.name, network.layers[index].name), format!("{what}: {reason}"))
        }
        other => other,
    }
}

impl Lowering<'_> {
    fn network_outputs(&self) -> Vec<ValueId> {
        self.network.outputs().into_iter().map(|layer| self.outputs[layer]).collect()
    }

    /// Whether what a layer gives is meant to be flat. A flattening moves nothing, and the value keeps the shape of the
    /// feature maps, which dense layers and what works value by value do not look at.
    fn is_flattened(&self, index: usize) -> bool {
        let layer = &self.network.layers[index];
        match layer.kind {
            Kind::Flatten => true,
            Kind::Relu | Kind::Dropout(_) => layer.input.is_some_and(|before| self.is_flattened(before)),
            _ => false,
        }
    }

    pub fn input_of(&self, layer: &Layer) -> ValueId {
        layer.input.map_or(self.program.inputs[0], |index| self.outputs[index])
    }

    /// Adds a layer's forward step and gives the value that it makes.
    fn forward(&mut self, index: usize) -> Result<ValueId> {
        let layer = &self.network.layers[index];
        let x = self.input_of(layer);
        let shape = self.program.values[x].shape.clone();
        let takes_any_shape = matches!(layer.kind, Kind::Dense(_) | Kind::Relu | Kind::Dropout(_) | Kind::Flatten);
        if !takes_any_shape && shape.len() > 2 && layer.input.is_some_and(|before| self.is_flattened(before)) {
            return Err(Error::shape(
                "flatten",
                "must be followed by a dense layer, with nothing but ReLU and dropout between them",
            ));
        }
        let op = match layer.kind {
            // Nothing to do: dense layers take rows of any shape, done within the layer before, or only done in training.
            Kind::Flatten => return Ok(x),
            Kind::Relu if layer.input.is_some_and(|before| self.fuses_relu(before)) => return Ok(x),
            Kind::Dropout(_) if index < self.first_trained => return Ok(x),
            Kind::Conv2d(filters, mut conv) => {
                let channels = shape.get(1).copied().unwrap_or(0);
                conv.relu = self.fuses_relu(index);
                let weight = vec![filters, channels, conv.kernel[0], conv.kernel[1]];
                return self.with_parameters(index, Op::Conv2d(conv), &[("weight", weight), ("bias", vec![filters])]);
            }
            Kind::Dense(out) => {
                let op = Op::Dense(Dense { relu: self.fuses_relu(index) });
                let weight = vec![out, shape[1..].iter().product()];
                return self.with_parameters(index, op, &[("weight", weight), ("bias", vec![out])]);
            }
            Kind::Prelu => {
                let slopes = shape.get(1).copied().unwrap_or(0);
                return self.with_parameters(index, Op::Prelu, &[("weight", vec![slopes])]);
            }
            Kind::Relu => Op::Relu,
            Kind::MaxPool2d(pool) => Op::MaxPool2d(pool),
            Kind::AdaptiveAvgPool2d(pool) => Op::AdaptiveAvgPool2d(pool),
            Kind::Dropout(probability) => Op::Dropout(Dropout { probability, layer: index as u32 }),
            Kind::Softmax => Op::Softmax,
        };
        Ok(self.program.add_step(&layer.name, op, &[x], std::slice::from_ref(&layer.name))?[0])
    }

    fn with_parameters(&mut self, index: usize, op: Op, wanted: &[(&str, Vec<usize>)]) -> Result<ValueId> {
        let layer = &self.network.layers[index];
        let mut inputs = vec![self.input_of(layer)];
        for (suffix, shape) in wanted {
            let name = format!("{}.{suffix}", layer.parameters);
            let value = self.program.add_value(&name, shape.clone(), Storage::Parameter(name.clone()));
            if self.parameters.insert(name.clone(), value).is_some() {
                return Err(Error::shape(op.name(), format!("the parameter {name} is used twice")));
            }
            inputs.push(value);
        }
        Ok(self.program.add_step(&layer.name, op, &inputs, std::slice::from_ref(&layer.name))?[0])
    }

    /// Whether a layer computes the ReLU behind it: it must be the only reader, and nobody else may look.
    fn fuses_relu(&self, index: usize) -> bool {
        let layers = &self.network.layers;
        let mut readers = layers.iter().filter(|layer| layer.input == Some(index));
        matches!(layers[index].kind, Kind::Conv2d(..) | Kind::Dense(_))
            && matches!((readers.next(), readers.next()), (Some(reader), None) if reader.kind == Kind::Relu)
            && !self.network.outputs.contains(&index)
    }
}

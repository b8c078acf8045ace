//! From a network to a program: shapes are checked, and what is not needed is left out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Layer, Loss, Network, Source, Training};
use crate::error::{Error, Result};
use crate::ops::{BatchNorm2d, BatchNorm2dRunning, Dropout, Op, Parameter, Shape, Softmax, Start, StochasticDepth};
use crate::program::{Program, Storage, ValueId, differentiate, gradient_name};

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

/// A parameter's name and shape, and what it is before any training.
pub(super) type Named = (String, Shape, Start);

/// A network on its way to a program.
pub(super) struct Lowering<'a> {
    pub network: &'a Network,
    pub program: Program,
    /// The value that each layer gives.
    pub outputs: Vec<ValueId>,
    /// The parameters of the layers so far, with the layers that own them.
    pub parameters: Vec<(usize, ValueId)>,
    /// Names and shapes of all parameters, and what they are before any training.
    starts: Vec<Named>,
    /// The values that the network holds and a layer has read.
    held: BTreeMap<Source, ValueId>,
    /// The first trained layer; the number of layers where none is.
    first_trained: usize,
}

impl Network {
    /// The program that runs this network on a batch, for this purpose.
    pub(crate) fn lower(&self, batch: usize, purpose: Purpose, keep_activations: bool) -> Result<Program> {
        Ok(self.lower_with_starts(batch, purpose, keep_activations)?.0)
    }

    /// The same, and the parameters: names, shapes, and what they are before any training.
    pub(super) fn lower_with_starts(
        &self,
        batch: usize,
        purpose: Purpose,
        keep_activations: bool,
    ) -> Result<(Program, Vec<Named>)> {
        let mut lowering = self.lower_layers(batch, purpose, keep_activations)?;
        match purpose {
            Purpose::Inference => {
                lowering.program.outputs = self.outputs().into_iter().map(|layer| lowering.outputs[layer]).collect();
            }
            Purpose::Training(training) => lowering.train(training)?,
            Purpose::Gradient(layer) => lowering.gradient(layer)?,
        }
        lowering.program.fuse();
        Ok((lowering.program, lowering.starts))
    }

    /// The forward steps of the layers that this purpose needs.
    fn lower_layers(&self, batch: usize, purpose: Purpose, keep_activations: bool) -> Result<Lowering<'_>> {
        if batch == 0 || self.layers.is_empty() {
            return Err(Error::invalid(&self.name, format!("a batch of {batch} through {} layers", self.layers.len())));
        }
        self.check_names()?;
        let mut program = Program { name: self.name.clone(), keep_activations, ..Program::default() };
        for (name, shape) in self.inputs() {
            let input = program.add_value(name, [&[batch], shape].concat(), Storage::Activation);
            program.inputs.push(input);
        }
        if self.inputs.len() > 1 && !matches!(purpose, Purpose::Inference) {
            return Err(Error::invalid(&self.name, "a network with several inputs has no backward pass"));
        }
        let first_trained = match purpose {
            Purpose::Inference | Purpose::Gradient(_) => self.layers.len(),
            Purpose::Training(training) => self.first_trained(&training.trainable)?,
        };
        let (outputs, parameters, starts) = (Vec::new(), Vec::new(), Vec::new());
        let held = BTreeMap::new();
        let mut lowering = Lowering { network: self, program, outputs, parameters, starts, held, first_trained };
        let end = match purpose {
            Purpose::Inference => self.layers.len(),
            Purpose::Training(training) if !matches!(training.loss, Loss::CrossEntropy(_)) => self.layers.len(),
            Purpose::Training(_) | Purpose::Gradient(_) => self.logits()? + 1,
        };
        for index in 0..end {
            let value = lowering.forward(index).map_err(|error| in_layer(self, index, error))?;
            lowering.outputs.push(value);
        }
        Ok(lowering)
    }

    /// The shape of what each layer gives, without the batch.
    pub(crate) fn layer_shapes(&self) -> Result<Vec<Shape>> {
        let Lowering { program, outputs, .. } = self.lower_layers(1, Purpose::Inference, false)?;
        Ok(program.shapes(&outputs).into_iter().map(|shape| shape[1..].to_vec()).collect())
    }

    fn check_names(&self) -> Result<()> {
        let (mut names, mut inputs) = (BTreeSet::new(), BTreeSet::new());
        if let Some((name, _)) = self.inputs.iter().find(|(name, _)| !inputs.insert(name)) {
            return Err(Error::invalid(&self.name, format!("two inputs are called {name:?}")));
        }
        match self.layers.iter().find(|layer| !names.insert(&layer.name)) {
            Some(layer) => Err(Error::invalid(&self.name, format!("two layers are called {:?}", layer.name))),
            None => Ok(()),
        }
    }

    /// The layer that gives the logits: the last one, or the one that a last softmax reads. Neither the loss nor the
    /// backward pass needs the probabilities.
    fn logits(&self) -> Result<usize> {
        let last = self.layers.len() - 1;
        match &self.layers[last] {
            Layer { op: Op::Softmax(Softmax { dim: 1 }), inputs, .. } => match inputs[0] {
                Source::Layer(layer) => Ok(layer),
                _ => Err(Error::invalid(&self.name, "there is no layer before the softmax")),
            },
            _ => Ok(last),
        }
    }
}

fn in_layer(network: &Network, index: usize, error: Error) -> Error {
    let layer = || format!("{}, layer {}", network.name, network.layers[index].name);
    match error {
        Error::Shape { what, reason } => Error::shape(layer(), format!("{what}: {reason}")),
        Error::InvalidArgument { what, reason } => Error::invalid(layer(), format!("{what}: {reason}")),
        other => other,
    }
}

impl Lowering<'_> {
    /// Adds a layer's forward step and gives the value that it makes.
    fn forward(&mut self, index: usize) -> Result<ValueId> {
        let layer = &self.network.layers[index];
        let mut inputs: Vec<ValueId> = Vec::new();
        for &source in &layer.inputs {
            inputs.push(match source {
                Source::Input(input) => self.program.inputs[input],
                Source::Layer(layer) => self.outputs[layer],
                held => self.held(index, held)?,
            });
        }
        let op = match &layer.op {
            // Only done in training.
            Op::Dropout(_) | Op::StochasticDepth(_) if index < self.first_trained => return Ok(inputs[0]),
            Op::Dropout(dropout) if dropout.probability == 0.0 => return Ok(inputs[0]),
            Op::Dropout(dropout) => Op::Dropout(Dropout { layer: index as u32, ..*dropout }),
            Op::StochasticDepth(depth) => Op::StochasticDepth(StochasticDepth { layer: index as u32, ..*depth }),
            op if op.mixes_samples(&self.program.shapes(&inputs)) => {
                let reason =
                    "a layer may not reach from one sample of a batch to others: dimension 0 is the batch and stays";
                return Err(Error::invalid(op.name(), reason));
            }
            op => op.clone(),
        };
        let wanted = op.parameters(&self.program.values[inputs[0]].shape, layer.features);
        inputs.extend(self.layer_parameters(index, &wanted)?);
        if let (Op::BatchNorm2d(norm), true) = (&op, self.trains(index)) {
            return self.normalize_by_batch(&layer.name, *norm, &inputs);
        }
        Ok(self.program.add_step(&layer.name, op, &inputs, std::slice::from_ref(&layer.name))?[0])
    }

    /// A batch normalisation in training: by the statistics of the batch, which the running ones follow.
    fn normalize_by_batch(&mut self, name: &str, norm: BatchNorm2d, inputs: &[ValueId]) -> Result<ValueId> {
        let &[x, weight, bias, running_mean, running_var] = inputs else {
            return Err(Error::shape("batch_norm2d", "takes weight, bias, running mean and running variance"));
        };
        let values = &self.program.values;
        let count = values[x].len() / values[weight].len();
        if count < 2 {
            return Err(Error::shape("batch_norm2d", "training takes more than one value for each channel"));
        }
        let names = ["mean", "variance"].map(|what| format!("{what} in {name}"));
        let statistics = self.program.add_step(name, Op::BatchNorm2dStatistics, &[x], &names)?;
        let unbiased = count as f32 / (count - 1) as f32;
        for (running, batch, factor) in [(running_mean, statistics[0], 1.0), (running_var, statistics[1], unbiased)] {
            let follow = BatchNorm2dRunning { momentum: norm.momentum, factor };
            self.program.add_step(name, follow.into(), &[running, batch], &[])?;
        }
        let op = BatchNorm2d { training: true, ..norm };
        let inputs = [x, weight, bias, statistics[0], statistics[1]];
        Ok(self.program.add_step(name, op.into(), &inputs, &[name.to_owned()])?[0])
    }

    /// A value that the network holds. A parameter belongs to the first layer that reads it.
    fn held(&mut self, layer: usize, source: Source) -> Result<ValueId> {
        if let Some(&value) = self.held.get(&source) {
            return Ok(value);
        }
        let held = &self.network.held;
        let value = match source {
            Source::Parameter(index) => {
                let (name, shape) = held.parameters[index].clone();
                self.parameter(layer, "value", name, shape, Start::Constant(0.0))?
            }
            Source::Constant(index) => {
                let tensor = &held.constants[index];
                let storage = Storage::Constant(tensor.data().to_vec());
                self.program.add_value(format!("constant {index}"), tensor.shape().to_vec(), storage)
            }
            Source::Input(_) | Source::Layer(_) => return Err(Error::invalid(&self.network.name, "not a held value")),
        };
        self.held.insert(source, value);
        Ok(value)
    }

    /// Adds the value of a parameter that this layer owns.
    fn parameter(
        &mut self,
        layer: usize,
        what: &'static str,
        name: String,
        shape: Shape,
        start: Start,
    ) -> Result<ValueId> {
        if self.starts.iter().any(|(other, ..)| *other == name) {
            return Err(Error::invalid(what, format!("the parameter {name} is used twice")));
        }
        let value = self.program.add_value(&name, shape.clone(), Storage::Parameter(name.clone()));
        self.starts.push((name, shape, start));
        self.parameters.push((layer, value));
        Ok(value)
    }

    /// The values of a layer's parameters; zeros for those without a name.
    fn layer_parameters(&mut self, index: usize, wanted: &[Parameter]) -> Result<Vec<ValueId>> {
        let mut values = Vec::new();
        for (number, Parameter { suffix, shape, start }) in wanted.iter().enumerate() {
            values.push(match self.network.layers[index].parameters.get(number).cloned() {
                Some(name) => self.parameter(index, suffix, name, shape.clone(), *start)?,
                None => {
                    let zeros = Storage::Constant(vec![0.0; shape.iter().product()]);
                    self.program.add_value(format!("no {suffix}"), shape.clone(), zeros)
                }
            });
        }
        Ok(values)
    }

    /// The logits, which are the last value so far.
    pub fn logits(&self) -> Result<ValueId> {
        let logits = self.outputs[self.outputs.len() - 1];
        if self.program.values[logits].shape.len() != 2 {
            let reason = "a backward pass takes a network that ends with classes";
            return Err(Error::shape(&self.network.name, reason));
        }
        Ok(logits)
    }

    /// Whether a layer is trained.
    pub fn trains(&self, layer: usize) -> bool {
        layer >= self.first_trained
    }

    /// Makes the logits, the output of a layer and the gradient of that the program's outputs. The gradient of the logits
    /// becomes another input.
    fn gradient(&mut self, layer: &str) -> Result<()> {
        let index = self.network.index(layer)?;
        let logits = self.logits()?;
        let Some(activation) = self.outputs.get(index).map(|_| self.outputs[self.network.with_activation(index)])
        else {
            return Err(Error::invalid(&self.network.name, format!("layer {layer} comes after the logits")));
        };
        let shape = self.program.values[logits].shape.clone();
        let given = self.program.add_value(gradient_name("logits"), shape, Storage::Activation);
        self.program.inputs.push(given);
        let gradients = differentiate(&mut self.program, logits, given, &[activation])?;
        let Some(&gradient) = gradients.get(&activation) else {
            return Err(Error::invalid(&self.network.name, format!("layer {layer} does not lead to the logits")));
        };
        self.program.outputs = vec![logits, activation, gradient];
        Ok(())
    }
}

impl Network {
    /// The layer whose output counts as this one's: the activation that alone reads a convolution or a dense layer is done
    /// within it.
    fn with_activation(&self, index: usize) -> usize {
        let mut readers =
            self.layers.iter().enumerate().filter(|(_, layer)| layer.inputs.contains(&Source::Layer(index)));
        match (&self.layers[index].op, readers.next(), readers.next()) {
            (Op::Conv2d(_) | Op::Dense(_), Some((reader, layer)), None) if matches!(layer.op, Op::Activation(_)) => {
                reader
            }
            _ => index,
        }
    }
    /// The layer that counts as this one: the convolution or dense layer within which this activation is done.
    pub(crate) fn before_activation(&self, index: usize) -> usize {
        match self.layers[index].inputs[..] {
            [Source::Layer(before)] if self.with_activation(before) == index => before,
            _ => index,
        }
    }
}

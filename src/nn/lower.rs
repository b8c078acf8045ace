//! From a network to a program: shapes are checked, activations fused, the backward pass and the optimiser added.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Layer, Network};
use crate::error::{Error, Result};
use crate::ops::{Adam, CrossEntropy, Dense, Dropout, Op, Sgd};
use crate::program::{Program, Storage, ValueId};

/// How parameters follow their gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam or AdamW.
    Adam(Adam),
}

/// Which layers are trained. What comes before the first of them costs no more than inference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trainable {
    /// All of them.
    #[default]
    All,
    /// The layer of this name and all after it.
    From(String),
}

/// How a network is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// The loss on the network's logits.
    pub loss: CrossEntropy,
    /// How much each class counts; empty for 1 each.
    pub class_weights: Vec<f32>,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Which layers are trained.
    pub trainable: Trainable,
}

/// A network on its way to a program.
struct Lowering<'a> {
    network: &'a Network,
    program: Program,
    /// The value that each layer makes.
    outputs: Vec<ValueId>,
    /// Parameters by name.
    parameters: BTreeMap<String, ValueId>,
    /// The first trained layer; the number of layers where none is.
    first_trained: usize,
}

impl Network {
    /// The program that runs this network on a batch, and trains it if asked to.
    pub(crate) fn lower(&self, batch: usize, training: Option<&Training>, keep_activations: bool) -> Result<Program> {
        if batch == 0 || self.layers.is_empty() {
            return Err(Error::shape(&self.name, format!("a batch of {batch} through {} layers", self.layers.len())));
        }
        self.check_names()?;
        let mut program = Program { name: self.name.clone(), keep_activations, ..Program::default() };
        let input = program.add_value("input", [&[batch], self.input.as_slice()].concat(), Storage::Activation);
        program.inputs.push(input);
        let first_trained = match training.map(|t| &t.trainable) {
            None => self.layers.len(),
            Some(Trainable::All) => 0,
            Some(Trainable::From(name)) => self.index(name)?,
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
        if lowering.output_layers().iter().any(flat) {
            return Err(Error::shape(
                &self.name,
                "a flattening is no output: end the network before it, or with a dense layer",
            ));
        }
        match training {
            None => lowering.program.outputs = lowering.network_outputs(),
            Some(training) => lowering.train(training)?,
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

fn in_layer(network: &Network, index: usize, error: Error) -> Error {
    match error {
        Error::Shape { what, reason } => {
            Error::shape(format!("{}, layer {}", network.name, network.layers[index].name), format!("{what}: {reason}"))
        }
        other => other,
    }
}

impl Lowering<'_> {
    /// The layers whose values are the network's outputs.
    fn output_layers(&self) -> Vec<usize> {
        match self.network.outputs.as_slice() {
            [] => vec![self.outputs.len() - 1],
            some => some.to_vec(),
        }
    }

    fn network_outputs(&self) -> Vec<ValueId> {
        self.output_layers().into_iter().map(|layer| self.outputs[layer]).collect()
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

    fn input_of(&self, layer: &Layer) -> ValueId {
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

    /// Adds loss, backward pass and optimiser.
    fn train(&mut self, training: &Training) -> Result<()> {
        let mut last = self.network.layers.len() - 1;
        if self.network.layers[last].kind == Kind::Softmax {
            // The loss takes logits; the probabilities that the forward pass ends with are not needed.
            self.program.steps.pop();
            self.program.values.pop();
            let Some(before) = self.network.layers[last].input else {
                return Err(Error::shape(&self.network.name, "there is no layer before the softmax to train"));
            };
            last = before;
        }
        let logits = self.outputs[last];
        let &[batch, classes] = self.program.values[logits].shape.as_slice() else {
            return Err(Error::shape(&self.network.name, "training takes a network that ends with classes".to_owned()));
        };
        let weights = match training.class_weights.as_slice() {
            [] => vec![1.0; classes],
            some if some.len() == classes && some.iter().all(|w| w.is_finite() && *w >= 0.0) => some.to_vec(),
            some => {
                let reason = format!("{} class weights {some:?} for {classes} classes", some.len());
                return Err(Error::shape(&self.network.name, reason));
            }
        };
        let target = self.program.add_value("target", vec![batch], Storage::Activation);
        self.program.inputs.push(target);
        let weight = self.program.add_value("class weights", vec![classes], Storage::Constant(weights));
        let names = ["loss".to_owned(), gradient_name("logits")];
        let loss = self.program.add_step("loss", Op::CrossEntropy(training.loss), &[logits, target, weight], &names)?;
        self.program.outputs = vec![loss[0], logits];
        if !self.trains_up_to(last) {
            return Err(Error::shape(&self.network.name, "none of the layers to be trained has parameters"));
        }
        let gradients = self.backward(last, loss[1])?;
        for (parameter, gradient) in gradients {
            self.optimize(training.optimizer, parameter, gradient)?;
        }
        Ok(())
    }

    /// Adds the backward steps, from this layer with the gradient of its output to the first trained one: pairs of
    /// parameters and gradients.
    fn backward(&mut self, last: usize, gradient: ValueId) -> Result<Vec<(ValueId, ValueId)>> {
        let mut pairs = Vec::new();
        let (mut index, mut dy) = (last, gradient);
        loop {
            if self.network.layers.iter().filter(|layer| layer.input == Some(index)).count() > 1 {
                let reason =
                    format!("layer {} is read by several; training takes a chain", self.network.layers[index].name);
                return Err(Error::shape(&self.network.name, reason));
            }
            let before = self.network.layers[index].input.filter(|&i| i >= self.first_trained);
            let further = before.is_some_and(|i| self.trains_up_to(i));
            let dx = self
                .backward_layer(index, dy, further, &mut pairs)
                .map_err(|error| in_layer(self.network, index, error))?;
            match (before, dx) {
                (Some(next), Some(dx)) if further => (index, dy) = (next, dx),
                _ => return Ok(pairs),
            }
        }
    }

    /// Whether this layer or a trained one before it has parameters.
    fn trains_up_to(&self, index: usize) -> bool {
        let mut next = Some(index);
        while let Some(index) = next.filter(|&i| i >= self.first_trained) {
            if !self.network.layers[index].parameters.is_empty() {
                return true;
            }
            next = self.network.layers[index].input;
        }
        false
    }

    /// Adds one layer's backward steps: the gradient of its input, if it is needed.
    fn backward_layer(
        &mut self,
        index: usize,
        dy: ValueId,
        further: bool,
        pairs: &mut Vec<(ValueId, ValueId)>,
    ) -> Result<Option<ValueId>> {
        let layer = self.network.layers[index].clone();
        let (x, y) = (self.input_of(&layer), self.outputs[index]);
        let shape = self.program.values[x].shape.clone();
        let size = |shape: &[usize]| [shape[2], shape[3]];
        let input_gradient = match layer.kind {
            Kind::Flatten => return Ok(Some(dy)),
            Kind::Conv2d(_, conv) => {
                self.weight_gradients(&layer, Op::Conv2dBackwardWeight(conv), x, dy, pairs)?;
                (Op::Conv2dBackwardInput(conv, size(&shape)), vec![dy, self.parameter(&layer, "weight")])
            }
            Kind::Dense(_) => {
                let dense = Dense::default();
                self.weight_gradients(&layer, Op::DenseBackwardWeight(dense), x, dy, pairs)?;
                (Op::DenseBackwardInput(dense, shape[1..].to_vec()), vec![dy, self.parameter(&layer, "weight")])
            }
            Kind::Prelu => {
                let slope = self.parameter(&layer, "weight");
                let names =
                    [gradient_name(&format!("{} input", layer.name)), gradient_name(&layer.parameters) + ".weight"];
                let outputs = self.program.add_step(&layer.name, Op::PreluBackward, &[x, slope, dy], &names)?;
                pairs.push((slope, outputs[1]));
                return Ok(Some(outputs[0]));
            }
            Kind::Relu => (Op::ReluBackward, vec![y, dy]),
            Kind::MaxPool2d(pool) => (Op::MaxPool2dBackward(pool), vec![x, dy]),
            Kind::AdaptiveAvgPool2d(pool) => (Op::AdaptiveAvgPool2dBackward(pool, size(&shape)), vec![dy]),
            Kind::Dropout(probability) => (Op::Dropout(Dropout { probability, layer: index as u32 }), vec![dy]),
            Kind::Softmax => (Op::SoftmaxBackward, vec![y, dy]),
        };
        if !further {
            return Ok(None);
        }
        let (op, inputs) = input_gradient;
        let names = [gradient_name(&format!("{} input", layer.name))];
        Ok(Some(self.program.add_step(&layer.name, op, &inputs, &names)?[0]))
    }

    fn parameter(&self, layer: &Layer, suffix: &str) -> ValueId {
        self.parameters[&format!("{}.{suffix}", layer.parameters)]
    }

    fn weight_gradients(
        &mut self,
        layer: &Layer,
        op: Op,
        x: ValueId,
        dy: ValueId,
        pairs: &mut Vec<(ValueId, ValueId)>,
    ) -> Result<()> {
        let names = ["weight", "bias"].map(|suffix| gradient_name(&format!("{}.{suffix}", layer.parameters)));
        let gradients = self.program.add_step(&layer.name, op, &[x, dy], &names)?;
        for (suffix, gradient) in ["weight", "bias"].into_iter().zip(gradients) {
            pairs.push((self.parameter(layer, suffix), gradient));
        }
        Ok(())
    }

    fn optimize(&mut self, optimizer: Optimizer, parameter: ValueId, gradient: ValueId) -> Result<()> {
        let value = self.program.values[parameter].clone();
        let mut memory = |what: &str| {
            self.program.add_value(format!("{what} of {}", value.name), value.shape.clone(), Storage::State)
        };
        let (op, inputs) = match optimizer {
            Optimizer::Sgd(sgd) => (Op::Sgd(sgd), vec![parameter, gradient, memory("velocity")]),
            Optimizer::Adam(adam) => (Op::Adam(adam), vec![parameter, gradient, memory("m"), memory("v")]),
        };
        self.program.add_step(&value.name, op, &inputs, &[])?;
        Ok(())
    }
}

/// What the gradient with respect to a value is called.
pub(crate) fn gradient_name(value: &str) -> String {
    format!("gradient of {value}")
}

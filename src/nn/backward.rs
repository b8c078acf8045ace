//! The backward pass of a network, and what training adds to it: the loss and the optimiser.

use super::lower::{Lowering, in_layer};
use super::{Kind, Layer, Optimizer, Training};
use crate::error::{Error, Result};
use crate::ops::{Dense, Dropout, Ema, Op};
use crate::program::{Storage, ValueId};

/// A parameter and what it is trained by.
pub(super) struct Trained {
    layer: usize,
    parameter: ValueId,
    gradient: ValueId,
}

impl Lowering<'_> {
    /// Adds loss, backward pass and optimiser.
    pub fn train(&mut self, training: &Training) -> Result<()> {
        training.check_groups(self.network)?;
        let (last, logits) = self.logits()?;
        let (batch, classes) = (self.program.values[logits].shape[0], self.program.values[logits].shape[1]);
        let weights = match training.class_weights.as_slice() {
            [] => vec![1.0; classes],
            some if some.len() == classes && some.iter().all(|w| w.is_finite() && *w >= 0.0) => some.to_vec(),
            some => {
                let reason = format!("{} class weights {some:?} for {classes} classes", some.len());
                return Err(Error::shape(&self.network.name, reason));
            }
        };
        let target = if training.soft_targets { vec![batch, classes] } else { vec![batch] };
        let target = self.program.add_value("target", target, Storage::Activation);
        self.program.inputs.push(target);
        let weight = self.program.add_value("class weights", vec![classes], Storage::Constant(weights));
        let names = ["loss".to_owned(), gradient_name("logits")];
        let loss = self.program.add_step("loss", Op::CrossEntropy(training.loss), &[logits, target, weight], &names)?;
        self.program.outputs = vec![loss[0], logits];
        if !self.trains_up_to(last) {
            return Err(Error::shape(&self.network.name, "none of the layers to be trained has parameters"));
        }
        self.program.micro_batches = training.accumulate;
        let mut all = self.backward(last, loss[1])?;
        match training.accumulate {
            0 => return Err(Error::shape(&self.network.name, "a step of 0 micro-batches trains nothing")),
            1 => {}
            _ => all.iter_mut().try_for_each(|trained| self.accumulate(trained))?,
        }
        all.iter().try_for_each(|trained| self.optimize(training, trained))
    }

    /// Puts the mean over a step's micro-batches in the place of a gradient.
    fn accumulate(&mut self, trained: &mut Trained) -> Result<()> {
        let parameter = self.program.values[trained.parameter].clone();
        let name = gradient_name(&parameter.name);
        self.program.values[trained.gradient].name = format!("{name} in the micro-batch");
        let mean = self.program.add_value(name, parameter.shape, Storage::Gradient);
        self.program.add_step(&parameter.name, Op::Accumulate, &[mean, trained.gradient], &[])?;
        trained.gradient = mean;
        Ok(())
    }

    /// The layer that makes the logits, and these. A softmax behind them is left out: neither the loss nor the backward
    /// pass needs the probabilities.
    pub fn logits(&mut self) -> Result<(usize, ValueId)> {
        let mut last = self.network.layers.len() - 1;
        if self.network.layers[last].kind == Kind::Softmax {
            self.program.steps.pop();
            self.program.values.pop();
            let Some(before) = self.network.layers[last].input else {
                return Err(Error::shape(&self.network.name, "there is no layer before the softmax"));
            };
            last = before;
        }
        let logits = self.outputs[last];
        if self.program.values[logits].shape.len() != 2 {
            return Err(Error::shape(&self.network.name, "a backward pass takes a network that ends with classes"));
        }
        Ok((last, logits))
    }

    /// Adds the backward steps, from this layer with the gradient of its output to the first trained one: the parameters
    /// and their gradients.
    fn backward(&mut self, last: usize, gradient: ValueId) -> Result<Vec<Trained>> {
        let mut trained = Vec::new();
        let (mut index, mut dy) = (last, gradient);
        loop {
            self.check_one_reader(index)?;
            let before = self.network.layers[index].input.filter(|&i| i >= self.first_trained);
            let further = before.is_some_and(|i| self.trains_up_to(i));
            let dx = self.backward_layer(index, dy, further, &mut trained)?;
            match (before, dx) {
                (Some(next), Some(dx)) if further => (index, dy) = (next, dx),
                _ => return Ok(trained),
            }
        }
    }

    /// The gradients of several readers would have to be added up, which no step does.
    pub fn check_one_reader(&self, index: usize) -> Result<()> {
        if self.network.layers.iter().filter(|layer| layer.input == Some(index)).count() <= 1 {
            return Ok(());
        }
        let layer = &self.network.layers[index].name;
        let reason = format!("layer {layer} is read by several; a backward pass takes a chain of layers");
        Err(Error::shape(&self.network.name, reason))
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

    /// Adds one layer's backward steps: the gradients of its parameters, if it is trained, and the gradient of its input,
    /// if it is needed.
    pub fn backward_layer(
        &mut self,
        index: usize,
        dy: ValueId,
        further: bool,
        trained: &mut Vec<Trained>,
    ) -> Result<Option<ValueId>> {
        let add = self.add_backward_steps(index, dy, further, trained);
        add.map_err(|error| in_layer(self.network, index, error))
    }

    fn add_backward_steps(
        &mut self,
        index: usize,
        dy: ValueId,
        further: bool,
        trained: &mut Vec<Trained>,
    ) -> Result<Option<ValueId>> {
        let layer = self.network.layers[index].clone();
        let (x, y) = (self.input_of(&layer), self.outputs[index]);
        let shape = self.program.values[x].shape.clone();
        let size = |shape: &[usize]| [shape[2], shape[3]];
        let input_gradient = match layer.kind {
            Kind::Flatten => return Ok(Some(dy)),
            // Outside of training it does nothing.
            Kind::Dropout(_) if index < self.first_trained => return Ok(Some(dy)),
            Kind::Conv2d(_, conv) => {
                self.weight_gradients(index, Op::Conv2dBackwardWeight(conv), x, dy, trained)?;
                (Op::Conv2dBackwardInput(conv, size(&shape)), vec![dy, self.parameter(&layer, "weight")])
            }
            Kind::Dense(_) => {
                let dense = Dense::default();
                self.weight_gradients(index, Op::DenseBackwardWeight(dense), x, dy, trained)?;
                (Op::DenseBackwardInput(dense, shape[1..].to_vec()), vec![dy, self.parameter(&layer, "weight")])
            }
            Kind::Prelu => {
                let slope = self.parameter(&layer, "weight");
                let names =
                    [gradient_name(&format!("{} input", layer.name)), gradient_name(&layer.parameters) + ".weight"];
                let outputs = self.program.add_step(&layer.name, Op::PreluBackward, &[x, slope, dy], &names)?;
                trained.push(Trained { layer: index, parameter: slope, gradient: outputs[1] });
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
        index: usize,
        op: Op,
        x: ValueId,
        dy: ValueId,
        trained: &mut Vec<Trained>,
    ) -> Result<()> {
        if index < self.first_trained {
            return Ok(());
        }
        let layer = self.network.layers[index].clone();
        let names = ["weight", "bias"].map(|suffix| gradient_name(&format!("{}.{suffix}", layer.parameters)));
        let gradients = self.program.add_step(&layer.name, op, &[x, dy], &names)?;
        for (suffix, gradient) in ["weight", "bias"].into_iter().zip(gradients) {
            trained.push(Trained { layer: index, parameter: self.parameter(&layer, suffix), gradient });
        }
        Ok(())
    }

    fn optimize(&mut self, training: &Training, trained: &Trained) -> Result<()> {
        let value = self.program.values[trained.parameter].clone();
        let mut memory = |what: &str| {
            self.program.add_value(format!("{what} of {}", value.name), value.shape.clone(), Storage::State)
        };
        // Biases and slopes have one dimension.
        let (op, memory) = match training.optimizer_of(self.network, trained.layer, value.shape.len() > 1) {
            Optimizer::Sgd(sgd) => (Op::Sgd(sgd), vec![memory("velocity")]),
            Optimizer::Adam(adam) => (Op::Adam(adam), vec![memory("m"), memory("v")]),
        };
        let inputs = [vec![trained.parameter, trained.gradient], memory].concat();
        self.program.add_step(&value.name, op, &inputs, &[])?;
        if let Some(decay) = training.ema {
            let average = self.program.add_value(average_name(&value.name), value.shape, Storage::State);
            self.program.add_step(&value.name, Op::Ema(Ema { decay }), &[average, trained.parameter], &[])?;
        }
        Ok(())
    }
}

/// What the gradient with respect to a value is called.
pub(crate) fn gradient_name(value: &str) -> String {
    format!("gradient of {value}")
}

/// What the moving average of a parameter is called.
pub(crate) fn average_name(parameter: &str) -> String {
    format!("average of {parameter}")
}

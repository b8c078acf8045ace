//! What training adds to a network's program: the loss, the backward pass and the optimiser.

use super::lower::Lowering;
use super::{Optimizer, Training};
use crate::error::{Error, Result};
use crate::ops::{Ema, Op};
use crate::program::{Storage, ValueId, differentiate, gradient_name};

/// A parameter, the layer that owns it, and its gradient.
struct Trained {
    layer: usize,
    parameter: ValueId,
    gradient: ValueId,
}

impl Lowering<'_> {
    /// Adds loss, backward pass and optimiser.
    pub fn train(&mut self, training: &Training) -> Result<()> {
        training.check_groups(self.network)?;
        let logits = self.logits()?;
        let dlogits = self.loss(training, logits)?;
        if training.accumulate == 0 {
            return Err(Error::invalid(&self.network.name, "a step of 0 micro-batches trains nothing"));
        }
        self.program.micro_batches = training.accumulate;
        let mut all = self.backward(logits, dlogits)?;
        if training.accumulate > 1 {
            all.iter_mut().try_for_each(|trained| self.accumulate(trained))?;
        }
        // What ends a step comes after all else.
        all.iter().try_for_each(|trained| self.optimize(training, trained))
    }

    /// Adds the loss, which becomes the program's output with the logits: the gradient of these.
    fn loss(&mut self, training: &Training, logits: ValueId) -> Result<ValueId> {
        let (batch, classes) = (self.program.values[logits].shape[0], self.program.values[logits].shape[1]);
        let weights = match training.class_weights.as_slice() {
            [] => vec![1.0; classes],
            some if some.len() == classes && some.iter().all(|w| w.is_finite() && *w >= 0.0) => some.to_vec(),
            some => {
                let (name, fits) = (&self.network.name, some.len() == classes);
                let reason = format!("{} class weights {some:?} for {classes} classes", some.len());
                return Err(if fits { Error::invalid(name, reason) } else { Error::shape(name, reason) });
            }
        };
        let target = if training.soft_targets { vec![batch, classes] } else { vec![batch] };
        let target = self.program.add_value("target", target, Storage::Activation);
        self.program.inputs.push(target);
        let weight = self.program.add_value("class weights", vec![classes], Storage::Constant(weights));
        let names = ["loss".to_owned(), gradient_name("logits")];
        let loss = self.program.add_step("loss", Op::CrossEntropy(training.loss), &[logits, target, weight], &names)?;
        self.program.outputs = vec![loss[0], logits];
        Ok(loss[1])
    }

    /// Adds the backward pass to the parameters of all trained layers.
    fn backward(&mut self, logits: ValueId, dlogits: ValueId) -> Result<Vec<Trained>> {
        let owned: Vec<(usize, ValueId)> =
            self.parameters.iter().copied().filter(|&(layer, _)| self.trains(layer)).collect();
        let sources: Vec<ValueId> = owned.iter().map(|&(_, parameter)| parameter).collect();
        let gradients = differentiate(&mut self.program, logits, dlogits, &sources)?;
        if gradients.is_empty() {
            return Err(Error::invalid(&self.network.name, "none of the layers to be trained has parameters"));
        }
        let trained = |&(layer, parameter): &(usize, ValueId)| {
            gradients.get(&parameter).map(|&gradient| Trained { layer, parameter, gradient })
        };
        Ok(owned.iter().rev().filter_map(trained).collect())
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

/// What the moving average of a parameter is called.
pub(crate) fn average_name(parameter: &str) -> String {
    format!("average of {parameter}")
}

//! What training adds to a network's program: the loss, the backward pass and the optimiser.

use super::lower::Lowering;
use super::{Loss, Optimizer, Training};
use crate::error::{Error, Result};
use crate::ops::{Ema, Op};
use crate::program::{Storage, ValueId, differentiate, gradient_name};

impl Loss {
    fn op(self) -> Op {
        match self {
            Loss::CrossEntropy(loss) => Op::CrossEntropy(loss),
            Loss::Mse => Op::MseLoss,
            Loss::BinaryCrossEntropy => Op::BinaryCrossEntropy,
        }
    }
}

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
        let output = match training.loss {
            Loss::CrossEntropy(_) => self.logits()?,
            Loss::Mse | Loss::BinaryCrossEntropy => self.outputs[self.outputs.len() - 1],
        };
        let gradient = self.loss(training, output)?;
        if training.accumulate == 0 {
            return Err(Error::invalid(&self.network.name, "a step of 0 micro-batches trains nothing"));
        }
        self.program.micro_batches = training.accumulate;
        let mut all = self.backward(output, gradient)?;
        if training.accumulate > 1 {
            all.iter_mut().try_for_each(|trained| self.accumulate(trained))?;
        }
        // What ends a step comes after all else.
        all.iter().try_for_each(|trained| self.optimize(training, trained))
    }

    /// Adds the loss, which becomes the program's output with what it is taken of: the gradient of this.
    fn loss(&mut self, training: &Training, output: ValueId) -> Result<ValueId> {
        let shape = self.program.values[output].shape.clone();
        let target = match (&training.loss, training.soft_targets) {
            (Loss::CrossEntropy(_), false) => shape[..1].to_vec(),
            _ => shape.clone(),
        };
        let target = self.program.add_value("target", target, Storage::Activation);
        self.program.inputs.push(target);
        let (op, mut inputs) = (training.loss.op(), vec![output, target]);
        if let Loss::CrossEntropy(_) = training.loss {
            let weights = self.class_weights(training, shape[1])?;
            inputs.push(self.program.add_value("class weights", vec![shape[1]], Storage::Constant(weights)));
        } else if training.soft_targets || !training.class_weights.is_empty() {
            let reason = "soft targets and class weights belong to the cross entropy, not to another loss";
            return Err(Error::invalid(&self.network.name, reason));
        }
        let names = ["loss".to_owned(), gradient_name("logits")];
        let loss = self.program.add_step("loss", op, &inputs, &names)?;
        self.program.outputs = vec![loss[0], output];
        Ok(loss[1])
    }

    fn class_weights(&self, training: &Training, classes: usize) -> Result<Vec<f32>> {
        match training.class_weights.as_slice() {
            [] => Ok(vec![1.0; classes]),
            some if some.len() == classes && some.iter().all(|w| w.is_finite() && *w >= 0.0) => Ok(some.to_vec()),
            some => {
                let reason = format!("{} class weights {some:?} for {classes} classes", some.len());
                let (name, fits) = (&self.network.name, some.len() == classes);
                Err(if fits { Error::invalid(name, reason) } else { Error::shape(name, reason) })
            }
        }
    }

    /// Adds the backward pass to the parameters of all trained layers.
    fn backward(&mut self, output: ValueId, gradient: ValueId) -> Result<Vec<Trained>> {
        let owned: Vec<(usize, ValueId)> =
            self.parameters.iter().copied().filter(|&(layer, _)| self.trains(layer)).collect();
        let sources: Vec<ValueId> = owned.iter().map(|&(_, parameter)| parameter).collect();
        let gradients = differentiate(&mut self.program, output, gradient, &sources)?;
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

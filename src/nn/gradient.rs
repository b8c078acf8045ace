//! What a program for explanations adds to a network's: the backward pass from the logits to the output of one layer.

use super::gradient_name;
use super::lower::Lowering;
use crate::error::{Error, Result};
use crate::program::{Storage, ValueId};

impl Lowering<'_> {
    /// Makes the logits, the output of a layer and the gradient of that the program's outputs. The gradient of the logits
    /// becomes a further input.
    pub fn gradient(&mut self, layer: &str) -> Result<()> {
        let end = self.network.index(layer)?;
        let (last, logits) = self.logits()?;
        if end > last {
            return Err(Error::shape(&self.network.name, format!("layer {layer} comes behind the logits")));
        }
        let given = gradient_name("logits");
        let given = self.program.add_value(given, self.program.values[logits].shape.clone(), Storage::Activation);
        self.program.inputs.push(given);
        let activation = self.outputs[end];
        let gradient = self.backward_to(end, last, given)?;
        self.program.outputs = vec![logits, activation, gradient];
        Ok(())
    }

    /// Adds the backward steps between a layer and the last one: the gradient of that layer's output.
    fn backward_to(&mut self, end: usize, last: usize, gradient: ValueId) -> Result<ValueId> {
        let layers = &self.network.layers;
        let mut way: Vec<usize> = std::iter::successors(Some(last), |&index| layers[index].input).collect();
        let Some(length) = way.iter().position(|&index| index == end) else {
            let reason = format!("layer {} does not lead to the logits", layers[end].name);
            return Err(Error::shape(&self.network.name, reason));
        };
        way.truncate(length + 1);
        let mut dy = gradient;
        for index in way {
            self.check_one_reader(index)?;
            // Layers that move nothing (a fused ReLU, a flattening) have the output of the one before.
            if self.outputs[index] != self.outputs[end] {
                dy = self.backward_layer(index, dy, true, &mut Vec::new())?.unwrap_or(dy);
            }
        }
        Ok(dy)
    }
}

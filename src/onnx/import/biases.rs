//! What is added to each channel of a convolution, or to each feature of a dense layer, becomes its bias.

use std::sync::Arc;

use super::draft::{Draft, Given};
use crate::nn::{Layer, Source};
use crate::ops::Op;
use crate::tensor::Tensor;

impl Draft {
    /// Lets convolutions and dense layers without a bias do the sums that alone read them. `outputs` are the layers whose
    /// values are asked for.
    pub fn merge_biases(&mut self, outputs: &mut [usize]) {
        let mut readers = vec![0usize; self.layers.len()];
        let read = self.layers.iter().flat_map(|layer| &layer.inputs);
        read.for_each(|source| {
            if let Source::Layer(layer) = source {
                readers[*layer] += 1
            }
        });
        outputs.iter().for_each(|&layer| readers[layer] += 1);
        // Which layer stands for each.
        let mut stands: Vec<usize> = (0..self.layers.len()).collect();
        for index in 0..self.layers.len() {
            for source in &mut self.layers[index].inputs {
                if let Source::Layer(layer) = source {
                    *layer = stands[*layer];
                }
            }
            let Some((layer, given)) = self.bias(index, &readers) else { continue };
            let name = self.layers[index].name.clone();
            let bias = self.parameter(given, &format!("{name}.bias"));
            self.layers[layer].parameters.push(bias);
            // The sum is left out, and the layer has its name.
            self.layers[index].name = std::mem::replace(&mut self.layers[layer].name, name);
            readers[layer] = readers[index];
            stands[index] = layer;
        }
        outputs.iter_mut().for_each(|layer| *layer = stands[*layer]);
    }

    /// The layer whose bias a sum adds, and that.
    fn bias(&mut self, index: usize, readers: &[usize]) -> Option<(usize, Given)> {
        let Layer { op: Op::Add, inputs, .. } = &self.layers[index] else { return None };
        let &[Source::Layer(layer), held] = inputs.as_slice() else { return None };
        let target = &self.layers[layer];
        let shape = match held {
            Source::Parameter(index) => &self.held.parameters[index].1,
            Source::Constant(index) => self.held.constants[index].shape(),
            Source::Input(_) | Source::Layer(_) => return None,
        };
        let dim = match target.op {
            Op::Conv2d(_) if shape.len() == 4 => 1,
            Op::Dense(_) => shape.len().checked_sub(1)?,
            _ => return None,
        };
        let is_one = shape.iter().enumerate().all(|(d, &size)| size == if d == dim { target.features } else { 1 });
        if !is_one || target.parameters.len() != 1 || readers[layer] != 1 {
            return None;
        }
        let (origin, tensor): (Option<Arc<str>>, Tensor) = match held {
            Source::Parameter(index) => {
                let name = self.held.parameters[index].0.clone();
                let tensor = self.parameters.remove(&name)?;
                (Some(name.into()), tensor)
            }
            Source::Constant(index) => (None, self.held.constants[index].clone()),
            Source::Input(_) | Source::Layer(_) => return None,
        };
        let features = target.features;
        Some((layer, Given { origin, tensor: tensor.reshape([features]).ok()? }))
    }
}

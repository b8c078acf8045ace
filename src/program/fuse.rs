//! Steps that one kernel does together: each fusion changes what is done, and nothing of what comes out.

use super::{Program, Step, Storage, ValueId};
use crate::ops::{Activation, ActivationBackward, BatchNorm2dFold, Conv2d, Op, Shape};

impl Program {
    /// Lets convolutions take a batch normalisation along in their weights and add a residual, and convolutions and dense
    /// layers compute the activation that alone reads them. On the way back, convolutions take the activation before them along,
    /// and max-pools the ReLU. The result keeps the name of the layer; the values in between are gone.
    pub fn fuse(&mut self) {
        let mut index = 0;
        while index < self.steps.len() {
            if let Some((reader, eps)) = self.normalization_after(index) {
                self.fold(index, reader, eps);
                index += 1;
            }
            if let Some((reader, residual)) = self.residual_after(index) {
                self.add_residual(index, reader, residual);
                // What lies at this place now was after the convolution.
                continue;
            }
            if let Some((reader, activation)) = self.activation_before(index) {
                let removed = self.steps.remove(reader);
                let step = &mut self.steps[index];
                step.outputs = removed.outputs;
                match &mut step.op {
                    Op::MaxPool2dBackward(pool) => pool.relu = true,
                    Op::Conv2dBackwardInput(conv) => {
                        conv.activation = Some(activation);
                        step.inputs.push(removed.inputs[0]);
                    }
                    _ => {}
                }
            }
            if let Some((reader, activation)) = self.activation_after(index) {
                let removed = self.steps.remove(reader);
                let (before, after) = (self.steps[index].outputs[0], removed.outputs[0]);
                self.values[after].name = self.values[before].name.clone();
                let step = &mut self.steps[index];
                step.outputs = removed.outputs;
                match &mut step.op {
                    Op::Conv2d(conv) => conv.activation = Some(activation),
                    Op::Dense(dense) => dense.activation = Some(activation),
                    _ => {}
                }
            }
            index += 1;
        }
        self.drop_unused_values();
    }

    /// The normalisation that a convolution can do with other weights: its statistics are parameters, and this program trains
    /// none of all these.
    fn normalization_after(&self, index: usize) -> Option<(usize, f32)> {
        let Step { op: Op::Conv2d(Conv2d { activation: None, .. }), inputs, outputs, .. } = &self.steps[index] else {
            return None;
        };
        let reader = self.only_reader(outputs[0]).filter(|_| !self.keep_activations)?;
        let Step { op: Op::BatchNorm2d(norm), inputs: of_norm, .. } = &self.steps[reader] else { return None };
        let is_fixed = |&value: &ValueId| {
            let is_kept = matches!(self.values[value].storage, Storage::Parameter(_) | Storage::Constant(_));
            let changes = |step: &Step| !step.op.in_place().is_empty() && step.outputs.contains(&value);
            is_kept && !self.steps.iter().any(changes)
        };
        let are_fixed = inputs[1..3].iter().chain(&of_norm[1..]).all(is_fixed);
        (inputs.len() == 3 && are_fixed && !norm.training).then_some((reader, norm.eps))
    }

    /// Puts folded weights in the place of a convolution's, made in the prologue.
    fn fold(&mut self, index: usize, reader: usize, eps: f32) {
        let norm = self.steps.remove(reader);
        let conv = &self.steps[index];
        let inputs = [&conv.inputs[1..3], &norm.inputs[1..]].concat();
        let shapes: Vec<Shape> = self.shapes(&conv.inputs[1..3]).into_iter().map(<[usize]>::to_vec).collect();
        let (name, before) = (conv.name.clone(), conv.outputs[0]);
        self.values[norm.outputs[0]].name = self.values[before].name.clone();
        let op = Op::BatchNorm2dFold(BatchNorm2dFold { eps });
        let flops = op.flops(&self.shapes(&inputs), &shapes);
        let folded: Vec<ValueId> = shapes
            .into_iter()
            .zip(["weight", "bias"])
            .map(|(shape, what)| self.add_value(format!("folded {what} of {name}"), shape, Storage::Gradient))
            .collect();
        let conv = &mut self.steps[index];
        conv.inputs[1..3].copy_from_slice(&folded);
        conv.outputs = norm.outputs;
        self.steps.insert(self.prologue, Step { name, op, inputs, outputs: folded, flops });
        self.prologue += 1;
    }

    /// The sum that alone reads a convolution, and what else it is made of.
    fn residual_after(&self, index: usize) -> Option<(usize, ValueId)> {
        let Step { op: Op::Conv2d(Conv2d { activation: None, .. }), inputs, outputs, .. } = &self.steps[index] else {
            return None;
        };
        let reader = self.only_reader(outputs[0]).filter(|_| inputs.len() == 3 && !self.keep_activations)?;
        let Step { op: Op::Add, inputs: terms, .. } = &self.steps[reader] else { return None };
        let mut others = terms.iter().copied().filter(|&value| value != outputs[0]);
        let (residual, more) = (others.next()?, others.next());
        let fits = self.values[residual].shape == self.values[outputs[0]].shape;
        (fits && more.is_none() && terms.len() == 2).then_some((reader, residual))
    }

    /// Puts a convolution that adds the residual in the place of the sum, where all that it reads is there.
    fn add_residual(&mut self, index: usize, reader: usize, residual: ValueId) {
        let mut conv = self.steps[index].clone();
        conv.inputs.push(residual);
        let before = std::mem::replace(&mut conv.outputs, self.steps[reader].outputs.clone())[0];
        self.values[conv.outputs[0]].name = self.values[before].name.clone();
        conv.flops += self.steps[reader].flops;
        self.steps[reader] = conv;
        self.steps.remove(index);
    }

    /// The activation that can be done within this step.
    fn activation_after(&self, index: usize) -> Option<(usize, Activation)> {
        let step = &self.steps[index];
        let takes_one = match &step.op {
            Op::Conv2d(conv) => conv.activation.is_none(),
            Op::Dense(dense) => dense.activation.is_none(),
            _ => false,
        };
        let reader = self.only_reader(*step.outputs.first().filter(|_| takes_one)?)?;
        match &self.steps[reader].op {
            Op::Activation(activation) => Some((reader, *activation)),
            _ => None,
        }
    }

    /// The way back through the activation before a convolution, or through the ReLU before a max-pool, which alone reads what
    /// comes back from these.
    fn activation_before(&self, index: usize) -> Option<(usize, Activation)> {
        let Step { op, inputs, outputs, .. } = &self.steps[index];
        let is_pool = match op {
            Op::MaxPool2dBackward(pool) if !pool.relu => true,
            Op::Conv2dBackwardInput(conv) if conv.activation.is_none() => false,
            _ => return None,
        };
        let reader = self.only_reader(outputs[0]).filter(|_| !self.keep_activations)?;
        let Step { op: Op::ActivationBackward(ActivationBackward(activation)), inputs: read, .. } = &self.steps[reader]
        else {
            return None;
        };
        let &[seen, dy] = read.as_slice() else { return None };
        let fits = match is_pool {
            true => *activation == Activation::Relu && seen == inputs[0],
            false => !self.steps[index..].iter().any(|step| step.outputs.contains(&seen)),
        };
        (fits && dy == outputs[0]).then_some((reader, *activation))
    }

    /// The step that reads a value, if it is the only one and nobody else looks at it or at a view of it.
    fn only_reader(&self, value: ValueId) -> Option<usize> {
        let is_viewed = self.values.iter().any(|other| other.storage == Storage::View(value));
        let is_private = self.values[value].storage == Storage::Activation && !self.outputs.contains(&value);
        let mut readers = self.steps.iter().enumerate().filter(|(_, step)| step.inputs.contains(&value));
        let (first, second) = (readers.next(), readers.next());
        first.filter(|_| second.is_none() && is_private && !is_viewed).map(|(index, _)| index)
    }

    /// The max-pool of 2×2 after this step that a kernel may do along with it.
    pub fn pool_after(&self, index: usize) -> Option<&Step> {
        let (step, next) = (&self.steps[index], self.steps.get(index + 1)?);
        let &[value] = step.outputs.as_slice() else { return None };
        let Op::MaxPool2d(pool) = &next.op else { return None };
        let is_even = self.values[value].shape[2..].iter().all(|size| size % 2 == 0);
        let halves =
            (pool.kernel, pool.stride, pool.padding) == ([2; 2], [2; 2], [0; 2]) && (is_even || !pool.ceil_mode);
        (halves && self.only_reader(value) == Some(index + 1) && !self.keep_activations).then_some(next)
    }

    /// Removes the values that no step makes or reads any more, and numbers the others anew.
    fn drop_unused_values(&mut self) {
        let mut used = vec![false; self.values.len()];
        let of_steps = self.steps.iter().flat_map(|step| step.inputs.iter().chain(&step.outputs));
        for &value in of_steps.chain(&self.inputs).chain(&self.outputs) {
            used[value] = true;
            used[self.base(value)] = true;
        }
        let mut count = 0..;
        let numbers: Vec<Option<ValueId>> = used.iter().map(|&used| used.then(|| count.next()).flatten()).collect();
        let renumber = |value: &mut ValueId| *value = numbers[*value].unwrap_or(*value);
        let mut kept = used.iter();
        self.values.retain(|_| kept.next().is_some_and(|&used| used));
        for value in &mut self.values {
            if let Storage::View(base) = &mut value.storage {
                renumber(base);
            }
        }
        let of_steps = self.steps.iter_mut().flat_map(|step| step.inputs.iter_mut().chain(&mut step.outputs));
        of_steps.chain(&mut self.inputs).chain(&mut self.outputs).for_each(renumber);
    }
}

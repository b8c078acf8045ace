//! Batch normalisation (Ioffe, Szegedy 2015), as PyTorch's `BatchNorm2d`: `y = (x − mean) / √(var + eps) · weight + bias` for
//! each channel (dimension 1).
//!
//! In training, mean and (biased) variance are those of the batch, which `Op::BatchNorm2dStatistics` computes, and
//! [`BatchNorm2dRunning`] lets the running ones follow: `running ← (1 − momentum) · running + momentum · batch`, with the
//! unbiased variance. Everywhere else they are the running ones, and a convolution before takes the whole along in its
//! weights ([`BatchNorm2dFold`]).
//!
//! ```
//! use vultus::ops::{BatchNorm2d, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(BatchNorm2d { eps: 0.0, ..BatchNorm2d::default() });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 1, 2], &[1], &[1], &[1], &[1]], &Options::default())?;
//! let x = Tensor::new([1, 1, 1, 2], vec![1.0, 5.0])?;
//! let [weight, bias, mean, var] = [2.0, 1.0, 3.0, 4.0].map(|value| Tensor::filled([1], value));
//! assert_eq!(plan.run_all(&[x, weight, bias, mean, var])?[0].data(), [-1.0, 3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation, Parameter, Start};
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a batch normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm2d {
    /// What is added to the variance: 0 or more.
    pub eps: f32,
    /// How much of the batch's statistics goes into the running ones in a step of training: 0 to 1.
    pub momentum: f32,
    /// Whether mean and variance are those of x itself, so that the gradient goes through them. A network decides that when
    /// it is compiled.
    pub training: bool,
}

impl Default for BatchNorm2d {
    /// PyTorch's: an eps of 1e-5 and a momentum of 0.1.
    fn default() -> Self {
        BatchNorm2d { eps: 1e-5, momentum: 0.1, training: false }
    }
}

impl BatchNorm2d {
    fn check(&self) -> Result<()> {
        if self.eps >= 0.0 && self.eps.is_finite() && (0.0..=1.0).contains(&self.momentum) {
            return Ok(());
        }
        let reason = format!("eps {} is negative or not finite, or momentum {} not in 0 to 1", self.eps, self.momentum);
        Err(Error::invalid("batch_norm2d", reason))
    }
}

/// Channels of a tensor with a batch before them, for which each of the others has one element.
fn channels(what: &str, x: &[usize], others: &[(&str, &[usize])]) -> Result<usize> {
    let &[_, channels, ..] = x else {
        return Err(Error::shape(what, format!("takes batch and channels, not a tensor of shape {x:?}")));
    };
    others.iter().try_for_each(|(name, shape)| same(what, name, shape, &[channels]))?;
    Ok(channels)
}

impl Operation for BatchNorm2d {
    fn name(&self) -> &'static str {
        "batch_norm2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, weight, bias, mean, var] = take("batch_norm2d", inputs)?;
        self.check()?;
        channels("batch_norm2d", x, &[("weight", weight), ("bias", bias), ("mean", mean), ("var", var)])?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2, 3, 4]
    }

    fn parameters(&self, input: &[usize], _features: usize) -> Vec<Parameter> {
        let channels = input.get(1).copied().unwrap_or(0);
        [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]
            .map(|(suffix, value)| Parameter::new(suffix, [channels], Start::Constant(value)))
            .to_vec()
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let inputs = [0, 1, 3, 4].map(Operand::Input);
        let reads = [&inputs[..], &[Operand::Gradient]].concat();
        Some(vec![Backward::step(BatchNorm2dBackward(*self), reads, [0, 1, 2])])
    }
}

/// The gradients of a batch normalisation: `x, weight, mean, var, dy → dx, dweight, dbias`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm2dBackward(pub BatchNorm2d);

impl Operation for BatchNorm2dBackward {
    fn name(&self) -> &'static str {
        "batch_norm2d_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, weight, mean, var, dy] = take("batch_norm2d_backward", inputs)?;
        self.0.check()?;
        channels("batch_norm2d_backward", x, &[("weight", weight), ("mean", mean), ("var", var)])?;
        same("batch_norm2d_backward", "dy", dy, x)?;
        Ok(vec![x.to_vec(), weight.to_vec(), weight.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        9 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2, 3]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[1, 2]
    }
}

/// Mean and biased variance of each channel: `x → mean, var`.
pub(crate) struct BatchNorm2dStatistics;

impl Operation for BatchNorm2dStatistics {
    fn name(&self) -> &'static str {
        "batch_norm2d_statistics"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("batch_norm2d_statistics", inputs)?;
        let channels = channels("batch_norm2d_statistics", x, &[])?;
        Ok(vec![vec![channels]; 2])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        4 * elements(inputs[0])
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }
}

/// Lets a running statistic follow the batch's: `running, batch → running`, in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm2dRunning {
    /// How much of the batch's goes into it.
    pub momentum: f32,
    /// What the batch's is multiplied with: 1, or `n / (n − 1)` for the variance of n values, which makes it unbiased.
    pub factor: f32,
}

impl Operation for BatchNorm2dRunning {
    fn name(&self) -> &'static str {
        "batch_norm2d_running"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [running, batch] = take("batch_norm2d_running", inputs)?;
        same("batch_norm2d_running", "batch", batch, running)?;
        Ok(vec![running.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        4 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0]
    }

    fn in_place(&self) -> &'static [usize] {
        &[0]
    }
}

/// The weights of a convolution that does the normalisation after it, too:
/// `weight, bias, gamma, beta, mean, var → weight, bias`, with gamma and beta for the normalisation's own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm2dFold {
    /// What is added to the variance.
    pub eps: f32,
}

impl Operation for BatchNorm2dFold {
    fn name(&self) -> &'static str {
        "batch_norm2d_fold"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [weight, rest @ ..] = take::<6>("batch_norm2d_fold", inputs)?;
        for (name, shape) in ["bias", "gamma", "beta", "mean", "var"].into_iter().zip(rest) {
            same("batch_norm2d_fold", name, shape, &weight[..1])?;
        }
        Ok(vec![weight.to_vec(), rest[0].to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1, 2, 3, 4, 5]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }
}

/// Shapes that every kernel must get right: one value per channel, edges of workgroups, several parts of a channel, rows of
/// features.
///
/// ```
/// use std::collections::BTreeSet;
/// use vultus::ops::batch_norm2d;
///
/// let names: BTreeSet<&str> = batch_norm2d::cases().iter().map(|case| case.op.name()).collect();
/// assert_eq!(names.len(), 5);
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let shapes =
        [vec![2, 1, 1, 1], vec![2, 6, 7, 5], vec![3, 130, 4, 4], vec![1, 2, 300, 301], vec![65, 3], vec![4, 8, 9]];
    let mut cases: Vec<Case> = shapes.into_iter().flat_map(|shape| all(shape, BatchNorm2d::default())).collect();
    cases.push(fold(vec![130, 7, 3, 3]));
    cases.push(fold(vec![3, 1, 1, 1]));
    cases
}

/// A case with a random shape, of any part.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::batch_norm2d::random_case;
///
/// assert!(random_case(&mut Random::new(1)).op.name().starts_with("batch_norm2d"));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    if random.below(6) == 0 {
        return fold(vec![1 + random.below(70), 1 + random.below(20), 1 + random.below(4), 1 + random.below(4)]);
    }
    let mut shape = vec![2 + random.below(6), 1 + random.below(40)];
    if random.below(4) > 0 {
        shape.extend([1 + random.below(24), 1 + random.below(24)]);
    }
    let norm = BatchNorm2d { eps: [1e-5, 1e-3][random.below(2)], momentum: random.uniform(), training: false };
    let mut all = all(shape, norm);
    all.swap_remove(random.below(all.len()))
}

fn all(shape: Shape, norm: BatchNorm2d) -> Vec<Case> {
    let channels = vec![shape[1]];
    let count = shape.iter().product::<usize>() / channels[0];
    let x = (shape.clone(), Fill::Between(-1.0, 3.0));
    let normal = (channels.clone(), Fill::Normal(1.0));
    let (mean, var) = ((channels.clone(), Fill::Between(0.5, 1.5)), (channels, Fill::Between(0.5, 2.0)));
    let dy = (shape, Fill::Normal(1.0));
    let backward = |training| {
        let inputs = vec![x.clone(), normal.clone(), mean.clone(), var.clone(), dy.clone()];
        Case::new(BatchNorm2dBackward(BatchNorm2d { training, ..norm }), inputs)
    };
    let running = BatchNorm2dRunning { momentum: norm.momentum, factor: count as f32 / (count as f32 - 1.0) };
    vec![
        Case::new(norm, vec![x.clone(), normal.clone(), normal.clone(), mean.clone(), var.clone()]),
        Case::new(Op::BatchNorm2dStatistics, vec![x.clone()]),
        Case::new(running, vec![var.clone(), var.clone()]),
        backward(false),
        backward(true),
    ]
}

fn fold(weight: Shape) -> Case {
    let rows = weight[..1].to_vec();
    let normal = (rows.clone(), Fill::Normal(1.0));
    let inputs = vec![
        (weight, Fill::Normal(1.0)),
        normal.clone(),
        normal.clone(),
        normal.clone(),
        normal,
        (rows, Fill::Between(0.5, 2.0)),
    ];
    Case::new(BatchNorm2dFold { eps: 1e-5 }, inputs)
}

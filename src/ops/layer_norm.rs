//! Layer normalisation (Ba, Kiros, Hinton 2016), as PyTorch's `LayerNorm` over the last dimension: each row of features is
//! brought to mean 0 and variance 1, then multiplied with a weight and moved by a bias of its feature.
//!
//! ```
//! use vultus::ops::{LayerNorm, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(LayerNorm { eps: 0.0 });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 2], &[2], &[2]], &Options::default())?;
//! let (x, weight) = (Tensor::new([1, 2], vec![1.0, 5.0])?, Tensor::filled([2], 3.0));
//! assert_eq!(plan.run_all(&[x, weight, Tensor::zeros([2])])?[0].data(), [-3.0, 3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation, Parameter, Start};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a layer normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// What is added to the variance: 0 or more.
    pub eps: f32,
}

impl Default for LayerNorm {
    /// PyTorch's: an eps of 1e-5.
    fn default() -> Self {
        LayerNorm { eps: 1e-5 }
    }
}

impl LayerNorm {
    /// How many features a row has.
    fn features(&self, what: &str, x: &[usize]) -> Result<usize> {
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            return Err(Error::invalid(what, format!("eps {} is negative or not finite", self.eps)));
        }
        match x {
            [_, .., features] => Ok(*features),
            _ => Err(Error::shape(what, format!("takes rows of features, not a tensor of shape {x:?}"))),
        }
    }
}

impl Operation for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, weight, bias] = take("layer_norm", inputs)?;
        let features = self.features("layer_norm", x)?;
        same("layer_norm", "weight", weight, &[features])?;
        same("layer_norm", "bias", bias, &[features])?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        8 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2]
    }

    fn parameters(&self, input: &[usize], _features: usize) -> Vec<Parameter> {
        let features = input.last().copied().unwrap_or(0);
        let constant = |(suffix, value)| Parameter::new(suffix, [features], Start::Constant(value));
        [("weight", 1.0), ("bias", 0.0)].map(constant).to_vec()
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let reads = [Operand::Input(0), Operand::Input(1), Operand::Gradient];
        Some(vec![Backward::step(LayerNormBackward(*self), reads, [0, 1, 2])])
    }
}

/// The gradients of a layer normalisation: `x, weight, dy → dx, dweight, dbias`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormBackward(pub LayerNorm);

impl Operation for LayerNormBackward {
    fn name(&self) -> &'static str {
        "layer_norm_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, weight, dy] = take("layer_norm_backward", inputs)?;
        let features = self.0.features("layer_norm_backward", x)?;
        same("layer_norm_backward", "weight", weight, &[features])?;
        same("layer_norm_backward", "dy", dy, x)?;
        Ok(vec![x.to_vec(), weight.to_vec(), weight.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        18 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[1, 2]
    }
}

/// Shapes that every kernel must get right: few and many features, edges of workgroups, rows of rows, many rows.
///
/// ```
/// use vultus::ops::layer_norm;
///
/// assert!(layer_norm::cases().iter().any(|case| case.shapes()[0].len() == 3));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [vec![1, 2], vec![3, 33], vec![2, 49, 64], vec![5, 257], vec![2, 1025], vec![700, 5]]
        .into_iter()
        .flat_map(|shape| pair(LayerNorm::default(), shape))
        .collect()
}

/// A case with a random shape, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::layer_norm::random_case;
///
/// assert!(random_case(&mut Random::new(1)).op.name().starts_with("layer_norm"));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let mut shape: Shape = (0..1 + random.below(3)).map(|_| 1 + random.below(12)).collect();
    shape.push(2 + random.below(400));
    let direction = random.below(2);
    pair(LayerNorm { eps: [1e-5, 1e-6][random.below(2)] }, shape).swap_remove(direction)
}

fn pair(norm: LayerNorm, shape: Shape) -> Vec<Case> {
    let (x, feature) = ((shape.clone(), Fill::Between(-1.0, 3.0)), (vec![shape[shape.len() - 1]], Fill::Normal(1.0)));
    vec![
        Case::new(norm, vec![x.clone(), feature.clone(), feature.clone()]),
        Case::new(LayerNormBackward(norm), vec![x, feature, (shape, Fill::Normal(1.0))]),
    ]
}

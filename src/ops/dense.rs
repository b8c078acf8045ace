//! Fully connected layer: `y = x · weightᵀ + bias`, with an optional activation function.
//!
//! It works on the last dimension of `x`, as PyTorch's `Linear` does: feature maps are flattened before.
//!
//! ```
//! use vultus::ops::{Activation, Dense, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::Dense(Dense { activation: Some(Activation::Relu) });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 2], &[2, 2], &[2]], &Options::default())?;
//! let (x, weight) = (Tensor::new([1, 2], vec![1.0, 2.0])?, Tensor::new([2, 2], vec![3.0, 4.0, -3.0, -4.0])?);
//! assert_eq!(plan.run_all(&[x, weight, Tensor::filled([2], 0.5)])?[0].data(), [11.5, 0.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation, Parameter};
use super::{Activation, Case, Fill, Op, Shape, activation, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a dense layer.
///
/// ```
/// use vultus::ops::{Dense, Op};
///
/// // Of each row of the last dimension, as PyTorch's `Linear` does it.
/// let op = Op::Dense(Dense::default());
/// assert_eq!(op.output_shapes(&[&[32, 49, 512], &[7, 512], &[7]])?, [[32, 49, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dense {
    /// What follows within the same kernel.
    pub activation: Option<Activation>,
}

impl Operation for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        self.activation.as_ref().map_or(Ok(()), Activation::check)?;
        let [x, weight, bias] = take("dense", inputs)?;
        let (rows, features) = rows("dense", x)?;
        let out = out_features(weight)?;
        same("dense", "weight", weight, &[out, features])?;
        same("dense", "bias", bias, &[out])?;
        Ok(vec![[rows, &[out]].concat()])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        2 * elements(&outputs[0]) * elements(&inputs[1][1..])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2]
    }

    fn parameters(&self, input: &[usize], features: usize) -> Vec<Parameter> {
        Parameter::weight_and_bias(vec![features, input.last().copied().unwrap_or(0)])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![
            Backward::step(Op::DenseBackwardWeight, [Operand::Input(0), Operand::Gradient], [1, 2]),
            Backward::step(Op::DenseBackwardInput, [Operand::Gradient, Operand::Input(1)], [0]),
        ])
    }
}

/// The gradient of a dense layer's input: `dy, weight → dx`.
pub(crate) struct DenseBackwardInput;

impl Operation for DenseBackwardInput {
    fn name(&self) -> &'static str {
        "dense_backward_input"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy, weight] = take("dense_backward_input", inputs)?;
        let (rows, out) = rows("dense_backward_input", dy)?;
        same("dense_backward_input", "weight", weight, &[out, weight.get(1).copied().unwrap_or(1)])?;
        Ok(vec![[rows, &weight[1..]].concat()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0]) * elements(&inputs[1][1..])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }
}

/// The gradients of a dense layer's parameters: `x, dy → dweight, dbias`.
pub(crate) struct DenseBackwardWeight;

impl Operation for DenseBackwardWeight {
    fn name(&self) -> &'static str {
        "dense_backward_weight"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("dense_backward_weight", inputs)?;
        let (batch, features) = rows("dense_backward_weight", x)?;
        let (_, out) = rows("dense_backward_weight", dy)?;
        same("dense_backward_weight", "dy", dy, &[batch, &[out]].concat())?;
        Ok(vec![vec![out, features], vec![out]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        2 * elements(inputs[1]) * elements(&outputs[0][1..])
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }
}

/// The shape of all but the last dimension, and the last: a matrix of so many rows, as far as the products are concerned.
fn rows<'a>(what: &str, x: &'a [usize]) -> Result<(&'a [usize], usize)> {
    match x {
        [rows @ .., features] if !rows.is_empty() => Ok((rows, *features)),
        _ => Err(Error::shape(what, format!("takes rows of features, not a tensor of shape {x:?}"))),
    }
}

fn out_features(weight: &[usize]) -> Result<usize> {
    match weight {
        &[out, _] => Ok(out),
        _ => Err(Error::shape("dense", format!("weight has the shape {weight:?}, not [out, in]"))),
    }
}

/// Shapes that every kernel must get right: heads of classifiers, edges of tiles, batch 1 and 64, rows of rows.
///
/// ```
/// use vultus::ops::{Activation, Dense, Op, dense};
///
/// let fused = dense::cases().into_iter().filter(|case| case.op == Op::Dense(Dense { activation: Some(Activation::Relu) }));
/// assert!(fused.count() > 1);
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (x, out) in [
        (vec![1, 3136], 16),
        (vec![32, 512], 7),
        (vec![5, 131], 67),
        (vec![1, 1], 1),
        (vec![64, 128], 96),
        (vec![3, 1025], 9),
        (vec![17, 5], 130),
        (vec![2, 3, 72], 10),
    ] {
        cases.extend(all_directions(Dense::default(), &x, out));
        cases.push(all_directions(Dense { activation: Some(Activation::Relu) }, &x, out).swap_remove(0));
    }
    cases
}

/// VGG16's three dense layers for 1000 classes.
///
/// ```
/// use vultus::ops::dense::vgg16_cases;
///
/// let largest = &vgg16_cases(1)[0];
/// assert_eq!(largest.shapes(), [&[1, 25088][..], &[4096, 25088], &[4096]]);
/// ```
#[doc(hidden)]
pub fn vgg16_cases(batch: usize) -> Vec<Case> {
    [(25088, 4096), (4096, 4096), (4096, 1000)]
        .into_iter()
        .flat_map(|(features, out)| {
            all_directions(Dense { activation: Some(Activation::Relu) }, &[batch, features], out)
        })
        .collect()
}

/// A case with random sizes, in any direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::dense::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// let outputs = case.op.output_shapes(&case.shapes())?;
/// assert!(case.op.flops(&case.shapes(), &outputs) > 0);
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let batch = [1, 1 + random.below(8), 1 + random.below(70)][random.below(3)];
    let x = [batch, 1 + random.below(300)];
    let dense = Dense { activation: (random.below(2) == 0).then(|| activation::random_function(random)) };
    let (out, direction) = (1 + random.below(150), random.below(3));
    all_directions(dense, &x, out).swap_remove(direction)
}

fn all_directions(dense: Dense, x: &[usize], out: usize) -> Vec<Case> {
    let normal = |shape: &[usize]| (shape.to_vec(), Fill::Normal(1.0));
    let features = x[x.len() - 1];
    let weight = (vec![out, features], Fill::Normal(1.0 / (features as f32).sqrt()));
    let dy = normal(&[&x[..x.len() - 1], &[out]].concat());
    vec![
        Case::new(dense, vec![normal(x), weight.clone(), normal(&[out])]),
        Case::new(Op::DenseBackwardInput, vec![dy.clone(), weight]),
        Case::new(Op::DenseBackwardWeight, vec![normal(x), dy]),
    ]
}

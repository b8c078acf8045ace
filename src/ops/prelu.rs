//! Parametric rectified linear unit (He et al. 2015): `y = x` where x > 0, else `slope[channel] · x`.
//! Dimension 1 is the channel.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut plan = Device::Cpu.compile_op(&Op::Prelu, &[&[1, 2, 2], &[2]], &Options::default())?;
//! let (x, slope) = (Tensor::new([1, 2, 2], vec![-2.0, 4.0, -2.0, 4.0])?, Tensor::new([2], vec![0.25, 0.5])?);
//! assert_eq!(plan.run_all(&[x, slope])?[0].data(), [-0.5, 4.0, -1.0, 4.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation, Parameter, Start};
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

fn checked(what: &str, x: &[usize], slope: &[usize]) -> Result<()> {
    if x.len() < 2 {
        return Err(Error::shape(what, format!("takes batch and channels, not a tensor of shape {x:?}")));
    }
    same(what, "slope", slope, &x[1..2])
}

/// `x, slope → y`
pub(crate) struct Prelu;

impl Operation for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, slope] = take("prelu", inputs)?;
        checked("prelu", x, slope)?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }

    fn parameters(&self, input: &[usize], _features: usize) -> Vec<Parameter> {
        let channels = input.get(1).copied().unwrap_or(0);
        vec![Parameter::new("weight", [channels], Start::Constant(0.25))]
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let reads = [Operand::Input(0), Operand::Input(1), Operand::Gradient];
        Some(vec![Backward::step(Op::PreluBackward, reads, [0, 1])])
    }
}

/// `x, slope, dy → dx, dslope`
pub(crate) struct PreluBackward;

impl Operation for PreluBackward {
    fn name(&self) -> &'static str {
        "prelu_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, slope, dy] = take("prelu_backward", inputs)?;
        checked("prelu_backward", x, slope)?;
        same("prelu_backward", "dy", dy, x)?;
        Ok(vec![x.to_vec(), slope.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        4 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[1]
    }
}

/// Shapes that every kernel must get right.
///
/// ```
/// use vultus::ops::prelu;
///
/// // One slope for each channel.
/// assert!(prelu::cases().iter().all(|case| case.shapes()[1] == &case.shapes()[0][1..2]));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [vec![2, 10, 10, 10], vec![3, 28, 11, 11], vec![4, 128], vec![1, 1], vec![64, 3, 1, 1]]
        .into_iter()
        .flat_map(pair)
        .collect()
}

/// A case with a random shape, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::prelu::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// let inputs = case.inputs(2);
/// assert!(inputs.iter().zip(case.shapes()).all(|(tensor, shape)| tensor.shape() == shape));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let mut shape = vec![1 + random.below(6), 1 + random.below(40)];
    if random.below(3) > 0 {
        shape.extend([1 + random.below(20), 1 + random.below(20)]);
    }
    let direction = random.below(2);
    pair(shape).swap_remove(direction)
}

fn pair(shape: Shape) -> Vec<Case> {
    let (x, slope) = ((shape.clone(), Fill::Normal(1.0)), (vec![shape[1]], Fill::Normal(0.3)));
    vec![
        Case::new(Op::Prelu, vec![x.clone(), slope.clone()]),
        Case::new(Op::PreluBackward, vec![x, slope, (shape, Fill::Normal(1.0))]),
    ]
}

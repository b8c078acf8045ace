//! Biases of attention scores by the relative position of two tokens within a window (Liu et al. 2021, Swin): token t of the
//! queries and u of the keys share the entry `(row_t − row_u + height − 1) · (2 · width − 1) + column_t − column_u + width − 1`
//! of a table, for each head. Tokens of a window lie in row order.
//!
//! ```
//! use vultus::ops::{Op, RelativePositionBias};
//! use vultus::{Device, Options, Tensor};
//!
//! // Two tokens side by side, one head: to the left, the same place, to the right.
//! let op = Op::from(RelativePositionBias { window: [1, 2] });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 2, 2], &[3, 1]], &Options::default())?;
//! let (scores, table) = (Tensor::zeros([1, 1, 2, 2]), Tensor::new([3, 1], vec![1.0, 2.0, 3.0])?);
//! assert_eq!(plan.run_all(&[scores, table])?[0].data(), [2.0, 1.0, 3.0, 2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation, Parameter, Start};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the biases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativePositionBias {
    /// Height and width of the window.
    pub window: [usize; 2],
}

impl RelativePositionBias {
    /// Tokens of a window.
    pub(crate) fn tokens(&self) -> usize {
        self.window[0] * self.window[1]
    }

    /// Entries of the table for each head.
    pub(crate) fn entries(&self) -> usize {
        self.window.iter().map(|size| (2 * size).saturating_sub(1)).product()
    }

    /// The entry of two tokens.
    pub(crate) fn entry(&self, t: usize, u: usize) -> usize {
        let [height, width] = self.window;
        let (down, across) = (t / width + height - 1 - u / width, t % width + width - 1 - u % width);
        down * (2 * width - 1) + across
    }

    /// How many heads these scores have.
    fn heads(&self, what: &str, scores: &[usize]) -> Result<usize> {
        match scores {
            [_, .., heads, t, u] if [*t, *u] == [self.tokens(); 2] => Ok(*heads),
            _ => {
                let reason =
                    format!("scores of shape {scores:?} do not end in heads and {} tokens twice", self.tokens());
                Err(Error::shape(what, reason))
            }
        }
    }
}

impl Operation for RelativePositionBias {
    fn name(&self) -> &'static str {
        "relative_position_bias"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [scores, table] = take("relative_position_bias", inputs)?;
        let heads = self.heads("relative_position_bias", scores)?;
        same("relative_position_bias", "table", table, &[self.entries(), heads])?;
        Ok(vec![scores.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }

    fn parameters(&self, input: &[usize], _features: usize) -> Vec<Parameter> {
        let heads = input.len().checked_sub(3).map_or(0, |heads| input[heads]);
        vec![Parameter::new("relative_position_bias_table", [self.entries(), heads], Start::Constant(0.0))]
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let table = Backward::step(RelativePositionBiasBackward(*self), [Operand::Gradient], [1]);
        Some(vec![Backward::Same(0), table])
    }
}

/// The gradient of the table: `dy → dtable`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelativePositionBiasBackward(pub RelativePositionBias);

impl Operation for RelativePositionBiasBackward {
    fn name(&self) -> &'static str {
        "relative_position_bias_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("relative_position_bias_backward", inputs)?;
        let heads = self.0.heads("relative_position_bias_backward", dy)?;
        Ok(vec![vec![self.0.entries(), heads]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0]
    }
}

/// Shapes that every kernel must get right: one token, windows that are not square, several windows of an image.
///
/// ```
/// use vultus::ops::relative_position_bias;
///
/// assert!(relative_position_bias::cases().iter().any(|case| case.shapes()[0].len() == 5));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [(vec![1], 1, [1, 1]), (vec![2, 2], 4, [7, 7]), (vec![3], 2, [2, 5])]
        .into_iter()
        .flat_map(|(batch, heads, window)| pair(batch, heads, window))
        .collect()
}

/// A case with a random shape, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::relative_position_bias::random_case;
///
/// assert!(random_case(&mut Random::new(1)).op.name().starts_with("relative_position_bias"));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let batch = (0..1 + random.below(2)).map(|_| 1 + random.below(4)).collect();
    let (heads, window) = (1 + random.below(5), [1 + random.below(6), 1 + random.below(6)]);
    let direction = random.below(2);
    pair(batch, heads, window).swap_remove(direction)
}

fn pair(batch: Shape, heads: usize, window: [usize; 2]) -> Vec<Case> {
    let op = RelativePositionBias { window };
    let scores = ([batch, vec![heads, op.tokens(), op.tokens()]].concat(), Fill::Normal(1.0));
    vec![
        Case::new(op, vec![scores.clone(), (vec![op.entries(), heads], Fill::Normal(1.0))]),
        Case::new(RelativePositionBiasBackward(op), vec![scores]),
    ]
}

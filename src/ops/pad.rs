//! A value with a border of one number: convolutions with padding that differs from side to side, and the gradient of a
//! slice.
//!
//! ```
//! use vultus::ops::{Op, Pad};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(Pad { padding: vec![[0, 0], [1, 2]], value: -1.0 });
//! let mut pad = Device::Cpu.compile_op(&op, &[&[1, 2]], &Options::default())?;
//! assert_eq!(pad.run(&Tensor::filled([1, 2], 5.0))?[0].data(), [-1.0, 5.0, 5.0, -1.0, -1.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::walk::check_rank;
use super::{Case, Fill, Shape, Slice, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a border: `x → y`.
///
/// ```
/// use vultus::ops::{Op, Pad};
///
/// // Below and at the right only, as TensorFlow's strided convolutions want it.
/// let pad = Op::from(Pad { padding: vec![[0, 0], [0, 0], [0, 1], [0, 1]], value: 0.0 });
/// assert_eq!(pad.output_shapes(&[&[2, 3, 4, 5]])?, [[2, 3, 5, 6]]);
/// assert!(pad.output_shapes(&[&[2, 3]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// For each dimension, how many elements come before and after.
    pub padding: Vec<[usize; 2]>,
    /// What they are.
    pub value: f32,
}

impl Operation for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("pad", inputs)?;
        check_rank("pad", x)?;
        if self.padding.len() != x.len() {
            let reason = format!("{} dimensions are padded where {x:?} has {}", self.padding.len(), x.len());
            return Err(Error::shape("pad", reason));
        }
        Ok(vec![x.iter().zip(&self.padding).map(|(size, [before, after])| before + size + after).collect()])
    }

    fn flops(&self, _inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        0
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.padding.first().is_some_and(|padding| *padding != [0, 0])
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let ranges = inputs[0].iter().zip(&self.padding).map(|(size, [before, _])| Some(*before..before + size));
        // A whole first dimension keeps the samples apart.
        let ranges = ranges.enumerate().map(|(d, range)| range.filter(|_| self.padding[d] != [0, 0]));
        Some(vec![Backward::step(Slice { ranges: ranges.collect() }, [Operand::Gradient], [0])])
    }
}

/// Shapes that every kernel must get right: on each side of each dimension, none at all.
///
/// ```
/// use vultus::ops::pad;
///
/// assert!(pad::cases().iter().all(|case| case.op.output_shapes(&case.shapes()).is_ok()));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![2, 3, 4, 5], vec![[0, 0], [0, 0], [1, 1], [1, 1]], 0.0),
        (vec![2, 3, 4, 5], vec![[0, 0], [0, 0], [0, 1], [2, 0]], -1.5),
        (vec![1, 3, 2, 3], vec![[1, 0], [2, 3], [0, 2], [1, 1]], 7.0),
        (vec![5], vec![[2, 1]], 0.0),
        (vec![2, 3], vec![[0, 0], [0, 0]], 1.0),
        (vec![3, 4, 5], vec![[0, 0], [2, 1], [0, 0]], 3.0),
        (vec![1, 1, 30, 30], vec![[0, 0], [0, 0], [40, 3], [0, 200]], 0.5),
    ]
    .into_iter()
    .map(|(shape, padding, value)| case(shape, Pad { padding, value }))
    .collect()
}

/// A case with a random shape and border.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::pad::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape: Shape = (0..1 + random.below(4)).map(|_| 1 + random.below(7)).collect();
    let mut side = || if random.below(2) == 0 { random.below(4) } else { 0 };
    let padding = shape.iter().map(|_| [side(), side()]).collect();
    case(shape, Pad { padding, value: random.normal() })
}

fn case(shape: Shape, pad: Pad) -> Case {
    Case::new(pad, vec![(shape, Fill::Normal(1.0))])
}

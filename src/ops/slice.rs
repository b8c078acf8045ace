//! A part of a value along its dimensions: the gradient of what was concatenated or padded, and its own layer.
//!
//! ```
//! use vultus::ops::{Op, Slice};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(Slice::along(1, 1..3));
//! let mut slice = Device::Cpu.compile_op(&op, &[&[2, 4]], &Options::default())?;
//! assert_eq!(slice.run(&Tensor::from_fn([2, 4], |i| i as f32))?[0].data(), [1.0, 2.0, 5.0, 6.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use std::ops::Range;

use super::operation::{Backward, Operand, Operation};
use super::walk::{Sizes, Walk, check_rank, strides};
use super::{Case, Fill, Pad, Shape, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a slice: `x → y`.
///
/// ```
/// use vultus::ops::{Op, Slice};
///
/// let slice = Op::from(Slice::along(2, 0..3));
/// assert_eq!(slice.output_shapes(&[&[2, 3, 7, 5]])?, [[2, 3, 3, 5]]);
/// // The dimension has 7 elements, and a slice must hold some.
/// assert!(Op::from(Slice::along(2, 3..8)).output_shapes(&[&[2, 3, 7, 5]]).is_err());
/// assert!(Op::from(Slice::along(2, 3..3)).output_shapes(&[&[2, 3, 7, 5]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// What is taken of each dimension, from the first on; `None`, and dimensions without an entry, are taken whole.
    pub ranges: Vec<Option<Range<usize>>>,
}

impl Slice {
    /// A part of one dimension.
    pub fn along(dim: usize, range: Range<usize>) -> Self {
        let mut ranges = vec![None; dim];
        ranges.push(Some(range));
        Slice { ranges }
    }

    /// What is taken of a dimension of this size.
    pub(crate) fn range(&self, dim: usize, size: usize) -> Range<usize> {
        self.ranges.get(dim).cloned().flatten().unwrap_or(0..size)
    }

    /// The walk over a result of this shape, with the strides of x, and where in x it begins.
    pub(crate) fn walk(&self, x: &[usize], y: &[usize]) -> (Walk, usize) {
        let strides_x = strides(x);
        let starts: Sizes = x.iter().enumerate().map(|(d, &size)| self.range(d, size).start).collect();
        let start = starts.iter().zip(strides_x.iter()).map(|(start, stride)| start * stride).sum();
        let strides_y = strides(y);
        (Walk::new(y, [&strides_x, &strides_y, &strides_y]), start)
    }
}

impl Operation for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("slice", inputs)?;
        check_rank("slice", x)?;
        let ranges: Vec<Range<usize>> = x.iter().enumerate().map(|(d, &size)| self.range(d, size)).collect();
        let fits = ranges.iter().zip(x).all(|(range, &size)| range.start < range.end && range.end <= size);
        if !fits || self.ranges.len() > x.len() {
            let reason = format!("the ranges {:?} are empty or reach beyond {x:?}", self.ranges);
            let holds_nothing = ranges.iter().any(|range| range.start >= range.end);
            return Err(if holds_nothing { Error::invalid("slice", reason) } else { Error::shape("slice", reason) });
        }
        Ok(vec![ranges.iter().map(ExactSizeIterator::len).collect()])
    }

    fn flops(&self, _inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        0
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.ranges.first().is_some_and(Option::is_some)
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let around = |(d, &size): (usize, &usize)| {
            let range = self.range(d, size);
            [range.start, size - range.end]
        };
        let pad = Pad { padding: inputs[0].iter().enumerate().map(around).collect(), value: 0.0 };
        Some(vec![Backward::step(pad, [Operand::Gradient], [0])])
    }
}

/// Shapes that every kernel must get right: along each dimension, several at once, one element, everything.
///
/// ```
/// use vultus::ops::{Op, slice};
///
/// assert!(slice::cases().iter().all(|case| case.op.output_shapes(&case.shapes()).is_ok()));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let several = Slice { ranges: vec![Some(1..3), None, Some(2..5), Some(0..1)] };
    [
        (vec![2, 6, 5, 4], Slice::along(1, 2..5)),
        (vec![5, 6, 5, 4], Slice::along(0, 1..4)),
        (vec![2, 3, 7, 5], Slice::along(2, 0..3)),
        (vec![2, 3, 4, 9], Slice::along(3, 4..9)),
        (vec![11], Slice::along(0, 3..4)),
        (vec![2, 3, 5], Slice::along(2, 0..5)),
        (vec![4, 3, 6, 2], several),
        (vec![3, 600], Slice::along(1, 43..556)),
    ]
    .into_iter()
    .map(|(shape, slice)| case(shape, slice))
    .collect()
}

/// A case with a random shape and ranges.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::slice::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape: Shape = (0..1 + random.below(5)).map(|_| 1 + random.below(9)).collect();
    let mut range = |&size: &usize| {
        let start = random.below(size);
        let end = start + 1 + random.below(size - start);
        (random.below(2) == 0).then_some(start..end)
    };
    let ranges = shape.iter().map(&mut range).collect();
    case(shape, Slice { ranges })
}

fn case(shape: Shape, slice: Slice) -> Case {
    Case::new(slice, vec![(shape, Fill::Normal(1.0))])
}

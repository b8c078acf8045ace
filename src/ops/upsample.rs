//! Another height and width, as PyTorch's `interpolate` makes it, with its gradient.
//!
//! Places in the input are quotients of whole numbers, so that every device takes the same neighbours.
//!
//! ```
//! use vultus::ops::{Interpolation, Op, Upsample};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(Upsample { size: [1, 4], interpolation: Interpolation::Bilinear { align_corners: false } });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 1, 2]], &Options::default())?;
//! assert_eq!(plan.run(&Tensor::new([1, 1, 1, 2], vec![0.0, 4.0])?)?[0].data(), [0.0, 1.0, 3.0, 4.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// How an element between others is made.
///
/// ```
/// use vultus::ops::{Interpolation, Op, Upsample};
///
/// let by = |interpolation| Op::from(Upsample { size: [8, 6], interpolation }).output_shapes(&[&[2, 3, 4, 3]]);
/// assert_eq!(by(Interpolation::Nearest)?, by(Interpolation::Bilinear { align_corners: true })?);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The element at the place rounded down.
    Nearest,
    /// Between the four neighbours of the place.
    Bilinear {
        /// Whether the outermost elements stay where they are. Else the outermost edges do.
        align_corners: bool,
    },
}

/// The parameters of a change of size: `x → y`.
///
/// ```
/// use vultus::ops::{Interpolation, Op, Upsample};
///
/// let op = Op::from(Upsample { size: [7, 5], interpolation: Interpolation::Nearest });
/// assert_eq!(op.output_shapes(&[&[1, 64, 3, 10]])?, [[1, 64, 7, 5]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upsample {
    /// Height and width of the result.
    pub size: [usize; 2],
    /// How its elements are made.
    pub interpolation: Interpolation,
}

/// Places along an axis: output `o` lies at `max(step · o + shift, 0) / unit` in the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Places {
    pub step: usize,
    pub shift: i64,
    pub unit: usize,
}

impl Places {
    /// Between an input and an output of these sizes.
    pub fn new(interpolation: Interpolation, input: usize, output: usize) -> Self {
        match interpolation {
            Interpolation::Bilinear { align_corners: true } if input > 1 => {
                Places { step: input - 1, shift: 0, unit: output.saturating_sub(1).max(1) }
            }
            Interpolation::Bilinear { align_corners: false } => {
                Places { step: 2 * input, shift: input as i64 - output as i64, unit: 2 * output }
            }
            // Of one element, all are at the first.
            Interpolation::Nearest | Interpolation::Bilinear { .. } => Places { step: input, shift: 0, unit: output },
        }
    }

    /// The element before an output's place, and how far after it the place is, in units.
    pub fn of(&self, output: usize) -> (usize, usize) {
        let at = ((self.step * output) as i64 + self.shift).max(0) as usize;
        (at / self.unit, at % self.unit)
    }
}

impl Upsample {
    fn check(&self, input: [usize; 2]) -> Result<()> {
        // So far the kernels' arithmetic of places reaches.
        let fits = |axis: usize| {
            let (i, o) = (input[axis] as u64, self.size[axis] as u64);
            o > 0 && 2 * (i + 1) * (o + 1) < i32::MAX as u64
        };
        if fits(0) && fits(1) {
            return Ok(());
        }
        let reason = format!("a size of {input:?} cannot become {:?}: it is empty or too large", self.size);
        let is_empty = self.size.contains(&0);
        Err(if is_empty { Error::invalid("upsample", reason) } else { Error::shape("upsample", reason) })
    }
}

impl Operation for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("upsample", inputs)?;
        let [n, c, h, w] = image("upsample", x)?;
        self.check([h, w])?;
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        match self.interpolation {
            Interpolation::Nearest => 0,
            Interpolation::Bilinear { .. } => 8 * elements(&outputs[0]),
        }
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let backward = UpsampleBackward { upsample: *self, size: [inputs[0][2], inputs[0][3]] };
        Some(vec![Backward::step(backward, [Operand::Gradient], [0])])
    }
}

/// The gradient of the input of a change of size: `dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpsampleBackward {
    /// The change of size.
    pub upsample: Upsample,
    /// Height and width of its input.
    pub size: [usize; 2],
}

impl Operation for UpsampleBackward {
    fn name(&self) -> &'static str {
        "upsample_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("upsample_backward", inputs)?;
        let [n, c, ..] = image("upsample_backward", dy)?;
        let [h, w] = self.upsample.size;
        same("upsample_backward", "dy", dy, &[n, c, h, w])?;
        if self.size.contains(&0) {
            return Err(Error::invalid("upsample_backward", format!("an input of {:?} holds nothing", self.size)));
        }
        self.upsample.check(self.size)?;
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        8 * elements(inputs[0])
    }
}

const INTERPOLATIONS: [Interpolation; 3] = [
    Interpolation::Nearest,
    Interpolation::Bilinear { align_corners: false },
    Interpolation::Bilinear { align_corners: true },
];

/// Shapes that every kernel must get right: twice the size, any size, smaller, to and from one element.
///
/// ```
/// use vultus::ops::upsample;
///
/// // Forward and backward in turn: what the one gives has the shape that the other takes.
/// for pair in upsample::cases().chunks(2) {
///     assert_eq!(pair[0].op.output_shapes(&pair[0].shapes())?[0], pair[1].shapes()[0]);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let sizes = [
        ([2, 3, 4, 3], [8, 6]),
        ([1, 2, 3, 5], [7, 8]),
        ([1, 2, 6, 7], [4, 5]),
        ([1, 2, 3, 1], [1, 3]),
        ([1, 1, 1, 9], [5, 1]),
        ([2, 5, 12, 20], [12, 3]),
        ([1, 1, 1, 1], [1, 1]),
    ];
    let all = sizes.into_iter().flat_map(|size| INTERPOLATIONS.map(|interpolation| (size, interpolation)));
    all.flat_map(|((shape, size), interpolation)| pair(Upsample { size, interpolation }, shape)).collect()
}

/// A case with random sizes, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::upsample::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let interpolation = INTERPOLATIONS[random.below(3)];
    let size = [1 + random.below(24), 1 + random.below(24)];
    let shape = [1 + random.below(3), 1 + random.below(5), 1 + random.below(24), 1 + random.below(24)];
    let direction = random.below(2);
    pair(Upsample { size, interpolation }, shape).swap_remove(direction)
}

fn pair(upsample: Upsample, x: [usize; 4]) -> Vec<Case> {
    let dy = vec![x[0], x[1], upsample.size[0], upsample.size[1]];
    vec![
        Case::new(upsample, vec![(x.to_vec(), Fill::Normal(1.0))]),
        Case::new(UpsampleBackward { upsample, size: [x[2], x[3]] }, vec![(dy, Fill::Normal(1.0))]),
    ]
}

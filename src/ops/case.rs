use super::{Op, Shape};
use crate::random::Random;
use crate::tensor::Tensor;

/// How an input of a [`Case`] is filled.
///
/// ```
/// use vultus::ops::Op;
/// use vultus::ops::cross_entropy::cases;
///
/// // Targets are `Fill::Class(7)`: class numbers, or -1.
/// let case = cases().into_iter().find(|case| case.shapes() == [&[32, 7][..], &[32], &[7]]).unwrap();
/// assert!(matches!(case.op, Op::CrossEntropy(_)));
/// assert!(case.inputs(1)[1].data().iter().all(|&class| class == -1.0 || (0.0..7.0).contains(&class)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub enum Fill {
    /// Normally distributed with this standard deviation.
    Normal(f32),
    /// Small whole numbers: ties in every window, zeros among them.
    Ties,
    /// Evenly distributed in this range.
    Between(f32, f32),
    /// A class below this number, or now and then -1 (to be ignored).
    Class(usize),
    /// Rows of this many numbers that sum to 1, or now and then of -1 (to be ignored).
    Probabilities(usize),
}

/// One operation on inputs of given shapes: what tests check and benches time.
///
/// ```
/// use vultus::ops::activation;
/// use vultus::{Device, Options, Random};
///
/// let case = activation::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
/// let outputs = plan.run_all(&case.inputs(2))?;
/// assert!(case.name().starts_with("activation"));
/// assert_eq!(outputs[0].shape(), case.shapes()[0]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Case {
    /// The operation.
    pub op: Op,
    inputs: Vec<(Shape, Fill)>,
}

impl Case {
    pub(super) fn new(op: impl Into<Op>, inputs: Vec<(Shape, Fill)>) -> Self {
        Case { op: op.into(), inputs }
    }

    /// A name that tells cases of one operation apart.
    pub fn name(&self) -> String {
        let shapes: Vec<String> = self
            .shapes()
            .iter()
            .map(|shape| shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x"))
            .collect();
        format!("{}/{}", self.op.name(), shapes.join("_"))
    }

    /// The shapes of the inputs.
    pub fn shapes(&self) -> Vec<&[usize]> {
        self.inputs.iter().map(|(shape, _)| shape.as_slice()).collect()
    }

    /// Inputs for this seed.
    pub fn inputs(&self, seed: u64) -> Vec<Tensor> {
        let mut random = Random::new(seed);
        self.inputs
            .iter()
            .map(|(shape, fill)| {
                let mut row = Vec::new();
                Tensor::from_fn(shape.clone(), |_| match *fill {
                    Fill::Normal(deviation) => random.normal() * deviation,
                    Fill::Ties => random.below(5) as f32 - 2.0,
                    Fill::Between(low, high) => low + (high - low) * random.uniform(),
                    Fill::Class(_) if random.below(8) == 0 => -1.0,
                    Fill::Class(classes) => random.below(classes) as f32,
                    Fill::Probabilities(classes) => row.pop().unwrap_or_else(|| {
                        row = probabilities(classes, &mut random);
                        row.pop().unwrap_or_default()
                    }),
                })
            })
            .collect()
    }
}

/// Probabilities of which some are 0; sometimes -1 instead.
fn probabilities(classes: usize, random: &mut Random) -> Vec<f32> {
    if random.below(8) == 0 {
        return vec![-1.0; classes];
    }
    let mut row: Vec<f32> = (0..classes).map(|_| (random.uniform() - 0.5).max(0.0)).collect();
    row[random.below(classes)] += 0.1;
    let sum: f32 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
    row
}

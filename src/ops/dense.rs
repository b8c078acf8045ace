//! Fully connected layer: `y = x · weightᵀ + bias`, with an optional ReLU.
//!
//! Everything behind the batch dimension of `x` counts as one row of features, in C, H, W order.
//!
//! ```
//! use vultus::ops::{Dense, Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::Dense(Dense { relu: true });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 2], &[2, 2], &[2]], &Options::default())?;
//! let (x, weight) = (Tensor::new([1, 2], vec![1.0, 2.0])?, Tensor::new([2, 2], vec![3.0, 4.0, -3.0, -4.0])?);
//! assert_eq!(plan.run_all(&[x, weight, Tensor::filled([2], 0.5)], &RunState::default())?[0].data(), [11.5, 0.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::{Case, Fill, Op, Shape, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a dense layer.
///
/// ```
/// use vultus::ops::{Dense, Op};
///
/// // Feature maps need no flattening before it.
/// let op = Op::Dense(Dense { relu: false });
/// assert_eq!(op.output_shapes(&[&[32, 512, 3, 3], &[7, 512 * 3 * 3], &[7]])?, [[32, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dense {
    /// Whether a ReLU follows within the same kernel. The backward operations ignore it.
    pub relu: bool,
}

impl Dense {
    pub(super) fn forward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, weight, bias] = take("dense", inputs)?;
        let out = rows(weight)?;
        same("dense", "weight", weight, &[out, features(x)])?;
        same("dense", "bias", bias, &[out])?;
        Ok(vec![vec![x[0], out]])
    }

    pub(super) fn backward_input(&self, x: &[usize], inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy, weight] = take("dense_backward_input", inputs)?;
        let out = rows(weight)?;
        same("dense_backward_input", "weight", weight, &[out, x.iter().product()])?;
        same("dense_backward_input", "dy", dy, &[dy[0], out])?;
        Ok(vec![[&dy[..1], x].concat()])
    }

    pub(super) fn backward_weight(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("dense_backward_weight", inputs)?;
        let &[_, out] = dy else {
            return Err(Error::shape("dense_backward_weight", format!("dy has the shape {dy:?}, not [batch, out]")));
        };
        same("dense_backward_weight", "dy", dy, &[x[0], out])?;
        Ok(vec![vec![out, features(x)], vec![out]])
    }
}

fn features(x: &[usize]) -> usize {
    x[1..].iter().product()
}

fn rows(weight: &[usize]) -> Result<usize> {
    match weight {
        &[out, _] => Ok(out),
        _ => Err(Error::shape("dense", format!("weight has the shape {weight:?}, not [out, in]"))),
    }
}

/// Shapes that every kernel must get right: heads of classifiers, edges of tiles, batch 1 and 64, a flattened image.
///
/// ```
/// use vultus::ops::{Dense, Op, dense};
///
/// let fused = dense::cases().into_iter().filter(|case| case.op == Op::Dense(Dense { relu: true }));
/// assert!(fused.count() > 1);
/// ```
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
        (vec![2, 8, 3, 3], 10),
    ] {
        cases.extend(all_directions(Dense { relu: false }, &x, out));
        cases.push(all_directions(Dense { relu: true }, &x, out).swap_remove(0));
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
pub fn vgg16_cases(batch: usize) -> Vec<Case> {
    [(25088, 4096), (4096, 4096), (4096, 1000)]
        .into_iter()
        .flat_map(|(features, out)| all_directions(Dense { relu: true }, &[batch, features], out))
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
pub fn random_case(random: &mut Random) -> Case {
    let batch = [1, 1 + random.below(8), 1 + random.below(70)][random.below(3)];
    let x = [batch, 1 + random.below(300)];
    let dense = Dense { relu: random.below(2) == 0 };
    let (out, direction) = (1 + random.below(150), random.below(3));
    all_directions(dense, &x, out).swap_remove(direction)
}

fn all_directions(dense: Dense, x: &[usize], out: usize) -> Vec<Case> {
    let normal = |shape: &[usize]| (shape.to_vec(), Fill::Normal(1.0));
    let weight = (vec![out, features(x)], Fill::Normal(1.0 / (features(x) as f32).sqrt()));
    let dy = normal(&[x[0], out]);
    vec![
        Case::new(Op::Dense(dense), vec![normal(x), weight.clone(), normal(&[out])]),
        Case::new(Op::DenseBackwardInput(dense, x[1..].to_vec()), vec![dy.clone(), weight]),
        Case::new(Op::DenseBackwardWeight(dense), vec![normal(x), dy]),
    ]
}

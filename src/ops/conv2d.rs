//! 2-D convolution (cross-correlation, as in PyTorch), with bias and an optional ReLU.
//!
//! ```
//! use vultus::ops::{Conv2d, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! // Sums over windows of 2×2, and a bias of 1.
//! let conv = Op::Conv2d(Conv2d::square(2, 1, 0));
//! let mut plan = Device::Cpu.compile_op(&conv, &[&[1, 1, 2, 3], &[1, 1, 2, 2], &[1]], &Options::default())?;
//! let x = Tensor::from_fn([1, 1, 2, 3], |place| place as f32);
//! let inputs = [x, Tensor::filled([1, 1, 2, 2], 1.0), Tensor::filled([1], 1.0)];
//! assert_eq!(plan.run_all(&inputs)?[0].data(), [9.0, 13.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::activation::check_fused;
use super::operation::{Backward, Operand, Operation, Parameter};
use super::{Activation, Case, Fill, Shape, elements, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a convolution.
///
/// ```
/// use vultus::ops::{Activation, Conv2d};
///
/// assert_eq!(Conv2d::square(3, 1, 1).output_size([224, 224])?, [224, 224]);
/// assert_eq!(Conv2d::square(7, 2, 3).output_size([224, 224])?, [112, 112]);
/// let wide = Conv2d { kernel: [1, 5], stride: [1, 1], padding: [0, 2], activation: Some(Activation::Relu) };
/// assert_eq!(wide.output_size([8, 8])?, [8, 8]);
/// assert!(Conv2d::square(5, 1, 0).output_size([4, 8]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    /// Height and width of the filters.
    pub kernel: [usize; 2],
    /// Step between two windows, down and across.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on every side.
    pub padding: [usize; 2],
    /// What follows within the same kernel. The backward operations ignore it.
    pub activation: Option<Activation>,
}

impl Conv2d {
    /// A convolution with square filters and the same step and padding in both directions.
    pub fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Conv2d { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], activation: None }
    }

    /// The height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if not one window fits or a parameter is out of range.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut size = [0; 2];
        for axis in 0..2 {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            if kernel == 0 || stride == 0 {
                return Err(Error::shape("conv2d", format!("kernel {kernel} and stride {stride} must be at least 1")));
            }
            let padded = input[axis] + 2 * self.padding[axis];
            if padded < kernel {
                return Err(Error::shape(
                    "conv2d",
                    format!("a kernel of {kernel} does not fit an input of {} padded to {padded}", input[axis]),
                ));
            }
            size[axis] = (padded - kernel) / stride + 1;
        }
        Ok(size)
    }

    /// Whether a ReLU follows within the same kernel.
    pub(crate) fn has_relu(&self) -> bool {
        self.activation == Some(Activation::Relu)
    }

    /// How many filters the weights hold, if they suit this many channels.
    fn filters(&self, weight: &[usize], channels: usize) -> Result<usize> {
        let filters = image("conv2d", weight)?[0];
        same("conv2d", "weight", weight, &[filters, channels, self.kernel[0], self.kernel[1]])?;
        Ok(filters)
    }
}

impl Operation for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        check_fused("conv2d", self.activation)?;
        let [x, weight, bias] = take("conv2d", inputs)?;
        let [n, c, h, w] = image("conv2d", x)?;
        let filters = self.filters(weight, c)?;
        same("conv2d", "bias", bias, &[filters])?;
        let [oh, ow] = self.output_size([h, w])?;
        Ok(vec![vec![n, filters, oh, ow]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        // Every output is a sum over one filter.
        2 * elements(&outputs[0]) * elements(&inputs[1][1..])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2]
    }

    fn parameters(&self, input: &[usize], features: usize) -> Vec<Parameter> {
        let channels = input.get(1).copied().unwrap_or(0);
        Parameter::weight_and_bias(vec![features, channels, self.kernel[0], self.kernel[1]])
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let (conv, size) = (*self, [inputs[0][2], inputs[0][3]]);
        Some(vec![
            Backward::step(Conv2dBackwardWeight(conv), [Operand::Input(0), Operand::Gradient], [1, 2]),
            Backward::step(Conv2dBackwardInput { conv, size }, [Operand::Gradient, Operand::Input(1)], [0]),
        ])
    }
}

/// The gradient of a convolution's input: `dy, weight → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dBackwardInput {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of its input.
    pub size: [usize; 2],
}

impl Operation for Conv2dBackwardInput {
    fn name(&self) -> &'static str {
        "conv2d_backward_input"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy, weight] = take("conv2d_backward_input", inputs)?;
        let [n, ..] = image("conv2d_backward_input", dy)?;
        let channels = image("conv2d_backward_input", weight)?[1];
        let filters = self.conv.filters(weight, channels)?;
        let [oh, ow] = self.conv.output_size(self.size)?;
        same("conv2d_backward_input", "dy", dy, &[n, filters, oh, ow])?;
        Ok(vec![vec![n, channels, self.size[0], self.size[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0]) * elements(&inputs[1][1..])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1]
    }
}

/// The gradients of a convolution's parameters: `x, dy → dweight, dbias`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dBackwardWeight(pub Conv2d);

impl Operation for Conv2dBackwardWeight {
    fn name(&self) -> &'static str {
        "conv2d_backward_weight"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("conv2d_backward_weight", inputs)?;
        let [n, c, h, w] = image("conv2d_backward_weight", x)?;
        let filters = image("conv2d_backward_weight", dy)?[1];
        let [oh, ow] = self.0.output_size([h, w])?;
        same("conv2d_backward_weight", "dy", dy, &[n, filters, oh, ow])?;
        Ok(vec![vec![filters, c, self.0.kernel[0], self.0.kernel[1]], vec![filters]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        2 * elements(inputs[1]) * elements(&outputs[0][1..])
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }
}

/// Shapes that every kernel must get right: VGG16's at a small size, edges of tiles, every kernel, stride and padding.
///
/// ```
/// use std::collections::BTreeSet;
/// use vultus::ops::conv2d;
///
/// let directions: BTreeSet<&str> = conv2d::cases().iter().map(|case| case.op.name()).collect();
/// assert!(directions.into_iter().eq(["conv2d", "conv2d_backward_input", "conv2d_backward_weight"]));
/// ```
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for ([n, c, h, w], filters, kernel, stride, padding) in [
        ([1, 3, 20, 20], 64, 3, 1, 1),
        ([2, 64, 8, 8], 64, 3, 1, 1),
        ([64, 2, 3, 3], 3, 3, 1, 1),
        ([1, 1, 1, 1], 1, 3, 1, 1),
        ([1, 1, 1, 1], 1, 1, 1, 0),
        ([3, 17, 13, 5], 19, 3, 1, 1),
        ([1, 66, 9, 7], 130, 3, 1, 1),
        ([2, 3, 12, 12], 10, 3, 1, 0),
        ([2, 48, 4, 4], 64, 2, 1, 0),
        ([1, 4, 11, 8], 7, 3, 2, 1),
        ([1, 3, 21, 19], 8, 5, 2, 2),
        ([1, 5, 17, 16], 4, 7, 3, 3),
    ] {
        let conv = Conv2d::square(kernel, stride, padding);
        cases.extend(all_directions(conv, [n, c, h, w], filters));
        cases.push(forward(Conv2d { activation: Some(Activation::Relu), ..conv }, [n, c, h, w], filters));
    }
    let lopsided = Conv2d { kernel: [1, 4], stride: [2, 1], padding: [0, 2], activation: Some(Activation::Relu) };
    cases.extend(all_directions(lopsided, [2, 6, 7, 9], 5));
    cases
}

/// VGG16's thirteen convolutions on a picture of this height and width.
///
/// ```
/// use vultus::ops::conv2d::vgg16_cases;
///
/// let cases = vgg16_cases(1, 224);
/// assert_eq!(cases[0].name(), "conv2d/1x3x224x224_64x3x3x3_64");
/// // Nine different ones, each in three directions.
/// assert_eq!(cases.len(), 9 * 3);
/// ```
pub fn vgg16_cases(batch: usize, input: usize) -> Vec<Case> {
    let conv = Conv2d { activation: Some(Activation::Relu), ..Conv2d::square(3, 1, 1) };
    [
        (3, 64, 1),
        (64, 64, 1),
        (64, 128, 2),
        (128, 128, 2),
        (128, 256, 4),
        (256, 256, 4),
        (256, 512, 8),
        (512, 512, 8),
        (512, 512, 16),
    ]
    .iter()
    .flat_map(|&(channels, filters, shrink)| {
        all_directions(conv, [batch, channels, input / shrink, input / shrink], filters)
    })
    .collect()
}

/// A case with random sizes and parameters, in any direction.
///
/// ```
/// use vultus::ops::conv2d;
/// use vultus::{Device, Options, Random};
///
/// let case = conv2d::random_case(&mut Random::new(1));
/// let mut results = Vec::new();
/// for kernel in ["conv2d/im2col", "conv2d/winograd2"] {
///     let options = Options { kernel: Some(kernel.into()), ..Options::default() };
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &options)?;
///     results.push(plan.run_all(&case.inputs(2))?.swap_remove(0));
/// }
/// assert!(results[0].data().iter().zip(results[1].data()).all(|(a, b)| (a - b).abs() < 1e-2 + 1e-3 * a.abs()));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn random_case(random: &mut Random) -> Case {
    let axis = |random: &mut Random| {
        let kernel = 1 + random.below(5);
        let (stride, padding) = (1 + random.below(3), random.below(kernel));
        (kernel, stride, padding, 1 + random.below(18) + kernel.saturating_sub(1 + 2 * padding))
    };
    let (vertical, horizontal) = (axis(random), axis(random));
    let mut conv = Conv2d {
        kernel: [vertical.0, horizontal.0],
        stride: [vertical.1, horizontal.1],
        padding: [vertical.2, horizontal.2],
        activation: (random.below(2) == 0).then_some(Activation::Relu),
    };
    if random.below(3) == 0 {
        conv = Conv2d { activation: conv.activation, ..Conv2d::square(3, 1, 1) };
    }
    let (h, w) = (vertical.3.max(conv.kernel[0]), horizontal.3.max(conv.kernel[1]));
    let x = [1 + random.below(5), 1 + random.below(40), h, w];
    let filters = 1 + random.below(80);
    let direction = random.below(3);
    all_directions(conv, x, filters).swap_remove(direction)
}

fn forward(conv: Conv2d, x: [usize; 4], filters: usize) -> Case {
    let weight = vec![filters, x[1], conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let inputs = vec![(x.to_vec(), Fill::Normal(1.0)), (weight, fill), (vec![filters], Fill::Normal(1.0))];
    Case::new(conv, inputs)
}

fn all_directions(conv: Conv2d, x: [usize; 4], filters: usize) -> Vec<Case> {
    let weight = vec![filters, x[1], conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let Ok([oh, ow]) = conv.output_size([x[2], x[3]]) else { return Vec::new() };
    let dy = vec![x[0], filters, oh, ow];
    vec![
        forward(conv, x, filters),
        Case::new(
            Conv2dBackwardInput { conv, size: [x[2], x[3]] },
            vec![(dy.clone(), Fill::Normal(1.0)), (weight, fill)],
        ),
        Case::new(Conv2dBackwardWeight(conv), vec![(x.to_vec(), Fill::Normal(1.0)), (dy, Fill::Normal(1.0))]),
    ]
}

/// He initialisation keeps the outputs near 1.
fn weight_fill(weight: &[usize]) -> Fill {
    Fill::Normal((2.0 / weight[1..].iter().product::<usize>() as f32).sqrt())
}

//! 2-D convolution (cross-correlation, as in PyTorch), with bias and an optional activation function.
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

mod cases;

pub use cases::{cases, random_case, vgg16_cases};

use super::operation::{Backward, Operand, Operation, Parameter};
use super::{Activation, Shape, elements, image, same, take};
use crate::error::{Error, Result};

/// The parameters of a convolution.
///
/// ```
/// use vultus::ops::Conv2d;
///
/// assert_eq!(Conv2d::square(3, 1, 1).output_size([224, 224])?, [224, 224]);
/// assert_eq!(Conv2d::square(7, 2, 3).output_size([224, 224])?, [112, 112]);
/// // As TensorFlow's "same" does it with a stride of 2: more padding after the input than before.
/// assert_eq!(Conv2d::square(3, 2, 0).padded(0, 0, 1, 1).output_size([224, 224])?, [112, 112]);
/// let wide = Conv2d { kernel: [1, 5], ..Conv2d::square(1, 1, 0).padded(0, 2, 0, 2) };
/// assert_eq!(wide.output_size([8, 8])?, [8, 8]);
/// // Five places apart, three taps reach over eleven.
/// assert_eq!(Conv2d::square(3, 1, 0).dilation(5).output_size([11, 12])?, [1, 2]);
/// assert!(Conv2d::square(5, 1, 0).output_size([4, 8]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    /// Height and width of the filters.
    pub kernel: [usize; 2],
    /// Step between two windows, down and across.
    pub stride: [usize; 2],
    /// Rows and columns of zeros: above, to the left, below and to the right.
    pub padding: [usize; 4],
    /// Step between the places of the input that two neighbouring taps of a filter meet, down and across.
    pub dilation: [usize; 2],
    /// Channels and filters are cut into so many groups, and each filter sees the channels of its own group only.
    pub groups: usize,
    /// What follows within the same kernel. The backward operations ignore it.
    pub activation: Option<Activation>,
}

impl Conv2d {
    /// A convolution with square filters and the same stride and padding in all directions.
    pub fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Conv2d {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 4],
            dilation: [1; 2],
            groups: 1,
            activation: None,
        }
    }

    /// The same in so many groups. With as many groups as channels it is depthwise.
    ///
    /// ```
    /// use vultus::ops::{Conv2d, Op};
    ///
    /// let depthwise = Op::from(Conv2d::square(3, 1, 1).groups(32));
    /// let shapes = depthwise.output_shapes(&[&[1, 32, 7, 7], &[32, 1, 3, 3], &[32]])?;
    /// assert_eq!(shapes, [[1, 32, 7, 7]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn groups(self, groups: usize) -> Self {
        Conv2d { groups, ..self }
    }

    /// The same with neighbouring taps so many places apart.
    pub fn dilation(self, dilation: usize) -> Self {
        Conv2d { dilation: [dilation; 2], ..self }
    }

    /// The same with other rows and columns of zeros around the input.
    pub fn padded(self, top: usize, left: usize, bottom: usize, right: usize) -> Self {
        Conv2d { padding: [top, left, bottom, right], ..self }
    }

    /// The height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if not one window fits; [`Error::InvalidArgument`] if a parameter is out of range.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut size = [0; 2];
        for axis in 0..2 {
            let (kernel, stride, dilation) = (self.kernel[axis], self.stride[axis], self.dilation[axis]);
            if kernel == 0 || stride == 0 || dilation == 0 {
                return Err(Error::invalid(
                    "conv2d",
                    format!("kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1"),
                ));
            }
            let padded = input[axis].saturating_add(self.padding[axis]).saturating_add(self.padding[axis + 2]);
            let reach = self.reach()[axis];
            if padded < reach {
                let what = if dilation == 1 {
                    format!("a kernel of {kernel}")
                } else {
                    format!("a kernel of {kernel} with a dilation of {dilation} reaches over {reach} and")
                };
                return Err(Error::shape(
                    "conv2d",
                    format!("{what} does not fit an input of {} padded to {padded}", input[axis]),
                ));
            }
            size[axis] = (padded - reach) / stride + 1;
        }
        Ok(size)
    }

    /// Over how many rows and columns a window reaches.
    pub(crate) fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.kernel[axis].saturating_sub(1).saturating_mul(self.dilation[axis]).saturating_add(1))
    }

    /// The rows of zeros above and the columns to the left.
    pub(crate) fn padding_before(&self) -> [usize; 2] {
        [self.padding[0], self.padding[1]]
    }

    /// Whether minimal filtering can do it: windows of 3×3 side by side, of all channels.
    pub(crate) fn suits_winograd(&self) -> bool {
        (self.kernel, self.stride, self.dilation, self.groups) == ([3, 3], [1, 1], [1, 1], 1)
            && self.padding.iter().all(|&padding| padding <= 2)
    }

    /// Whether each filter sees one of several channels.
    pub(crate) fn is_depthwise(&self, channels: usize) -> bool {
        self.groups > 1 && self.groups == channels
    }

    /// Whether the output at a place follows from the input at that place alone.
    pub(crate) fn is_pointwise(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([1, 1], [1, 1], [0; 4])
    }

    /// How many channels each filter sees, and an error where channels or filters cannot be cut into the groups.
    fn group_channels(&self, channels: usize, filters: usize) -> Result<usize> {
        let divides = |count: usize| self.groups > 0 && count.is_multiple_of(self.groups);
        if divides(channels) && divides(filters) {
            return Ok(channels / self.groups);
        }
        let groups = self.groups;
        let reason = format!("{channels} channels and {filters} filters do not make {groups} groups");
        Err(if groups == 0 { Error::invalid("conv2d", reason) } else { Error::shape("conv2d", reason) })
    }

    /// How many filters the weights hold, if they suit this many channels.
    fn filters(&self, weight: &[usize], channels: usize) -> Result<usize> {
        let filters = image("conv2d", weight)?[0];
        let channels = self.group_channels(channels, filters)?;
        same("conv2d", "weight", weight, &[filters, channels, self.kernel[0], self.kernel[1]])?;
        Ok(filters)
    }
}

impl Operation for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        self.activation.as_ref().map_or(Ok(()), Activation::check)?;
        let (inputs, residual) = inputs.split_at(inputs.len().min(3));
        let [x, weight, bias] = take("conv2d", inputs)?;
        let [n, c, h, w] = image("conv2d", x)?;
        let filters = self.filters(weight, c)?;
        same("conv2d", "bias", bias, &[filters])?;
        let [oh, ow] = self.output_size([h, w])?;
        let y = vec![n, filters, oh, ow];
        match residual {
            [] => {}
            [residual] => same("conv2d", "residual", residual, &y)?,
            _ => return Err(Error::shape("conv2d", format!("takes 3 or 4 inputs, not {}", 3 + residual.len()))),
        }
        Ok(vec![y])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        // Every output is a sum over one filter.
        2 * elements(&outputs[0]) * elements(&inputs[1][1..])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[1, 2]
    }

    fn parameters(&self, input: &[usize], features: usize) -> Vec<Parameter> {
        let channels = input.get(1).copied().unwrap_or(0) / self.groups.max(1);
        Parameter::weight_and_bias(vec![features, channels, self.kernel[0], self.kernel[1]])
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let (conv, size) = (*self, [inputs[0][2], inputs[0][3]]);
        let mut parts = vec![
            Backward::step(Conv2dBackwardWeight(conv), [Operand::Input(0), Operand::Gradient], [1, 2]),
            Backward::step(Conv2dBackwardInput::new(conv, size), [Operand::Gradient, Operand::Input(1)], [0]),
        ];
        parts.extend((inputs.len() > 3).then_some(Backward::Same(3)));
        Some(parts)
    }
}

/// The gradient of a convolution's input: `dy, weight → dx`; with an activation `dy, weight, seen → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2dBackwardInput {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of its input.
    pub size: [usize; 2],
    /// The function that made the convolution's input, if dx is the gradient of what that function took. `seen`, in the
    /// shape of dx, is then what [`ActivationBackward`](super::ActivationBackward) sees.
    pub activation: Option<Activation>,
}

impl Conv2dBackwardInput {
    /// For an input of this height and width.
    pub fn new(conv: Conv2d, size: [usize; 2]) -> Self {
        Conv2dBackwardInput { conv, size, activation: None }
    }
}

impl Operation for Conv2dBackwardInput {
    fn name(&self) -> &'static str {
        "conv2d_backward_input"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        self.activation.as_ref().map_or(Ok(()), Activation::check)?;
        let (values, seen) = inputs.split_at(inputs.len().min(2));
        let [dy, weight] = take("conv2d_backward_input", values)?;
        let [n, ..] = image("conv2d_backward_input", dy)?;
        let channels = image("conv2d_backward_input", weight)?[1].saturating_mul(self.conv.groups);
        let filters = self.conv.filters(weight, channels)?;
        let [oh, ow] = self.conv.output_size(self.size)?;
        same("conv2d_backward_input", "dy", dy, &[n, filters, oh, ow])?;
        let x = vec![n, channels, self.size[0], self.size[1]];
        match (self.activation, seen) {
            (None, []) => {}
            (Some(_), [seen]) => same("conv2d_backward_input", "seen", seen, &x)?,
            (activation, _) => {
                let wanted = if activation.is_some() { 3 } else { 2 };
                let reason = format!("takes {wanted} inputs, not {}", inputs.len());
                return Err(Error::shape("conv2d_backward_input", reason));
            }
        }
        Ok(vec![x])
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
        let channels = self.0.group_channels(c, filters)?;
        let [oh, ow] = self.0.output_size([h, w])?;
        same("conv2d_backward_weight", "dy", dy, &[n, filters, oh, ow])?;
        Ok(vec![vec![filters, channels, self.0.kernel[0], self.0.kernel[1]], vec![filters]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        2 * elements(inputs[1]) * elements(&outputs[0][1..])
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }
}

//! Depthwise convolutions: kernels for filters that see one channel each.

use std::ops::Range;

use bytemuck::Zeroable;

use super::super::buffer::{Storage, View};
use super::super::compile::Compiler;
use super::super::finish::{Finish, limits};
use super::super::kernel::Access::{Read, Unused, Write};
use super::super::kernel::{Access, Kernel, Shader, shader};
use super::super::residual::Residual;
use super::super::uniform::uniform;
use super::geometry::Geometry;
use crate::error::Result;
use crate::ops::Activation;

const SHADER: Shader = shader!("conv2d_depthwise", "activation", "chained", "residual", "finish");

const FORWARD: &[Access] = &[Read, Read, Read, Write, Read];
const GRADIENT: &[Access] = &[Read, Read, Unused, Write];
const KERNEL_3: &[(&str, f64)] = &[("KERNEL", 3.0)];
const KERNEL_5: &[(&str, f64)] = &[("KERNEL", 5.0)];

const TO_X: &[Access] = &[Read, Read, Unused, Write, Read];
const ANY: Kernel = Kernel::new::<Params>("conv2d/depthwise", SHADER, "forward", FORWARD);
const TO_INPUT: Kernel = Kernel::new::<Params>("conv2d/depthwise_input", SHADER, "backward_input", TO_X);

pub(super) static DEPTHWISE: Kernel = ANY;
pub(super) static DEPTHWISE_3X3: Kernel = ANY.with("conv2d/depthwise_3x3", KERNEL_3);
pub(super) static DEPTHWISE_5X5: Kernel = ANY.with("conv2d/depthwise_5x5", KERNEL_5);
pub(super) static INPUT: Kernel = TO_INPUT;
pub(super) static INPUT_3X3: Kernel = TO_INPUT.with("conv2d/depthwise_input_3x3", KERNEL_3);
pub(super) static INPUT_5X5: Kernel = TO_INPUT.with("conv2d/depthwise_input_5x5", KERNEL_5);
pub(super) static WEIGHT: Kernel =
    Kernel::new::<Params>("conv2d/depthwise_weight", SHADER, "backward_weight", GRADIENT);

/// Pixels that one invocation makes, and invocations of a workgroup.
const PIXELS: usize = 4;
const INVOCATIONS: usize = 64;

uniform! {
    struct Params {
        images: u32,
        channels: u32,
        height: u32,
        width: u32,
        filters: u32,
        out_height: u32,
        out_width: u32,
        kernel_height: u32,
        kernel_width: u32,
        stride_y: u32,
        stride_x: u32,
        dilation_y: u32,
        dilation_x: u32,
        padding_y: u32,
        padding_x: u32,
        x_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
        y_offset: u32,
        accumulate: u32,
        grid: u32,
        low: f32,
        high: f32,
        residual_shift: u32,
    }
}

/// The forms of a kernel: for any filters, and for those of 3×3 and of 5×5.
type Forms = [&'static Kernel; 3];

pub(super) const FORWARDS: Forms = [&DEPTHWISE, &DEPTHWISE_3X3, &DEPTHWISE_5X5];
pub(super) const INPUTS: Forms = [&INPUT, &INPUT_3X3, &INPUT_5X5];

/// The form of a kernel for these filters, and that for any.
pub(super) fn forms([any, of_3, of_5]: Forms, kernel: [usize; 2]) -> Vec<&'static Kernel> {
    match kernel {
        [3, 3] => vec![of_3, any],
        [5, 5] => vec![of_5, any],
        _ => vec![any],
    }
}

impl Geometry {
    /// Whether the kernels here can do it: all filters lie in one buffer.
    pub fn is_depthwise(&self, weight: &Storage) -> bool {
        self.op.is_depthwise(self.channels) && weight.rows().count() == 1
    }

    fn depthwise(&self, images: &Range<usize>) -> Params {
        Params {
            images: images.len() as u32,
            channels: self.channels as u32,
            height: self.input[0] as u32,
            width: self.input[1] as u32,
            filters: self.filters as u32,
            out_height: self.output[0] as u32,
            out_width: self.output[1] as u32,
            kernel_height: self.op.kernel[0] as u32,
            kernel_width: self.op.kernel[1] as u32,
            stride_y: self.op.stride[0] as u32,
            stride_x: self.op.stride[1] as u32,
            dilation_y: self.op.dilation[0] as u32,
            dilation_x: self.op.dilation[1] as u32,
            padding_y: self.op.padding[0] as u32,
            padding_x: self.op.padding[1] as u32,
            ..Params::zeroed()
        }
    }

    /// Images that go into one dispatch.
    pub fn stretches(&self, compiler: &Compiler) -> Vec<Range<usize>> {
        let lengths = [self.x_image(), self.filters * self.plane()];
        let at_once = compiler.images_per_dispatch(&lengths, self.flops(1, self.filters));
        (0..self.images).step_by(at_once).map(|first| first..(first + at_once).min(self.images)).collect()
    }
}

/// The workgroups for so many planes of this size.
fn grid(compiler: &Compiler, planes: usize, [height, width]: [usize; 2]) -> [usize; 3] {
    compiler.folded((planes * height * width.div_ceil(PIXELS)).div_ceil(INVOCATIONS))
}

pub(super) fn forward(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    geometry: &Geometry,
    [x, weight, bias]: [&Storage; 3],
    residual: Option<&Storage>,
    y: &Storage,
) -> Result<()> {
    let (weight, bias) = (compiler.gpu.whole(weight)?, compiler.gpu.whole(bias)?);
    let [low, high] = limits(geometry.op.activation);
    for images in geometry.stretches(compiler) {
        let x = geometry.x_view(compiler, x, &images)?;
        let y = geometry.y_view(compiler, y, &images, &(0..geometry.filters))?;
        let residual =
            Residual::of(residual.map(|it| geometry.y_view(compiler, it, &images, &(0..geometry.filters))), &y)?;
        let grid = grid(compiler, images.len() * geometry.filters, geometry.output);
        let params = Params {
            x_offset: x.offset,
            weight_offset: weight.offset,
            bias_offset: bias.offset,
            y_offset: y.offset,
            grid: grid[0] as u32,
            low,
            high,
            residual_shift: residual.shift,
            ..geometry.depthwise(&images)
        };
        let flops = geometry.flops(images.len(), geometry.filters);
        let variant = kernel.finishing(Finish::new(geometry.op.activation, residual.exists()));
        compiler.dispatch(variant, &params, &[&x, &weight, &bias, &y, residual.or(&bias)], grid, flops)?;
    }
    Ok(())
}

pub(super) fn backward_input(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    geometry: &Geometry,
    [dy, weight]: [&Storage; 2],
    (activation, seen): (Option<Activation>, Option<&Storage>),
    dx: &Storage,
) -> Result<()> {
    let weight = compiler.gpu.whole(weight)?;
    let [low, high] = limits(activation);
    for images in geometry.stretches(compiler) {
        let dy = geometry.y_view(compiler, dy, &images, &(0..geometry.filters))?;
        let dx = geometry.x_view(compiler, dx, &images)?;
        let seen = Residual::of(seen.map(|it| geometry.x_view(compiler, it, &images)), &dx)?;
        let grid = grid(compiler, images.len() * geometry.channels, geometry.input);
        let params = Params {
            x_offset: dy.offset,
            weight_offset: weight.offset,
            y_offset: dx.offset,
            grid: grid[0] as u32,
            low,
            high,
            residual_shift: seen.shift,
            ..geometry.depthwise(&images)
        };
        let flops = geometry.flops(images.len(), geometry.filters);
        let variant = kernel.finishing(Finish::backward(activation));
        compiler.dispatch(variant, &params, &[&dy, &weight, &dx, seen.or(&weight)], grid, flops)?;
    }
    Ok(())
}

pub(super) fn backward_weight(
    compiler: &mut Compiler,
    geometry: &Geometry,
    [x, dy]: [&Storage; 2],
    dweight: &View,
) -> Result<()> {
    for images in geometry.stretches(compiler) {
        let x = geometry.x_view(compiler, x, &images)?;
        let dy = geometry.y_view(compiler, dy, &images, &(0..geometry.filters))?;
        let grid = compiler.folded(geometry.filters * geometry.taps());
        let params = Params {
            x_offset: x.offset,
            weight_offset: dweight.offset,
            y_offset: dy.offset,
            accumulate: u32::from(images.start > 0),
            grid: grid[0] as u32,
            ..geometry.depthwise(&images)
        };
        let flops = geometry.flops(images.len(), geometry.filters);
        compiler.dispatch(&WEIGHT, &params, &[&x, &dy, dweight], grid, flops)?;
    }
    Ok(())
}

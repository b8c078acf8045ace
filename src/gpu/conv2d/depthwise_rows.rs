//! Depthwise convolutions of 3×3 that read each value few times: what software adapters are quickest with.

use super::super::buffer::Storage;
use super::super::compile::{Compiler, MAX_GRID};
use super::super::finish::{Finish, limits};
use super::super::kernel::Access::{Read, Write};
use super::super::kernel::{Kernel, Shader, shader};
use super::super::residual::Residual;
use super::super::uniform::uniform;
use super::geometry::Geometry;
use crate::error::Result;
use crate::ops::Conv2d;

const SHADER: Shader = shader!("conv2d_depthwise_rows", "activation", "chained", "residual", "finish");

pub(super) static ROWS: Kernel =
    Kernel::new::<Params>("conv2d/depthwise_rows", SHADER, "forward", &[Read, Read, Read, Write, Read]);

/// Rows and columns of pixels that one invocation makes, and invocations of a workgroup.
const SIDE: usize = 4;
const INVOCATIONS: usize = 32;

uniform! {
    struct Params {
        channels: u32,
        height: u32,
        width: u32,
        filters: u32,
        out_height: u32,
        out_width: u32,
        padding_y: u32,
        padding_x: u32,
        x_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
        y_offset: u32,
        low: f32,
        high: f32,
        residual_shift: u32,
    }
}

/// Whether the kernel is made for convolutions of this kind, if they are depthwise.
pub(super) fn suits(op: &Conv2d) -> bool {
    (op.kernel, op.stride, op.dilation) == ([3, 3], [1, 1], [1, 1])
}

/// Workgroups for each plane.
fn blocks(geometry: &Geometry) -> usize {
    let [height, width] = geometry.output;
    (height.div_ceil(SIDE) * width.div_ceil(SIDE)).div_ceil(INVOCATIONS)
}

impl Geometry {
    /// Whether the kernel here can do it: all filters lie in one buffer, and the grid is not too large.
    pub fn is_depthwise_by_rows(&self, weight: &Storage) -> bool {
        suits(&self.op)
            && self.is_depthwise(weight)
            && [blocks(self), self.filters, self.images].into_iter().all(|count| count <= MAX_GRID)
    }
}

pub(super) fn forward(
    compiler: &mut Compiler,
    geometry: &Geometry,
    [x, weight, bias]: [&Storage; 3],
    residual: Option<&Storage>,
    y: &Storage,
) -> Result<()> {
    let (weight, bias) = (compiler.gpu.whole(weight)?, compiler.gpu.whole(bias)?);
    let [low, high] = limits(geometry.op.activation);
    let all = 0..geometry.filters;
    for images in geometry.stretches(compiler) {
        let x = geometry.x_view(compiler, x, &images)?;
        let y = geometry.y_view(compiler, y, &images, &all)?;
        let residual = Residual::of(residual.map(|it| geometry.y_view(compiler, it, &images, &all)), &y)?;
        let params = Params {
            channels: geometry.channels as u32,
            height: geometry.input[0] as u32,
            width: geometry.input[1] as u32,
            filters: geometry.filters as u32,
            out_height: geometry.output[0] as u32,
            out_width: geometry.output[1] as u32,
            padding_y: geometry.op.padding[0] as u32,
            padding_x: geometry.op.padding[1] as u32,
            x_offset: x.offset,
            weight_offset: weight.offset,
            bias_offset: bias.offset,
            y_offset: y.offset,
            low,
            high,
            residual_shift: residual.shift,
        };
        let variant = ROWS.finishing(Finish::new(geometry.op.activation, residual.exists()));
        let views = [&x, &weight, &bias, &y, residual.or(&bias)];
        let grid = [blocks(geometry), geometry.filters, images.len()];
        compiler.dispatch(variant, &params, &views, grid, geometry.flops(images.len(), geometry.filters))?;
    }
    Ok(())
}

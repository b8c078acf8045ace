//! Pointwise convolutions in registers only: what software adapters are quickest with.

use std::ops::Range;

use bytemuck::Zeroable;

use super::super::buffer::Storage;
use super::super::compile::Compiler;
use super::super::finish::{Finish, limits};
use super::super::kernel::Access::{Read, Write};
use super::super::kernel::{Access, Kernel, Shader, shader};
use super::super::uniform::uniform;
use super::geometry::Geometry;
use crate::error::Result;

const SHADER: Shader = shader!("conv2d_pointwise", "activation", "residual", "blocks");

const FORWARD: &[Access] = &[Read, Read, Read, Write, Read];

pub(super) static POINTWISE: Kernel = Kernel::new::<Params>("conv2d/pointwise", SHADER, "forward", FORWARD);
pub(super) static PACK: Kernel = Kernel::new::<Params>("conv2d/pointwise_pack", SHADER, "pack", &[Read, Write]);

/// Filters and pixels that one invocation makes, and invocations of a workgroup.
const FILTERS: usize = 16;
const PIXELS: usize = 16;
const INVOCATIONS: usize = 32;

uniform! {
    struct Params {
        images: u32,
        plane: u32,
        channels: u32,
        filters: u32,
        outer: u32,
        x_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
        y_offset: u32,
        residual_offset: u32,
        grid: u32,
        low: f32,
        high: f32,
    }
}

impl Geometry {
    /// Whether the kernels here can do it: planes are made of whole vec4s, all filters lie in one buffer, and an image fits
    /// a binding and a submission.
    pub fn is_pointwise(&self, compiler: &Compiler, weight: &Storage) -> bool {
        let longest = self.x_image().max(self.filters * self.plane()).max(self.channels * outer(self.filters));
        self.op.is_pointwise()
            && self.op.groups == 1
            && self.plane().is_multiple_of(4)
            && weight.rows().count() == 1
            && longest <= compiler.gpu.values_per_binding()
            && self.flops(1, self.filters) <= compiler.gpu.flops_per_dispatch()
    }
}

/// So many filters with those that fill the last block.
fn outer(filters: usize) -> usize {
    filters.next_multiple_of(FILTERS)
}

pub(super) fn forward(
    compiler: &mut Compiler,
    geometry: &Geometry,
    [x, weight, bias]: [&Storage; 3],
    residual: Option<&Storage>,
    y: &Storage,
) -> Result<()> {
    let packed = packed(compiler, geometry, weight)?;
    let (packed, bias) = (compiler.gpu.whole(&packed)?, compiler.gpu.whole(bias)?);
    let [low, high] = limits(geometry.op.activation);
    let all: Range<usize> = 0..geometry.filters;
    for images in geometry.stretches(compiler) {
        let x = geometry.x_view(compiler, x, &images)?;
        let y = geometry.y_view(compiler, y, &images, &all)?;
        let residual = residual.map(|residual| geometry.y_view(compiler, residual, &images, &all)).transpose()?;
        let blocks = images.len() * geometry.plane().div_ceil(PIXELS) * (outer(geometry.filters) / FILTERS);
        let grid = compiler.folded(blocks.div_ceil(INVOCATIONS));
        let params = Params {
            x_offset: x.offset,
            weight_offset: packed.offset,
            bias_offset: bias.offset,
            y_offset: y.offset,
            residual_offset: residual.as_ref().map_or(0, |residual| residual.offset),
            grid: grid[0] as u32,
            low,
            high,
            ..params(geometry, images.len())
        };
        let variant = POINTWISE.finishing(Finish::new(geometry.op.activation, residual.is_some()));
        let views = [&x, &packed, &bias, &y, residual.as_ref().unwrap_or(&x)];
        compiler.dispatch(variant, &params, &views, grid, geometry.flops(images.len(), geometry.filters))?;
    }
    Ok(())
}

fn params(geometry: &Geometry, images: usize) -> Params {
    Params {
        images: images as u32,
        plane: (geometry.plane() / 4) as u32,
        channels: geometry.channels as u32,
        filters: geometry.filters as u32,
        outer: outer(geometry.filters) as u32,
        ..Params::zeroed()
    }
}

/// The filters as `forward` reads them.
fn packed(compiler: &mut Compiler, geometry: &Geometry, weight: &Storage) -> Result<Storage> {
    let values = geometry.channels * outer(geometry.filters);
    compiler.packed(weight, PACK.name.to_owned(), values, |compiler, packed| {
        let (weight, packed) = (compiler.gpu.whole(weight)?, compiler.gpu.whole(packed)?);
        let grid = compiler.folded(values.div_ceil(64));
        let params = Params {
            weight_offset: weight.offset,
            y_offset: packed.offset,
            grid: grid[0] as u32,
            ..params(geometry, 1)
        };
        compiler.dispatch(&PACK, &params, &[&weight, &packed], grid, values as u64)
    })
}

//! The kernels that are not products: a convolution of few channels, and the gradient of the bias.

use bytemuck::Zeroable;

use super::super::buffer::View;
use super::super::compile::{Compiler, MAX_GRID};
use super::super::finish::limits;
use super::super::kernel::Access::{Read, Unused, Write};
use super::super::kernel::{Access, Kernel, Shader, Variant, shader};
use super::super::uniform::uniform;
use super::geometry::{Geometry, Piece};
use crate::error::Result;

const SHADER: Shader = shader!("conv2d", "activation", "chained", "residual", "finish", "conv2d_product", "tiles");

const FORWARD: &[Access] = &[Read, Read, Read, Write, Read];
const SQUARE: &[(&str, f64)] = &[("KERNEL", 3.0)];

const ANY: Kernel = Kernel::new::<Params>("conv2d/direct", SHADER, "direct", FORWARD);

pub(super) static DIRECT: Kernel = ANY;
pub(super) static DIRECT_3X3: Kernel = ANY.with("conv2d/direct_3x3", SQUARE);

pub(super) static BIAS_GRADIENT: Kernel =
    Kernel::new::<Params>("conv2d/bias_gradient", SHADER, "bias_gradient", &[Read, Write, Unused, Unused]);

/// Filters that one invocation of `direct` makes, and the pixels of each.
const DIRECT_FILTERS: usize = 8;
const DIRECT_PIXELS: usize = 4;

uniform! {
    pub(super) struct Params {
        pub images: u32,
        pub channels: u32,
        pub height: u32,
        pub width: u32,
        pub filters: u32,
        pub out_height: u32,
        pub out_width: u32,
        pub kernel_height: u32,
        pub kernel_width: u32,
        pub stride_y: u32,
        pub stride_x: u32,
        pub padding_y: u32,
        pub padding_x: u32,
        pub dilation_y: u32,
        pub dilation_x: u32,
        pub group_filters: u32,
        pub x_image: u32,
        pub y_image: u32,
        pub x_offset: u32,
        pub weight_offset: u32,
        pub bias_offset: u32,
        pub y_offset: u32,
        pub accumulate: u32,
        pub first_group: u32,
        pub low: f32,
        pub high: f32,
        pub residual_shift: u32,
    }
}

impl Params {
    /// For a part of the work.
    pub fn new(geometry: &Geometry, piece: &Piece) -> Self {
        let [low, high] = limits(geometry.op.activation);
        Params {
            images: piece.images.len() as u32,
            channels: geometry.group_channels() as u32,
            height: geometry.input[0] as u32,
            width: geometry.input[1] as u32,
            filters: piece.filters.len() as u32,
            out_height: geometry.output[0] as u32,
            out_width: geometry.output[1] as u32,
            kernel_height: geometry.op.kernel[0] as u32,
            kernel_width: geometry.op.kernel[1] as u32,
            stride_y: geometry.op.stride[0] as u32,
            stride_x: geometry.op.stride[1] as u32,
            padding_y: geometry.op.padding[0] as u32,
            padding_x: geometry.op.padding[1] as u32,
            dilation_y: geometry.op.dilation[0] as u32,
            dilation_x: geometry.op.dilation[1] as u32,
            group_filters: (piece.filters.len() / piece.groups.len()) as u32,
            x_image: geometry.x_image() as u32,
            x_offset: geometry.x_group(piece.groups.start) as u32,
            low,
            high,
            y_image: (geometry.filters * geometry.plane()) as u32,
            ..Params::zeroed()
        }
    }
}

/// The workgroups of `direct`.
pub(super) fn direct_groups(geometry: &Geometry, piece: &Piece) -> [usize; 3] {
    let [height, width] = geometry.output;
    let strips = width.div_ceil(DIRECT_PIXELS) * height;
    let blocks = (piece.filters.len() / piece.groups.len()).div_ceil(DIRECT_FILTERS);
    [strips.div_ceil(64), piece.groups.len() * blocks, piece.images.len()]
}

/// Adds as many dispatches as the grid's limit along x asks for.
pub(super) fn dispatch(
    compiler: &mut Compiler,
    variant: impl Into<Variant>,
    params: Params,
    views: &[&View],
    groups: [usize; 3],
    flops: u64,
) -> Result<()> {
    let variant = variant.into();
    for first in (0..groups[0]).step_by(MAX_GRID) {
        let count = (groups[0] - first).min(MAX_GRID);
        let params = Params { first_group: first as u32, ..params };
        compiler.dispatch(
            variant,
            &params,
            views,
            [count, groups[1], groups[2]],
            flops / groups[0] as u64 * count as u64,
        )?;
    }
    Ok(())
}

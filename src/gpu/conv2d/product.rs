//! Convolutions and their gradients as products of matrices: one description, and one way to run it.

use bytemuck::Zeroable;

use super::super::buffer::View;
use super::super::compile::{Compiler, MAX_GRID};
use super::super::finish::{Finish, limits};
use super::super::kernel::Access::{Read, Unused, Write};
use super::super::kernel::{Access, Kernel, MatrixKernels, Shader, Variant, matrix_kernels, matrix_shader, shader};
use super::super::scale::Scales;
use super::super::tiling::{STEP, prefers_large, steps_at_once, units_per_part};
use super::super::uniform::uniform;
use super::geometry::Geometry;
use crate::error::Result;
use crate::ops::Conv2d;

const ALL: &[Access] = &[Read, Read, Read, Write, Read];
const WITH_SCALE: &[Access] = &[Read, Read, Read, Write, Read, Read];
const TILE_64: &[(&str, f64)] = &[("TILE", 64.0)];

const SHADER: Shader = shader!("conv2d", "activation", "chained", "residual", "finish", "conv2d_product", "tiles");
const MATRIX_SHADER: Shader =
    matrix_shader!("conv2d_matrix", "activation", "chained", "residual", "finish", "conv2d_product", "conv2d_scales");

const WEIGHT_MATRIX_SHADER: Shader = matrix_shader!(
    "conv2d_weight_matrix",
    "activation",
    "chained",
    "residual",
    "finish",
    "conv2d_product",
    "conv2d_scales"
);

const GEMM: Kernel = Kernel::new::<Product>("conv2d/gemm_128", SHADER, "gemm", ALL);
const GEMM_WEIGHT: Kernel = Kernel::new::<Product>("conv2d/gemm_weight_128", SHADER, "gemm_weight", ALL);

pub(super) static GEMM_128: Kernel = GEMM;
pub(super) static GEMM_64: Kernel = GEMM.with("conv2d/gemm_64", TILE_64);
pub(super) static GEMM_MATRIX: MatrixKernels =
    matrix_kernels!(Product, "conv2d/gemm_matrix", MATRIX_SHADER, WITH_SCALE);
pub(super) static GEMM_WEIGHT_MATRIX: MatrixKernels =
    matrix_kernels!(Product, "conv2d/gemm_weight_matrix", WEIGHT_MATRIX_SHADER, WITH_SCALE);
pub(super) static GEMM_WEIGHT_128: Kernel = GEMM_WEIGHT;
pub(super) static GEMM_WEIGHT_64: Kernel = GEMM_WEIGHT.with("conv2d/gemm_weight_64", TILE_64);
pub(super) static PACK: Kernel = Kernel::new::<Product>("conv2d/pack", SHADER, "pack", &[Unused, Read, Unused, Write]);
pub(super) static SUM_PARTS: Kernel =
    Kernel::new::<Product>("conv2d/sum_parts", SHADER, "sum_parts", &[Read, Unused, Read, Write, Read]);

uniform! {
    /// A product, as the shader describes it.
    pub(super) struct Product {
        pub grid: [u32; 2],
        pub taps: [u32; 2],
        pub size: [u32; 2],
        pub origin: [i32; 2],
        pub step: [i32; 2],
        pub direction: [i32; 2],
        pub weight_tap: [u32; 2],
        pub y_place: [u32; 2],
        pub images: u32,
        pub rows: u32,
        pub planes: u32,
        pub plane: u32,
        pub image: u32,
        pub x_offset: u32,
        pub weight_offset: u32,
        pub weight_row: u32,
        pub weight_plane: u32,
        pub packed_offset: u32,
        pub y_offset: u32,
        pub y_image: u32,
        pub y_row: u32,
        pub bias_offset: u32,
        pub has_bias: u32,
        pub low: f32,
        pub high: f32,
        pub residual_shift: u32,
        pub accumulate: u32,
        pub part: u32,
        pub y_part: u32,
        pub parts: u32,
        pub first_group: u32,
        pub left_scale: f32,
        pub right_scale: f32,
        pub measured_offset: u32,
    }
}

/// What a product reads and writes, and what is done with its sums.
pub(super) struct Views<'a> {
    pub x: &'a View,
    pub weight: &'a View,
    pub bias: &'a View,
    pub y: &'a View,
    /// Where there is none another one stands in, which is not read.
    pub residual: &'a View,
    pub finish: Finish,
    /// For matrix units.
    pub scales: &'a Scales,
}

fn pair<T: Copy, U: TryFrom<T> + Default>(values: [T; 2]) -> [U; 2] {
    values.map(|value| U::try_from(value).unwrap_or_default())
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Product {
    /// y, of these many images and filters of a group.
    pub fn forward(geometry: &Geometry, images: usize, filters: usize, group: usize) -> Self {
        let ([height, width], taps) = (geometry.input, geometry.taps());
        let [low, high] = limits(geometry.op.activation);
        Product {
            images: images as u32,
            grid: pair(geometry.output),
            rows: filters as u32,
            planes: geometry.group_channels() as u32,
            taps: pair(geometry.op.kernel),
            size: pair(geometry.input),
            plane: (height * width) as u32,
            image: geometry.x_image() as u32,
            x_offset: geometry.x_group(group) as u32,
            origin: pair::<_, i32>(geometry.op.padding_before()).map(|padding| -padding),
            step: pair(geometry.op.stride),
            direction: pair(geometry.op.dilation),
            weight_row: geometry.filter() as u32,
            weight_plane: taps as u32,
            weight_tap: [geometry.op.kernel[1] as u32, 1],
            y_image: (geometry.filters * geometry.plane()) as u32,
            y_row: geometry.plane() as u32,
            y_place: [geometry.output[1] as u32, 1],
            has_bias: 1,
            low,
            high,
            ..Product::zeroed()
        }
    }

    /// dx of a group, of these many images, from these many filters: one product for each way in which the windows' places may
    /// lie to a pixel, so that no place of a filter is visited that does not reach it.
    pub fn backward_input(geometry: &Geometry, images: usize, filters: usize, group: usize) -> Vec<Self> {
        let ([height, width], taps) = (geometry.input, geometry.taps());
        let [down, across] = geometry.op.stride;
        // At a dilation, places of a filter that reach the same pixels lie closer or reach none.
        let common = [0, 1].map(|axis| greatest_common_divisor(geometry.op.stride[axis], geometry.op.dilation[axis]));
        let steps = [down / common[0], across / common[1]];
        let phases = (0..down.min(height) * across.min(width)).map(|i| [i / across.min(width), i % across.min(width)]);
        let product = |first: [usize; 2]| {
            // Along one axis: pixels first, first + stride, … meet places tap, tap + step, … of the filters, of windows
            // that begin at `window`, and so many before for each further place.
            let axis = |axis: usize| {
                let Conv2d { stride, dilation, kernel, .. } = geometry.op;
                let (stride, dilation, padded) =
                    (stride[axis], dilation[axis], first[axis] + geometry.op.padding[axis]);
                let grid = (geometry.input[axis] - first[axis]).div_ceil(stride);
                let meets = |&tap: &usize| (tap * dilation) % stride == padded % stride;
                match (0..steps[axis].min(kernel[axis])).find(meets) {
                    Some(tap) => {
                        let window = (padded as i32 - (tap * dilation) as i32) / stride as i32;
                        (grid, tap, (kernel[axis] - tap).div_ceil(steps[axis]), window)
                    }
                    None => (grid, 0, 0, 0),
                }
            };
            let [(grid_y, tap_y, taps_y, window_y), (grid_x, tap_x, taps_x, window_x)] = [axis(0), axis(1)];
            Product {
                images: images as u32,
                grid: pair([grid_y, grid_x]),
                rows: geometry.group_channels() as u32,
                planes: filters as u32,
                taps: pair([taps_y, taps_x]),
                size: pair(geometry.output),
                plane: geometry.plane() as u32,
                image: (geometry.filters * geometry.plane()) as u32,
                origin: [window_y, window_x],
                step: [1; 2],
                direction: [0, 1].map(|axis| -((geometry.op.dilation[axis] / common[axis]) as i32)),
                weight_offset: (tap_y * geometry.op.kernel[1] + tap_x) as u32,
                weight_row: taps as u32,
                weight_plane: geometry.filter() as u32,
                weight_tap: pair([steps[0] * geometry.op.kernel[1], steps[1]]),
                y_offset: (geometry.x_group(group) + first[0] * width + first[1]) as u32,
                y_image: geometry.x_image() as u32,
                y_row: (height * width) as u32,
                y_place: pair([down * width, across]),
                ..Product::zeroed()
            }
        };
        phases.map(product).collect()
    }

    /// dweight, of these many filters of a group, from these many images. dy stands in the place of the weights.
    pub fn backward_weight(geometry: &Geometry, images: usize, filters: usize, group: usize) -> Self {
        let [height, width] = geometry.input;
        Product {
            images: geometry.group_channels() as u32,
            grid: pair(geometry.op.kernel),
            rows: filters as u32,
            planes: images as u32,
            taps: pair(geometry.output),
            size: pair(geometry.input),
            plane: geometry.x_image() as u32,
            image: (height * width) as u32,
            x_offset: geometry.x_group(group) as u32,
            origin: pair::<_, i32>(geometry.op.padding_before()).map(|padding| -padding),
            step: pair(geometry.op.dilation),
            direction: pair(geometry.op.stride),
            weight_row: geometry.plane() as u32,
            weight_plane: (geometry.filters * geometry.plane()) as u32,
            weight_tap: [geometry.output[1] as u32, 1],
            y_image: geometry.taps() as u32,
            y_row: geometry.filter() as u32,
            y_place: [geometry.op.kernel[1] as u32, 1],
            ..Product::zeroed()
        }
    }

    fn taps(&self) -> usize {
        self.taps[0] as usize * self.taps[1] as usize
    }

    fn places(&self) -> usize {
        self.grid[0] as usize * self.grid[1] as usize
    }

    fn values(&self) -> usize {
        self.images as usize * self.rows as usize * self.places()
    }

    fn flops(&self) -> u64 {
        2 * self.values() as u64 * (self.planes as usize * self.taps()) as u64
    }

    /// The tiles that a kernel makes, across and down.
    fn tiles(&self, kernel: &Kernel) -> [usize; 2] {
        let tile = tile(kernel);
        let columns = match makes_weight(kernel) {
            true => (self.images as usize).next_multiple_of(4) * self.places(),
            false => self.images as usize * self.places(),
        };
        [columns.div_ceil(tile), (self.rows as usize).div_ceil(tile)]
    }

    /// The kernel with tiles of 128, or that with tiles of 64.
    pub fn choose(&self, compiler: &Compiler, large: &'static Kernel, small: &'static Kernel) -> &'static Kernel {
        let [many, more] = [large, small].map(|kernel| self.tiles(kernel).iter().product());
        if prefers_large(compiler, many, more) { large } else { small }
    }

    /// In how many parts the inner dimension is made, and how long each is: planes for y and dx; rows of taps in all planes for
    /// dweight, or single taps with matrix units.
    fn parts(&self, compiler: &Compiler, kernel: &Kernel) -> (usize, usize) {
        let (length, unit, steps) = match kernel.entry {
            "gemm_weight" => {
                let taps_x = self.taps[1] as usize;
                (self.planes as usize * self.taps[0] as usize, 1, taps_x.div_ceil(STEP))
            }
            _ if makes_weight(kernel) => {
                let unit = steps_at_once(kernel);
                (self.planes as usize * self.taps(), unit, unit / STEP)
            }
            _ => {
                let unit = steps_at_once(kernel);
                (self.planes as usize, unit, unit / STEP * self.taps())
            }
        };
        let units = length.div_ceil(unit);
        let tiles = self.tiles(kernel).iter().product();
        let part = units_per_part(compiler, units, steps, tiles, self.values());
        (units.div_ceil(part).max(1), part * unit)
    }

    /// Adds the dispatches of one product, of as many rows at a time as fit.
    pub fn dispatch(self, compiler: &mut Compiler, kernel: &'static Kernel, views: &Views) -> Result<()> {
        let packed_row = self.taps() * (self.planes as usize).next_multiple_of(STEP);
        let fitting = compiler.gpu.values_per_binding() / packed_row.max(1);
        let at_once = if makes_weight(kernel) { usize::MAX } else { (fitting / 4 * 4).max(4) };
        let rows = self.rows as usize;
        for first in (0..rows).step_by(at_once) {
            let product = Product {
                rows: at_once.min(rows - first) as u32,
                weight_offset: self.weight_offset + first as u32 * self.weight_row,
                y_offset: self.y_offset + first as u32 * self.y_row,
                bias_offset: self.bias_offset + first as u32,
                ..self
            };
            compiler.reuse_scratch();
            product.dispatch_rows(compiler, kernel, views)?;
        }
        Ok(())
    }

    fn dispatch_rows(self, compiler: &mut Compiler, kernel: &'static Kernel, views: &Views) -> Result<()> {
        let Views { x, weight, bias, y, residual, finish, scales } = *views;
        let (mut product, mut packed) = (self, None);
        (product.left_scale, product.right_scale) = (scales.left, scales.right);
        product.measured_offset = scales.offset();
        let scale = kernel.matrix_source.map(|_| scales.or(bias));
        if is_gemm(kernel) {
            let planes = (self.planes as usize).next_multiple_of(STEP);
            let quads = (self.rows as usize).div_ceil(4);
            // Where no place of a filter reaches, there is nothing to pack, but something to bind.
            let storage = compiler.scratch((self.taps() * planes * quads * 4).max(4))?;
            let view = packed.insert(compiler.gpu.whole(&storage)?);
            product.packed_offset = view.offset / 4;
            let groups = [self.taps() * planes / STEP, quads.div_ceil(8), 1];
            product.dispatch_groups(compiler, &PACK, &[weight, view], groups, 0)?;
        }
        let (parts, part) = self.parts(compiler, kernel);
        product.part = part as u32;
        let [across, down] = self.tiles(kernel);
        let factor = packed.as_ref().unwrap_or(weight);
        if parts == 1 {
            let views: Vec<&View> = [x, factor, bias, y, residual].into_iter().chain(scale).collect();
            return product.dispatch_groups(
                compiler,
                kernel.finishing(finish),
                &views,
                [across, down, 1],
                self.flops(),
            );
        }
        let storage = compiler.scratch(parts * self.values())?;
        let sums = compiler.gpu.whole(&storage)?;
        (product.parts, product.y_part) = (parts as u32, self.values() as u32);
        let partial = Product {
            y_offset: sums.offset,
            y_image: self.rows * self.places() as u32,
            y_row: self.places() as u32,
            y_place: [self.grid[1], 1],
            has_bias: 0,
            accumulate: 0,
            ..product
        };
        let views: Vec<&View> = [x, factor, bias, &sums, residual].into_iter().chain(scale).collect();
        partial.dispatch_groups(compiler, kernel, &views, [across, down, parts], self.flops())?;
        let product = Product { x_offset: sums.offset, ..product };
        let groups = [self.values().div_ceil(64), 1, 1];
        product.dispatch_groups(
            compiler,
            SUM_PARTS.finishing(finish),
            &[&sums, bias, y, residual],
            groups,
            (parts * self.values()) as u64,
        )
    }

    /// Adds as many dispatches as the grid's limit along x asks for.
    fn dispatch_groups(
        self,
        compiler: &mut Compiler,
        variant: impl Into<Variant>,
        views: &[&View],
        [across, down, deep]: [usize; 3],
        flops: u64,
    ) -> Result<()> {
        let variant = variant.into();
        for first in (0..across).step_by(MAX_GRID) {
            let count = (across - first).min(MAX_GRID);
            let product = Product { first_group: first as u32, ..self };
            let flops = flops / across as u64 * count as u64;
            compiler.dispatch(variant, &product, views, [count, down, deep], flops)?;
        }
        Ok(())
    }
}

/// Whether a kernel makes y or dx, by ordinary instructions or by matrix units.
pub(super) fn is_gemm(kernel: &Kernel) -> bool {
    kernel.entry == "gemm" || kernel.shader == MATRIX_SHADER.name
}

/// Whether a kernel makes dweight as such a product.
fn makes_weight(kernel: &Kernel) -> bool {
    kernel.entry == "gemm_weight" || kernel.shader == WEIGHT_MATRIX_SHADER.name
}

/// Height and width of a kernel's tiles.
fn tile(kernel: &Kernel) -> usize {
    let is_large = kernel.constants.is_empty() && kernel.matrix_source.is_none();
    if is_large { 128 } else { 64 }
}

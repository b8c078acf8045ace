//! Convolution by Winograd's minimal filtering (Lavin & Gray 2015): 3×3 filters with step 1, in tiles of 2×2 or 4×4
//! values of the output. Windows and filters are transformed, multiplied at every point, and transformed back.

mod gradient;

use std::ops::Range;

use bytemuck::Zeroable;

use super::buffer::{Storage, View};
use super::compile::{Compiler, MAX_GRID, cut_evenly};
use super::finish::{Finish, limits};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Access, Kernel, MatrixKernels, Shader, matrix_kernels, matrix_shader, shader};
use super::residual::Residual;
use super::scale::Scales;
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Activation;
pub(super) use gradient::WeightJob;

pub(super) static KERNELS: &[&Kernel] = &[
    &MULTIPLY,
    &MULTIPLY_BLOCKED,
    &MULTIPLY_F16,
    &MULTIPLY_BLOCKED_F16,
    &MULTIPLY_MATRIX.f16,
    &MULTIPLY_MATRIX.split,
    &TILE2.weight,
    &TILE2.weight_f16,
    &TILE2.weight_rotated,
    &TILE2.input,
    &TILE2.output,
    &TILE2.output_pool,
    &TILE2.output_gradient,
    &TILE2.input_by_tile,
    &TILE2.output_by_tile,
    &TILE2.weight_gradient,
    &TILE4.weight,
    &TILE4.weight_f16,
    &TILE4.weight_rotated,
    &TILE4.input,
    &TILE4.output,
    &TILE4.output_pool,
    &TILE4.output_gradient,
    &TILE4.input_by_tile,
    &TILE4.output_by_tile,
    &TILE4.weight_gradient,
];

/// The kernels for one size of tile.
struct Transforms {
    /// Height and width of a tile of y.
    tile: usize,
    weight: Kernel,
    weight_f16: Kernel,
    weight_rotated: Kernel,
    input: Kernel,
    output: Kernel,
    output_pool: Kernel,
    output_gradient: Kernel,
    input_by_tile: Kernel,
    output_by_tile: Kernel,
    weight_gradient: Kernel,
}

const TO_SCRATCH: &[Access] = &[Read, Write, Unused];
const FROM_SCRATCH: &[Access] = &[Read, Read, Write, Read];
const GRADIENT: &[Access] = &[Read, Unused, Write, Read];
const U_F16: &[(&str, f64)] = &[("U_F16", 1.0)];
const ROTATE: &[(&str, f64)] = &[("ROTATE", 1.0)];
const POOL: &[(&str, f64)] = &[("POOL", 1.0)];

macro_rules! transforms {
    ($tile:literal, $shader:expr, $name:literal) => {{
        const WEIGHT: Kernel = Kernel::new::<Params>(concat!($name, "_weight"), $shader, "weight", TO_SCRATCH);
        const OUTPUT: Kernel = Kernel::new::<Params>(concat!($name, "_output"), $shader, "output", FROM_SCRATCH);
        Transforms {
            tile: $tile,
            weight: WEIGHT,
            weight_f16: Kernel::new::<Params>(concat!($name, "_weight_f16"), $shader, "weight_f16", TO_SCRATCH),
            weight_rotated: WEIGHT.with(concat!($name, "_weight_rotated"), ROTATE),
            input: Kernel::new::<Params>(concat!($name, "_input"), $shader, "input", TO_SCRATCH),
            output: OUTPUT,
            output_pool: OUTPUT.with(concat!($name, "_output_pool"), POOL),
            output_gradient: Kernel::new::<Params>(
                concat!($name, "_output_gradient"),
                $shader,
                "output_gradient",
                GRADIENT,
            ),
            input_by_tile: Kernel::new::<Params>(
                concat!($name, "_input_by_tile"),
                $shader,
                "input_by_tile",
                TO_SCRATCH,
            ),
            output_by_tile: Kernel::new::<Params>(
                concat!($name, "_output_by_tile"),
                $shader,
                "output_by_tile",
                TO_SCRATCH,
            ),
            weight_gradient: Kernel::new::<Params>(
                concat!($name, "_weight_gradient"),
                $shader,
                "weight_gradient",
                GRADIENT,
            ),
        }
    }};
}

static TILE2: Transforms = transforms!(
    2,
    shader!("conv2d_winograd2", "activation", "chained", "residual", "finish", "winograd", "pair_f16"),
    "conv2d/winograd2"
);
static TILE4: Transforms = transforms!(
    4,
    shader!("conv2d_winograd4", "activation", "chained", "residual", "finish", "winograd", "pair_f16"),
    "conv2d/winograd4"
);

const PRODUCT: &[Access] = &[Read, Read, Write];

const MULTIPLY_SHADER: Shader = shader!("conv2d_winograd", "winograd_product", "blocks");
const MATRIX_SHADER: Shader = matrix_shader!("conv2d_winograd_matrix", "winograd_product");

const TILED: Kernel = Kernel::new::<Product>("conv2d/winograd_multiply", MULTIPLY_SHADER, "multiply", PRODUCT);
const BLOCKED: Kernel =
    Kernel::new::<Product>("conv2d/winograd_multiply_blocked", MULTIPLY_SHADER, "multiply_blocked", PRODUCT);

static MULTIPLY: Kernel = TILED;
static MULTIPLY_BLOCKED: Kernel = BLOCKED;
static MULTIPLY_F16: Kernel = TILED.with("conv2d/winograd_multiply_f16", U_F16);
static MULTIPLY_BLOCKED_F16: Kernel = BLOCKED.with("conv2d/winograd_multiply_blocked_f16", U_F16);

static MULTIPLY_MATRIX: MatrixKernels =
    matrix_kernels!(Product, "conv2d/winograd_multiply_matrix", MATRIX_SHADER, &[Read, Read, Write, Read]);

/// The steps along the products' inner dimension come in pairs of eight, or are of sixteen.
const INNER: usize = 16;

/// The most values of one piece of scratch memory: 64 MiB.
const MAX_SCRATCH: usize = 1 << 24;

/// Steps of a part of the products' inner dimension (channels, or tiles for the gradient of the weights), at least: with
/// fewer, adding the parts up costs more than it saves.
const LEAST_STEPS: usize = 64;

/// Blocks of products that keep a GPU busy: those of a GPU with memory of its own have several times the multiprocessors of
/// others, and one block on each waits for memory most of the time.
fn enough_blocks(compiler: &Compiler) -> usize {
    if compiler.gpu.info().device_type == wgpu::DeviceType::IntegratedGpu { 128 } else { 512 }
}

/// A way to convolve: its transforms, and the kernel for the products with the blocks that it works in.
pub(super) struct Winograd {
    /// What `Options::kernel` calls it.
    pub name: &'static str,
    transforms: &'static Transforms,
    multiply: &'static Kernel,
    /// Filters and tiles of one block.
    block: [usize; 2],
}

pub(super) static ALGORITHMS: [Winograd; 4] = [
    Winograd { name: "conv2d/winograd2", transforms: &TILE2, multiply: &MULTIPLY, block: [64, 64] },
    Winograd { name: "conv2d/winograd4", transforms: &TILE4, multiply: &MULTIPLY, block: [64, 64] },
    Winograd { name: "conv2d/winograd2_blocked", transforms: &TILE2, multiply: &MULTIPLY_BLOCKED, block: [32, 16] },
    Winograd { name: "conv2d/winograd4_blocked", transforms: &TILE4, multiply: &MULTIPLY_BLOCKED, block: [32, 16] },
];

/// The convolution to be done: y from x, or the gradient of the input (here also called y) from that of the output (x).
pub(super) struct Job<'a> {
    pub x: &'a Storage,
    pub weight: &'a Storage,
    /// `None` for the gradient of the input.
    pub bias: Option<&'a Storage>,
    pub y: &'a Storage,
    pub images: usize,
    /// Channels of x and of y.
    pub inner: usize,
    pub outer: usize,
    /// Height and width of x and of y.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub padding: [usize; 2],
    /// What is added to y before the activation, or what the gradient of the activation sees. There is none with `pool`.
    pub residual: Option<&'a Storage>,
    /// What follows; for the gradient of the input, what this comes back through.
    pub activation: Option<Activation>,
    /// Whether only the largest of each 2×2 values of the output goes into y.
    pub pool: bool,
}

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
        x_image: u32,
        y_image: u32,
        x_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
        y_offset: u32,
        u_offset: u32,
        v_offset: u32,
        m_offset: u32,
        inner: u32,
        outer: u32,
        tiles: u32,
        tiles_across: u32,
        tiles_image: u32,
        first_tile: u32,
        tile_count: u32,
        parts: u32,
        m_part: u32,
        accumulate: u32,
        low: f32,
        high: f32,
        residual_shift: u32,
    }
}

uniform! {
    struct Product {
        u_offset: u32,
        v_offset: u32,
        m_offset: u32,
        inner: u32,
        outer: u32,
        tiles: u32,
        points: u32,
        part: u32,
        left_scale: f32,
        right_scale: f32,
        measured_offset: u32,
    }
}

/// What of the weights one round of the work uses: the rows (filters) that it reads, and the sizes of its products.
struct Piece {
    rows: Range<usize>,
    inner: usize,
    outer: usize,
}

/// The kernel for the products, if matrix units make them.
pub(super) fn matrix_kernel(compiler: &Compiler) -> Option<&'static Kernel> {
    compiler.by_matrix_units(&MULTIPLY_MATRIX)
}

impl Job<'_> {
    fn is_gradient(&self) -> bool {
        self.bias.is_none()
    }

    /// Whether the transformed weights are stored in f16.
    fn in_f16(&self, compiler: &Compiler) -> bool {
        !self.is_gradient() && compiler.in_f16(self.weight)
    }

    /// Filters: the rows of the weights.
    fn rows(&self) -> usize {
        if self.is_gradient() { self.inner } else { self.outer }
    }

    fn x_image(&self) -> usize {
        self.inner * self.input[0] * self.input[1]
    }

    /// Values of one feature map of y.
    fn plane(&self) -> usize {
        let shrink = if self.pool { 2 } else { 1 };
        (self.output[0] / shrink) * (self.output[1] / shrink)
    }

    fn y_image(&self) -> usize {
        self.outer * self.plane()
    }

    /// The sizes of the products that these filters take part in.
    fn piece(&self, rows: Range<usize>) -> Piece {
        let (inner, outer) = if self.is_gradient() { (rows.len(), self.outer) } else { (self.inner, rows.len()) };
        Piece { rows, inner, outer }
    }
}

impl Winograd {
    /// Whether its products need no workgroup memory.
    pub fn is_blocked(&self) -> bool {
        self.multiply != &MULTIPLY
    }

    fn points(&self) -> usize {
        (self.transforms.tile + 2).pow(2)
    }

    /// Tiles down and across one image.
    fn tiles(&self, job: &Job) -> [usize; 2] {
        self.tiles_of(job.output)
    }

    /// The same for a feature map of this size.
    fn tiles_of(&self, output: [usize; 2]) -> [usize; 2] {
        output.map(|size| size.div_ceil(self.transforms.tile))
    }

    /// Multiplications of the products, with what fills the blocks.
    pub fn cost(&self, job: &Job) -> usize {
        let tiles = job.images * self.tiles(job).iter().product::<usize>();
        self.points()
            * tiles.next_multiple_of(self.block[1])
            * self.padded(&job.piece(0..job.rows())).iter().product::<usize>()
    }

    fn padded(&self, piece: &Piece) -> [usize; 2] {
        [piece.inner.next_multiple_of(INNER), piece.outer.next_multiple_of(self.block[0])]
    }

    /// The most values of a piece of memory that is bound as a whole.
    fn fitting(compiler: &Compiler) -> usize {
        compiler.gpu.values_per_binding().min(MAX_SCRATCH)
    }

    /// Whether the smallest piece of the work fits this device.
    pub fn suits(&self, compiler: &Compiler, job: &Job) -> bool {
        self.fits(compiler, job, 1)
    }

    /// Whether what so many filters need fits bindings: transformed weights, a block of tiles, and their part of y.
    fn fits(&self, compiler: &Compiler, job: &Job, rows: usize) -> bool {
        let [inner, outer] = self.padded(&job.piece(0..rows));
        let fitting = Self::fitting(compiler) / self.points();
        let y = if job.is_gradient() { job.y_image() } else { rows * job.plane() };
        inner * outer <= fitting
            && inner.max(outer) * self.block[1] <= fitting
            && y <= compiler.gpu.values_per_binding()
    }

    /// The filters of each round: as many as lie in one buffer and fit.
    fn pieces(&self, compiler: &Compiler, job: &Job) -> Vec<Piece> {
        let rows = Self::cut(job.weight, |rows| self.fits(compiler, job, rows));
        rows.into_iter().map(|rows| job.piece(rows)).collect()
    }

    /// As few pieces of the rows of weights as lie in one buffer each and fit.
    fn cut(weight: &Storage, fits: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
        let pieces = weight.rows().map(|rows| {
            let most = (1..=rows.len()).rev().find(|&most| fits(most)).unwrap_or(1);
            cut_evenly(rows, most)
        });
        pieces.flatten().collect()
    }

    /// Whether all of x is read before anything is written: the work is done in one round.
    pub fn reads_first(&self, compiler: &Compiler, job: &Job) -> bool {
        let pieces = self.pieces(compiler, job);
        let [piece] = pieces.as_slice() else { return false };
        let tiles = job.images * self.tiles(job).iter().product::<usize>();
        let at_once = compiler.images_per_dispatch(&[job.x_image(), job.y_image()], 1);
        at_once >= job.images && tiles <= self.tiles_at_once(compiler, self.padded(piece))
    }

    /// Adds the dispatches of a convolution.
    pub fn convolve(&self, compiler: &mut Compiler, job: &Job) -> Result<()> {
        let pieces = self.pieces(compiler, job);
        let scales = match job.is_gradient() {
            true => Scales::of_input(compiler, matrix_kernel(compiler), job.weight, job.x)?,
            false => Scales::FORWARD,
        };
        // Some of the filters of several images do not lie side by side.
        let at_once = if pieces.len() == 1 || job.is_gradient() {
            compiler.images_per_dispatch(&[job.x_image(), job.y_image()], 1)
        } else {
            1
        };
        for piece in &pieces {
            compiler.reuse_scratch();
            let u = self.weights(compiler, job, piece)?;
            let [inner, outer] = self.padded(piece);
            let most = self.tiles_at_once(compiler, [inner, outer]);
            let of_image = self.tiles(job).iter().product::<usize>();
            let longest = (of_image * at_once.min(job.images)).next_multiple_of(self.block[1]).min(most);
            // Of all tiles, so that sums are the same however the work is cut.
            let blocks = self.blocks(outer, of_image * job.images);
            let values = self.points() * outer * longest;
            let part = self.part(compiler, inner, blocks, values);
            let v = compiler.scratch(self.points() * inner * longest)?;
            let m = compiler.scratch(inner.div_ceil(part) * values)?;
            for first in (0..job.images).step_by(at_once) {
                let images = first..(first + at_once).min(job.images);
                self.convolve_images(compiler, job, piece, ([&u, &v, &m], &scales), images, [most, part])?;
            }
        }
        Ok(())
    }

    /// How many tiles the products take at once, so that their memory and their work stay within the limits.
    fn tiles_at_once(&self, compiler: &Compiler, [inner, outer]: [usize; 2]) -> usize {
        let fitting = Self::fitting(compiler) / (self.points() * inner.max(outer));
        let flops = 2 * (self.points() * inner * outer) as u64;
        let affordable = usize::try_from(compiler.gpu.flops_per_dispatch() / flops).unwrap_or(usize::MAX);
        let block = self.block[1];
        (fitting.min(affordable).min(MAX_GRID * block) / block * block).max(block)
    }

    /// How many steps of the products' inner dimension a workgroup takes: a part of them, where there are too few blocks. Each
    /// part adds so many values.
    fn part(&self, compiler: &Compiler, inner: usize, blocks: usize, values: usize) -> usize {
        if self.is_blocked() {
            return inner;
        }
        let most = (inner / LEAST_STEPS).min(Self::fitting(compiler) / values).max(1);
        let parts = (enough_blocks(compiler) / blocks.max(1)).clamp(1, most);
        inner.div_ceil(parts).next_multiple_of(INNER)
    }

    /// Blocks of the products at all points.
    fn blocks(&self, outer: usize, columns: usize) -> usize {
        self.points() * (outer / self.block[0]) * columns.div_ceil(self.block[1])
    }

    /// The transformed weights of these filters: made once for a parameter, in every run for other values.
    fn weights(&self, compiler: &mut Compiler, job: &Job, piece: &Piece) -> Result<Storage> {
        let [inner, outer] = self.padded(piece);
        let row = job.weight.row;
        let (kernel, planes, per_word) = if job.is_gradient() {
            (&self.transforms.weight_rotated, job.outer, 1)
        } else if job.in_f16(compiler) {
            (&self.transforms.weight_f16, job.inner, 2)
        } else {
            (&self.transforms.weight, job.inner, 1)
        };
        let form = format!("{} {:?} in blocks of {}", kernel.name, piece.rows, self.block[0]);
        compiler.packed(job.weight, form, self.points() * inner * outer / per_word, |compiler, u| {
            let weight = compiler.gpu.view(job.weight, piece.rows.start * row..piece.rows.end * row)?;
            let view = compiler.gpu.whole(u)?;
            let params = Params {
                channels: planes as u32,
                filters: piece.rows.len() as u32,
                weight_offset: weight.offset,
                u_offset: view.offset,
                inner: inner as u32,
                outer: outer as u32,
                ..Params::zeroed()
            };
            let flops = (10 * self.points() * inner * outer) as u64;
            let grid = [(outer / per_word).div_ceil(64), inner, 1];
            compiler.dispatch(kernel, &params, &[&weight, &view], grid, flops)
        })
    }

    fn convolve_images(
        &self,
        compiler: &mut Compiler,
        job: &Job,
        piece: &Piece,
        ([u, v, m], scales): ([&Storage; 3], &Scales),
        images: Range<usize>,
        [most, part]: [usize; 2],
    ) -> Result<()> {
        let [down, across] = self.tiles(job);
        let [inner, outer] = self.padded(piece);
        let plane = job.input[0] * job.input[1];
        let first_channel = if job.is_gradient() { piece.rows.start * plane } else { 0 };
        let x = images.start * job.x_image() + first_channel
            ..(images.end - 1) * job.x_image() + first_channel + piece.inner * plane;
        let x = compiler.gpu.view(job.x, x)?;
        let first_filter = if job.is_gradient() { 0 } else { piece.rows.start };
        let y = images.start * job.y_image() + first_filter * job.plane()
            ..(images.end - 1) * job.y_image() + (first_filter + piece.outer) * job.plane();
        let residual = job.residual.map(|residual| compiler.gpu.view(residual, y.clone()));
        let y = compiler.gpu.view(job.y, y)?;
        let residual = Residual::of(residual, &y)?;
        let bias = job.bias.map(|bias| compiler.gpu.view(bias, piece.rows.clone())).transpose()?;
        let [u, v, m] = [compiler.gpu.whole(u)?, compiler.gpu.whole(v)?, compiler.gpu.whole(m)?];
        let [low, high] = limits(job.activation);
        let finish = match job.is_gradient() {
            true => Finish::backward(job.activation),
            false => Finish::new(job.activation, residual.exists()),
        };
        let all = images.len() * down * across;
        for first in (0..all).step_by(most) {
            let count = most.min(all - first);
            let tiles = count.next_multiple_of(self.block[1]);
            let params = Params {
                channels: piece.inner as u32,
                height: job.input[0] as u32,
                width: job.input[1] as u32,
                filters: piece.outer as u32,
                out_height: job.output[0] as u32,
                out_width: job.output[1] as u32,
                padding_y: job.padding[0] as u32,
                padding_x: job.padding[1] as u32,
                x_image: job.x_image() as u32,
                y_image: job.y_image() as u32,
                x_offset: x.offset,
                bias_offset: bias.as_ref().map_or(0, |bias| bias.offset),
                y_offset: y.offset,
                v_offset: v.offset,
                m_offset: m.offset,
                inner: inner as u32,
                outer: outer as u32,
                tiles: tiles as u32,
                tiles_across: across as u32,
                tiles_image: (down * across) as u32,
                first_tile: first as u32,
                tile_count: count as u32,
                parts: inner.div_ceil(part) as u32,
                m_part: (self.points() * outer * tiles) as u32,
                accumulate: u32::from(job.is_gradient() && piece.rows.start > 0),
                low,
                high,
                residual_shift: residual.shift,
                ..Params::zeroed()
            };
            let transform = (10 * self.points() * tiles) as u64;
            let grid = [tiles.div_ceil(64), inner, 1];
            compiler.dispatch(&self.transforms.input, &params, &[&x, &v], grid, transform * inner as u64)?;
            let kernel = self.product_kernel(compiler, job)?;
            self.multiply(compiler, kernel, [&u, &v, &m], scales, [inner, outer, tiles, part])?;
            let grid = [count.div_ceil(64), piece.outer, 1];
            let flops = transform * outer as u64;
            let variant = match (job.is_gradient(), job.pool) {
                (true, _) => self.transforms.output_gradient.finishing(finish),
                (false, true) => self.transforms.output_pool.finishing(finish),
                (false, false) => self.transforms.output.finishing(finish),
            };
            let views: Vec<&View> = [&m].into_iter().chain(&bias).chain([&y, residual.or(&m)]).collect();
            compiler.dispatch(variant, &params, &views, grid, flops)?;
        }
        Ok(())
    }

    /// The kernel for the products of a convolution.
    fn product_kernel(&self, compiler: &mut Compiler, job: &Job) -> Result<&'static Kernel> {
        if let Some(kernel) = matrix_kernel(compiler) {
            compiler.check_for_matrix_units(job.weight)?;
            return Ok(kernel);
        }
        Ok(match (self.is_blocked(), job.in_f16(compiler)) {
            (_, false) => self.multiply,
            (false, true) => &MULTIPLY_F16,
            (true, true) => &MULTIPLY_BLOCKED_F16,
        })
    }

    /// The products at all points, of so many steps of the inner dimension in each part.
    fn multiply(
        &self,
        compiler: &mut Compiler,
        kernel: &'static Kernel,
        [u, v, m]: [&View; 3],
        scales: &Scales,
        [inner, outer, tiles, part]: [usize; 4],
    ) -> Result<()> {
        let is_in_f16 = [&MULTIPLY_F16, &MULTIPLY_BLOCKED_F16].contains(&kernel);
        let params = Product {
            u_offset: if is_in_f16 { 2 * u.offset } else { u.offset },
            v_offset: v.offset,
            m_offset: m.offset,
            inner: inner as u32,
            outer: outer as u32,
            tiles: tiles as u32,
            points: self.points() as u32,
            part: part as u32,
            left_scale: scales.left,
            right_scale: scales.right,
            measured_offset: scales.offset(),
        };
        let points = self.points() * inner.div_ceil(part);
        let blocks = [tiles / self.block[1], outer / self.block[0], points];
        let grid = if self.is_blocked() { [blocks.iter().product::<usize>().div_ceil(32), 1, 1] } else { blocks };
        let flops = 2 * (self.points() * inner * outer * tiles) as u64;
        let scale = kernel.matrix_source.map(|_| scales.or(u));
        let views: Vec<&View> = [u, v, m].into_iter().chain(scale).collect();
        compiler.dispatch(kernel, &params, &views, grid, flops)
    }
}

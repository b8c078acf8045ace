//! The gradient of the weights by minimal filtering: dweight = Gᵀ (Σ (A dy Aᵀ) ∘ (Bᵀ x B)) G, with the sum over all tiles of
//! all images. It is the transpose of the convolution's own algorithm, by the same transforms; the sum is a product of
//! matrices at every point.

use std::ops::Range;

use bytemuck::Zeroable;

use super::super::buffer::{Storage, View};
use super::super::compile::Compiler;
use super::super::kernel::Kernel;
use super::super::scale::Scales;
use super::{INNER, Params, Winograd, matrix_kernel};
use crate::error::Result;

/// Tiles and channels of a workgroup that transforms.
const SIDE: usize = 8;

/// The gradient to be made: dweight from x and dy.
pub(in crate::gpu) struct WeightJob<'a> {
    pub x: &'a Storage,
    pub dy: &'a Storage,
    pub dweight: &'a Storage,
    pub images: usize,
    pub channels: usize,
    pub filters: usize,
    /// Height and width of x and of dy.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub padding: [usize; 2],
}

impl WeightJob<'_> {
    fn x_image(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    fn plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Multiplications without any transform.
    pub fn multiplications(&self) -> usize {
        9 * self.images * self.plane() * self.channels * self.filters
    }
}

impl Winograd {
    /// Filters and channels, with what fills the blocks of the products.
    fn padded_sides(&self, filters: usize, channels: usize) -> [usize; 2] {
        [filters.next_multiple_of(self.block[0]), channels.next_multiple_of(self.block[1])]
    }

    /// Multiplications of the products, with what fills the blocks.
    pub fn gradient_cost(&self, job: &WeightJob) -> usize {
        let tiles = job.images * self.tiles_of(job.output).iter().product::<usize>();
        let [filters, channels] = self.padded_sides(job.filters, job.channels);
        self.points() * tiles.next_multiple_of(INNER) * filters * channels
    }

    /// Whether the smallest piece of the work fits this device.
    pub fn suits_gradient(&self, compiler: &Compiler, job: &WeightJob) -> bool {
        let largest = job.x_image().max(job.filters * job.plane());
        self.fits_gradient(compiler, job, 1) && largest <= compiler.gpu.values_per_binding()
    }

    /// Whether what so many filters need fits bindings: the products at all points, and a step's tiles.
    fn fits_gradient(&self, compiler: &Compiler, job: &WeightJob, rows: usize) -> bool {
        let [filters, channels] = self.padded_sides(rows, job.channels);
        let fitting = Self::fitting(compiler) / self.points();
        filters * channels <= fitting && INNER * filters.max(channels) <= fitting
    }

    /// Adds the dispatches of the gradient. How the sum is cut depends on the shapes and on the size of a binding alone, so
    /// that its bits do not depend on how much a submission may take.
    pub fn weight_gradient(&self, compiler: &mut Compiler, job: &WeightJob) -> Result<()> {
        let units = matrix_kernel(compiler);
        let scales = Scales::of_weight(compiler, units, job.dy)?;
        let products = (units.unwrap_or(self.multiply), &scales);
        let rows = Self::cut(job.dweight, |rows| self.fits_gradient(compiler, job, rows));
        let at_once = compiler.images_per_dispatch(&[job.x_image(), job.filters * job.plane()], 1).min(job.images);
        for rows in rows {
            for first in (0..job.images).step_by(at_once) {
                let images = first..(first + at_once).min(job.images);
                compiler.reuse_scratch();
                self.add_images(compiler, job, products, &rows, images)?;
            }
        }
        Ok(())
    }

    /// Adds what these images give to the gradient of these filters.
    fn add_images(
        &self,
        compiler: &mut Compiler,
        job: &WeightJob,
        (kernel, scales): (&'static Kernel, &Scales),
        rows: &Range<usize>,
        images: Range<usize>,
    ) -> Result<()> {
        let plane = job.plane();
        let x = compiler.gpu.view(job.x, images.start * job.x_image()..images.end * job.x_image())?;
        let first = images.start * job.filters + rows.start;
        let last = (images.end - 1) * job.filters + rows.end;
        let dy = compiler.gpu.view(job.dy, first * plane..last * plane)?;
        let filter = 9 * job.channels;
        let dweight = compiler.gpu.view(job.dweight, rows.start * filter..rows.end * filter)?;
        let sides = self.padded_sides(rows.len(), job.channels);
        let all = images.len() * self.tiles_of(job.output).iter().product::<usize>();
        let values = self.points() * sides[0] * sides[1];
        let fitting = Self::fitting(compiler) / (self.points() * sides[0].max(sides[1])) / INNER * INNER;
        let most = all.next_multiple_of(INNER).min(fitting);
        let part = self.part(compiler, most, self.blocks(sides[0], sides[1]), values);
        let [u, v] = sides.map(|side| compiler.scratch(self.points() * most * side));
        let m = compiler.scratch(most.div_ceil(part) * values)?;
        let [u, v, m] = [compiler.gpu.whole(&u?)?, compiler.gpu.whole(&v?)?, compiler.gpu.whole(&m)?];
        for first in (0..all).step_by(most) {
            let count = most.min(all - first);
            let tiles = count.next_multiple_of(INNER);
            let of_tiles = self.tile_params(job, tiles, first, count);
            let of_x = Params {
                channels: job.channels as u32,
                height: job.input[0] as u32,
                width: job.input[1] as u32,
                padding_y: job.padding[0] as u32,
                padding_x: job.padding[1] as u32,
                x_image: job.x_image() as u32,
                x_offset: x.offset,
                v_offset: v.offset,
                outer: sides[1] as u32,
                ..of_tiles
            };
            let of_dy = Params {
                channels: rows.len() as u32,
                height: job.output[0] as u32,
                width: job.output[1] as u32,
                x_image: (job.filters * plane) as u32,
                x_offset: dy.offset,
                v_offset: u.offset,
                outer: sides[0] as u32,
                ..of_tiles
            };
            for (transform, params, from, to) in
                [(&self.transforms.input_by_tile, of_x, &x, &v), (&self.transforms.output_by_tile, of_dy, &dy, &u)]
            {
                let grid = [params.outer as usize / SIDE, tiles / SIDE, 1];
                let flops = (10 * self.points() * tiles) as u64 * u64::from(params.outer);
                compiler.dispatch(transform, &params, &[from, to], grid, flops)?;
            }
            self.multiply(compiler, kernel, [&u, &v, &m], scales, [tiles, sides[0], sides[1], part])?;
            let params = Params {
                channels: job.channels as u32,
                outer: sides[0] as u32,
                tiles: sides[1] as u32,
                m_offset: m.offset,
                y_offset: dweight.offset,
                parts: tiles.div_ceil(part) as u32,
                m_part: values as u32,
                accumulate: u32::from(images.start + first > 0),
                ..Params::zeroed()
            };
            self.finish_gradient(compiler, &params, [&m, &dweight], rows.len())?;
        }
        Ok(())
    }

    /// What both transforms know of the tiles.
    fn tile_params(&self, job: &WeightJob, tiles: usize, first: usize, count: usize) -> Params {
        let [down, across] = self.tiles_of(job.output);
        Params {
            inner: tiles as u32,
            tiles_across: across as u32,
            tiles_image: (down * across) as u32,
            first_tile: first as u32,
            tile_count: count as u32,
            ..Params::zeroed()
        }
    }

    fn finish_gradient(
        &self,
        compiler: &mut Compiler,
        params: &Params,
        [m, dweight]: [&View; 2],
        filters: usize,
    ) -> Result<()> {
        let grid = [(params.channels as usize).div_ceil(64), filters, 1];
        let flops = (self.points() * (params.parts as usize + 10) * filters) as u64 * u64::from(params.channels);
        compiler.dispatch(&self.transforms.weight_gradient, params, &[m, dweight, m], grid, flops)
    }
}

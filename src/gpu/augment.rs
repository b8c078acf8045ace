//! The step that fills a plan's input from pictures that are varied and normalised on the device. As with `resize`, what
//! is done changes from run to run, so it is not a step of the program: all lies in buffers of its own, written before
//! each run.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::buffer::{Storage, USAGE};
use super::compile::MAX_GRID;
use super::device::{CountedBuffer, Gpu, Pipeline};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::{Uniform, uniform};
use crate::error::Result;
use crate::image::bytes::Bytes;
use crate::ops::{self, Normalization, Order};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("augment", "normalized", "philox");

static FORWARD: Kernel = Kernel::new::<Params>("augment/forward", SHADER, "forward", &[Read, Read, Write]);

/// A variation as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Variation {
    x: [f32; 3],
    y: [f32; 3],
    gain: f32,
    offset: f32,
    noise: f32,
    erased: [u32; 4],
    seed: [u32; 2],
    channels: u32,
}

impl Variation {
    fn of(variation: &ops::Variation, picture: &Bytes) -> Self {
        let ops::Variation { x, y, gain, offset, erased, .. } = *variation;
        let (noise, seed) = (variation.noise_factor(), variation.key());
        Variation { x, y, gain, offset, noise, erased, seed, channels: picture.channels() as u32 }
    }
}

uniform! {
    struct Params {
        mean: [f32; 3],
        pictures: u32,
        deviation: [f32; 3],
        height: u32,
        width: u32,
        words: u32,
        out_offset: u32,
        gray: u32,
        bgr: u32,
        grid: u32,
    }
}

/// Fills the input of one plan.
pub(super) struct Augmenter {
    pipeline: Arc<Pipeline>,
    size: [usize; 2],
    parts: Vec<Part>,
}

/// As many pictures of the batch as fit one binding.
struct Part {
    pictures: Range<usize>,
    params: CountedBuffer,
    pixels: CountedBuffer,
    variations: CountedBuffer,
    out_offset: u32,
    bind_group: wgpu::BindGroup,
}

impl Augmenter {
    /// For an input of this shape, `[n, 3, height, width]`, in this memory.
    pub fn new(gpu: &Gpu, shape: &[usize], out: &Storage) -> Result<Self> {
        let (batch, size) = (shape[0], [shape[2], shape[3]]);
        let pipeline = gpu.pipeline(&FORWARD)?;
        let most = (gpu.values_per_binding() / (3 * size[0] * size[1])).max(1);
        let parts = (0..batch).step_by(most).map(|first| {
            let pictures = first..batch.min(first + most);
            Part::new(gpu, &pipeline, pictures, size, out)
        });
        let parts = parts.collect::<Result<_>>()?;
        Ok(Augmenter { pipeline, size, parts })
    }

    /// Varies these pictures (at most as many as the plan's batch) and normalises them.
    pub fn run(
        &self,
        gpu: &Gpu,
        pictures: &[Bytes],
        variations: &[ops::Variation],
        normalization: &Normalization,
    ) -> Result<()> {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline.pipeline);
            for part in &self.parts {
                let mine = part.pictures.start..part.pictures.end.min(pictures.len());
                if mine.is_empty() {
                    break;
                }
                let grid = part.write(gpu, self.size, &pictures[mine.clone()], &variations[mine], normalization)?;
                pass.set_bind_group(0, &part.bind_group, &[]);
                pass.dispatch_workgroups(grid[0], grid[1], 1);
            }
        }
        gpu.submit(encoder.finish());
        Ok(())
    }
}

/// The words that each picture of this size has room for: it begins with a word of its own.
fn words([height, width]: [usize; 2]) -> usize {
    (3 * height * width).div_ceil(4)
}

impl Part {
    fn new(gpu: &Gpu, pipeline: &Pipeline, pictures: Range<usize>, size: [usize; 2], out: &Storage) -> Result<Self> {
        let values = 3 * size[0] * size[1];
        let out = gpu.view(out, pictures.start * values..pictures.end * values)?;
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let params = gpu.create_buffer("augment parameters", Params::LAYOUT.binding() as u64, uniform)?;
        let pixels = gpu.create_buffer("pictures", (4 * words(size) * pictures.len()) as u64, USAGE)?;
        let variations = gpu.create_buffer("variations", (size_of::<Variation>() * pictures.len()) as u64, USAGE)?;
        let written = wgpu::BufferBinding {
            buffer: &out.buffer,
            offset: out.bytes.start,
            size: std::num::NonZeroU64::new(out.bytes.end - out.bytes.start),
        };
        let entries = [
            wgpu::BindGroupEntry { binding: 0, resource: params.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: pixels.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 2, resource: variations.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::Buffer(written) },
        ];
        let bind_group = gpu.create_bind_group(&pipeline.layout, &entries);
        Ok(Part { pictures, params, pixels, variations, out_offset: out.offset, bind_group })
    }

    /// Writes what the kernel reads; how many workgroups it needs.
    fn write(
        &self,
        gpu: &Gpu,
        size: [usize; 2],
        pictures: &[Bytes],
        variations: &[ops::Variation],
        normalization: &Normalization,
    ) -> Result<[u32; 2]> {
        let [height, width] = size;
        let groups = (pictures.len() * (height * width).div_ceil(4)).div_ceil(64);
        let across = groups.clamp(1, MAX_GRID);
        let params = Params {
            mean: normalization.mean,
            pictures: pictures.len() as u32,
            deviation: normalization.std,
            height: height as u32,
            width: width as u32,
            words: words(size) as u32,
            out_offset: self.out_offset,
            gray: u32::from(normalization.gray),
            bgr: u32::from(normalization.order == Order::Bgr),
            grid: across as u32,
        };
        let rows: Vec<Variation> =
            variations.iter().zip(pictures).map(|(row, bytes)| Variation::of(row, bytes)).collect();
        gpu.queue().write_buffer(&self.params, 0, bytemuck::bytes_of(&params));
        gpu.queue().write_buffer(&self.variations, 0, bytemuck::cast_slice(&rows));
        self.write_pixels(gpu, 4 * words(size), pictures)?;
        Ok([across as u32, groups.div_ceil(across) as u32])
    }

    /// Writes all pictures at once, each in room for so many bytes: those after a gray one are not read.
    fn write_pixels(&self, gpu: &Gpu, room: usize, pictures: &[Bytes]) -> Result<()> {
        let refused = || gpu.refused("no memory for pictures was given".to_owned());
        let bytes = std::num::NonZeroU64::new((room * pictures.len()) as u64).ok_or_else(refused)?;
        let mut view = gpu.queue().write_buffer_with(&self.pixels, 0, bytes).ok_or_else(refused)?;
        for (index, picture) in pictures.iter().enumerate() {
            let start = room * index;
            view.slice(start..start + picture.data().len()).copy_from_slice(picture.data());
        }
        Ok(())
    }
}

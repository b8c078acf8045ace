//! The step that fills a plan's input from a picture. What is cut out changes from run to run, so it is not a step of
//! the program: its parameters and crops lie in buffers of their own, written before each run.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::buffer::View;
use super::device::{CountedBuffer, Gpu, Pipeline};
use super::kernel::Access::{self, Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::picture::{GpuPicture, GpuPixels};
use super::uniform::{Uniform, uniform};
use crate::error::Result;
use crate::ops::{Crop, Filter, Normalization, Order};

pub(super) static KERNELS: &[&Kernel] = &[&AREA, &AREA_ANY, &BILINEAR, &BILINEAR_ANY];

const SHADER: Shader = shader!("resize", "normalized");

const BINDINGS: &[Access] = &[Read, Read, Write];
const BY_AREA: Kernel = Kernel::new::<Params>("resize/area", SHADER, "area", BINDINGS);
const BETWEEN: Kernel = Kernel::new::<Params>("resize/bilinear", SHADER, "bilinear", BINDINGS);

/// For other pixels than bytes as they are stored.
const ANY: &[(&str, f64)] = &[("ANY", 1.0)];

static AREA: Kernel = BY_AREA;
static AREA_ANY: Kernel = BY_AREA.with("resize/area_any", ANY);
static BILINEAR: Kernel = BETWEEN;
static BILINEAR_ANY: Kernel = BETWEEN.with("resize/bilinear_any", ANY);

/// A crop as the kernels read it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Rectangle {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    mirror: u32,
}

uniform! {
    struct Params {
        mean: [f32; 3],
        crops: u32,
        deviation: [f32; 3],
        height: u32,
        width: u32,
        row_bytes: u32,
        pixel_bytes: u32,
        out_offset: u32,
        gray: u32,
        bgr: u32,
        grid: u32,
        swapped: u32,
        linear: u32,
    }
}

/// Fills the input of one plan.
pub(super) struct Resizer {
    params: CountedBuffer,
    crops: CountedBuffer,
    out: View,
    size: [usize; 2],
    /// The bind group for the picture that was used last.
    bound: Option<(Arc<CountedBuffer>, &'static Kernel, Arc<Pipeline>, wgpu::BindGroup)>,
}

impl Resizer {
    /// For an input of this shape, `[n, 3, height, width]`, seen through this view.
    pub fn new(gpu: &Gpu, shape: &[usize], out: View) -> Result<Self> {
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let crops = (shape[0] * size_of::<Rectangle>()) as u64;
        Ok(Resizer {
            params: gpu.create_buffer("resize parameters", Params::LAYOUT.binding() as u64, uniform)?,
            crops: gpu.create_buffer("crops", crops, super::buffer::USAGE)?,
            out,
            size: [shape[2], shape[3]],
            bound: None,
        })
    }

    /// Cuts these crops (at most as many as the plan's batch) out of a picture.
    pub fn run(
        &mut self,
        gpu: &Gpu,
        &GpuPixels { picture, linear }: &GpuPixels,
        crops: &[Crop],
        filter: Filter,
        normalization: &Normalization,
    ) -> Result<()> {
        let [height, width] = self.size;
        let groups = (crops.len() * height * width).div_ceil(64);
        let across = groups.clamp(1, super::compile::MAX_GRID);
        let params = Params {
            crops: crops.len() as u32,
            height: height as u32,
            width: width as u32,
            row_bytes: picture.row_bytes,
            pixel_bytes: picture.texel.bytes,
            out_offset: self.out.offset,
            gray: u32::from(normalization.gray),
            bgr: u32::from(normalization.order == Order::Bgr),
            mean: normalization.mean,
            deviation: normalization.std,
            grid: across as u32,
            swapped: u32::from(picture.texel.swapped),
            linear: u32::from(linear),
        };
        let rectangle = |crop: &Crop| Rectangle {
            left: crop.x,
            top: crop.y,
            width: crop.width,
            height: crop.height,
            mirror: u32::from(crop.mirror),
        };
        let rectangles: Vec<Rectangle> = crops.iter().map(rectangle).collect();
        gpu.queue().write_buffer(&self.params, 0, bytemuck::bytes_of(&params));
        gpu.queue().write_buffer(&self.crops, 0, bytemuck::cast_slice(&rectangles));
        let is_plain = picture.texel.bytes <= 4 && !linear;
        let kernel = match (filter, is_plain) {
            (Filter::Area, true) => &AREA,
            (Filter::Area, false) => &AREA_ANY,
            (Filter::Bilinear, true) => &BILINEAR,
            (Filter::Bilinear, false) => &BILINEAR_ANY,
        };
        let (pipeline, bind_group) = self.bind(gpu, picture, kernel)?;
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline.pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(across as u32, groups.div_ceil(across) as u32, 1);
        }
        gpu.submit(encoder.finish());
        Ok(())
    }

    fn bind(
        &mut self,
        gpu: &Gpu,
        picture: &GpuPicture,
        kernel: &'static Kernel,
    ) -> Result<(&Pipeline, &wgpu::BindGroup)> {
        let is_bound = |(buffer, bound, ..): &(Arc<CountedBuffer>, &'static Kernel, _, _)| {
            Arc::ptr_eq(buffer, &picture.buffer) && std::ptr::eq(*bound, kernel)
        };
        if !self.bound.as_ref().is_some_and(is_bound) {
            let pipeline = gpu.pipeline(kernel)?;
            let out = wgpu::BufferBinding {
                buffer: &self.out.buffer,
                offset: self.out.bytes.start,
                size: std::num::NonZeroU64::new(self.out.bytes.end - self.out.bytes.start),
            };
            let entries = [
                wgpu::BindGroupEntry { binding: 0, resource: self.params.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: picture.buffer.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: self.crops.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::Buffer(out) },
            ];
            let bind_group = gpu.create_bind_group(&pipeline.layout, &entries);
            self.bound = Some((picture.buffer.clone(), kernel, pipeline, bind_group));
        }
        match &self.bound {
            Some((_, _, pipeline, bind_group)) => Ok((pipeline, bind_group)),
            None => Err(gpu.refused("no bind group was made".to_owned())),
        }
    }
}

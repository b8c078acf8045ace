//! Pictures in device memory.

use std::sync::Arc;

use super::device::{CountedBuffer, Gpu};
use crate::error::{Error, Result};

/// A picture's bytes on the device, uploaded once and cut from many times.
pub(crate) struct GpuPicture {
    gpu: Gpu,
    pub(super) buffer: Arc<CountedBuffer>,
    pub(super) row_bytes: u32,
    pub(super) pixel_bytes: u32,
}

impl GpuPicture {
    /// Uploads rows of RGB pixels without gaps.
    pub fn upload(gpu: &Gpu, rgb: &[u8], width: u32) -> Result<Self> {
        let size = rgb.len().next_multiple_of(4) as u64;
        gpu.guarded(|| {
            let buffer = create(gpu, size)?;
            let whole = rgb.len() / 4 * 4;
            gpu.queue().write_buffer(&buffer, 0, &rgb[..whole]);
            if whole < rgb.len() {
                let mut last = [0; 4];
                last[..rgb.len() - whole].copy_from_slice(&rgb[whole..]);
                gpu.queue().write_buffer(&buffer, whole as u64, &last);
            }
            Ok(GpuPicture { gpu: gpu.clone(), buffer, row_bytes: 3 * width, pixel_bytes: 3 })
        })
    }

    /// Copies a texture of 8-bit RGBA within the device.
    pub fn from_texture(gpu: &Gpu, texture: &wgpu::Texture) -> Result<Self> {
        check(texture)?;
        let row_bytes = (4 * texture.width()).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        gpu.guarded(|| {
            let buffer = create(gpu, u64::from(row_bytes) * u64::from(texture.height()))?;
            let picture = GpuPicture { gpu: gpu.clone(), buffer, row_bytes, pixel_bytes: 4 };
            picture.copy(texture);
            Ok(picture)
        })
    }

    /// Copies another texture of the same size, if this picture is from a texture.
    pub fn update(&self, texture: &wgpu::Texture) -> Result<()> {
        check(texture)?;
        if self.pixel_bytes != 4 {
            return Err(Error::invalid("texture", "the picture is not from a texture: make another one"));
        }
        self.gpu.check()?;
        self.gpu.guarded(|| {
            self.copy(texture);
            Ok(())
        })
    }

    fn copy(&self, texture: &wgpu::Texture) {
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(self.row_bytes), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &self.buffer, layout },
            wgpu::Extent3d { width: texture.width(), height: texture.height(), depth_or_array_layers: 1 },
        );
        self.gpu.queue().submit([encoder.finish()]);
    }
}

/// Whether a texture can be copied.
fn check(texture: &wgpu::Texture) -> Result<()> {
    use wgpu::TextureFormat::{Rgba8Unorm, Rgba8UnormSrgb};
    if !matches!(texture.format(), Rgba8Unorm | Rgba8UnormSrgb) {
        let reason = format!("has the format {:?}; pictures are Rgba8Unorm or Rgba8UnormSrgb", texture.format());
        return Err(Error::invalid("texture", reason));
    }
    if texture.dimension() != wgpu::TextureDimension::D2 || texture.sample_count() != 1 {
        let reason = "is not a texture of two dimensions with one sample for each pixel";
        return Err(Error::invalid("texture", reason));
    }
    if !texture.usage().contains(wgpu::TextureUsages::COPY_SRC) {
        return Err(Error::invalid("texture", "does not have the usage COPY_SRC"));
    }
    Ok(())
}

fn create(gpu: &Gpu, size: u64) -> Result<Arc<CountedBuffer>> {
    gpu.check_limits()?;
    let limit = gpu.max_binding();
    if size > limit {
        return Err(Error::Limit {
            what: "the picture".to_owned(),
            needed: size,
            limit: "max_storage_buffer_binding_size",
            available: limit,
            advice: "take a smaller picture",
        });
    }
    Ok(Arc::new(gpu.create_buffer("picture", size, super::buffer::USAGE)?))
}

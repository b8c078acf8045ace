//! Pictures in device memory, as bytes or as numbers in floating point.

use std::sync::Arc;

use super::device::{CountedBuffer, Gpu};
use crate::error::{Error, Result};

/// A picture on the device, uploaded once and cut from many times.
pub(crate) struct GpuPicture {
    gpu: Gpu,
    pub(super) buffer: Arc<CountedBuffer>,
    pub(super) row_bytes: u32,
    pub(super) texel: Texel,
    /// Where it is from a texture, the format of that.
    format: Option<wgpu::TextureFormat>,
}

/// A picture, and whether its numbers are linear light.
pub(crate) struct GpuPixels<'a> {
    pub picture: &'a GpuPicture,
    pub linear: bool,
}

/// How a pixel is stored.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Texel {
    /// How many bytes it has: up to 4 are one for each channel, 8 are numbers in f16, 12 and 16 in f32.
    pub bytes: u32,
    /// Whether blue comes first.
    pub swapped: bool,
}

impl Texel {
    /// That of a texture of this format, if it is one of those which are taken.
    fn of(format: wgpu::TextureFormat) -> Option<Self> {
        use wgpu::TextureFormat::{Bgra8Unorm, Bgra8UnormSrgb, Rgba8Unorm, Rgba8UnormSrgb, Rgba16Float, Rgba32Float};
        let (bytes, swapped) = match format {
            Rgba8Unorm | Rgba8UnormSrgb => (4, false),
            Bgra8Unorm | Bgra8UnormSrgb => (4, true),
            Rgba16Float => (8, false),
            Rgba32Float => (16, false),
            _ => return None,
        };
        Some(Texel { bytes, swapped })
    }
}

impl GpuPicture {
    /// Uploads rows of RGB pixels without gaps, one byte for each channel.
    pub fn upload(gpu: &Gpu, rgb: &[u8], width: u32) -> Result<Self> {
        Self::upload_pixels(gpu, rgb, width, 3)
    }

    /// The same in numbers of 0 to 1.
    pub fn upload_f32(gpu: &Gpu, rgb: &[f32], width: u32) -> Result<Self> {
        Self::upload_pixels(gpu, bytemuck::cast_slice(rgb), width, 12)
    }

    fn upload_pixels(gpu: &Gpu, rgb: &[u8], width: u32, bytes: u32) -> Result<Self> {
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
            let texel = Texel { bytes, swapped: false };
            Ok(GpuPicture { gpu: gpu.clone(), buffer, row_bytes: bytes * width, texel, format: None })
        })
    }

    /// Copies a texture within the device.
    pub fn from_texture(gpu: &Gpu, texture: &wgpu::Texture) -> Result<Self> {
        let texel = check(texture)?;
        let row_bytes = (texel.bytes * texture.width()).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        gpu.guarded(|| {
            let buffer = create(gpu, u64::from(row_bytes) * u64::from(texture.height()))?;
            let format = Some(texture.format());
            let picture = GpuPicture { gpu: gpu.clone(), buffer, row_bytes, texel, format };
            picture.copy(texture);
            Ok(picture)
        })
    }

    /// Copies another texture of the same size and format, if this picture is from a texture.
    pub fn update(&self, texture: &wgpu::Texture, linear: bool) -> Result<()> {
        let texel = check(texture)?;
        let Some(format) = self.format else {
            return Err(Error::invalid("texture", "the picture is not from a texture: make another one"));
        };
        if texel != self.texel {
            let reason = format!("has the format {:?}, and the picture {format:?}: make another one", texture.format());
            return Err(Error::invalid("texture", reason));
        }
        if linear {
            check_linear(texture.format())?;
        }
        self.gpu.check()?;
        self.gpu.guarded(|| {
            self.copy(texture);
            Ok(())
        })
    }

    /// Whether its numbers can be linear light.
    pub fn check_linear(&self) -> Result<()> {
        self.format.map_or(Ok(()), check_linear)
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
        self.gpu.submit(encoder.finish());
    }
}

fn check_linear(format: wgpu::TextureFormat) -> Result<()> {
    if format.is_srgb() {
        return Err(Error::invalid("texture", format!("is {format:?}, encoded by sRGB already, and not linear light")));
    }
    Ok(())
}

/// How the pixels of a texture are stored, if it can be copied.
fn check(texture: &wgpu::Texture) -> Result<Texel> {
    let Some(texel) = Texel::of(texture.format()) else {
        let reason = format!(
            "has the format {:?}; pictures are Rgba8Unorm or Bgra8Unorm (also with Srgb), Rgba16Float or Rgba32Float",
            texture.format()
        );
        return Err(Error::invalid("texture", reason));
    };
    if texture.dimension() != wgpu::TextureDimension::D2 || texture.sample_count() != 1 {
        let reason = "is not a texture of two dimensions with one sample for each pixel";
        return Err(Error::invalid("texture", reason));
    }
    if !texture.usage().contains(wgpu::TextureUsages::COPY_SRC) {
        return Err(Error::invalid("texture", "does not have the usage COPY_SRC"));
    }
    Ok(texel)
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

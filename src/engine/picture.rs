//! Pictures on a device.

use super::backend::PictureMemory;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, GpuPicture};

/// A picture on a device: uploaded once, cut from and scaled by [`crate::Plan::set_picture`].
///
/// ```
/// use vultus::ops::{Activation, Crop, Filter, Normalization, Order};
/// use vultus::{Device, Options};
///
/// // A red pixel and a blue one.
/// let picture = Device::Cpu.upload(&[255, 0, 0, 0, 0, 255], 2, 1)?;
/// let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[1, 3, 1, 2]], &Options::default())?;
/// let to_one = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: false };
/// let crop = Crop::whole(picture.width(), picture.height());
/// plan.set_picture(&picture, &[crop], Filter::Area, &to_one)?;
/// plan.execute()?;
/// assert_eq!(plan.outputs()?[0].data(), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Picture {
    width: u32,
    height: u32,
    /// Whether its numbers are linear light.
    pub(crate) linear: bool,
    pub(crate) memory: PictureMemory,
}

impl Picture {
    pub(crate) fn new(width: u32, height: u32, memory: PictureMemory) -> Self {
        Picture { width, height, linear: false, memory }
    }

    /// A picture from a texture of the embedding application, copied within the device: what the texture holds later changes
    /// nothing. It has the usage `COPY_SRC`; of several layers or mip levels it is the first.
    ///
    /// `Rgba8Unorm`, `Bgra8Unorm` and both with `Srgb` give the bytes as they are stored, whether the format says that they
    /// are encoded by sRGB or not: networks are trained on such. `Rgba16Float` and `Rgba32Float` give numbers of which 1 is
    /// what 255 is among bytes; they may be larger or below 0. Where a texture that is not `Srgb` holds linear light, as render
    /// targets do, [`Picture::linear`] says so. Nothing is sampled, so that formats which cannot be filtered are as good as
    /// others. Alpha is left out.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] for other formats, usages and dimensions; [`crate::Error::Limit`] or
    /// [`crate::Error::Device`] if it does not fit.
    ///
    /// ```no_run
    /// # fn frame(gpu: &vultus::gpu::Gpu, camera: &vultus::wgpu::Texture) -> vultus::Result<()> {
    /// let picture = vultus::Picture::from_texture(gpu, camera)?;
    /// println!("{}×{} pixels", picture.width(), picture.height());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_texture(gpu: &Gpu, texture: &wgpu::Texture) -> Result<Self> {
        let memory = PictureMemory::Gpu(GpuPicture::from_texture(gpu, texture)?);
        Ok(Picture::new(texture.width(), texture.height(), memory))
    }

    /// The same picture, whose numbers are linear light: each pixel is encoded by sRGB (IEC 61966-2-1) before it is scaled and
    /// normalised, after what lies outside of 0 to 1 is set to the nearer of both.
    ///
    /// ```
    /// use vultus::ops::{Activation, Crop, Filter, Normalization, Order};
    /// use vultus::{Device, Options};
    ///
    /// let light = Device::Cpu.upload_f32(&[0.214, 0.0, 7.0], 1, 1)?.linear()?;
    /// let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[1, 3, 1, 1]], &Options::default())?;
    /// let to_one = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: false };
    /// plan.set_picture(&light, &[Crop::whole(1, 1)], Filter::Area, &to_one)?;
    /// plan.execute()?;
    /// let encoded = plan.outputs()?.swap_remove(0).into_data();
    /// assert!(encoded.iter().zip([0.5, 0.0, 1.0]).all(|(found, wanted)| (found - wanted).abs() < 1e-3));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if it is from a texture whose format says that it is encoded by sRGB already.
    pub fn linear(self) -> Result<Self> {
        if let PictureMemory::Gpu(memory) = &self.memory {
            memory.check_linear()?;
        }
        Ok(Picture { linear: true, ..self })
    }

    /// Takes the next frame: another texture of the same size, copied into the memory that is there. What was cut from the
    /// picture before stays as it is.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the texture has another size; [`crate::Error::InvalidArgument`] if the picture is not
    /// from a texture, or from one of another format (whether it is `Srgb` does not matter), or the texture is none that
    /// [`Picture::from_texture`] takes; [`crate::Error::DeviceLost`] if the device is gone, and [`crate::Error::Device`] if
    /// the texture is another device's.
    pub fn update_from_texture(&mut self, texture: &wgpu::Texture) -> Result<()> {
        let PictureMemory::Gpu(memory) = &self.memory else {
            return Err(Error::invalid("texture", "the picture is in the processor's memory"));
        };
        if (texture.width(), texture.height()) != (self.width, self.height) {
            let reason =
                format!("has {}×{} pixels, not {}×{}", texture.width(), texture.height(), self.width, self.height);
            return Err(Error::shape("texture", reason));
        }
        memory.update(texture, self.linear)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }
}

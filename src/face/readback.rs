//! A picture on a device brought back into memory.

use ::image::{Rgb, RgbImage};

use crate::engine::{Device, Options, Picture, Plan};
use crate::error::{Error, Result};
use crate::ops::{Activation, Crop, Filter, Normalization, Order};
use crate::reading::Reading;

/// Colours as pictures have them.
const PIXELS: Normalization = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: false };

/// Reads pictures, and keeps the plan for the size of the last one.
#[derive(Default)]
pub(super) struct Readback {
    plan: Option<([u32; 2], Plan)>,
}

impl Readback {
    /// The pixels of a picture, as networks see them: encoded by sRGB, and rounded.
    pub async fn read(&mut self, device: &Device, picture: &Picture, reading: Reading) -> Result<RgbImage> {
        let size @ [width, height] = [picture.width(), picture.height()];
        if self.plan.as_ref().is_none_or(|(last, _)| *last != size) {
            // Plans for both sizes could be too much for the device.
            self.plan = None;
            // A value that is not below 0 is left as it is.
            let shape = [1, 3, height as usize, width as usize];
            let plan = device.compile_op(&Activation::Relu.into(), &[&shape], &Options::default())?;
            self.plan = Some((size, plan));
        }
        let Some((_, plan)) = &mut self.plan else { return Err(Error::invalid("picture", "it has no pixels")) };
        plan.set_picture(picture, &[Crop::whole(width, height)], Filter::Area, &PIXELS)?;
        plan.begin()?;
        let values = plan.read_begun(reading).await?.swap_remove(0);
        let plane = values.len() / 3;
        let pixel = |x: u32, y: u32| {
            let at = y as usize * width as usize + x as usize;
            Rgb([0, 1, 2].map(|channel| values.data()[channel * plane + at].round().clamp(0.0, 255.0) as u8))
        };
        Ok(RgbImage::from_fn(width, height, pixel))
    }
}

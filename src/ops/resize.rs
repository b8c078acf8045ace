//! From pixels to a normalised NCHW tensor: crop, resize, gray, channel order, mean and standard deviation.
//!
//! The two filters are PyTorch's `interpolate` with `mode="bilinear"` (half-pixel centres, no anti-aliasing) and
//! `mode="area"` (adaptive average). They look at the crop only, never at pixels beside it.
//!
//! ```
//! use vultus::ops::{Activation, Crop, Filter, Normalization, Order};
//! use vultus::{Device, Options};
//!
//! // Black and white become one gray pixel in the mean.
//! let picture = Device::Cpu.upload(&[0, 0, 0, 255, 255, 255], 2, 1)?;
//! let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[1, 3, 1, 1]], &Options::default())?;
//! let plain = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: false };
//! plan.set_picture(&picture, &[Crop::whole(2, 1)], Filter::Area, &plain)?;
//! plan.execute()?;
//! assert_eq!(plan.outputs()?[0].data(), [127.5; 3]);
//! # Ok::<(), vultus::Error>(())
//! ```

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::random::Random;

/// How pixels become fewer or more.
///
/// ```
/// use vultus::ops::{Crop, Filter};
///
/// assert_eq!(Filter::for_crop(&Crop::whole(640, 480), 224), Filter::Area);
/// assert_eq!(Filter::for_crop(&Crop::whole(48, 48), 224), Filter::Bilinear);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Between the four nearest pixels: for enlarging.
    Bilinear,
    /// The mean of all pixels that a new pixel touches: for reducing.
    Area,
}

impl Filter {
    /// For a crop scaled to a square of this side: the mean where it becomes smaller, else between pixels.
    pub fn for_crop(crop: &Crop, side: usize) -> Self {
        if crop.width.min(crop.height) as usize >= side { Filter::Area } else { Filter::Bilinear }
    }
}

/// The order of the channels in the tensor.
///
/// ```
/// use vultus::ops::{Normalization, Order};
///
/// assert_eq!(Normalization::CAFFE.order, Order::Bgr);
/// // As it stands in the metadata of weights.
/// assert_eq!(serde_json::to_string(&Order::Bgr).unwrap(), "\"bgr\"");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red: networks from Caffe.
    Bgr,
}

/// What a network expects of its input: `(value − mean) / std` per channel, from pixel values in 0 to 255.
///
/// ```
/// use vultus::ops::{Normalization, Order};
///
/// // A network that takes gray pictures from 0 to 1.
/// let own = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: true };
/// let text = serde_json::to_string(&own).unwrap();
/// assert_eq!(serde_json::from_str::<Normalization>(&text).unwrap(), own);
/// assert_ne!(own, Normalization { gray: true, ..Normalization::TORCHVISION });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// The order of the channels; `mean` and `std` are in this order too.
    pub order: Order,
    /// What is subtracted.
    pub mean: [f32; 3],
    /// What the difference is divided by.
    pub std: [f32; 3],
    /// Whether colour is taken out first (ITU-R BT.601 luma in all three channels).
    pub gray: bool,
}

impl Normalization {
    /// The original VGG16 from Caffe, also in Keras: BGR minus the mean of ImageNet.
    pub const CAFFE: Normalization =
        Normalization { order: Order::Bgr, mean: [103.939, 116.779, 123.68], std: [1.0; 3], gray: false };
    /// torchvision's networks: RGB, mean and standard deviation of ImageNet.
    pub const TORCHVISION: Normalization =
        Normalization { order: Order::Rgb, mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375], gray: false };
    /// MTCNN: RGB to −1 … 1.
    pub const MTCNN: Normalization =
        Normalization { order: Order::Rgb, mean: [127.5; 3], std: [128.0; 3], gray: false };
}

/// Weights of red, green and blue in the luma of ITU-R BT.601.
pub(crate) const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// A rectangle of whole pixels, as it is or mirrored.
///
/// ```
/// use vultus::Device;
/// use vultus::ops::{Activation, Crop, Filter, Normalization};
/// use vultus::Options;
///
/// let picture = Device::Cpu.upload(&[0; 3 * 4 * 4], 4, 4)?;
/// let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[2, 3, 2, 2]], &Options::default())?;
/// let corner = Crop { x: 2, y: 2, width: 2, height: 2, mirror: false };
/// plan.set_picture(&picture, &[Crop::whole(4, 4), corner], Filter::Area, &Normalization::MTCNN)?;
/// let outside = Crop { x: 3, ..corner };
/// assert!(plan.set_picture(&picture, &[outside], Filter::Area, &Normalization::MTCNN).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width, at least 1.
    pub width: u32,
    /// Height, at least 1.
    pub height: u32,
    /// Whether left and right are exchanged when it is cut out.
    pub mirror: bool,
}

impl Crop {
    /// The whole of a picture of this size.
    pub fn whole(width: u32, height: u32) -> Self {
        Crop { x: 0, y: 0, width, height, mirror: false }
    }

    /// The same rectangle, with left and right exchanged.
    ///
    /// ```
    /// use vultus::ops::Crop;
    ///
    /// let crop = Crop::whole(64, 48);
    /// assert!(crop.mirrored().mirror);
    /// assert_eq!(crop.mirrored().mirrored(), crop);
    /// ```
    #[must_use]
    pub fn mirrored(self) -> Self {
        Crop { mirror: !self.mirror, ..self }
    }

    /// Whether it holds something and lies within a picture of this size.
    pub(crate) fn check(&self, width: u32, height: u32) -> Result<()> {
        let fits =
            |start: u32, length: u32, size: u32| length > 0 && start.checked_add(length).is_some_and(|end| end <= size);
        if fits(self.x, self.width, width) && fits(self.y, self.height, height) {
            return Ok(());
        }
        Err(Error::shape("resize", format!("the crop {self:?} is empty or leaves a picture of {width}×{height}")))
    }
}

/// A case for tests and benches: a picture's size and bytes per pixel, its crops, and the tensor's height and width.
///
/// ```
/// use vultus::ops::{Activation, resize};
/// use vultus::{Device, Options, Random};
///
/// let mut random = Random::new(1);
/// let case = resize::random_case(&mut random);
/// let [width, height] = case.picture;
/// let picture = Device::Cpu.upload(&vec![128; 3 * (width * height) as usize], width, height)?;
/// let shape = [case.crops.len(), 3, case.size[0], case.size[1]];
/// let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&shape], &Options::default())?;
/// plan.set_picture(&picture, &case.crops, case.filter, &case.normalization)?;
/// plan.execute()?;
/// assert!(plan.outputs()?[0].data().iter().all(|value| value.is_finite()));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct ResizeCase {
    /// Width and height of the picture.
    pub picture: [u32; 2],
    /// How its pixels come to the device.
    pub source: PixelSource,
    /// Whether they are linear light.
    pub linear: bool,
    /// What is cut out.
    pub crops: Vec<Crop>,
    /// Height and width of the tensor.
    pub size: [usize; 2],
    /// The filter.
    pub filter: Filter,
    /// The normalisation.
    pub normalization: Normalization,
}

/// How the pixels of a [`ResizeCase`] come to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum PixelSource {
    /// Bytes, uploaded.
    Bytes,
    /// Numbers in f32, uploaded.
    Floats,
    /// In a texture of this kind.
    Rgba8,
    /// The same with blue first.
    Bgra8,
    /// In f16.
    Rgba16Float,
    /// In f32.
    Rgba32Float,
}

impl PixelSource {
    /// All of them.
    pub const ALL: [PixelSource; 6] = [
        PixelSource::Bytes,
        PixelSource::Floats,
        PixelSource::Rgba8,
        PixelSource::Bgra8,
        PixelSource::Rgba16Float,
        PixelSource::Rgba32Float,
    ];
}

/// A case with random sizes and parameters.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::resize::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// let [width, height] = case.picture;
/// assert!(case.crops.iter().all(|crop| crop.x + crop.width <= width && crop.y + crop.height <= height));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> ResizeCase {
    let picture = [1 + random.below(60) as u32, 1 + random.below(60) as u32];
    let crops = (0..1 + random.below(4))
        .map(|_| {
            let (x, y) = (random.below(picture[0] as usize) as u32, random.below(picture[1] as usize) as u32);
            let width = 1 + random.below((picture[0] - x) as usize) as u32;
            let height = 1 + random.below((picture[1] - y) as usize) as u32;
            Crop { x, y, width, height, mirror: random.below(2) == 1 }
        })
        .collect();
    let mut normalization = [Normalization::CAFFE, Normalization::TORCHVISION, Normalization::MTCNN][random.below(3)];
    normalization.gray = random.below(2) == 0;
    ResizeCase {
        picture,
        source: PixelSource::ALL[random.below(PixelSource::ALL.len())],
        linear: random.below(3) == 0,
        crops,
        size: [1 + random.below(40), 1 + random.below(40)],
        filter: [Filter::Bilinear, Filter::Area][random.below(2)],
        normalization,
    }
}

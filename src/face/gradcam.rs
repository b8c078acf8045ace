//! Which places of a face spoke for a class: Grad-CAM (Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra, "Grad-CAM:
//! Visual explanations from deep networks via gradient-based localization", 2017).

use ::image::RgbImage;

use crate::engine::{Device, Options, Plan};
use crate::error::{Error, Result};
use crate::nn::{Network, Purpose};
use crate::ops::{Crop, Filter, Normalization, Op};
use crate::tensor::{Parameters, Tensor};

/// The fewest places along a side of the maps to explain by: fewer say too little of where.
const LEAST_PLACES: usize = 3;

/// Explains what a network that ends in classes makes of an image.
///
/// ```
/// use vultus::face::GradCam;
/// use vultus::nn::Network;
/// use vultus::ops::Conv2d;
/// use vultus::{Device, Tensor};
///
/// let network = Network::new("small", [3, 8, 8]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1)).relu();
/// let network = network.flatten().dense("fc", "fc", 2).softmax();
/// let mut explanation = GradCam::new(&Device::Cpu, &network, &network.initialize(1)?, "conv")?;
/// let (heat, size) = explanation.map(&Tensor::from_fn([1, 3, 8, 8], |i| (i % 8) as f32), 0)?;
/// assert_eq!((heat.len(), size), (64, [8, 8]));
/// assert!(heat.iter().all(|value| (0.0..=1.0).contains(value)));
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct GradCam {
    device: Device,
    plan: Plan,
}

/// How much each place spoke for a class, 0 to 1 in row order, and height and width of that.
///
/// ```
/// use vultus::face::HeatMap;
///
/// let (heat, [_, width]): HeatMap = (vec![0.0, 0.2, 1.0, 0.4], [2, 2]);
/// let strongest = (0..heat.len()).max_by(|&a, &b| heat[a].total_cmp(&heat[b])).unwrap();
/// assert_eq!([strongest / width, strongest % width], [1, 0]);
/// ```
pub type HeatMap = (Vec<f32>, [usize; 2]);

impl GradCam {
    /// The layer of a network that is best explained by: the last convolution whose feature maps have at least three
    /// places along each side, or the first convolution where none has.
    ///
    /// ```
    /// use vultus::face::GradCam;
    /// use vultus::nn::{Network, vgg16};
    ///
    /// assert_eq!(GradCam::layer(&vgg16::base(48))?, "block5_conv3");
    /// // There the maps of block 5 are 2×2.
    /// assert_eq!(GradCam::layer(&vgg16::base(32))?, "block4_conv3");
    /// assert!(GradCam::layer(&Network::new("dense", [4]).dense("fc", "fc", 2)).is_err());
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if the network has no convolution, or as [`Network::output_shapes`].
    pub fn layer(network: &Network) -> Result<String> {
        let program = network.lower(1, Purpose::Inference, true)?;
        let convolutions = program.steps.iter().filter(|step| matches!(step.op, Op::Conv2d(_)));
        let is_large = |id: usize| matches!(program.values[id].shape[..], [_, _, h, w] if h.min(w) >= LEAST_PLACES);
        let last = convolutions.clone().rfind(|step| step.outputs.iter().any(|&id| is_large(id)));
        let chosen = last.or_else(|| convolutions.clone().next());
        chosen
            .map(|step| step.name.clone())
            .ok_or_else(|| Error::shape(network.name(), "has no convolution to explain by"))
    }

    /// Explains by the feature maps of a layer, mostly the last convolution: those before it see less of the image,
    /// those behind it no places.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer; [`Error::InvalidArgument`] if it does not lead to the classes;
    /// [`Error::Shape`] if it does not give feature maps, or the network does not end in classes; as [`Device::load`]
    /// for the parameters; [`Error::Limit`] or [`Error::Device`] if the device cannot hold the network.
    pub fn new(device: &Device, network: &Network, parameters: &Parameters, layer: &str) -> Result<Self> {
        let plan = device.load(network, parameters)?.compile_gradient(1, layer, &Options::default())?;
        match plan.output_shapes()[1] {
            [1, _, _, _] => Ok(GradCam { device: device.clone(), plan }),
            other => Err(Error::shape(layer, format!("gives {:?}: Grad-CAM needs maps of places", &other[1..]))),
        }
    }

    /// The map for an input of the network, `[1, channels, height, width]`, and the number of a class. The highest
    /// value is 1; all are 0 where nothing spoke for the class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input has another shape; [`Error::InvalidArgument`] if there is no such class;
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn map(&mut self, input: &Tensor, class: usize) -> Result<HeatMap> {
        self.plan.set_input(0, input)?;
        self.explain(class)
    }

    /// As [`GradCam::map`], for a face that fills its picture, which is scaled and normalised as the network asks for.
    ///
    /// ```
    /// use vultus::Device;
    /// use vultus::face::GradCam;
    /// use vultus::image::RgbImage;
    /// use vultus::nn::light;
    /// use vultus::ops::Normalization;
    ///
    /// let network = light::network(32, 0.0, 2);
    /// let mut explanation = GradCam::new(&Device::Cpu, &network, &network.initialize(1)?, "block4_conv2")?;
    /// let face = RgbImage::from_fn(60, 60, |x, y| [(x + y) as u8; 3].into());
    /// let (heat, size) = explanation.map_picture(&face, &Normalization::TORCHVISION, 1)?;
    /// // A cell for every 8×8 pixels of the network's input; `report::heat_overlay` lays it over the face.
    /// assert_eq!((heat.len(), size), (16, [4, 4]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`GradCam::map`]; [`Error::Shape`] also if the picture is empty or the network does not take three channels.
    pub fn map_picture(&mut self, face: &RgbImage, normalization: &Normalization, class: usize) -> Result<HeatMap> {
        let picture = self.device.upload(face, face.width(), face.height())?;
        let crop = Crop::whole(face.width(), face.height());
        let side = self.plan.input_shapes()[0].last().copied().unwrap_or_default();
        self.plan.set_picture(&picture, &[crop], Filter::for_crop(&crop, side), normalization)?;
        self.explain(class)
    }

    fn explain(&mut self, class: usize) -> Result<HeatMap> {
        let classes = self.plan.input_shapes()[1][1];
        if class >= classes {
            return Err(Error::invalid("Grad-CAM", format!("there is no class {class} among {classes} (from 0)")));
        }
        let chosen = Tensor::from_fn([1, classes], |other| if other == class { 1.0 } else { 0.0 });
        self.plan.set_input(1, &chosen)?;
        self.plan.execute()?;
        let outputs = self.plan.outputs()?;
        let [_, maps, gradient] = &outputs[..] else {
            return Err(Error::shape("Grad-CAM", format!("{} outputs instead of 3", outputs.len())));
        };
        let size = [maps.shape()[2], maps.shape()[3]];
        Ok((weighted(maps.data(), gradient.data(), size[0] * size[1]), size))
    }
}

/// The feature maps, weighted by the means of their gradients and summed; what speaks against the class is left out,
/// the rest divided by the highest value.
fn weighted(maps: &[f32], gradient: &[f32], places: usize) -> Vec<f32> {
    let mut heat = vec![0.0f32; places];
    for (map, gradient) in maps.chunks_exact(places).zip(gradient.chunks_exact(places)) {
        let weight = gradient.iter().sum::<f32>() / places as f32;
        heat.iter_mut().zip(map).for_each(|(sum, value)| *sum += weight * value);
    }
    let highest = heat.iter().copied().fold(0.0, f32::max);
    // Without anything above 0 all is 0. The maximum with 0 also takes NaN to 0.
    heat.iter().map(|value| if highest > 0.0 { value.max(0.0) / highest } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Conv2d, Order};

    /// A convolution that hands its input on, a ReLU, and two classes.
    fn network(channels: usize) -> (Network, Parameters) {
        let network = Network::new("tiny", [channels, 2, 2])
            .conv2d("conv", "conv", channels, Conv2d::square(1, 1, 0))
            .relu()
            .flatten()
            .dense("fc", "fc", 2)
            .softmax();
        let mut parameters = network.initialize(1).expect("parameters");
        let same = |i: usize| if i / channels == i % channels { 1.0 } else { 0.0 };
        parameters.insert("conv.weight".into(), Tensor::from_fn([channels, channels, 1, 1], same));
        (network, parameters)
    }

    fn grad_cam() -> GradCam {
        let (network, mut parameters) = network(2);
        // For class 0 the maps' gradients have the means 1 and −0.5, for class 1 both have 1.
        let weights = [[4.0, 0.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 0.0]];
        parameters.insert("fc.weight".into(), Tensor::new([2, 8], weights.concat()).expect("weights"));
        GradCam::new(&Device::Cpu, &network, &parameters, "conv").expect("a plan")
    }

    #[test]
    fn maps_are_those_computed_by_hand() {
        let input = Tensor::new([1, 2, 2, 2], vec![1.0, 2.0, 0.0, -1.0, 3.0, 0.0, 1.0, 2.0]).expect("an input");
        let mut grad_cam = grad_cam();
        // Behind the ReLU the maps are 1, 2, 0, 0 and 3, 0, 1, 2. All numbers are small fractions of 2, thus exact.
        // Class 0: −0.5, 2, −0.5, −1. Class 1: 4, 2, 1, 2.
        assert_eq!(grad_cam.map(&input, 0).expect("a map"), (vec![0.0, 1.0, 0.0, 0.0], [2, 2]));
        assert_eq!(grad_cam.map(&input, 1).expect("a map"), (vec![1.0, 0.5, 0.25, 0.5], [2, 2]));
        let dark = Tensor::filled([1, 2, 2, 2], -1.0);
        assert_eq!(grad_cam.map(&dark, 1).expect("a map").0, [0.0; 4]);
    }

    #[test]
    fn what_cannot_be_explained_is_an_error() {
        let mut grad_cam = grad_cam();
        let input = Tensor::zeros([1, 2, 2, 2]);
        assert!(grad_cam.map(&input, 2).expect_err("no class 2").to_string().contains("no class 2 among 2"));
        assert!(grad_cam.map(&Tensor::zeros([1, 3, 2, 2]), 0).is_err());
        let (network, parameters) = network(2);
        assert!(GradCam::new(&Device::Cpu, &network, &parameters, "conv9").is_err());
        assert!(GradCam::new(&Device::Cpu, &network, &parameters, "fc").is_err());
        // Three channels are what pictures have.
        assert!(grad_cam.map_picture(&RgbImage::new(2, 2), &Normalization::MTCNN, 0).is_err());
    }

    #[test]
    fn a_picture_is_normalised_first() {
        let (network, parameters) = network(3);
        let mut grad_cam = GradCam::new(&Device::Cpu, &network, &parameters, "conv").expect("a plan");
        let normalization = Normalization { order: Order::Bgr, mean: [10.0; 3], std: [2.0; 3], gray: false };
        let pixels = [30u8, 20, 10, 60, 50, 40, 90, 80, 70, 12, 11, 10];
        let face = RgbImage::from_raw(2, 2, pixels.to_vec()).expect("a picture");
        let input = Tensor::from_fn([1, 3, 2, 2], |i| (f32::from(pixels[i % 4 * 3 + 2 - i / 4]) - 10.0) / 2.0);
        for class in 0..2 {
            let from_picture = grad_cam.map_picture(&face, &normalization, class).expect("a map");
            assert_eq!(from_picture, grad_cam.map(&input, class).expect("a map"));
        }
        assert!(grad_cam.map_picture(&RgbImage::new(0, 0), &normalization, 0).is_err());
    }
}

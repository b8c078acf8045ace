//! Which places of a face spoke for a class, by gradients: HiResCAM (Draelos, Carin, "Use HiResCAM instead of Grad-CAM for
//! faithful explanations of convolutional neural networks", 2020, arXiv:2011.08891).

use ::image::RgbImage;

use super::explanation::{HeatMap, input_of, to_unit};
use crate::engine::{Model, Options, Plan};
use crate::error::{Error, Result};
use crate::nn::Network;
use crate::ops::{Normalization, Op};
use crate::tensor::Tensor;

/// Places along a side that tell enough of where something is.
const ENOUGH_PLACES: usize = 6;

/// Explains what a network that ends in classes makes of an image: how much each place of a layer's feature maps adds to the
/// class's logit, as far as the layers behind are linear. It is one run forward and one back.
///
/// ```
/// use vultus::face::HiResCam;
/// use vultus::nn::Network;
/// use vultus::ops::Conv2d;
/// use vultus::{Device, Tensor};
///
/// let network = Network::new("small", [3, 8, 8]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1)).relu();
/// let network = network.flatten().dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut explanation = HiResCam::new(&model, "conv")?;
/// let (heat, size) = explanation.map(&Tensor::from_fn([1, 3, 8, 8], |i| (i % 8) as f32), 0)?;
/// assert_eq!((heat.len(), size), (64, [8, 8]));
/// assert!(heat.iter().all(|value| (0.0..=1.0).contains(value)));
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct HiResCam {
    plan: Plan,
}

impl HiResCam {
    /// The layer of a network to explain it by: the deepest with at least 6×6 places through which everything goes, so that
    /// no path to the classes leads around it. Deeper layers have few places, of which a pooling behind them may drop some;
    /// those before see less of the image. Of a network without so many places it is the layer with the most.
    ///
    /// ```
    /// use vultus::face::HiResCam;
    /// use vultus::nn::{light, mobilenet_v1};
    ///
    /// // Its last maps of 6×6; those behind have 3×3.
    /// assert_eq!(HiResCam::layer(&mobilenet_v1::mobilenet_v1(96, 256, 0.0, 7)?)?, "pw11");
    /// assert_eq!(HiResCam::layer(&light::network(48, 0.0, 7))?, "block4_conv2");
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none, as where two paths lead from the input to the classes; as
    /// [`Network::output_shapes`].
    pub fn layer(network: &Network) -> Result<&str> {
        let shapes = network.layer_shapes()?;
        let places = |index: usize| match shapes[index][..] {
            [_, height, width] if gives_maps(&network.layers()[index].op) => height.min(width).min(ENOUGH_PLACES),
            _ => 0,
        };
        let all_pass = |index: &usize| network.can_be_cut(index + 1) && places(*index) > 1;
        let deepest = (0..shapes.len()).filter(all_pass).max_by_key(|&index| places(index)).ok_or_else(|| {
            let reason = "no layer through which everything goes gives maps of places, which HiResCAM needs";
            Error::shape(network.name(), reason)
        })?;
        Ok(&network.layers()[network.before_activation(deepest)].name)
    }

    /// Explains by the feature maps of a layer, such as that of [`HiResCam::layer`].
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer; [`Error::InvalidArgument`] if it does not lead to the classes, or
    /// an operation on the way has no derivative; [`Error::Shape`] if it does not give feature maps, or the network does not
    /// end in classes; [`Error::Limit`] or [`Error::Device`] if the device cannot run it.
    pub fn new(model: &Model, layer: &str) -> Result<Self> {
        let plan = model.compile_gradient(1, layer, &Options::default())?;
        match plan.output_shapes()[1] {
            [1, _, _, _] => Ok(HiResCam { plan }),
            other => Err(Error::shape(layer, format!("gives {:?}: HiResCAM needs maps of places", &other[1..]))),
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

    /// As [`HiResCam::map`], for a face that fills its picture, which is scaled and normalised as the network asks for.
    ///
    /// ```
    /// use vultus::Device;
    /// use vultus::face::HiResCam;
    /// use vultus::image::RgbImage;
    /// use vultus::nn::light;
    /// use vultus::ops::Normalization;
    ///
    /// let network = light::network(32, 0.0, 2);
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut explanation = HiResCam::new(&model, "block4_conv2")?;
    /// let face = RgbImage::from_fn(60, 60, |x, y| [(x + y) as u8; 3].into());
    /// let (heat, size) = explanation.map_picture(&face, &Normalization::TORCHVISION, 1)?;
    /// // A cell for every 8×8 pixels of the network's input; `report::heat_overlay` lays it over the face.
    /// assert_eq!((heat.len(), size), (16, [4, 4]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`HiResCam::map`]; [`Error::Shape`] also if the picture is empty or the network does not take three channels.
    pub fn map_picture(&mut self, face: &RgbImage, normalization: &Normalization, class: usize) -> Result<HeatMap> {
        self.map(&input_of(face, self.plan.input_shapes()[0], normalization)?, class)
    }

    fn explain(&mut self, class: usize) -> Result<HeatMap> {
        let classes = self.plan.input_shapes()[1][1];
        if class >= classes {
            return Err(Error::invalid("HiResCAM", format!("there is no class {class} among {classes} (from 0)")));
        }
        let chosen = Tensor::from_fn([1, classes], |other| if other == class { 1.0 } else { 0.0 });
        self.plan.set_input(1, &chosen)?;
        self.plan.execute()?;
        let outputs = self.plan.outputs()?;
        let [_, maps, gradient] = &outputs[..] else {
            return Err(Error::shape("HiResCAM", format!("{} outputs instead of 3", outputs.len())));
        };
        let size = [maps.shape()[2], maps.shape()[3]];
        Ok((to_unit(summed(maps.data(), gradient.data(), size[0] * size[1])), size))
    }
}

/// Whether what an operation gives lies where what it reads lay.
fn gives_maps(op: &Op) -> bool {
    let is_pool = matches!(op, Op::MaxPool2d(_) | Op::AvgPool2d(_));
    is_pool || matches!(op, Op::Conv2d(_) | Op::BatchNorm2d(_) | Op::Activation(_) | Op::Prelu | Op::Add | Op::Mul)
}

/// The feature maps times their gradients, summed over the channels.
fn summed(maps: &[f32], gradient: &[f32], places: usize) -> Vec<f32> {
    let mut heat = vec![0.0f32; places];
    for (map, gradient) in maps.chunks_exact(places).zip(gradient.chunks_exact(places)) {
        heat.iter_mut().zip(map.iter().zip(gradient)).for_each(|(sum, (value, slope))| *sum += value * slope);
    }
    heat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Device;
    use crate::nn::{Published, mobilenet_v1, vgg16};
    use crate::ops::{Conv2d, Order};
    use crate::tensor::Parameters;

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

    fn explanation(network: &Network, parameters: &Parameters, layer: &str) -> Result<HiResCam> {
        HiResCam::new(&Device::Cpu.load(network, parameters)?, layer)
    }

    fn hirescam() -> HiResCam {
        let (network, mut parameters) = network(2);
        // Behind the ReLU there is nothing but these: they are the gradients.
        let weights = [[4.0, 1.0, 0.0, 0.0, -1.0, 0.0, 4.0, -1.0], [1.0, 1.0, 1.0, 1.0, 0.0, 2.0, 2.0, 0.0]];
        parameters.insert("fc.weight".into(), Tensor::new([2, 8], weights.concat()).expect("weights"));
        explanation(&network, &parameters, "conv").expect("a plan")
    }

    #[test]
    fn maps_are_those_computed_by_hand() {
        let input = Tensor::new([1, 2, 2, 2], vec![1.0, 2.0, 0.0, -1.0, 3.0, 0.0, 1.0, 2.0]).expect("an input");
        let mut hirescam = hirescam();
        // Behind the ReLU the maps are 1, 2, 0, 0 and 3, 0, 1, 2. All numbers are small and whole, thus exact.
        // Class 0: 1, 2, 4, −2. Class 1: 1, 2, 2, 0.
        assert_eq!(hirescam.map(&input, 0).expect("a map"), (vec![0.25, 0.5, 1.0, 0.0], [2, 2]));
        assert_eq!(hirescam.map(&input, 1).expect("a map"), (vec![0.5, 1.0, 1.0, 0.0], [2, 2]));
        let dark = Tensor::filled([1, 2, 2, 2], -1.0);
        assert_eq!(hirescam.map(&dark, 1).expect("a map").0, [0.0; 4]);
    }

    #[test]
    fn what_cannot_be_explained_is_an_error() {
        let mut hirescam = hirescam();
        let input = Tensor::zeros([1, 2, 2, 2]);
        assert!(hirescam.map(&input, 2).expect_err("no class 2").to_string().contains("no class 2 among 2"));
        assert!(hirescam.map(&Tensor::zeros([1, 3, 2, 2]), 0).is_err());
        let (network, parameters) = network(2);
        assert!(explanation(&network, &parameters, "conv9").is_err());
        assert!(explanation(&network, &parameters, "fc").is_err());
        // Three channels are what pictures have.
        assert!(hirescam.map_picture(&RgbImage::new(2, 2), &Normalization::MTCNN, 0).is_err());
    }

    #[test]
    fn a_picture_is_normalised_first() {
        let (network, parameters) = network(3);
        let mut hirescam = explanation(&network, &parameters, "conv").expect("a plan");
        let normalization = Normalization { order: Order::Bgr, mean: [10.0; 3], std: [2.0; 3], gray: false };
        let pixels = [30u8, 20, 10, 60, 50, 40, 90, 80, 70, 12, 11, 10];
        let face = RgbImage::from_raw(2, 2, pixels.to_vec()).expect("a picture");
        let input = Tensor::from_fn([1, 3, 2, 2], |i| (f32::from(pixels[i % 4 * 3 + 2 - i / 4]) - 10.0) / 2.0);
        for class in 0..2 {
            let from_picture = hirescam.map_picture(&face, &normalization, class).expect("a map");
            assert_eq!(from_picture, hirescam.map(&input, class).expect("a map"));
        }
        assert!(hirescam.map_picture(&RgbImage::new(0, 0), &normalization, 0).is_err());
    }

    #[test]
    fn the_layer_is_the_deepest_that_has_places_and_lets_no_path_by() {
        let layer = |network: &Network| HiResCam::layer(network).map(str::to_owned);
        let vgg16 = |input| vgg16::whole_with_widths(input, &[&[4, 4], &[4, 4], &[4, 4], &[4, 4], &[4, 4]], &[], 7);
        // At 48×48 block 4 has 6×6 places and block 5 has 3×3, which its pool takes to 1×1; at 224×224 the last pool has 7×7.
        for (input, wanted) in [(48, "block4_conv2"), (96, "block5_conv2"), (224, "block5_pool"), (32, "block3_conv2")]
        {
            assert_eq!(layer(&vgg16(input).expect("a network")).expect("a layer"), wanted, "at {input}");
        }
        assert_eq!(layer(&mobilenet_v1::mobilenet_v1(96, 8, 0.0, 7).expect("a network")).expect("a layer"), "pw11");
        assert_eq!(layer(&mobilenet_v1::mobilenet_v1(224, 8, 0.0, 7).expect("a network")).expect("a layer"), "pw13");
        // Where the two paths of a residual block have come together.
        let resnet = Published::ResNet18.network(96, 0.0, 7).expect("a network");
        assert_eq!(layer(&resnet).expect("a layer"), "layer3.1.relu");
        // Fewer places than that are better than none.
        let (small, _) = network(2);
        assert_eq!(layer(&small).expect("a layer"), "conv");
        let dense = Network::new("dense", [4]).dense("fc", "fc", 2).softmax();
        assert!(layer(&dense).expect_err("no places").to_string().contains("places"));
    }
}

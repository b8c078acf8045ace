//! Where a network looks: Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: Visual explanations from deep networks via
//! gradient-based localization").

use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::nn::Network;
use crate::ops::RunState;
use crate::plan::{Options, Plan};
use crate::tensor::{Parameters, Tensor};

/// Maps of how much each place of a layer's feature maps speaks for a class.
pub struct GradCam {
    plan: Plan,
    /// Kept alive with its plan.
    _model: Model,
    classes: usize,
}

impl GradCam {
    /// For a network that ends in a softmax over classes, and one of its convolutions.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such layer, it does not give feature maps, or the parameters are not the
    /// network's; the device's own.
    pub fn new(device: &Device, network: &Network, parameters: &Parameters, layer: &str) -> Result<Self> {
        let model = device.load(network, parameters)?;
        let plan = model.compile_gradient(1, layer, &Options::default())?;
        let [classes, maps] = [0, 1].map(|output| plan.output_shapes()[output].to_vec());
        match (classes.as_slice(), maps.as_slice()) {
            (&[_, classes], [_, _, _, _]) => Ok(GradCam { plan, _model: model, classes }),
            _ => Err(Error::shape(layer, format!("gives {maps:?}, not feature maps of a picture"))),
        }
    }

    /// The map of a class for one input of shape `[1, channels, height, width]`, in row order, and its height and width:
    /// the sum of the feature maps, each weighted by the mean of the gradient of the class's logit with respect to it,
    /// without what is negative, scaled so that the largest value is 1. All zeros if nothing speaks for the class.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such class or the input has another shape; the device's own.
    pub fn map(&mut self, input: &Tensor, class: usize) -> Result<(Vec<f32>, [usize; 2])> {
        if class >= self.classes {
            return Err(Error::shape("Grad-CAM", format!("there is no class {class} among {}", self.classes)));
        }
        let wanted = Tensor::from_fn([1, self.classes], |place| f32::from(u8::from(place == class)));
        let outputs = self.plan.run_all(&[input.clone(), wanted], &RunState::default())?;
        let [_, activation, gradient] = outputs.as_slice() else {
            return Err(Error::shape("Grad-CAM", "the plan gives no gradient"));
        };
        let size = [activation.shape()[2], activation.shape()[3]];
        let plane = size[0] * size[1];
        let mut map = vec![0.0; plane];
        for (activation, gradient) in activation.data().chunks(plane).zip(gradient.data().chunks(plane)) {
            let weight = gradient.iter().sum::<f32>() / plane as f32;
            map.iter_mut().zip(activation).for_each(|(value, activation)| *value += weight * activation);
        }
        let largest = map.iter().fold(0.0f32, |largest, &value| largest.max(value));
        map.iter_mut().for_each(|value| *value = if largest > 0.0 { value.max(0.0) / largest } else { 0.0 });
        Ok((map, size))
    }
}

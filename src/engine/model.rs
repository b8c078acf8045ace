//! A network with its parameters on a device.

use super::backend::ModelMemory;
use super::plan::{Options, Plan};
use super::training_plan::TrainingPlan;
use crate::error::{Error, Result};
use crate::nn::{Network, Purpose, Training};
use crate::tensor::Parameters;

/// A network with its parameters on a device. All plans compiled from it share the parameters: what one trains, the
/// others use.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 3).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut teacher = model.compile_training(4, &Training::default(), &Options::default())?;
/// let mut plan = model.compile(1, &Options::default())?;
/// let before = plan.run(&Tensor::filled([1, 2], 1.0))?;
/// let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
/// teacher.train(&Tensor::filled([4, 2], 1.0), Targets::Classes(&[Some(2); 4]), &step)?;
/// assert!(plan.run(&Tensor::filled([1, 2], 1.0))?[0].data()[2] > before[0].data()[2]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Model {
    network: Network,
    memory: ModelMemory,
}

impl Model {
    pub(crate) fn new(network: Network, memory: ModelMemory) -> Self {
        Model { network, memory }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A plan that runs the network on batches of this size.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a layer does not accept what it is given; [`crate::Error::InvalidArgument`] if the
    /// batch is 0, a value of an operation is out of its range or an input or output cannot be bound;
    /// [`crate::Error::UnknownName`] if there is no such kernel; [`crate::Error::Limit`] or [`crate::Error::Device`] if
    /// the device cannot run it.
    pub fn compile(&self, batch: usize, options: &Options) -> Result<Plan> {
        Plan::new(self.network.lower(batch, Purpose::Inference, options.keep_activations)?, &self.memory, options)
    }

    /// A plan that trains the network on batches of this size. Each plan has its own optimiser's memory, zero at first.
    ///
    /// # Errors
    /// As [`Model::compile`]; also [`crate::Error::Shape`] if the network does not end in classes or there are not as
    /// many class weights, [`crate::Error::UnknownName`] if there is no layer that training or a group is to begin
    /// with, and [`crate::Error::InvalidArgument`] if an operation on the way has no derivative, nothing is trained,
    /// inputs or outputs are to be bound, or a value of `training` is out of its range.
    pub fn compile_training(&self, batch: usize, training: &Training, options: &Options) -> Result<TrainingPlan> {
        if !options.bound.is_empty() {
            return Err(Error::invalid(self.network.name(), "a plan that trains has no bound inputs or outputs"));
        }
        let program = self.network.lower(batch, Purpose::Training(training), options.keep_activations)?;
        TrainingPlan::new(Plan::new(program, &self.memory, options)?)
    }

    /// A plan that says how much each value that a layer gives counts for the logits: what HiResCAM (Draelos, Carin 2020)
    /// weighs feature maps by.
    ///
    /// Inputs: the images, and how much each logit is to count (`[batch, classes]`: 1 for the class to be explained and 0
    /// for the others, say). Outputs: the logits, the layer's output, and the gradient of the weighted sum of the logits
    /// with respect to that, in its shape. What a convolution or dense layer gives is taken after an activation that follows
    /// it at once. Dropout does nothing, and no gradient of a parameter is computed, but for slopes of PReLUs on the way.
    ///
    /// ```
    /// use vultus::nn::vgg16;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = vgg16::whole_with_widths(32, &[&[4], &[4], &[4], &[4], &[6, 6]], &[8], 7)?;
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_gradient(1, "block5_conv2", &Options::default())?;
    /// let image = Tensor::filled([1, 3, 32, 32], 0.5);
    /// let happy = Tensor::from_fn([1, 7], |class| if class == 3 { 1.0 } else { 0.0 });
    /// let found = plan.run_all(&[image, happy])?;
    /// let (maps, gradient) = (&found[1], &found[2]);
    /// assert_eq!((maps.shape(), gradient.shape()), (&[1, 6, 2, 2][..], &[1, 6, 2, 2][..]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::compile`]; also [`crate::Error::UnknownName`] if there is no such layer,
    /// [`crate::Error::InvalidArgument`] if it comes after the logits or does not lead to them, and
    /// [`crate::Error::Shape`] if the network does not end in classes.
    pub fn compile_gradient(&self, batch: usize, layer: &str, options: &Options) -> Result<Plan> {
        let purpose = Purpose::Gradient(layer);
        Plan::new(self.network.lower(batch, purpose, options.keep_activations)?, &self.memory, options)
    }

    /// Takes other values for all parameters: those of a checkpoint, say. All plans of the model go on with them.
    ///
    /// Commands that an application has encoded ([`crate::gpu::GpuPlan::encode`]) and not submitted yet may still compute
    /// with the former values.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if a parameter is missing, or if a plan stores it in f16 and the new values do
    /// not suit that; [`crate::Error::UnknownName`] if it is not one of the network's; [`crate::Error::Shape`] if it
    /// has another shape: nothing is changed then. [`crate::Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::Device;
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 3);
    /// let (first, second) = (network.initialize(1)?, network.initialize(2)?);
    /// let model = Device::Cpu.load(&network, &first)?;
    /// model.set_parameters(&second)?;
    /// assert_eq!(model.parameters()?, second);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn set_parameters(&self, parameters: &Parameters) -> Result<()> {
        self.network.check_parameters(parameters)?;
        self.memory.set_parameters(parameters)
    }

    /// A copy of the parameters as they are now. Blocks until the device is done with what it is doing.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`] if the device is gone.
    pub fn parameters(&self) -> Result<Parameters> {
        self.memory.parameters()
    }
}

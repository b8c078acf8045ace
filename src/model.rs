//! A network with its parameters on a device.

use crate::cpu::CpuModel;
use crate::error::Result;
use crate::gpu::{Gpu, GpuModel};
use crate::nn::{Network, Training};
use crate::plan::{Options, Plan};
use crate::tensor::Parameters;

/// A network with its parameters on a device. All plans compiled from it share the parameters: what one trains, the
/// others use.
pub struct Model {
    network: Network,
    memory: ModelMemory,
}

pub(crate) enum ModelMemory {
    Cpu(CpuModel),
    Gpu(Gpu, GpuModel),
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
    /// [`crate::Error::Shape`] if a layer does not accept what it is given; [`crate::Error::Limit`] or
    /// [`crate::Error::Device`] if the device cannot run it.
    pub fn compile(&self, batch: usize, options: &Options) -> Result<Plan> {
        Plan::new(self.network.lower(batch, None, options.keep_activations)?, &self.memory, options)
    }

    /// A plan that trains the network on batches of this size. Each plan has its own optimiser's memory, zero at first.
    ///
    /// # Errors
    /// As [`Model::compile`]; also if the network does not end in classes or is not a chain of layers.
    pub fn compile_training(&self, batch: usize, training: &Training, options: &Options) -> Result<Plan> {
        Plan::new(self.network.lower(batch, Some(training), options.keep_activations)?, &self.memory, options)
    }

    /// Takes other values for all parameters: those of a checkpoint, say. All plans of the model go on with them.
    ///
    /// Commands that an application has encoded ([`crate::gpu::GpuPlan::encode`]) and not submitted yet may still compute
    /// with the former values.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if a parameter is missing, is not one of the network's, or has another shape, or if a plan
    /// stores it in f16 and the new values do not suit that: nothing is changed then. [`crate::Error::DeviceLost`] if the
    /// device is gone.
    pub fn set_parameters(&self, parameters: &Parameters) -> Result<()> {
        self.network.check_parameters(parameters)?;
        match &self.memory {
            ModelMemory::Cpu(memory) => memory.set_parameters(parameters),
            ModelMemory::Gpu(_, memory) => memory.set_parameters(parameters)?,
        }
        Ok(())
    }

    /// A copy of the parameters as they are now. Blocks until the device is done with what it is doing.
    ///
    /// # Errors
    /// [`crate::Error::DeviceLost`] if the device is gone.
    pub fn parameters(&self) -> Result<Parameters> {
        match &self.memory {
            ModelMemory::Cpu(memory) => memory.parameters(),
            ModelMemory::Gpu(_, memory) => memory.parameters(),
        }
    }
}

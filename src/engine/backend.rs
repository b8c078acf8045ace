//! What is the processor's or a GPU's: every choice between the two backends.

use crate::cpu::{CpuModel, CpuPlan};
use crate::error::Result;
use crate::gpu::{Gpu, GpuModel, GpuPicture, GpuPlan};
use crate::tensor::Parameters;

/// A model's parameters.
pub(crate) enum ModelMemory {
    Cpu(CpuModel),
    Gpu(Gpu, GpuModel),
}

impl ModelMemory {
    pub fn parameters(&self) -> Result<Parameters> {
        match self {
            ModelMemory::Cpu(memory) => memory.parameters(),
            ModelMemory::Gpu(_, memory) => memory.parameters(),
        }
    }

    /// Takes new values of all parameters, whose names and shapes have been checked.
    pub fn set_parameters(&self, parameters: &Parameters) -> Result<()> {
        match self {
            ModelMemory::Cpu(memory) => {
                memory.set_parameters(parameters);
                Ok(())
            }
            ModelMemory::Gpu(_, memory) => memory.set_parameters(parameters),
        }
    }
}

/// A picture's pixels.
pub(crate) enum PictureMemory {
    /// RGB without gaps.
    Cpu(Vec<u8>),
    /// The same in numbers of 0 to 1.
    CpuFloats(Vec<f32>),
    Gpu(GpuPicture),
}

/// What runs a program.
pub(super) enum Executor {
    Cpu(Box<CpuPlan>),
    Gpu(Box<GpuPlan>),
}

//! The public engine: devices, models on them, and plans that run or train these.

mod backend;
mod device;
mod model;
mod picture;
mod plan;
mod training_plan;
mod tune;
mod verify;

pub use device::Device;
pub use model::Model;
pub use picture::Picture;
pub use plan::{LayerTime, Options, Plan};
pub use training_plan::{StepOptions, Targets, TrainingPlan, TrainingState};

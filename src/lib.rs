//! Facial expression recognition on a compute engine of hand-written WGSL kernels.
//!
//! A [`Device`] is a GPU (also the embedding application's own, see [`gpu::Gpu::from_device`]) or the processor. A
//! [`nn::Network`] and its [`Parameters`] become a [`Model`] on it, and that a [`Plan`] for a batch, which runs or trains
//! again and again without allocating anything. [`face`] finds faces and recognises what they show, [`train`] makes
//! heads for new classes, [`metrics`] says how good predictions are, [`weights`] holds the default networks.
//!
//! Without any feature this is the engine, faces and measures, also for browsers (`wasm32-unknown-unknown`, by WebGPU).
//! `parallel` lets the CPU backend use all threads, `files` reads and writes weights and pictures, `train` adds [`data`]
//! and [`train`], `baseline`, `report` and `video` the modules of these names, `embed` the default weights. The program
//! is `cli` and `serve`.
//!
//! ```
//! use vultus::nn::Network;
//! use vultus::{Device, Options, Tensor};
//!
//! let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
//! let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
//! let mut plan = model.compile(3, &Options::default())?;
//! let probabilities = plan.run(&Tensor::filled([3, 4], 1.0))?;
//! assert_eq!(probabilities[0].shape(), [3, 2]);
//! # Ok::<(), vultus::Error>(())
//! ```

#![warn(missing_docs)]

#[cfg(feature = "baseline")]
pub mod baseline;
mod cpu;
pub mod csv;
#[cfg(feature = "train")]
pub mod data;
mod engine;
mod error;
pub mod face;
#[cfg(feature = "files")]
pub mod file;
pub mod gpu;
pub mod image;
mod matmul;
pub mod metrics;
pub mod nn;
#[cfg(feature = "onnx")]
pub mod onnx;
pub mod ops;
mod parallel;
mod peak;
pub mod prepare;
mod program;
#[cfg(feature = "onnx")]
mod proto;
mod random;
mod reading;
#[cfg(feature = "report")]
pub mod report;
mod tensor;
mod time;
pub mod track;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "video")]
pub mod video;
pub mod weights;

pub use engine::{Device, LayerTime, Model, Options, Picture, Plan, StepOptions, Targets, TrainingPlan, TrainingState};
pub use error::{Error, Result};
pub use gpu::Precision;
pub use peak::Peak;
pub use random::Random;
pub use tensor::{Parameters, Tensor};
pub use wgpu;

/// The examples of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So are those of the document on embedding.
#[cfg(doctest)]
#[doc = include_str!("../docs/embed.md")]
struct Embedding;

/// And those of the document on explanations.
#[cfg(doctest)]
#[doc = include_str!("../docs/explanations.md")]
struct Explanations;

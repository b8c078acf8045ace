//! The engine as a part of other programs: on their device, beside their own work, on any thread, awaited.

#[path = "../compare/mod.rs"]
mod compare;

mod application;
mod awaiting;
mod bound_operations;
mod buffers;
mod device;
mod errors;
#[cfg(feature = "onnx")]
mod graphs;
mod textures;
mod threads;

//! The GPU backend: every operation as WGSL kernels. One file per operation, under the operation's name, and its shader
//! under the same name in `shaders/`.
//!
//! ```no_run
//! use vultus::gpu::{Adapter, Gpu};
//!
//! for adapter in Adapter::all() {
//!     println!("{} by {}", adapter.info().name, adapter.info().driver);
//! }
//! let device = vultus::Device::Gpu(Gpu::new()?);
//! # Ok::<(), vultus::Error>(())
//! ```

mod accumulate;
mod activation;
mod adam;
mod adapter;
mod adaptive_avg_pool2d;
mod add;
mod answer;
mod augment;
mod avg_pool2d;
mod batch_norm2d;
mod binary_cross_entropy;
mod binding;
mod buffer;
#[cfg_attr(not(feature = "files"), path = "no_cache.rs")]
mod cache;
mod compile;
mod concat;
mod conv2d;
mod conv2d_winograd;
mod cross_entropy;
mod dense;
mod device;
mod dispatch;
mod dropout;
mod elementwise;
mod ema;
mod finish;
mod kernel;
mod layer_norm;
mod limits;
mod losses;
mod lower;
mod masked_fill;
mod matmul;
mod max_pool2d;
mod module;
mod mse_loss;
mod mul;
mod mul_reduce;
#[cfg(not(target_family = "wasm"))]
mod native;
mod pad;
mod parameter;
mod peak;
mod picture;
mod plan;
mod planes;
mod precision;
mod prelu;
mod prologue;
mod read_back;
mod reduce_mean;
mod reduce_sum;
mod registry;
mod relative_position_bias;
mod residual;
mod resize;
mod scale;
mod sgd;
mod shaders;
mod slice;
mod softmax;
mod speed;
mod state;
mod stochastic_depth;
mod tiling;
mod timer;
mod transpose;
mod tuning;
mod unary;
mod uniform;
mod upsample;
mod walk;
#[cfg(target_family = "wasm")]
mod web;
mod work;
#[cfg(not(target_family = "wasm"))]
mod worker;

pub use adapter::Adapter;
pub use binding::{Binding, Port};
pub use device::{Counts, Gpu, GpuOptions};
pub use kernel::{Access, Kernel};
pub(crate) use picture::{GpuPicture, GpuPixels};
pub(crate) use plan::GpuModel;
pub use plan::GpuPlan;
pub use precision::Precision;
pub use registry::{candidates, choices, kernels, shader_source};
pub use tuning::Tuned;
pub(crate) use tuning::tuning_key;

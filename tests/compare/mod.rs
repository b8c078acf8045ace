//! What the tests share: the devices under test, golden files, and the comparison of tensors.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub mod twins;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use safetensors::tensor::{Dtype, SafeTensors};
use vultus::gpu::{Adapter, Gpu};
use vultus::ops::{Op, RunState};
use vultus::{Device, Options, Result, Tensor, wgpu};

/// The adapter under test: the best hardware adapter, or else software. A machine without any cannot run these tests,
/// and must not pass them.
pub fn adapter() -> Adapter {
    Adapter::all().into_iter().next().expect("no driver offers an adapter: install one, such as Mesa's lavapipe")
}

/// A device of its own, for tests that count, replace or destroy.
pub fn fresh_gpu() -> Gpu {
    with_matrix_units(adapter().open().expect("the adapter opens"))
}

/// The same device, on which shaders stand in for matrix units where it has none.
pub fn with_matrix_units(gpu: Gpu) -> Gpu {
    if !gpu.has_matrix_units() {
        gpu.emulate_matrix_units();
    }
    gpu
}

/// The device that the tests of one file share.
pub fn gpu() -> Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(fresh_gpu).clone()
}

/// Both backends.
pub fn devices() -> [Device; 2] {
    [Device::Cpu, Device::Gpu(gpu())]
}

/// Memory full of NaN before each run, guards around every buffer.
pub fn checked() -> Options {
    Options { checked: true, ..Options::default() }
}

/// Runs one operation.
pub fn run_op(device: &Device, op: &Op, inputs: &[Tensor], state: &RunState, options: &Options) -> Result<Vec<Tensor>> {
    let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
    device.compile_op(op, &shapes, options)?.run_in(inputs, state)
}

/// An empty texture of this size that the engine can copy, but for a change.
pub fn texture(
    device: &wgpu::Device,
    [width, height]: [u32; 2],
    change: impl Fn(&mut wgpu::TextureDescriptor),
) -> wgpu::Texture {
    let mut descriptor = wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    };
    change(&mut descriptor);
    device.create_texture(&descriptor)
}

/// Collects what differs, so that one run of a test shows every failure.
#[derive(Default)]
pub struct Comparison {
    compared: usize,
    failures: Vec<String>,
}

impl Comparison {
    /// Compares with an error of at most `tolerance` times the largest magnitude in `wanted`.
    pub fn check(&mut self, case: impl AsRef<str>, found: &Tensor, wanted: &Tensor, tolerance: f32) {
        self.check_within(case, found, wanted, tolerance * largest(wanted));
    }

    /// Compares with an error of at most `allowed`.
    pub fn check_within(&mut self, case: impl AsRef<str>, found: &Tensor, wanted: &Tensor, allowed: f32) {
        self.compared += 1;
        if let Err(reason) = difference(found, wanted, allowed) {
            self.fail(case, reason);
        }
    }

    /// Notes a failure of another kind.
    pub fn fail(&mut self, case: impl AsRef<str>, reason: impl std::fmt::Display) {
        self.failures.push(format!("{}: {reason}", case.as_ref()));
    }

    /// What has failed so far.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Panics if anything failed, or nothing was compared.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.compared > 0, "nothing was compared");
        let (failed, all) = (self.failures.len(), self.compared);
        assert!(failed == 0, "{failed} failures in {all} comparisons:\n{}", self.failures.join("\n"));
    }
}

/// The largest magnitude of a tensor.
pub fn largest(tensor: &Tensor) -> f32 {
    tensor.data().iter().fold(0.0, |most, value| value.abs().max(most))
}

/// Whether two tensors have the same shape and differ by no more than `allowed`; neither may hold a NaN or an infinity.
fn difference(found: &Tensor, wanted: &Tensor, allowed: f32) -> std::result::Result<(), String> {
    if found.shape() != wanted.shape() {
        return Err(format!("the shape is {:?} instead of {:?}", found.shape(), wanted.shape()));
    }
    for (what, tensor) in [("wanted", wanted), ("found", found)] {
        if let Some(at) = tensor.data().iter().position(|value| !value.is_finite()) {
            return Err(format!("{} at place {at} of what was {what}", tensor.data()[at]));
        }
    }
    let errors = found.data().iter().zip(wanted.data()).map(|(found, wanted)| (found - wanted).abs());
    let Some((at, error)) = errors.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)) else {
        return Err("there is nothing in it".to_owned());
    };
    if error <= allowed {
        return Ok(());
    }
    let (found, wanted) = (found.data()[at], wanted.data()[at]);
    Err(format!("{found} instead of {wanted} at place {at}: differs by {error:.3e}, allowed are {allowed:.3e}"))
}

/// A file of golden tensors, called `case.tensor`, made by `tests/golden/*.py`.
pub struct Golden {
    tensors: BTreeMap<String, Tensor>,
    cases: serde_json::Map<String, serde_json::Value>,
}

impl Golden {
    /// Reads `tests/golden/{name}.safetensors`. Whole numbers and f64 become f32.
    pub fn read(name: &str) -> Self {
        let bytes = std::fs::read(golden_path(&format!("{name}.safetensors"))).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let cases = header.metadata().as_ref().and_then(|metadata| metadata.get("cases"));
        let cases = cases.map(|json| serde_json::from_str(json).unwrap()).unwrap_or_default();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter();
        let tensors = tensors.map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => numbers(view.data(), f32::from_le_bytes),
                Dtype::I32 => numbers(view.data(), |b| i32::from_le_bytes(b) as f32),
                Dtype::F64 => numbers(view.data(), |b| f64::from_le_bytes(b) as f32),
                other => panic!("{name} has the type {other:?}"),
            };
            (name, Tensor::new(view.shape(), values).unwrap())
        });
        Golden { tensors: tensors.collect(), cases }
    }

    /// The cases and their parameters; there must be some.
    pub fn cases(&self) -> impl Iterator<Item = (&str, &serde_json::Value)> {
        assert!(!self.cases.is_empty(), "the file names no cases");
        self.cases.iter().map(|(name, parameters)| (name.as_str(), parameters))
    }

    /// A tensor by its whole name.
    pub fn get(&self, name: &str) -> Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("there is no tensor {name}")).clone()
    }

    /// The tensors whose names begin with a prefix, without it.
    pub fn with_prefix(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let tensors = self.tensors.iter();
        tensors.filter_map(|(name, t)| Some((name.strip_prefix(prefix)?.to_owned(), t.clone()))).collect()
    }
}

/// A file among the golden ones.
pub fn golden_path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", file].iter().collect()
}

/// The photo that the golden networks have seen: RGB without gaps, and its width and height.
pub fn photo() -> (Vec<u8>, u32, u32) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "photos", "astronaut_face_224.png"].iter().collect();
    let picture = image::open(path).unwrap().to_rgb8();
    let (width, height) = picture.dimensions();
    (picture.into_raw(), width, height)
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
}

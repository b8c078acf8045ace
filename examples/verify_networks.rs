//! Checks networks of the literature with their trained weights against golden outputs of PyTorch on one photo.
//!
//! `cargo run --release --example verify_networks -- FOLDER [DEVICE]`
//!
//! The folder holds `mobilenet_v2.pth` and `efficientnet_lite0.pth` with the weights of torchvision and of
//! efficientnet-lite-pytorch, and `face_mobilenet.safetensors`; `tests/golden/make_imagenet_goldens.py` says what was
//! computed with them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vultus::nn::{Network, Published, mobilenet_v1};
use vultus::ops::{Crop, Filter, Normalization};
use vultus::weights::{Catalog, safetensors};
use vultus::{Device, Options, Parameters, Result, Tensor};

/// Of logits as large as 16: sums of f32 through fifty layers, in another order than PyTorch's in f64.
const TOLERANCE: f32 = 1e-4;

/// A network, its weights, how they want images, and the layer whose output is compared with a tensor of a golden file.
struct Check {
    network: Network,
    weights: PathBuf,
    normalization: Normalization,
    layer: &'static str,
    golden: (&'static str, &'static str),
}

impl Check {
    /// The largest difference.
    fn run(&self, device: &Device) -> Result<f32> {
        let catalog = Catalog::open(&self.weights)?;
        let mut parameters = Parameters::new();
        for (name, _) in self.network.parameter_shapes()? {
            if let Some(entry) = catalog.entry(&name) {
                parameters.insert(name, catalog.tensor(entry)?);
            }
        }
        let options = Options { keep_activations: true, ..Options::default() };
        let mut plan = device.load(&self.network, &parameters)?.compile(1, &options)?;
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let photo = vultus::image::decode_file(&tests.join("photos/astronaut_face_224.png"))?;
        let picture = device.upload(photo.as_raw(), photo.width(), photo.height())?;
        plan.set_picture(&picture, &[Crop::whole(224, 224)], Filter::Area, &self.normalization)?;
        plan.execute()?;
        let (file, name) = self.golden;
        let golden = safetensors::read(&tests.join(format!("golden/networks/{file}.safetensors")))?;
        Ok(distance(&plan.activation(self.layer)?, &golden.parameters[name]))
    }
}

/// Infinite where an element is not a number.
fn distance(found: &Tensor, wanted: &Tensor) -> f32 {
    let apart = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
    let apart = found.data().iter().zip(wanted.data()).map(apart).fold(0.0, f32::max);
    if found.len() == wanted.len() { apart } else { f32::INFINITY }
}

fn checks(folder: &Path) -> Result<Vec<Check>> {
    let published = |network: Published, layer, golden| -> Result<Check> {
        Ok(Check {
            weights: folder.join(format!("{}.pth", network.name())),
            normalization: network.normalization(),
            network: network.network(224, 0.0, 1000)?,
            layer,
            golden: ("imagenet_logits", golden),
        })
    };
    let faces = Network::new("features", [1024]).dense("feats", "feats", 256).relu();
    Ok(vec![
        published(Published::MobileNetV2, "classifier.1", "mobilenet_v2")?,
        published(Published::EfficientNetLite0, "_fc", "efficientnet_lite0_127")?,
        Check {
            network: mobilenet_v1::base(224).followed_by(faces)?,
            weights: folder.join("face_mobilenet.safetensors"),
            normalization: Published::MobileNet.normalization(),
            layer: "feats",
            golden: ("face_mobilenet_features", "feats"),
        },
    ])
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, device @ ..] = arguments.as_slice() else {
        eprintln!("usage: verify_networks FOLDER [DEVICE]");
        return Ok(ExitCode::from(2));
    };
    let device = device.first().map_or(Ok(Device::best()), |name| Device::named(name))?;
    let mut worst = 0f32;
    for check in checks(Path::new(folder))? {
        let error = check.run(&device)?;
        println!("{:24} {error:.2e}", check.golden.1);
        worst = worst.max(error);
    }
    println!("{device}: the worst is {worst:.2e}, {TOLERANCE:.0e} is allowed");
    Ok(if worst <= TOLERANCE { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

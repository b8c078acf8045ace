//! Tells whether the default weights are there to be put into the binary: the package of the registry is without them.

use std::path::Path;

const FILES: [&str; 6] = [
    "vgg16_base.safetensors",
    "yunet.safetensors",
    "mtcnn.safetensors",
    "expression_model.safetensors",
    "light_model.safetensors",
    "vgg16_model.safetensors",
];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_weights)");
    let folder = Path::new("weights");
    FILES.iter().for_each(|file| println!("cargo::rerun-if-changed=weights/{file}"));
    if FILES.iter().all(|file| folder.join(file).is_file()) {
        println!("cargo::rustc-cfg=has_weights");
    }
}

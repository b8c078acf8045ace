//! The picture that `onnx` draws, into a file and in a window.

use std::path::{Path, PathBuf};

use vultus::image::decode_file;
use vultus::onnx::{self, Import};
use vultus::ops::{Crop, Filter, Normalization, Order};
use vultus::{Device, Options};

use super::output;

#[test]
fn onnx_draws_what_the_processor_computes() {
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), "comic.png"].iter().collect();
    let said = output("onnx", &["--headless", path.to_str().unwrap()]);
    assert!(said.contains("comic.png: 512×512 on "), "{said}");

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let photo = decode_file(&root.join("tests/photos/astronaut.png")).unwrap();
    let (width, height) = photo.dimensions();
    let import = Import { dimensions: [("height".into(), 256), ("width".into(), 256)].into(), ..Import::default() };
    let graph = onnx::read(&root.join("examples/onnx/comic.onnx"), &import).unwrap();
    let model = Device::Cpu.load(&graph.network, &graph.parameters).unwrap();
    let mut plan = model.compile(1, &Options::default()).unwrap();
    let picture = Device::Cpu.upload(photo.as_raw(), width, height).unwrap();
    let to_one = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: false };
    plan.set_picture(&picture, &[Crop::whole(width, height)], Filter::Area, &to_one).unwrap();
    plan.execute().unwrap();
    let wanted = plan.outputs().unwrap().swap_remove(0);
    assert_eq!(wanted.shape(), [1, 3, 512, 512]);

    let found = decode_file(&path).unwrap();
    assert_eq!(found.dimensions(), (512, 512));
    let mut seen = [0; 256];
    for (x, y, pixel) in found.enumerate_pixels() {
        for channel in 0..3 {
            let (found, at) = (pixel.0[channel], (channel * 512 + y as usize) * 512 + x as usize);
            let wanted = 255.0 * wanted.data()[at].clamp(0.0, 1.0);
            // Half a step of a byte, and what the steep steps between colours make of rounding.
            assert!((wanted - f32::from(found)).abs() < 0.6, "{found} instead of {wanted} at {x},{y}");
            seen[usize::from(found)] += 1;
        }
    }
    // Dark lines and white paper.
    assert!(seen[..16].iter().sum::<u32>() > 10_000 && seen[240..].iter().sum::<u32>() > 10_000, "{seen:?}");
}

#[test]
fn onnx_draws_in_a_window() {
    assert!(output("onnx", &["--frames", "3"]).starts_with("3 frames in "));
}

//! Weights as other programs write them: each format is read to the same numbers, and what is damaged or was made to do
//! harm is refused.

mod archive;
#[path = "../compare/mod.rs"]
mod compare;
mod hdf5;
mod memory;
mod mutate;
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
mod pickle;
mod pytorch;
mod recipe;
mod vgg16;

/// The files that recipes are kept of.
const FILES: [&str; 5] =
    ["tiny_vgg16.pth", "tiny_vgg16_legacy.pth", "tiny_vgg16.npz", "tiny_vgg16_keras.h5", "tiny_vgg16.onnx"];

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Asserts that this is an error whose text contains all of these parts.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: vultus::Result<T>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn every_recipe_gives_the_file_that_was_written() {
    for name in FILES {
        assert!(recipe::bytes(name).len() > 600_000, "{name}");
    }
}

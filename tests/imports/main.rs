//! Weights as other programs write them: each format is read to the same numbers, and what is damaged or was made to do
//! harm is refused.

mod recipe;

/// The files that recipes are kept of.
const FILES: [&str; 5] =
    ["tiny_vgg16.pth", "tiny_vgg16_legacy.pth", "tiny_vgg16.npz", "tiny_vgg16_keras.h5", "tiny_vgg16.onnx"];

#[test]
fn every_recipe_gives_the_file_that_was_written() {
    for name in FILES {
        assert!(recipe::bytes(name).len() > 600_000, "{name}");
    }
}

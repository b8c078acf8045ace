//! Puts the files in tests/golden/formats together: what PyTorch, NumPy, Keras and ONNX wrote of the tensors in
//! tests/golden/tiny_vgg16.safetensors. tests/golden/make_formats.py says what a recipe consists of.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use vultus::Tensor;
use vultus::weights::{WeightFile, safetensors};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// The tensors that all of these files hold.
pub fn tiny_vgg16() -> WeightFile {
    safetensors::read(&golden("tiny_vgg16.safetensors")).unwrap()
}

/// The bytes of a file: `tiny_vgg16.pth`, `tiny_vgg16_legacy.pth`, `tiny_vgg16.npz`, `tiny_vgg16_keras.h5` or
/// `tiny_vgg16.onnx`.
pub fn bytes(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(golden("formats").join(format!("{name}.json"))).unwrap();
    let recipe: Value = serde_json::from_str(&text).unwrap();
    let tensors = tiny_vgg16().parameters;
    let pieces = recipe["pieces"].as_array().unwrap();
    let bytes: Vec<u8> = pieces
        .iter()
        .flat_map(|piece| match piece {
            Value::String(literal) => literal.as_bytes().chunks(2).map(from_hexadecimal).collect(),
            Value::Array(_) => vec![number(&piece[1]) as u8; number(&piece[0])],
            _ => {
                let tensor = &tensors[piece["tensor"].as_str().unwrap()];
                bytemuck::cast_slice(&ordered(tensor, &piece["split"], &piece["order"])).to_vec()
            }
        })
        .collect();
    assert_eq!(digest(&bytes), recipe["sha256"].as_str().unwrap(), "{name} is not the file that was written");
    bytes
}

fn from_hexadecimal(pair: &[u8]) -> u8 {
    u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The numbers of a tensor, seen in the shape `split`, with its axes in another order if there is one.
fn ordered(tensor: &Tensor, split: &Value, order: &Value) -> Vec<f32> {
    if order.is_null() {
        return tensor.data().to_vec();
    }
    let (split, order) = (numbers(split), numbers(order));
    let stride = |axis: usize| split[axis + 1..].iter().product::<usize>();
    let mut places = vec![0];
    for &axis in &order {
        places = places.iter().flat_map(|at| (0..split[axis]).map(move |i| at + i * stride(axis))).collect();
    }
    places.into_iter().map(|at| tensor.data()[at]).collect()
}

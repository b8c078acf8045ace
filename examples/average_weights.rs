//! Averages trained models of one network, number by number: `cargo run --example average_weights -- OUT IN IN ...`
//!
//! Models that were trained further from the same start, each with other settings, often do better as their mean than any
//! of them alone, above all on pictures of another kind (Wortsman et al., "Model soups", 2022, arXiv:2203.05482). OUT has
//! the metadata of the last IN, and numbers in f32.

use std::error::Error;
use std::path::Path;

use vultus::weights::safetensors::{Precision, read, write};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [out, first, others @ ..] = arguments.as_slice() else {
        return Err("usage: average_weights OUT IN IN ...".into());
    };
    let mut mean = read(Path::new(first))?;
    for path in others {
        let other = read(Path::new(path))?;
        if mean.parameters.len() != other.parameters.len() {
            return Err(format!("{path} has other tensors than {first}").into());
        }
        for (name, tensor) in &mut mean.parameters {
            let same = other.parameters.get(name).filter(|other| other.shape() == tensor.shape());
            let same = same.ok_or_else(|| format!("{path} has no tensor {name} of the shape {:?}", tensor.shape()))?;
            tensor.data_mut().iter_mut().zip(same.data()).for_each(|(sum, value)| *sum += value);
        }
        mean.metadata = other.metadata;
    }
    let models = (1 + others.len()) as f32;
    for tensor in mean.parameters.values_mut() {
        tensor.data_mut().iter_mut().for_each(|sum| *sum /= models);
    }
    write(Path::new(out), &mean.parameters, &mean.metadata, Precision::F32)?;
    println!("{out}: the mean of {models} models");
    Ok(())
}

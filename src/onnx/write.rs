//! From a network to a file.

use std::io::Write as _;
use std::path::Path;

use half::f16;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::export::{Export, Precision};
use super::graph::Graph;
use super::proto::{self, GRAPH};
use crate::error::{Error, Result};
use crate::file;
use crate::nn::Network;
use crate::ops::Normalization;
use crate::tensor::{Parameters, Tensor};
use crate::weights::{check_finite, index};

/// The version of the file format: the one that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// The version of the operators.
const OPSET: i64 = 17;

/// The largest message of protocol buffers.
const LARGEST: u64 = i32::MAX as u64;

/// Writes a network as an ONNX model (opset 17) that gives what the network gives, for batches of any size. Its outputs
/// are called as the layers that they come from; a single one that is a softmax is called `probabilities`. Dropout is
/// left out. The same contents give the same bytes. The file appears complete or not at all; an older one of that name
/// is replaced.
///
/// # Errors
/// As [`Device::load`](crate::Device::load) if these are not the network's parameters. [`Error::Shape`] if a
/// preprocessing is asked for that does not give what the network takes; [`Error::InvalidArgument`] if that divides by
/// 0, or an operation has no form in ONNX. [`Error::Weights`] if a value is a NaN or an infinity, or too large for f16.
/// [`Error::Limit`] if the file would be larger than a message of protocol buffers may be. [`Error::Io`] if it cannot
/// be written.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::onnx::{self, Export};
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
/// let folder = tempfile::tempdir().unwrap();
/// onnx::write(&folder.path().join("small.onnx"), &network, &network.initialize(1)?, &Export::default())?;
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn write(path: &Path, network: &Network, parameters: &Parameters, export: &Export) -> Result<()> {
    network.check_parameters(parameters)?;
    for (name, tensor) in parameters {
        check_values(tensor, export.precision).map_err(|reason| Error::weights(path, Some(name), reason))?;
    }
    if let Some(Normalization { mean, std, .. }) = export.preprocessing
        && !(mean.iter().chain(&std).all(|value| value.is_finite()) && std.iter().all(|&value| value > 0.0))
    {
        let reason = format!("has mean {mean:?} and std {std:?}: std must be above 0");
        return Err(Error::invalid("preprocessing", reason));
    }
    let graph = Graph::of(network, parameters, export)?;
    let mut start = model(network, export).encode_to_vec();
    let nodes = graph.proto.encode_to_vec();
    let length = nodes.len() as u64 + graph.initializers.iter().map(|tensor| tensor.encoded_len()).sum::<u64>();
    encode_key(GRAPH, WireType::LengthDelimited, &mut start);
    encode_varint(length, &mut start);
    check_size(path, start.len() as u64 + length)?;
    file::write(path, |out| {
        out.write_all(&start)?;
        out.write_all(&nodes)?;
        graph.initializers.iter().try_for_each(|tensor| tensor.write(out))
    })
}

/// Everything about the model but its graph.
fn model(network: &Network, export: &Export) -> proto::Model {
    let metadata = export.metadata.iter();
    proto::Model {
        ir_version: IR_VERSION,
        producer_name: "vultus".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: None,
        doc_string: if export.description.is_empty() { network.name().to_owned() } else { export.description.clone() },
        opset_import: vec![proto::OperatorSet { domain: Some(String::new()), version: OPSET }],
        metadata_props: metadata.map(|(k, v)| proto::Property { key: k.clone(), value: v.clone() }).collect(),
    }
}

/// What is wrong with the first value that no model can use.
fn check_values(tensor: &Tensor, precision: Precision) -> std::result::Result<(), String> {
    check_finite(tensor.data(), tensor.shape())?;
    let too_large = |value: &f32| precision == Precision::F16 && !f16::from_f32(*value).is_finite();
    let Some(at) = tensor.data().iter().position(too_large) else { return Ok(()) };
    let (value, place) = (tensor.data()[at], index(at, tensor.shape()));
    Err(format!("{value} at index {place:?} is too large for f16 (at most {})", f16::MAX))
}

fn check_size(path: &Path, size: u64) -> Result<()> {
    if size <= LARGEST {
        return Ok(());
    }
    Err(Error::Limit {
        what: format!("the ONNX file {}", path.display()),
        needed: size,
        limit: "the largest message of protocol buffers",
        available: LARGEST,
        advice: "write the weights in f16, or the network as safetensors",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::vgg16;
    use crate::weights::Catalog;

    #[test]
    fn the_layers_of_a_written_network_are_found_again_in_their_order() {
        let widths: [&[usize]; 5] = [&[2, 2], &[2, 2], &[2, 2, 2], &[2, 2, 2], &[2, 2, 2]];
        let network = vgg16::whole_with_widths(96, &widths, &[4, 4], 3).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vgg16.onnx");
        for (precision, preprocessing) in [(Precision::F32, None), (Precision::F16, Some(Normalization::CAFFE))] {
            let export = Export { precision, preprocessing, ..Export::default() };
            write(&path, &network, &network.initialize(1).unwrap(), &export).unwrap();
            let catalog = Catalog::open(&path).unwrap();
            let layers = catalog.layers().unwrap().unwrap();
            let names = layers.iter().flat_map(|layer| [Some(layer.weight.clone()), layer.bias.clone()]);
            let wanted = network.parameter_shapes().unwrap().into_iter().map(|(name, _)| Some(name));
            assert!(names.eq(wanted), "{layers:?}");
            let dense: Vec<bool> = layers.iter().map(|layer| layer.dense).collect();
            assert_eq!(dense, [[false; 13].as_slice(), &[true; 3]].concat());
            assert!(layers.iter().all(|layer| !layer.transposed && !layer.channels_last_flatten));
        }
    }

    #[test]
    fn a_model_of_more_than_two_gibibytes_is_refused_with_a_reason() {
        let path = Path::new("model.onnx");
        assert!(check_size(path, 2_147_483_647).is_ok());
        let text = check_size(path, 2_147_483_648).unwrap_err().to_string();
        assert!(text.contains("model.onnx needs 2147483648") && text.contains("f16"), "{text}");
    }
}

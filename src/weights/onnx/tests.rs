//! Models written by hand, field by field: what is read of them, and what is refused.

use std::path::Path;

use super::super::{Catalog, Dtype, Format};
use crate::weights::graph_layer::GraphLayer;

const F32: u64 = 1;
const I64: u64 = 7;
const F16: u64 = 10;
const F64: u64 = 11;
const BF16: u64 = 16;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field that is a whole number.
fn integer(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field that is a text, a message or a packed list.
fn bytes(field: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [&varint(field << 3 | 2), &varint(content.len() as u64), content].concat()
}

/// An initialiser with its numbers in this field.
fn tensor(name: &str, dims: &[u64], data_type: u64, field: u64, content: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&size| integer(1, size)).collect();
    bytes(5, [dims, integer(2, data_type), bytes(8, name), bytes(field, content)].concat())
}

/// An initialiser of zeros.
fn zeros(name: &str, dims: &[u64]) -> Vec<u8> {
    tensor(name, dims, F32, 9, &vec![0; 4 * dims.iter().product::<u64>() as usize])
}

fn node(op: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| bytes(1, name)).collect();
    bytes(1, [inputs, bytes(2, output), bytes(4, op), attributes.concat()].concat())
}

fn attribute(name: &str, value: Vec<u8>) -> Vec<u8> {
    bytes(5, [bytes(1, name), value].concat())
}

fn perm(axes: &[u8]) -> Vec<u8> {
    attribute("perm", bytes(8, axes))
}

fn model(graph: &[Vec<u8>]) -> Vec<u8> {
    [integer(1, 8), bytes(2, "tests"), bytes(7, graph.concat())].concat()
}

fn open(model: &[u8]) -> crate::Result<Catalog<'_>> {
    Catalog::from_bytes(Path::new("m"), model)
}

/// The values of the only tensor of a model.
fn values(graph: &[Vec<u8>]) -> crate::Result<Vec<f32>> {
    let model = model(graph);
    let mut parameters = open(&model)?.read()?.parameters;
    Ok(parameters.pop_first().unwrap().1.into_data())
}

#[track_caller]
fn assert_refused<T>(result: crate::Result<T>, part: &str) {
    let text = result.err().expect("this is refused").to_string();
    assert!(text.contains(part), "{part:?} is not in: {text}");
}

/// The layers of a graph.
fn layers(graph: &[Vec<u8>]) -> crate::Result<Vec<GraphLayer>> {
    let model = model(graph);
    Ok(open(&model)?.layers()?.expect("a graph").to_vec())
}

fn dense(weight: &str, bias: &str, transposed: bool, channels_last_flatten: bool) -> GraphLayer {
    let (weight, bias) = (weight.to_owned(), Some(bias.to_owned()));
    GraphLayer { weight, bias, dense: true, transposed, channels_last_flatten }
}

#[test]
fn numbers_of_every_type_are_read_wherever_they_stand() {
    let doubles: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let singles: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    // 1.5 and -2 in f16 are 0x3e00 and 0xc000, in bf16 0x3fc0 and 0xc000.
    let halves = [varint(0x3e00), varint(0xc000)].concat();
    let brains = [varint(0x3fc0), varint(0xc000)].concat();
    for (data_type, field, content) in [
        (F32, 9, singles.as_slice()),
        (F32, 4, &singles),
        (F64, 9, &doubles),
        (F64, 10, &doubles),
        (F16, 9, &[0x00, 0x3e, 0x00, 0xc0]),
        (F16, 5, &halves),
        (BF16, 9, &[0xc0, 0x3f, 0x00, 0xc0]),
        (BF16, 5, &brains),
    ] {
        let found = values(&[tensor("w", &[2], data_type, field, content)]).unwrap();
        assert_eq!(found, [1.5, -2.0], "type {data_type} in field {field}");
    }
    let value = bytes(5, &tensor("", &[2], F32, 9, &singles)[2..]);
    let constant = node("Constant", &[], "w", &[attribute("value", value)]);
    let model = model(&[constant]);
    let catalog = open(&model).unwrap();
    assert_eq!((catalog.format(), catalog.entries()[0].name.as_str()), (Format::Onnx, "w"));
    assert_eq!(catalog.read().unwrap().parameters["w"].data(), [1.5, -2.0]);
}

#[test]
fn shapes_that_are_tensors_are_listed_and_metadata_are_kept() {
    let mut model = model(&[tensor("shape", &[2], I64, 7, &[1, 2]), zeros("w", &[0, 3])]);
    model.extend(bytes(14, [bytes(1, "license"), bytes(2, "MIT")].concat()));
    let catalog = open(&model).unwrap();
    let found: Vec<_> =
        catalog.entries().iter().map(|entry| (entry.name.as_str(), entry.dtype, &entry.shape[..])).collect();
    assert_eq!(found, [("shape", Dtype::Other("I64"), &[2][..]), ("w", Dtype::F32, &[0, 3])]);
    assert_eq!(catalog.metadata()["license"], "MIT");
}

#[test]
fn layers_come_in_the_order_of_the_graph_with_what_their_weights_need() {
    let graph = [
        zeros("fc2.w", &[4, 2]),
        zeros("fc2.b", &[2]),
        zeros("fc1.w", &[4, 8]),
        zeros("fc1.b", &[4]),
        zeros("conv.w", &[2, 3, 1, 1]),
        zeros("fc3.w", &[2, 2]),
        zeros("fc3.b", &[2]),
        node("Conv", &["x", "conv.w"], "1", &[attribute("group", integer(3, 1))]),
        node("Relu", &["1"], "2", &[]),
        node("Transpose", &["2"], "3", &[perm(&[0, 2, 3, 1])]),
        node("Flatten", &["3"], "4", &[]),
        node("Cast", &["fc1.w"], "fc1.w.f32", &[]),
        node("Gemm", &["4", "fc1.w.f32", "fc1.b"], "5", &[attribute("transB", integer(3, 1))]),
        node("MatMul", &["5", "fc2.w"], "6", &[]),
        node("Add", &["fc2.b", "6"], "7", &[]),
        node("Transpose", &["fc3.w"], "fc3.w.t", &[]),
        node("MatMul", &["7", "fc3.w.t"], "8", &[]),
        node("Add", &["8", "fc3.b"], "9", &[]),
        node("MatMul", &["9", "fc3.w"], "10", &[]),
    ];
    let conv = GraphLayer {
        weight: "conv.w".to_owned(),
        bias: None,
        dense: false,
        transposed: false,
        channels_last_flatten: false,
    };
    let wanted = [
        conv,
        dense("fc1.w", "fc1.b", false, true),
        dense("fc2.w", "fc2.b", true, false),
        dense("fc3.w", "fc3.b", false, false),
    ];
    assert_eq!(layers(&graph).unwrap(), wanted);
}

#[test]
fn transpositions_that_undo_each_other_leave_the_channels_first() {
    let graph = |second: &[u8]| {
        [
            zeros("w", &[8, 2]),
            zeros("b", &[2]),
            node("Transpose", &["x"], "1", &[perm(&[0, 2, 3, 1])]),
            node("Transpose", &["1"], "2", &[perm(second)]),
            node("Reshape", &["2", "shape"], "3", &[]),
            node("Gemm", &["3", "w", "b"], "4", &[]),
        ]
    };
    assert_eq!(layers(&graph(&[0, 3, 1, 2])).unwrap(), [dense("w", "b", true, false)]);
    assert_refused(layers(&graph(&[0, 2, 1, 3])), "flattened in the order [0, 3, 2, 1]");
    assert_refused(layers(&graph(&[0, 9, 1, 3])), "reads transposed values");
}

#[test]
fn a_graph_whose_layers_no_network_here_has_still_lists_its_tensors() {
    let weights = [zeros("w", &[2, 2]), zeros("b", &[2])].concat();
    let half = [vec![2 << 3 | 5], 0.5f32.to_le_bytes().to_vec()].concat();
    for (node, reason) in [
        (node("Conv", &["x", "w"], "y", &[attribute("group", integer(3, 2))]), "groups or dilations"),
        (node("Conv", &["x", "w"], "y", &[attribute("dilations", bytes(8, [1, 2]))]), "groups or dilations"),
        (node("Gemm", &["x", "w"], "y", &[attribute("alpha", half)]), "scales or transposes"),
        (node("Gemm", &["x", "w"], "y", &[attribute("transA", integer(3, 1))]), "scales or transposes"),
        (node("Gemm", &["x", "v"], "y", &[]), "the weights of the Gemm that gives \"y\" are computed"),
        (node("Conv", &[], "y", &[]), "are computed"),
    ] {
        let model = model(&[weights.clone(), node]);
        let catalog = open(&model).unwrap();
        assert_eq!(catalog.read().unwrap().parameters.len(), 2);
        assert_refused(catalog.layers(), reason);
    }
}

#[test]
fn circles_and_values_made_twice_are_refused() {
    let both = [node("Relu", &["b"], "a", &[]), node("Relu", &["a"], "b", &[])];
    assert_refused(open(&model(&both)), "the graph has a circle");
    assert_refused(open(&model(&[node("Identity", &["a"], "a", &[])])), "the graph has a circle");
    let twice = [node("Relu", &["x"], "a", &[]), node("Relu", &["x"], "a", &[])];
    assert_refused(open(&model(&twice)), "two nodes of the graph make the value \"a\"");
}

#[test]
fn tensors_that_cannot_be_right_are_refused() {
    let huge = 1 << 40;
    for (tensor, reason) in [
        (tensor("w", &[2], F32, 9, &[0; 7]), "7 bytes of numbers are there, but its shape [2] in F32 needs 8"),
        (tensor("w", &[2], F32, 9, &[0; 9]), "9 bytes of numbers"),
        (tensor("w", &[2], F32, 8, b"w"), "0 bytes of numbers"),
        (tensor("w", &[2], F16, 5, &[0]), "2 bytes of numbers"),
        (tensor("w", &[1], F16, 5, &varint(0x10000)), "does not fit into its two bytes"),
        (tensor("w", &[1], F16, 5, &[0x80]), "ends in its midst"),
        (tensor("w", &[u64::MAX], F32, 9, &[]), "its shape [-1] is out of any range"),
        (tensor("w", &[huge, huge], F32, 9, &[]), "out of any range"),
        (tensor("w", &[huge, huge], I64, 9, &[]), "out of any range"),
        (tensor("w", &[huge], I64, 9, &[]), "far too large for a file of"),
        (tensor("w", &[1; 17], F32, 9, &[]), "more than 16 dimensions"),
        ([zeros("w", &[1]), zeros("w", &[1])].concat(), "two tensors of this name"),
        (bytes(5, [bytes(9, ""), bytes(9, "")].concat()), "has its numbers (field 9) twice"),
        (bytes(5, [integer(2, F32), bytes(9, ""), bytes(4, "")].concat()), "raw and as a list"),
        (bytes(5, [bytes(8, "w"), integer(14, 1)].concat()), "tensor w: its numbers are in another file"),
        (bytes(5, [bytes(8, "w"), bytes(13, "")].concat()), "its numbers are in another file"),
        (bytes(5, integer(8, 1)), "invalid wire type"),
        (bytes(8 * 2 - 1, ""), "sparse initialisers"),
    ] {
        assert_refused(open(&model(&[tensor])), reason);
    }
}

#[test]
fn what_is_no_model_is_refused() {
    let whole = model(&[zeros("w", &[64])]);
    for length in 0..whole.len() {
        assert!(Catalog::from_bytes(Path::new("m.onnx"), &whole[..length]).is_err(), "the first {length} bytes");
    }
    for (bytes, reason) in [
        (integer(1, 8), "it has no graph"),
        ([model(&[]), model(&[])].concat(), "the field 7 is there twice"),
        (vec![0x0b], "the field 1 is of a kind that no model has"),
        (vec![0x02, 0x00], "invalid tag value: 0"),
        ([vec![0x08], vec![0xff; 10]].concat(), "invalid varint"),
        (bytes(7, bytes(1, bytes(4, [0xff]))), "data is not UTF-8 encoded"),
        (model(&[node("", &[], "", &[]).repeat(1 << 17)]), "too many empty messages"),
        (model(&[node("Relu", &["a"], "b", &[]).repeat(1 << 17)]), "more nodes, tensors and names than any network"),
    ] {
        assert_refused(Catalog::from_bytes(Path::new("m.onnx"), &bytes), reason);
    }
}

#[test]
fn graphs_within_nodes_are_not_looked_into_however_deep_they_are() {
    let mut deep = Vec::new();
    for _ in 0..1000 {
        deep = node("If", &[], "", &[attribute("then_branch", bytes(6, deep))]);
    }
    assert_eq!(values(&[deep, tensor("w", &[1], F32, 9, &[0; 4])]).unwrap(), [0.0]);
}

#[test]
fn thousands_of_nodes_take_no_more_than_their_share_of_time() {
    let mut graph = vec![zeros("w", &[1, 1]), zeros("b", &[1])];
    let mut before = "x".to_owned();
    for number in 0..40_000 {
        let name = number.to_string();
        graph.push(node("Relu", &[&before], &name, &[]));
        before = name;
    }
    // Each of these looks back along the whole chain, and each sum could be any of them.
    for number in 0..4_000 {
        graph.push(node("MatMul", &[&before, "w"], &format!("p{number}"), &[]));
        graph.push(node("Add", &[&format!("p{number}"), "b"], &format!("s{number}"), &[]));
    }
    let start = std::time::Instant::now();
    assert_eq!(layers(&graph).unwrap().len(), 4_000);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

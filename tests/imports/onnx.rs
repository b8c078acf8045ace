//! Files of ONNX.

use std::path::Path;

use vultus::nn::{Network, vgg16};
use vultus::onnx::{self, Export, Precision};
use vultus::ops::{Conv2d, Normalization};
use vultus::weights::{Catalog, Format};

use crate::{mutate, recipe};

#[test]
fn the_file_holds_what_the_safetensors_file_does() {
    let bytes = recipe::bytes("tiny_vgg16.onnx");
    let catalog = Catalog::from_bytes(Path::new("w"), &bytes).unwrap();
    assert_eq!((catalog.format(), catalog.entries().len()), (Format::Onnx, 32));
    assert_eq!(catalog.read().unwrap().parameters, recipe::tiny_vgg16().parameters);
    mutate::is_refused_when_cut(&bytes);
}

/// A field of a message, shorter than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

/// A model with a constant whose halves are packed as whole numbers, transposed, flattened and multiplied: what others
/// write.
fn written_by_others() -> Vec<u8> {
    let node = |op: &str, inputs: &[&str], output: &str, attribute: &[u8]| {
        let inputs: Vec<u8> = inputs.iter().flat_map(|name| field(1, name.as_bytes())).collect();
        field(1, &[inputs, field(2, output.as_bytes()), field(4, op.as_bytes()), attribute.to_vec()].concat())
    };
    let halves = [vec![8, 2, 8, 1, 16, 10], field(5, &[0x80, 0x78, 0x80, 0x80, 0x03])].concat();
    let value = field(5, &[field(1, b"value"), field(5, &halves)].concat());
    let perm = field(5, &[field(1, b"perm"), field(8, &[0, 2, 3, 1])].concat());
    let single = [vec![8, 1, 16, 1], field(8, b"b"), field(4, &[0; 4])].concat();
    let graph = [
        node("Constant", &[], "w", &value),
        node("Transpose", &["x"], "1", &perm),
        node("Flatten", &["1"], "2", &[]),
        node("MatMul", &["2", "w"], "3", &[]),
        node("Add", &["3", "b"], "4", &[]),
        field(5, &single),
    ];
    let graph = graph.concat();
    let long = [vec![7 << 3 | 2, graph.len() as u8 & 0x7f | 0x80, (graph.len() >> 7) as u8], graph].concat();
    [vec![8, 8], field(2, b"others"), long].concat()
}

/// Small models of every kind that is written.
fn corpus() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.onnx");
    let write = |network: &Network, export: &Export| {
        onnx::write(&path, network, &network.initialize(1).unwrap(), export).unwrap();
        std::fs::read(&path).unwrap()
    };
    let head = vgg16::head([2, 3, 3], vgg16::Pooling::Flatten, &[4], 0.5, 2);
    let maps = Network::new("maps", [3, 4, 4]).conv2d("conv", "a", 2, Conv2d::square(3, 1, 1)).prelu("prelu", "b");
    let maps = maps.adaptive_avg_pool2d("pool", [3, 3]).followed_by(head.clone()).unwrap();
    let preprocessing = Some(Normalization::CAFFE);
    vec![
        written_by_others(),
        write(&head, &Export::default()),
        write(&head, &Export { precision: Precision::F16, ..Export::default() }),
        write(
            &maps,
            &Export { preprocessing, metadata: [("a".to_owned(), "b".to_owned())].into(), ..Export::default() },
        ),
    ]
}

#[test]
fn mutated_files_of_onnx_do_no_harm() {
    let corpus = corpus();
    for bytes in &corpus {
        let catalog = Catalog::from_bytes(Path::new("w"), bytes).unwrap();
        assert!(catalog.format() == Format::Onnx && catalog.read().is_ok());
        mutate::survives_wrong_bits(bytes);
    }
    mutate::survives("ONNX", &corpus, |bytes| bytes);
}

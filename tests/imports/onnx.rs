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
    mutate::survives("onnx", &corpus(), |bytes| bytes);
}

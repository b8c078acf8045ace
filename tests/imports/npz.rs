//! Files of NumPy.

use std::path::Path;

use half::f16;
use vultus::weights::{Catalog, Format, WeightFile};
use vultus::{Result, Tensor};

use crate::archive::{Record, deflated, stored, streamed, zip};
use crate::{assert_refused, mutate, recipe};

/// An array of NumPy in the first version of its format.
fn npy(header: &str, numbers: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", (header.len() as u16).to_le_bytes().as_slice(), header.as_bytes(), numbers].concat()
}

fn header(descr: &str, fortran_order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {fortran_order}, 'shape': {shape}, }}   \n")
}

fn read(bytes: &[u8]) -> Result<WeightFile> {
    Catalog::from_bytes(Path::new("w.npz"), bytes)?.read()
}

/// Reads the array `t`.
fn read_array(array: &[u8]) -> Result<Tensor> {
    Ok(read(&zip(&[stored("t.npy", array)]))?.parameters["t"].clone())
}

fn six() -> Vec<u8> {
    (0..6).flat_map(|n| (n as f32).to_le_bytes()).collect()
}

#[test]
fn the_file_holds_what_the_safetensors_file_does() {
    let bytes = recipe::bytes("tiny_vgg16.npz");
    let catalog = Catalog::from_bytes(Path::new("w.npz"), &bytes).unwrap();
    assert_eq!((catalog.format(), catalog.entries().len()), (Format::Npz, 32));
    assert_eq!(catalog.read().unwrap().parameters, recipe::tiny_vgg16().parameters);
    mutate::is_refused_when_cut(&bytes);
}

#[test]
fn every_version_order_and_type_is_read() {
    let (plain, wanted) =
        (header("<f4", "False", "(2, 3)"), Tensor::new([2, 3], (0..6).map(|n| n as f32).collect()).unwrap());
    assert_eq!(read_array(&npy(&plain, &six())).unwrap(), wanted);
    for version in [2, 3] {
        let start = [b"\x93NUMPY", [version, 0].as_slice(), &(plain.len() as u32).to_le_bytes()].concat();
        assert_eq!(read_array(&[start.as_slice(), plain.as_bytes(), &six()].concat()).unwrap(), wanted);
    }
    let columns: Vec<u8> = [0, 3, 1, 4, 2, 5].iter().flat_map(|&n| (n as f32).to_le_bytes()).collect();
    assert_eq!(read_array(&npy(&header("<f4", "True", "(2, 3)"), &columns)).unwrap(), wanted);
    let big: Vec<u8> = (0..6).flat_map(|n| (n as f32).to_be_bytes()).collect();
    assert_eq!(read_array(&npy(&header(">f4", "False", "(2, 3)"), &big)).unwrap(), wanted);
    let doubles: Vec<u8> = (0..6).flat_map(|n| f64::from(n).to_be_bytes()).collect();
    assert_eq!(read_array(&npy(&header(">f8", "False", "(2, 3)"), &doubles)).unwrap(), wanted);
    let halves: Vec<u8> = (0..6).flat_map(|n| f16::from_f32(n as f32).to_le_bytes()).collect();
    assert_eq!(read_array(&npy(&header("<f2", "False", "(2, 3)"), &halves)).unwrap(), wanted);
    assert_eq!(
        read_array(&npy(&header("<f4", "False", "()"), &six()[4..8])).unwrap(),
        Tensor::new([], vec![1.0]).unwrap()
    );
    let empty = Tensor::new([0, 3], vec![]).unwrap();
    assert_eq!(read_array(&npy(&header("<f4", "True", "(0, 3)"), &[])).unwrap(), empty);
}

#[test]
fn an_array_may_be_a_file_of_its_own() {
    let bytes = npy(&header("<f4", "True", "(3, 2)"), &six());
    let catalog = Catalog::from_bytes(Path::new("folder/scores.npy"), &bytes).unwrap();
    assert_eq!(catalog.format(), Format::Npy);
    let wanted = Tensor::new([3, 2], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]).unwrap();
    assert_eq!(catalog.read().unwrap().parameters, [("scores".to_owned(), wanted)].into());
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "the first {length} bytes");
    }
    assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn every_kind_of_zip_file_is_read() {
    let array = npy(&header("<f4", "False", "(6,)"), &six());
    let long = Record { zip64: true, ..deflated("a.npy", &array) };
    let streams = [stored("a.npy", &array), deflated("a.npy", &array)].map(streamed);
    for record in [deflated("a.npy", &array), long].into_iter().chain(streams) {
        let found = read(&zip(&[record, stored("b.c.npy", &array)])).unwrap().parameters;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b.c"]);
        assert_eq!(found["a"].data(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
    let wrong = Record { crc: 1, ..deflated("a.npy", &array) };
    assert_refused(read(&zip(&[wrong])), &["a", "its checksum is wrong"]);
}

#[test]
fn whole_numbers_are_listed() {
    let bytes = zip(&[stored("steps.npy", &npy(&header("<i8", "False", "()"), &[0; 8]))]);
    let catalog = Catalog::from_bytes(Path::new("w.npz"), &bytes).unwrap();
    assert_eq!(catalog.entries()[0].dtype.to_string(), "I64");
    assert_refused(catalog.read(), &["steps", "its type is I64"]);
}

#[test]
fn arrays_that_are_not_of_numbers_or_not_all_there_are_refused() {
    let plain = |shape: &str| header("<f4", "False", shape);
    for (array, part) in [
        (npy(&header("|O", "False", "()"), b"cos\nsystem\n"), "its type \"|O\" cannot be read"),
        (npy(&header("<U3", "False", "()"), &[0; 12]), "its type \"<U3\" cannot be read"),
        (npy(&header("|f4", "False", "()"), &[0; 4]), "has no order of bytes"),
        (npy(&header("", "False", "()"), &[0; 4]), "its type \"\" cannot be read"),
        (npy(&plain("(7,)"), &six()), "does not have the 24 bytes that follow"),
        (npy(&plain("(5,)"), &six()), "does not have the 24 bytes that follow"),
        (npy(&plain("(4294967296, 4294967296)"), &six()), "does not have the 24 bytes that follow"),
        (npy(&plain("(0, 18446744073709551615)"), &six()), "does not have the 24 bytes that follow"),
        (npy(&plain("__import__('os')"), &six()), "not of the form that NumPy writes"),
        (b"\x93NUMPY\x04\0\0\0\0\0".to_vec(), "its version is 4.0"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff".to_vec(), "its description has 4294967295 bytes"),
        (b"\x93NUMPY\x01\0\x10\0{".to_vec(), "its description is cut short"),
        (b"PNG".to_vec(), "its description is cut short"),
        (b"not an array".to_vec(), "this is not an array of NumPy"),
    ] {
        assert_refused(read_array(&array), &["t", part]);
    }
    let mixed = zip(&[stored("a.npy", &npy(&plain("(6,)"), &six())), stored("b.txt", b"text")]);
    assert_refused(read(&mixed), &["\"b.txt\" of the zip file is not an array of NumPy"]);
}

/// Arrays of several kinds.
fn arrays() -> [Vec<u8>; 3] {
    [
        npy(&header("<f4", "False", "(2, 3)"), &six()),
        npy(&header(">f2", "True", "(2, 2, 3)"), &six()),
        npy(&header("<f8", "False", "()"), &[0; 8]),
    ]
}

#[test]
fn mutated_files_of_numpy_do_no_harm() {
    let [a, b, c] = arrays();
    let corpus = [
        zip(&[stored("a.npy", &a), stored("b.npy", &b), stored("c.npy", &c)]),
        zip(&[deflated("a.npy", &a), streamed(deflated("b.npy", &b)), streamed(stored("c.npy", &c))]),
        zip(&[stored("a.npy", &a), Record { zip64: true, ..stored("b.npy", &b) }]),
    ];
    assert!(corpus.iter().all(|bytes| read(bytes).is_ok()));
    mutate::survives_wrong_bits(&corpus[0]);
    mutate::survives("NumPy, zip file", &corpus, |bytes| bytes);
}

#[test]
fn mutated_arrays_of_numpy_do_no_harm() {
    // A checksum over an array would give most changes away.
    mutate::survives("NumPy, array", &arrays(), |array| zip(&[stored("t.npy", &array)]));
    mutate::survives("NumPy, npy", &arrays(), |array| array);
}

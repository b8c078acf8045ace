//! Files of PyTorch, with and without a zip file around them.

mod mutated;
mod refused;

use std::path::Path;

use half::{bf16, f16};
use vultus::weights::{Catalog, Format, WeightFile};
use vultus::{Error, Result, Tensor};

use crate::archive::{Record, deflated, stored, streamed, zip};
use crate::pickle::*;
use crate::{assert_refused, memory, mutate, recipe};

/// A file with a pickle and these records.
fn file(value: &[u8], records: &[(&str, &[u8])]) -> Vec<u8> {
    with_pickle(pickled(value), records)
}

fn with_pickle(pickle: Vec<u8>, records: &[(&str, &[u8])]) -> Vec<u8> {
    let records = records.iter().map(|(name, bytes)| stored(&format!("tiny/{name}"), bytes));
    zip(&[stored("tiny/data.pkl", &pickle)].into_iter().chain(records).collect::<Vec<_>>())
}

/// A file of PyTorch before 1.6 with these storages.
fn legacy(little_endian: bool, value: &[u8], storages: &[(&str, i64, &[u8])]) -> Vec<u8> {
    let magic = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    let order = vec![if little_endian { 0x88 } else { 0x89 }];
    let keys: Vec<Vec<u8>> = storages.iter().map(|(key, ..)| text(key)).collect();
    let pickles = [magic.to_vec(), int(1001), dict(&[("little_endian", order)]), value.to_vec(), list(&keys)];
    let mut file: Vec<u8> = pickles.iter().flat_map(|value| pickled(value)).collect();
    for (_, length, bytes) in storages {
        file.extend(if little_endian { length.to_le_bytes() } else { length.to_be_bytes() });
        file.extend(*bytes);
    }
    file
}

fn read(bytes: &[u8]) -> Result<WeightFile> {
    Catalog::from_bytes(Path::new("w.pth"), bytes)?.read()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The numbers 0 to 11.
fn twelve() -> Vec<u8> {
    f32s(&(0..12).map(|n| n as f32).collect::<Vec<_>>())
}

/// Asserts that the value `value`, with the numbers 0 to 11 in the record 0, holds these tensors.
#[track_caller]
fn assert_holds(value: &[u8], tensors: &[(&str, &[usize], &[f32])]) {
    let found = read(&file(value, &[("data/0", &twelve())])).unwrap().parameters;
    assert_eq!(found.keys().collect::<Vec<_>>(), tensors.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, shape, data) in tensors {
        assert_eq!(found[*name], Tensor::new(*shape, data.to_vec()).unwrap(), "{name}");
    }
}

/// A dict with this one tensor, a view of twelve numbers in the record 0.
fn view(offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    dict(&[("t", tensor(&storage("FloatStorage", "0", 12), offset, shape, strides))])
}

#[test]
fn both_kinds_of_files_hold_what_the_safetensors_file_does() {
    for name in ["tiny_vgg16.pth", "tiny_vgg16_legacy.pth"] {
        let bytes = recipe::bytes(name);
        let catalog = Catalog::from_bytes(Path::new(name), &bytes).unwrap();
        assert_eq!((catalog.format(), catalog.entries().len()), (Format::Pytorch, 32));
        assert_eq!(catalog.entries()[0].name, "features.0.weight", "the order of the file");
        assert_eq!(catalog.read().unwrap().parameters, recipe::tiny_vgg16().parameters);
    }
}

#[test]
fn views_are_read_with_their_offsets_and_strides() {
    assert_holds(&view(0, &[3, 4], &[4, 1]), &[("t", &[3, 4], &(0..12).map(|n| n as f32).collect::<Vec<_>>())]);
    assert_holds(&view(5, &[2, 2], &[4, 1]), &[("t", &[2, 2], &[5.0, 6.0, 9.0, 10.0])]);
    assert_holds(
        &view(0, &[4, 3], &[1, 4]),
        &[("t", &[4, 3], &[0.0, 4.0, 8.0, 1.0, 5.0, 9.0, 2.0, 6.0, 10.0, 3.0, 7.0, 11.0])],
    );
    assert_holds(&view(11, &[], &[]), &[("t", &[], &[11.0])]);
    assert_holds(&view(3, &[2, 2], &[0, 0]), &[("t", &[2, 2], &[3.0; 4])]);
    assert_holds(&view(12, &[0, 7], &[7, 1]), &[("t", &[0, 7], &[])]);
}

#[test]
fn every_type_of_numbers_is_read_or_at_least_listed() {
    let values = [1.5, -2.0, 0.0];
    let f64s: Vec<u8> = values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    let f16s: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
    let bf16s: Vec<u8> = values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()).collect();
    let big: Vec<u8> = values.iter().flat_map(|v| v.to_be_bytes()).collect();
    let one = |class: &str| dict(&[("t", tensor(&storage(class, "7", 3), 0, &[3], &[1]))]);
    for (class, records) in [
        ("DoubleStorage", &[("data/7", f64s.as_slice())][..]),
        ("FloatStorage", &[("data/7", &f32s(&values)), ("byteorder", b"little")]),
        ("FloatStorage", &[("data/7", &big), ("byteorder", b"big")]),
        ("HalfStorage", &[("data/7", &f16s)]),
        ("BFloat16Storage", &[("data/7", &bf16s)]),
    ] {
        assert_eq!(read(&file(&one(class), records)).unwrap().parameters["t"].data(), values, "{class}");
    }
    assert_eq!(read(&legacy(false, &one("FloatStorage"), &[("7", 3, &big)])).unwrap().parameters["t"].data(), values);
    let counts = file(&one("LongStorage"), &[("data/7", &[0; 24])]);
    let catalog = Catalog::from_bytes(Path::new("w.pth"), &counts).unwrap();
    assert_eq!(catalog.entries()[0].dtype.to_string(), "I64");
    assert_refused(catalog.read(), &["t", "its type is I64"]);
    let order = [("data/7", f64s.as_slice()), ("byteorder", b"middle")];
    assert_refused(read(&file(&one("DoubleStorage"), &order)), &["neither little nor big: \"middle\""]);
}

#[test]
fn parameters_are_found_in_what_training_scripts_save() {
    let (weight, bias) = (|| tensor(&storage("FloatStorage", "0", 12), 0, &[2], &[1]), whole("0", &[12]));
    let twelve: Vec<f32> = (0..12).map(|n| n as f32).collect();
    let parameter = call(&global("torch._utils", "_rebuild_parameter"), &[weight(), b"\x88".to_vec(), b"}".to_vec()]);
    let state = dict(&[("a.weight", parameter), ("a.bias", bias)]);
    let names: &[(&str, &[usize], &[f32])] = &[("a.bias", &[12], &twelve), ("a.weight", &[2], &[0.0, 1.0])];
    assert_holds(&state, names);
    // A float, None, a bool, a long number, a text of protocol 2's kind, settings, and a number of NumPy.
    let float = [b"G".as_slice(), &0.5f64.to_be_bytes()].concat();
    let settings =
        [global("argparse", "Namespace").as_slice(), b")\x81", &dict(&[("lr", float.clone())]), b"b"].concat();
    let scalar = call(&global("numpy.core.multiarray", "scalar"), &[b"N".to_vec(), b"C\x02ab".to_vec()]);
    for wrapper in ["state_dict", "model"] {
        let checkpoint = dict(&[
            ("epoch", int(3)),
            ("best", float.clone()),
            (wrapper, state.clone()),
            ("none", b"N".to_vec()),
            ("frozen", b"\x88".to_vec()),
            ("arch", b"U\x03vgg".to_vec()),
            ("seed", b"\x8a\x09\0\0\0\0\0\0\0\0\x01".to_vec()),
            ("args", settings.clone()),
            ("acc", scalar.clone()),
        ]);
        assert_holds(&checkpoint, names);
    }
    // Both at once are told apart by their whole names, and so are the moments of an optimiser.
    let moments = [b"}K\x00".as_slice(), &dict(&[("exp_avg", weight())]), b"s"].concat();
    let both = dict(&[
        ("model", dict(&[("w", weight())])),
        ("optimizer", dict(&[("state", moments)])),
        ("rest", list(&[weight(), tuple(&[weight()])])),
    ]);
    let pair: &[f32] = &[0.0, 1.0];
    let names = ["optimizer.state.0.exp_avg", "rest.0", "rest.1.0", "w"];
    assert_holds(&both, &names.map(|name| (name, [2].as_slice(), pair)));
    let two = dict(&[("model", dict(&[("w", weight())])), ("state_dict", dict(&[("w", weight())]))]);
    assert_holds(&two, &["model.w", "state_dict.w"].map(|name| (name, [2].as_slice(), pair)));
}

#[test]
fn files_of_python_2_are_read() {
    let bytes = |text: &str| [b"U", [text.len() as u8].as_slice(), text.as_bytes()].concat();
    let id =
        [bytes("storage"), global("torch.cuda", "FloatStorage"), bytes("0"), bytes("cuda:0"), long(12), b"N".to_vec()];
    let storage = [tuple(&id).as_slice(), b"Q"].concat();
    let sizes = |size: i32| tuple(&[int(size)]);
    let tensor = call(&global("torch._utils", "_rebuild_tensor"), &[storage, int(1), sizes(3), sizes(2)]);
    let pair = list(&[bytes("a.weight"), tensor]);
    let dict = call(&global("collections", "OrderedDict"), &[list(&[pair])]);
    assert_holds(&dict, &[("a.weight", &[3], &[1.0, 3.0, 5.0])]);
    for items in [list(&[list(&[bytes("a")])]), list(&[int(1)]), int(1)] {
        let dict = call(&global("collections", "OrderedDict"), &[items]);
        assert_refused(read(&file(&dict, &[])), &["a dict is made of something else than a list of pairs"]);
    }
}

/// `{"w": tensor}` by Python's pickle in its protocols 4 and 5, whose opcodes differ from protocol 2's.
fn newest(protocol: u8) -> Vec<u8> {
    let short = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes(), &[0x94]].concat();
    let global = |module: &str, name: &str| [short(module), short(name), b"\x93\x94".to_vec()].concat();
    let id = [
        b"(".to_vec(),
        short("storage"),
        global("torch", "FloatStorage"),
        short("0"),
        short("cpu"),
        b"K\x0ct\x94Q".to_vec(),
    ];
    let rest = b"K\x01K\x02\x85\x94K\x03\x85\x94\x89".to_vec();
    let hooks = [global("collections", "OrderedDict"), b")R\x94".to_vec()].concat();
    let rebuild = global("torch._utils", "_rebuild_tensor_v2");
    let body =
        [b"}\x94".to_vec(), short("w"), rebuild, b"(".to_vec(), id.concat(), rest, hooks, b"t\x94R\x94s.".to_vec()];
    let body = body.concat();
    [&[0x80, protocol, 0x95], (body.len() as u64).to_le_bytes().as_slice(), &body].concat()
}

#[test]
fn pickles_of_the_newest_protocols_are_read() {
    for protocol in [4, 5] {
        let found = read(&with_pickle(newest(protocol), &[("data/0", &twelve())])).unwrap().parameters;
        assert_eq!(found["w"].data(), [1.0, 4.0]);
    }
    assert_refused(read(&with_pickle(newest(6), &[])), &["protocol 6 is not known"]);
}

//! Files of weights: what is read comes back exactly, and what cannot be right is refused with a message that helps.
#![cfg(feature = "files")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use half::{bf16, f16};
use tempfile::TempDir;
use vultus::face::{assemble, needs_base};
use vultus::weights::safetensors::{Precision, from_bytes, read, to_bytes, write};
use vultus::weights::{DefaultFile, Store, WeightFile};
use vultus::{Error, Parameters, Random, Result, Tensor};

/// A safetensors file of this header and these bytes.
fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A file with the one tensor `t`.
fn one_tensor(dtype: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    raw(&format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[0,{}]}}}}"#, data.len()), data)
}

fn parse(bytes: &[u8]) -> Result<WeightFile> {
    from_bytes(Path::new("w.safetensors"), bytes)
}

/// Asserts that this is an error whose text contains all of these parts.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let text = result.unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor::new(shape, data.to_vec()).unwrap()
}

fn parameters(tensors: &[(&str, Tensor)]) -> Parameters {
    tensors.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect()
}

/// Values that both precisions hold exactly: zeros of both signs, the largest and the smallest of f16.
fn exact() -> Parameters {
    let weight = tensor(&[2, 3], &[0.0, -0.0, 65504.0, -65504.0, 6.103_515_6e-5, 5.960_464_5e-8]);
    parameters(&[("a.weight", weight), ("a.bias", tensor(&[], &[-1.5])), ("none", tensor(&[0, 3], &[]))])
}

fn metadata(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn shapes(parameters: &Parameters) -> Vec<(String, Vec<usize>)> {
    parameters.iter().map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect()
}

fn file_names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_precisions_give_back_what_they_can_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let about = metadata(&[("model", "tiny"), ("quote", "\"ü\"\n"), ("a", ""), ("b", "1"), ("c", "2")]);
    for precision in [Precision::F32, Precision::F16] {
        write(&path, &exact(), &about, precision).unwrap();
        let file = read(&path).unwrap();
        assert_eq!((&file.path, &file.metadata), (&path, &about));
        assert_eq!(shapes(&file.parameters), shapes(&exact()));
        for (name, tensor) in exact() {
            let bits = |t: &Tensor| t.data().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&tensor), bits(&file.parameters[&name]), "{name}");
        }
        // The same contents give the same bytes, so checksums of files that are made again agree.
        let bytes = fs::read(&path).unwrap();
        assert_eq!(to_bytes(&path, &exact(), &about, precision).unwrap(), bytes);
        write(&path, &exact(), &about, precision).unwrap();
        assert_eq!(bytes, fs::read(&path).unwrap());
        // The reference implementation agrees about the header.
        let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(reference.tensor("a.weight").unwrap().shape(), [2, 3]);
    }
    assert_eq!(file_names(&folder), ["w.safetensors"]);
}

#[test]
fn f32_keeps_every_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let values = parameters(&[("t", tensor(&[4], &[f32::MAX, f32::MIN_POSITIVE, 1e-45, std::f32::consts::PI]))]);
    write(&path, &values, &BTreeMap::new(), Precision::F32).unwrap();
    assert_eq!(read(&path).unwrap().parameters, values);
}

/// Reads a golden file and compares it with the f32 one. A format with p significant bits that rounds to the nearest
/// has relative errors of at most 2^-p among its normal numbers.
fn compare_with_golden(name: &str, relative: f32, smallest_normal: f32, absolute: f32) {
    let wanted = read(Path::new("tests/golden/tiny_vgg16.safetensors")).unwrap().parameters;
    let found = read(&Path::new("tests/golden").join(name)).unwrap();
    found.check_shapes(&shapes(&wanted)).unwrap();
    for (name, tensor) in &wanted {
        for (&want, &have) in tensor.data().iter().zip(found.parameters[name].data()) {
            let bound = if want.abs() >= smallest_normal { relative * want.abs() } else { absolute };
            assert!((want - have).abs() <= bound, "{name}: {have} instead of {want}");
        }
    }
    assert_ne!(found.parameters, wanted, "the golden file is of another precision");
}

#[test]
fn golden_f16_is_within_its_rounding() {
    // 11 significant bits; below 2^-14 the spacing stays at 2^-24, half of which is the error.
    compare_with_golden("tiny_vgg16_f16.safetensors", 2f32.powi(-11), 2f32.powi(-14), 2f32.powi(-25));
}

#[test]
fn golden_bf16_is_within_its_rounding() {
    // 8 significant bits; f32's range of exponents.
    compare_with_golden("tiny_vgg16_bf16.safetensors", 2f32.powi(-8), f32::MIN_POSITIVE, 0.0);
}

#[test]
fn every_truncation_and_every_excess_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    write(&path, &exact(), &metadata(&[("model", "tiny")]), Precision::F32).unwrap();
    let bytes = fs::read(&path).unwrap();
    let data = bytes.len() - 7 * 4;
    for length in 0..bytes.len() {
        let wanted = match length {
            0 => "the file is empty".to_owned(),
            1..8 => format!("cut short: it has only {length} bytes"),
            _ if length < data => format!("a header of {} bytes is announced, {} bytes follow", data - 8, length - 8),
            _ => format!("cut short: 28 bytes of numbers are announced, {} follow", length - data),
        };
        assert_refused(parse(&bytes[..length]), &["w.safetensors: ", &wanted]);
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_refused(parse(&longer), &["longer than it should be: 28 bytes of numbers are announced, 29 follow"]);
}

#[test]
fn what_is_not_safetensors_is_refused() {
    let html = b"<!DOCTYPE html><html><body>404</body></html>";
    assert_refused(parse(html), &["w.safetensors: not a safetensors file, or cut short: a header of"]);
    assert_refused(parse(&[0xff; 64]), &["not a safetensors file", "18446744073709551615"]);
    assert_refused(parse(&raw("not JSON", &[])), &["not a safetensors file, its header is invalid"]);
    assert_refused(parse(&raw(r#"{"__metadata__":{"a":1}}"#, &[])), &["its header is invalid"]);
    assert_refused(parse(&[&8u64.to_le_bytes()[..], &[0xff; 8]].concat()), &["its header is invalid"]);
}

#[test]
fn offsets_and_shapes_that_lie_are_refused() {
    let header = |shape: &str, offsets: &str| {
        raw(&format!(r#"{{"t":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#), &[0; 8])
    };
    parse(&header("[2]", "[0,8]")).unwrap();
    let lies = [
        ("[3]", "[0,8]"),
        ("[2]", "[8,16]"),
        ("[2]", "[8,0]"),
        ("[1]", "[4,8]"),
        ("[-2]", "[0,8]"),
        ("[2]", "[0,18446744073709551615]"),
        ("[4294967296,4294967296,4294967296]", "[0,8]"),
        ("[4611686018427387903]", "[0,18446744073709551612]"),
        ("[2305843009213693951]", "[0,9223372036854775804]"),
    ];
    for (shape, offsets) in lies {
        assert!(matches!(parse(&header(shape, offsets)), Err(Error::Weights { .. })), "{shape} {offsets}");
    }
}

#[test]
fn no_damage_to_a_header_is_a_panic() {
    let bytes = one_tensor("F32", &[2], &[0; 8]);
    let header = bytes.len() - 8;
    let mut accepted = 0;
    for at in 0..header {
        for flip in 1..=255 {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            accepted += usize::from(parse(&damaged).is_ok());
        }
    }
    // Without a checksum, another letter in the tensor's name cannot be noticed; all else must be.
    assert!(accepted <= 255, "{accepted} damaged headers were accepted");
}

#[test]
fn other_types_are_refused_by_name() {
    for (dtype, size) in [("I64", 8), ("I32", 4), ("U8", 1), ("BOOL", 1)] {
        let wanted = format!(
            "w.safetensors, tensor t: its type is {dtype}, but only F32, F16, BF16, F64 and scaled I8 can be read"
        );
        assert_refused(parse(&one_tensor(dtype, &[2], &vec![0; 2 * size])), &[&wanted]);
    }
    assert_refused(parse(&one_tensor("F128", &[1], &[0; 16])), &["its header is invalid", "F128"]);
}

#[test]
fn values_that_are_not_finite_are_refused_in_every_type() {
    let values = [1.0, 2.0, 3.0, f32::NAN, 5.0, f32::INFINITY];
    let encoded = [
        ("F32", values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>()),
        ("F16", values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
        ("BF16", values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect()),
        ("F64", values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect()),
    ];
    for (dtype, mut bytes) in encoded {
        let nan = "w.safetensors, tensor t: a NaN at index [1, 0]";
        assert_refused(parse(&one_tensor(dtype, &[2, 3], &bytes)), &[nan]);
        let size = bytes.len() / 6;
        bytes.copy_within(..size, 3 * size);
        let infinity = "w.safetensors, tensor t: an infinity at index [1, 2]";
        assert_refused(parse(&one_tensor(dtype, &[2, 3], &bytes)), &[infinity]);
    }
}

#[test]
fn doubles_are_rounded_to_the_nearest_single_and_refused_beyond_its_range() {
    let third = parse(&one_tensor("F64", &[1], &(1.0f64 / 3.0).to_le_bytes())).unwrap();
    assert_eq!(third.parameters["t"].data(), [1.0f32 / 3.0]);
    let large = parse(&one_tensor("F64", &[1], &1e39f64.to_le_bytes()));
    assert_refused(large, &["w.safetensors, tensor t: an infinity at index [0]"]);
}

/// A file in eight bits with two channels of three weights `w`, a bias and these changes to its tensors.
fn eight_bits(changes: &[(&str, &str, &[usize], &[u8])]) -> Vec<u8> {
    let scales: Vec<u8> = [0.5f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let weights = [1i8, -2, 127, -128, 0, 3].map(i8::cast_unsigned);
    let mut tensors: BTreeMap<&str, (&str, &[usize], &[u8])> = BTreeMap::new();
    tensors.insert("w", ("I8", &[2, 3], &weights));
    tensors.insert("w.scale", ("F32", &[2], &scales));
    for &(name, dtype, shape, bytes) in changes {
        tensors.insert(name, (dtype, shape, bytes));
    }
    tensors.retain(|_, (dtype, ..)| *dtype != "none");
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, (dtype, shape, bytes)) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.to_owned(), serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets}));
        data.extend_from_slice(bytes);
    }
    raw(&serde_json::Value::Object(header).to_string(), &data)
}

#[test]
fn eight_bits_are_multiplied_by_their_channels_scale() {
    let file = parse(&eight_bits(&[])).unwrap();
    let wanted = parameters(&[("w", tensor(&[2, 3], &[0.5, -1.0, 63.5, -256.0, 0.0, 6.0]))]);
    assert_eq!(file.parameters, wanted);
    // A tensor that only has such a name is one like others.
    let lone = raw(r#"{"x.scale":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, &1f32.to_le_bytes());
    assert_eq!(parse(&lone).unwrap().parameters, parameters(&[("x.scale", tensor(&[1], &[1.0]))]));
    // A channel without a scale above zero is zero.
    let zeros = parse(&eight_bits(&[("w.scale", "F32", &[2], &[0; 8])])).unwrap();
    assert!(zeros.parameters["w"].data().iter().all(|&value| value == 0.0));
}

#[test]
fn eight_bits_without_scales_that_fit_are_refused() {
    let floats = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let refused = |changes: &[(&str, &str, &[usize], &[u8])], part: &str| {
        assert_refused(parse(&eight_bits(changes)), &["w.safetensors, tensor w: ", part]);
    };
    refused(&[("w.scale", "none", &[], &[])], "its scales are missing: there is no tensor w.scale");
    refused(
        &[("w.scale", "F32", &[3], &floats(&[1.0; 3]))],
        "w.scale is F32 of the shape [3], but F32 of the shape [2]",
    );
    refused(&[("w.scale", "F32", &[2, 1], &floats(&[1.0; 2]))], "w.scale is F32 of the shape [2, 1], but");
    refused(&[("w.scale", "F16", &[2], &[0; 4])], "w.scale is F16 of the shape [2], but F32");
    let not_finite = [([1.0, f32::NAN], "a NaN at index [1]"), ([f32::INFINITY, 1.0], "an infinity at index [0]")];
    for (scales, part) in not_finite {
        let damaged = parse(&eight_bits(&[("w.scale", "F32", &[2], &floats(&scales))]));
        assert_refused(damaged, &["w.safetensors, tensor w.scale: ", part]);
    }
    refused(&[("w.scale", "F32", &[2], &floats(&[1.0, -0.5]))], "w.scale has -0.5 at index [1]: a scale is at least 0");
    refused(&[("w.scale", "F32", &[2], &floats(&[f32::MAX, 1.0]))], "an infinity at index [0, 1]");
    refused(&[("w", "I8", &[], &[1])], "no dimension to be scaled along");
    // The scales of eight bits are no eight bits.
    refused(&[("w.scale", "I8", &[2], &[1; 2])], "w.scale is I8 of the shape [2], but F32");
}

#[test]
fn a_file_in_eight_bits_has_weights_of_one_byte_and_all_else_in_f32() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let mut random = Random::new(4);
    let contents = parameters(&[
        ("a.weight", Tensor::from_fn([3, 5], |_| random.normal())),
        ("a.bias", tensor(&[3], &[0.1, 0.2, 0.3])),
        ("b.weight", Tensor::from_fn([4, 3, 3, 3], |_| random.normal() * 1e-3)),
        ("none", tensor(&[0, 3], &[])),
        ("one", tensor(&[], &[0.7])),
    ]);
    let about = metadata(&[("model", "tiny")]);
    write(&path, &contents, &about, Precision::I8).unwrap();
    let file = read(&path).unwrap();
    assert_eq!((shapes(&file.parameters), &file.metadata), (shapes(&contents), &about));
    for (name, wanted) in &contents {
        let found = &file.parameters[name];
        if wanted.shape().len() < 2 {
            assert_eq!(found, wanted, "{name}");
            continue;
        }
        let length = wanted.len() / wanted.shape()[0].max(1);
        for (found, wanted) in found.data().chunks(length.max(1)).zip(wanted.data().chunks(length.max(1))) {
            let largest = wanted.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            for (found, wanted) in found.iter().zip(wanted) {
                // Half of a 127th, and some units in the last place.
                assert!((found - wanted).abs() <= largest / 253.9, "{name}: {found} instead of {wanted}");
            }
        }
        assert_eq!(found == wanted, wanted.is_empty(), "{name}");
    }
    // The reference implementation sees plain tensors, each at a multiple of the size of its numbers.
    let bytes = fs::read(&path).unwrap();
    let reference = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = reference.tensor("b.weight").unwrap();
    assert_eq!((weight.dtype(), weight.shape()), (safetensors::Dtype::I8, &[4, 3, 3, 3][..]));
    let scale = reference.tensor("b.weight.scale").unwrap();
    assert_eq!((scale.dtype(), scale.shape()), (safetensors::Dtype::F32, &[4][..]));
    assert_eq!(reference.names().len(), 8);
    for (name, tensor) in reference.tensors() {
        let place = tensor.data().as_ptr() as usize - bytes.as_ptr() as usize;
        assert!(place.is_multiple_of(tensor.dtype().bitsize() / 8), "{name} at {place}");
    }
    // Written again, it is the same file: nothing more is lost.
    write(&path, &file.parameters, &about, Precision::I8).unwrap();
    assert_eq!(read(&path).unwrap().parameters, file.parameters);

    let taken = parameters(&[("a", Tensor::zeros([2, 2])), ("a.scale", Tensor::zeros([2]))]);
    let wanted = "tensor a.scale: this name is needed for the scales";
    assert_refused(write(&path, &taken, &about, Precision::I8), &[wanted]);
}

#[test]
fn no_damage_to_a_file_in_eight_bits_is_a_panic() {
    let bytes = eight_bits(&[]);
    for at in 0..bytes.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            if let Ok(file) = parse(&damaged) {
                assert!(file.parameters.values().flat_map(Tensor::data).all(|value| value.is_finite()));
            }
        }
    }
}

#[test]
fn a_folder_or_a_missing_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused(read(folder.path()), &[folder.path().to_str().unwrap(), "this is a folder, a file is needed"]);
    let missing = read(Path::new("no/such/file.safetensors"));
    assert!(matches!(missing, Err(Error::Io { .. })));
    assert_refused(missing, &["no/such/file.safetensors: "]);
}

#[cfg(unix)]
#[test]
fn a_device_that_never_ends_is_refused() {
    assert_refused(read(Path::new("/dev/zero")), &["/dev/zero: this is not an ordinary file"]);
}

#[test]
fn a_failing_write_leaves_the_old_file_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    fs::write(&path, "old").unwrap();
    // The first tensor is fine, so that writing has begun when the second one fails.
    let with = |value: f32| parameters(&[("a", tensor(&[1], &[1.0])), ("b", tensor(&[2], &[0.0, value]))]);
    let failures = [
        (65520.0, Precision::F16, "tensor b: 65520 at index [1] is too large for f16 (at most 65504)"),
        (-1e30, Precision::F16, "is too large for f16"),
        (f32::NAN, Precision::F32, "tensor b: a NaN at index [1]"),
        (f32::NEG_INFINITY, Precision::F16, "tensor b: an infinity at index [1]"),
        (f32::NAN, Precision::I8, "tensor b: a NaN at index [1]"),
    ];
    for (value, precision, wanted) in failures {
        assert_refused(write(&path, &with(value), &BTreeMap::new(), precision), &["w.safetensors, ", wanted]);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(file_names(&folder), ["w.safetensors"]);
    }
    // 65519 still rounds down to the largest number of f16.
    write(&path, &with(65519.0), &BTreeMap::new(), Precision::F16).unwrap();
    assert_eq!(read(&path).unwrap().parameters["b"].data(), [0.0, 65504.0]);
    let reserved = parameters(&[("__metadata__", tensor(&[1], &[0.0]))]);
    assert_refused(write(&path, &reserved, &BTreeMap::new(), Precision::F32), &["tensor __metadata__: "]);
}

#[test]
fn a_file_that_cannot_be_put_in_place_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let occupied = folder.path().join("a folder");
    fs::create_dir(&occupied).unwrap();
    assert_refused(write(&occupied, &exact(), &BTreeMap::new(), Precision::F32), &["a folder: "]);
    assert_eq!(file_names(&folder), ["a folder"]);
    let nowhere = folder.path().join("missing").join("w.safetensors");
    assert!(matches!(write(&nowhere, &exact(), &BTreeMap::new(), Precision::F32), Err(Error::Io { .. })));
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
    write(&ours, &exact(), &BTreeMap::new(), Precision::F32).unwrap();
    fs::write(&plain, "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(ours), mode(plain));
}

/// The file of the tensors `features.0.weight`, `features.0.bias` and `classifier.weight`.
fn small_network() -> WeightFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let tensors = [
        ("features.0.weight", Tensor::zeros([2, 3])),
        ("features.0.bias", Tensor::zeros([2])),
        ("classifier.weight", Tensor::zeros([7, 2])),
    ];
    write(&path, &parameters(&tensors), &BTreeMap::new(), Precision::F32).unwrap();
    read(&path).unwrap()
}

fn expected(tensors: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>)> {
    tensors.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
}

#[test]
fn missing_tensors_are_named_with_the_nearest_name() {
    let file = small_network();
    let bias: (&str, &[usize]) = ("features.0.bias", &[2]);
    let one = expected(&[bias, ("classifier.weight", &[7, 2]), ("0.weight", &[2, 3])]);
    let wanted = "w.safetensors, tensor 0.weight: missing; the nearest name in the file is features.0.weight";
    assert_refused(file.check_shapes(&one), &[wanted]);
    let slip = expected(&[bias, ("classifier.weight", &[7, 2]), ("features.0.wieght", &[2, 3])]);
    assert_refused(
        file.check_shapes(&slip),
        &["features.0.wieght: missing; the nearest name in the file is features.0.w"],
    );
    let many = expected(&[bias, ("x", &[1]), ("y", &[1]), ("z", &[1])]);
    let text = file.check_shapes(&many).unwrap_err().to_string();
    assert!(text.ends_with("tensor x: missing (2 more tensors have this fault)"), "{text}");
}

#[test]
fn misshaped_and_extra_tensors_are_named() {
    let file = small_network();
    file.check_shapes(&shapes(&file.parameters)).unwrap();
    let misshaped =
        expected(&[("features.0.weight", &[3, 2]), ("features.0.bias", &[2, 1]), ("classifier.weight", &[7, 2])]);
    let wanted = "w.safetensors, tensor features.0.bias: its shape is [2], but [2, 1] is needed (1 more tensor has";
    assert_refused(file.check_shapes(&misshaped), &[wanted]);
    let fewer = expected(&[("features.0.weight", &[2, 3]), ("features.0.bias", &[2])]);
    let wanted = "w.safetensors, tensor classifier.weight: the network has no parameter of this name";
    assert_refused(file.check_shapes(&fewer), &[wanted]);
    file.with_prefix("features.").unwrap().check_shapes(&fewer).unwrap();
}

#[test]
fn a_prefix_that_no_tensor_has_is_refused() {
    assert_refused(small_network().with_prefix("pnet."), &["w.safetensors: no tensor's name starts with \"pnet.\""]);
}

/// A folder with a small MTCNN file and this `SHA256SUMS`, in which `{sum}` stands for the file's true sum.
fn folder_with_sums(sums: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mtcnn.safetensors");
    write(&path, &exact(), &BTreeMap::new(), Precision::F16).unwrap();
    let sum = read(&path).unwrap().sha256;
    fs::write(folder.path().join("SHA256SUMS"), sums.replace("{sum}", &sum)).unwrap();
    folder
}

#[test]
fn a_file_in_a_folder_must_have_its_listed_checksum() {
    for sums in ["{sum}  mtcnn.safetensors\n", "{sum} *mtcnn.safetensors\r\n", "{sum}  ./mtcnn.safetensors", ""] {
        let folder = folder_with_sums(sums);
        let file = Store::open(Some(folder.path())).unwrap().load(DefaultFile::Mtcnn).unwrap();
        assert_eq!(file.parameters, exact());
    }
    let zeros = "0".repeat(64);
    let folder = folder_with_sums(&format!("{zeros}  mtcnn.safetensors\n"));
    let sum = read(&folder.path().join("mtcnn.safetensors")).unwrap().sha256;
    let store = Store::open(Some(folder.path())).unwrap();
    let (found, listed) = (format!("its SHA-256 is {sum}"), format!("SHA256SUMS says {zeros}"));
    assert_refused(store.load(DefaultFile::Mtcnn), &["mtcnn.safetensors: ", &found, &listed, "Get it again"]);
}

#[test]
fn a_damaged_copy_is_refused_before_it_is_parsed() {
    let folder = folder_with_sums("{sum}  mtcnn.safetensors\n");
    let path = folder.path().join("mtcnn.safetensors");
    let store = Store::open(Some(folder.path())).unwrap();
    let bytes = fs::read(&path).unwrap();
    // The first byte is part of the header's length: parsing would fail with another message.
    for at in [0, 20, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_refused(store.load(DefaultFile::Mtcnn), &["its SHA-256 is", "the file is damaged or another one"]);
    }
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(store.load(DefaultFile::Mtcnn), &["its SHA-256 is"]);
}

#[test]
fn a_folder_that_cannot_be_meant_is_refused() {
    assert_refused(Store::open(Some(Path::new("no/such/folder"))), &["no/such/folder: there is no such folder"]);
    assert_refused(Store::open(Some(Path::new("Cargo.toml"))), &["Cargo.toml: this is not a folder"]);
    let empty = tempfile::tempdir().unwrap();
    let names = DefaultFile::ALL.map(DefaultFile::file_name).join(", ");
    assert_refused(Store::open(Some(empty.path())), &[&format!("holds none of {names}")]);
    let malformed = folder_with_sums("{sum}  mtcnn.safetensors\nSHA256 (mtcnn.safetensors) = {sum}\n");
    assert_refused(Store::open(Some(malformed.path())), &["SHA256SUMS: line 2: this is not a SHA-256 of 64"]);
    let incomplete = folder_with_sums("{sum}  vgg16_base.safetensors\n");
    let wanted = "SHA256SUMS: lists vgg16_base.safetensors, which is not in the folder";
    assert_refused(Store::open(Some(incomplete.path())), &[wanted]);
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_not_replaced_by_the_embedded_file() {
    let folder = folder_with_sums("");
    std::os::unix::fs::symlink("nowhere", folder.path().join("vgg16_base.safetensors")).unwrap();
    let store = Store::open(Some(folder.path())).unwrap();
    assert!(matches!(store.load(DefaultFile::Vgg16Base), Err(Error::Io { .. })));
}

/// The tensors of VGG16's base under torchvision's names: a number in the sequence, channels in, channels out.
fn vgg16_base() -> Vec<(String, Vec<usize>)> {
    let convolutions = [
        (0, 3, 64),
        (2, 64, 64),
        (5, 64, 128),
        (7, 128, 128),
        (10, 128, 256),
        (12, 256, 256),
        (14, 256, 256),
        (17, 256, 512),
        (19, 512, 512),
        (21, 512, 512),
        (24, 512, 512),
        (26, 512, 512),
        (28, 512, 512),
    ];
    let tensors = convolutions.map(|(number, inputs, outputs)| {
        let name = |kind| format!("features.{number}.{kind}");
        [(name("weight"), vec![outputs, inputs, 3, 3]), (name("bias"), vec![outputs])]
    });
    tensors.into_iter().flatten().collect()
}

/// The tensors of MTCNN (Zhang et al. 2016, figure 2): layers with weight and bias, and the slopes of each PReLU.
fn mtcnn() -> Vec<(String, Vec<usize>)> {
    let layers: [(&str, &[usize]); 18] = [
        ("pnet.conv1", &[10, 3, 3, 3]),
        ("pnet.conv2", &[16, 10, 3, 3]),
        ("pnet.conv3", &[32, 16, 3, 3]),
        ("pnet.conv4_1", &[2, 32, 1, 1]),
        ("pnet.conv4_2", &[4, 32, 1, 1]),
        ("rnet.conv1", &[28, 3, 3, 3]),
        ("rnet.conv2", &[48, 28, 3, 3]),
        ("rnet.conv3", &[64, 48, 2, 2]),
        ("rnet.dense4", &[128, 576]),
        ("rnet.dense5_1", &[2, 128]),
        ("rnet.dense5_2", &[4, 128]),
        ("onet.conv1", &[32, 3, 3, 3]),
        ("onet.conv2", &[64, 32, 3, 3]),
        ("onet.conv3", &[64, 64, 3, 3]),
        ("onet.conv4", &[128, 64, 2, 2]),
        ("onet.dense5", &[256, 1152]),
        ("onet.dense6_1", &[2, 256]),
        ("onet.dense6_2", &[4, 256]),
    ];
    let slopes = [("pnet", &[10, 16, 32][..]), ("rnet", &[28, 48, 64, 128]), ("onet", &[32, 64, 64, 128, 256])];
    let last: (&str, &[usize]) = ("onet.dense6_3", &[10, 256]);
    let mut tensors = Vec::new();
    for (name, shape) in layers.into_iter().chain([last]) {
        tensors.push((format!("{name}.weight"), shape.to_vec()));
        tensors.push((format!("{name}.bias"), vec![shape[0]]));
    }
    for (network, channels) in slopes {
        tensors
            .extend(channels.iter().enumerate().map(|(i, &n)| (format!("{network}.prelu{}.weight", i + 1), vec![n])));
    }
    tensors
}

/// The tensors of YuNet (Wu et al. 2023, figure 2): a convolution, and pairs of a pointwise and a depthwise one.
fn yunet() -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![
        ("backbone.model0.conv1.weight".to_owned(), vec![16, 3, 3, 3]),
        ("backbone.model0.conv1.bias".to_owned(), vec![16]),
    ];
    let mut pair = |name: String, inputs: usize, outputs: usize| {
        for (part, shape) in [("conv1", vec![outputs, inputs, 1, 1]), ("conv2", vec![outputs, 1, 3, 3])] {
            tensors.push((format!("{name}.{part}.weight"), shape));
            tensors.push((format!("{name}.{part}.bias"), vec![outputs]));
        }
    };
    for (name, inputs, outputs) in [("0.conv2", 16, 16), ("1.conv1", 16, 16), ("1.conv2", 16, 64)] {
        pair(format!("backbone.model{name}"), inputs, outputs);
    }
    for model in 2..=5 {
        (1..=2).for_each(|part| pair(format!("backbone.model{model}.conv{part}"), 64, 64));
    }
    for level in 0..3 {
        pair(format!("neck.lateral_convs.{level}"), 64, 64);
        pair(format!("bbox_head.multi_level_share_convs.{level}.0"), 64, 64);
        for (what, outputs) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
            pair(format!("bbox_head.multi_level_{what}.{level}"), 64, outputs);
        }
    }
    tensors
}

/// Loads the default files and checks their tensors and what is said about them.
fn check_default_files(store: &Store) {
    let readme = fs::read_to_string("weights/README.md").unwrap();
    for which in DefaultFile::ALL {
        let file = store.load(which).unwrap();
        match which {
            DefaultFile::Vgg16Base => file.check_shapes(&vgg16_base()).unwrap(),
            DefaultFile::Yunet => file.check_shapes(&yunet()).unwrap(),
            DefaultFile::Mtcnn => file.check_shapes(&mtcnn()).unwrap(),
            DefaultFile::ExpressionModel | DefaultFile::LightModel | DefaultFile::Vgg16Model => {
                let base = needs_base(&file).unwrap().then(|| store.load(DefaultFile::Vgg16Base).unwrap());
                let (card, _) = assemble(base, file.clone()).unwrap();
                for class in ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"] {
                    assert!(card.classes.iter().any(|name| name == class), "{which:?} does not know {class}");
                }
            }
        }
        assert!(readme.contains(&file.sha256), "weights/README.md has another checksum for {which:?}");
        for key in ["model", "origin", "license", "preprocessing"] {
            assert!(file.metadata.contains_key(key), "{which:?} lacks {key}");
        }
        if matches!(which, DefaultFile::ExpressionModel | DefaultFile::LightModel) {
            // What they expect is theirs alone: the card has been read.
            continue;
        }
        let preprocessing: serde_json::Value = serde_json::from_str(&file.metadata["preprocessing"]).unwrap();
        let wanted = match which {
            DefaultFile::Yunet => ("bgr", [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]),
            DefaultFile::Mtcnn => ("rgb", [127.5, 127.5, 127.5], [128.0, 128.0, 128.0]),
            _ => ("bgr", [103.939, 116.779, 123.68], [1.0, 1.0, 1.0]),
        };
        assert_eq!(preprocessing["order"], wanted.0, "{which:?}");
        for (key, wanted) in [("mean", wanted.1), ("std", wanted.2)] {
            let numbers: Vec<_> = preprocessing[key].as_array().unwrap().iter().filter_map(|v| v.as_f64()).collect();
            assert_eq!(numbers, wanted, "{which:?}: {key}");
        }
        assert_eq!(preprocessing["gray"], which == DefaultFile::Vgg16Model, "{which:?}");
    }
}

#[test]
fn the_default_files_have_their_tensors_and_checksums() {
    let store = Store::open(Some(Path::new("weights"))).unwrap();
    assert_eq!(store.describe(), "weights");
    check_default_files(&store);
}

#[cfg(feature = "embed")]
#[test]
fn what_a_folder_lacks_is_embedded() {
    let folder = folder_with_sums("");
    let store = Store::open(Some(folder.path())).unwrap();
    let others = DefaultFile::ALL.into_iter().filter(|&which| which != DefaultFile::Mtcnn);
    let others = others.map(DefaultFile::file_name).collect::<Vec<_>>().join(", ");
    assert_eq!(store.describe(), format!("{} (embedded: {others})", folder.path().display()));
    assert_eq!(store.load(DefaultFile::Mtcnn).unwrap().parameters, exact());
    let base = store.load(DefaultFile::Vgg16Base).unwrap();
    assert_eq!(base.path, Path::new("embedded/vgg16_base.safetensors"));
    base.check_shapes(&vgg16_base()).unwrap();
}

/// A process's environment cannot be changed safely while other tests run, so this test starts itself anew.
#[test]
fn the_environment_names_the_folder() {
    const CHILD: &str = "VULTUS_TEST_IS_CHILD";
    if std::env::var_os(CHILD).is_some() {
        match Store::open(None) {
            Ok(store) => {
                if store.describe() == "embedded" {
                    check_default_files(&store);
                }
                println!("store: {}", store.describe());
            }
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    let open_with = |folder: &str| {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_environment_names_the_folder", "--nocapture"])
            .envs([(CHILD, "1"), ("VULTUS_WEIGHTS", folder)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        text
    };
    assert!(open_with("weights").contains("store: weights\n"));
    let refused = "refused: missing: there is no such folder (named by the environment variable VULTUS_WEIGHTS)";
    assert!(open_with("missing").contains(refused));
    let without = if cfg!(feature = "embed") { "store: embedded\n" } else { "this build has no embedded weights" };
    assert!(open_with("").contains(without));
}

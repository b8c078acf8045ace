//! Files of PyTorch, with and without a zip file around them.

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

/// Asserts that a pickle is refused with these parts of a message, also in a file without a zip file around it.
#[track_caller]
fn assert_pickle_refused(value: &[u8], parts: &[&str]) {
    assert_refused(read(&file(value, &[("data/0", &twelve())])), parts);
    // Byte numbers count from the start of the file there.
    let without_places: Vec<&str> = parts.iter().map(|part| part.split(" at byte").next().unwrap()).collect();
    assert_refused(read(&legacy(true, value, &[])), &without_places);
}

#[test]
fn no_pickle_runs_a_program() {
    let arguments = tuple(&[text("echo harm")]);
    let attack =
        |module: &str, name: &str, opcode: &[u8]| [&global(module, name), arguments.as_slice(), opcode].concat();
    assert_pickle_refused(
        &attack("os", "system", b"R"),
        &[
            "w.pth",
            "the pickle wants to call os.system (opcode REDUCE at byte 29): this is refused, since it could run any program",
        ],
    );
    assert_pickle_refused(&attack("posix", "system", b"\x81"), &["posix.system (opcode NEWOBJ at byte"]);
    assert_pickle_refused(&attack("builtins", "eval", b"R"), &["wants to call builtins.eval (opcode REDUCE"]);
    assert_pickle_refused(&attack("__builtin__", "exec", b"R"), &["wants to call __builtin__.exec"]);
    assert_pickle_refused(&attack("builtins", "getattr", b"R"), &["wants to call builtins.getattr"]);
    assert_pickle_refused(&attack("torch", "load", b"R"), &["wants to call torch.load"]);
    assert_pickle_refused(&attack("torch.storage", "_load_from_bytes", b"R"), &["torch.storage._load_from_bytes"]);
    assert_pickle_refused(&attack("torch._utils", "_rebuild_qtensor", b"R"), &["torch._utils._rebuild_qtensor"]);
    assert_pickle_refused(&attack("os", "system", b"b"), &["os.system (opcode BUILD"]);
    assert_pickle_refused(b"(ios\nsystem\n", &["wants to call os.system (opcode INST at byte 3)"]);
    assert_pickle_refused(
        &[b"(", global("os", "system").as_slice(), &text("x"), b"o"].concat(),
        &["wants to call os.system (opcode OBJ"],
    );
    let stacked = [text("os"), text("system"), b"\x93".to_vec(), arguments.clone(), b"R".to_vec()].concat();
    assert_pickle_refused(&stacked, &["wants to call os.system (opcode REDUCE"]);
    let nested = [global("os", "system"), global("torch", "Tensor"), arguments.clone(), b"}".to_vec()];
    assert_pickle_refused(&call(&global("torch._tensor", "_rebuild_from_type_v2"), &nested), &["os.system"]);
    // Hidden where no tensor is looked for: among the hooks of a tensor, in settings, dropped again.
    let hooks = [
        storage("FloatStorage", "0", 12),
        int(0),
        tuple(&[]),
        tuple(&[]),
        b"\x89".to_vec(),
        attack("os", "system", b"R"),
    ];
    assert_pickle_refused(&call(&global("torch._utils", "_rebuild_tensor_v2"), &hooks), &["os.system (opcode REDUCE"]);
    assert_pickle_refused(&[attack("os", "system", b"R0").as_slice(), b"}"].concat(), &["os.system (opcode REDUCE"]);
}

#[test]
fn opcodes_and_globals_that_no_tensor_needs_are_refused() {
    for (pickle, name) in [
        (b"\x82\x01".as_slice(), "EXT1"),
        (b"\x83\x01\x00", "EXT2"),
        (b"\x84\x01\x00\x00\x00", "EXT4"),
        (b"Pid\n", "PERSID"),
        (b"N2", "DUP"),
        (b"Vtext\n", "UNICODE"),
        (b"I1\n", "INT"),
        (b"\x92", "NEWOBJ_EX"),
        (b"\x97", "NEXT_BUFFER"),
        (b"\xfe", "0xfe"),
    ] {
        assert_pickle_refused(pickle, &[&format!("the opcode {name} at byte"), "which no tensor needs: refused"]);
    }
    let class = dict(&[("optimizer", global("torch.optim.sgd", "SGD"))]);
    assert_pickle_refused(
        &class,
        &["the pickle names torch.optim.sgd.SGD (opcode GLOBAL at byte 18), which no tensor needs"],
    );
    let many: Vec<u8> = (0..1000).flat_map(|n| global("os", &format!("f{n}"))).collect();
    assert_pickle_refused(&many, &["the pickle names os.f0 (opcode GLOBAL at byte"]);
    let long = global(&"m".repeat(300), "f");
    assert_pickle_refused(&long, &["a name without an end"]);
    let masked = call(&global("os\u{1b}[2J", "system"), &[]);
    assert_pickle_refused(&masked, &["wants to call os\\u{1b}[2J.system"]);
}

#[test]
fn pickles_that_make_no_sense_are_refused() {
    let rebuild = global("torch._utils", "_rebuild_tensor_v2");
    for (pickle, part) in [
        (b"".to_vec(), "a value is missing (opcode STOP at byte"),
        (b"NN".to_vec(), "more than one value is left"),
        (b"t".to_vec(), "a mark is missing (opcode TUPLE"),
        (b"(N\x86".to_vec(), "a value is missing (opcode TUPLE2"),
        (b"h\x05".to_vec(), "nothing was kept under this number (opcode BINGET"),
        (b"N(Nu".to_vec(), "a key has no value"),
        (b"NNNs".to_vec(), "keys are set in something else than a dict"),
        (b"NNa".to_vec(), "appended to something else than a list"),
        (b"N)R".to_vec(), "something is called that is no function"),
        (b"NQ".to_vec(), "something else than a tuple"),
        (b"N}b".to_vec(), "attributes are set of something that has none"),
        (b"K\x05K\x05\x93".to_vec(), "a global without a name"),
        (b"X\x02\0\0\0\xff\xfe".to_vec(), "no text in UTF-8"),
        (call(&rebuild, &[int(1), int(2)]), "made of something else than a storage"),
        (tensor(&storage("FloatStorage", "0", 12), -1, &[1], &[1]), "a tensor's offset is negative"),
        (tensor(&storage("FloatStorage", "0", 12), 0, &[-1], &[1]), "no number from 0 on"),
        (tensor(&storage("FloatStorage", "0", 12), 0, &[2], &[-1]), "no number from 0 on"),
        (tensor(&storage("FloatStorage", "0", 12), 0, &[1; 65], &[1; 65]), "a tensor has 65 dimensions"),
        (storage("FloatStorage", "0", -1), "a storage's length is negative"),
        (storage("QInt8Storage", "0", 1), "storages of the class torch.QInt8Storage cannot be read"),
        (whole("0", &[12]), "no tensors by name are in this PyTorch file"),
    ] {
        assert_refused(read(&file(&pickle, &[("data/0", &twelve())])), &[part]);
    }
    let behind = [pickled(b"}"), b"N".to_vec()].concat();
    assert_refused(read(&with_pickle(behind, &[])), &["the pickle ends at byte 4, but more follows"]);
    let announced = b"\x80\x02X\xff\xff\xff\xffabc".to_vec();
    assert_refused(read(&with_pickle(announced, &[])), &["the pickle ends early: cut short?"]);
}

#[test]
fn tensors_that_are_not_in_their_storage_are_refused() {
    let beyond = "goes beyond the 48 bytes of its record";
    for (offset, shape, strides) in [
        (1, [3, 4], [4, 1]),
        (0, [3, 5], [5, 1]),
        (0, [2, 2], [11, 1]),
        (i64::MAX, [1, 1], [1, 1]),
        (0, [i64::MAX, 2], [1, 1]),
        (0, [2, 2], [i64::MAX, i64::MAX]),
        (0, [1 << 40, 1 << 40], [0, 0]),
    ] {
        let parts: &[&str] = if offset == i64::MAX { &["t", "out of any range"] } else { &["t", beyond] };
        assert_refused(read(&file(&view(offset, &shape, &strides), &[("data/0", &twelve())])), parts);
    }
    let uneven = view(0, &[3, 4], &[1]);
    assert_refused(read(&file(&uneven, &[("data/0", &twelve())])), &["do not fit to each other"]);
    // Within the storage, but so often that it would take all memory.
    let huge = view(0, &[1 << 30, 2], &[0, 1]);
    assert_refused(read(&file(&huge, &[("data/0", &twelve())])), &["far too large for a file of"]);
    assert_refused(read(&file(&view(0, &[1], &[1]), &[])), &["t", "there is no record tiny/data/0"]);
    let twice = dict(&[("t", whole("0", &[12])), ("t", whole("0", &[3, 4]))]);
    assert_refused(read(&file(&twice, &[("data/0", &twelve())])), &["t", "there are two tensors of this name"]);
}

#[test]
fn small_files_that_stand_for_much_work_are_refused_at_once() {
    // Dicts within each other, and lists that are twice in the next one.
    let nested = |depth: usize| {
        let start: Vec<u8> = (0..depth).flat_map(|_| b"}U\x01d".to_vec()).collect();
        [start, b"}".to_vec(), b"s".repeat(depth)].concat()
    };
    assert!(read(&file(&nested(60), &[])).is_ok());
    assert_refused(read(&file(&nested(20_000), &[])), &["nests its values more than 64 deep"]);
    let doubled: Vec<u8> =
        (0..60u8).flat_map(|n| [b"](h".as_slice(), &[n], b"h", &[n], b"eq", &[n + 1]].concat()).collect();
    let doubled = [b"]q\0".to_vec(), doubled].concat();
    assert_refused(read(&file(&[doubled, b"\x86".repeat(60)].concat(), &[])), &["far more than a file of this size"]);
    let itself = b"}q\0U\x01dh\0s";
    assert_refused(read(&file(itself, &[])), &["nests its values more than 64 deep"]);
    let values = [b"]".to_vec(), b"N".repeat(400_000)].concat();
    assert_refused(read(&file(&values, &[])), &["far too many values for the size of the file"]);
    for value in [b"N".as_slice(), b"(", b"]", b"}", b")\x94", b"N\x85\x94", b"]\x94", b"cos\nf\n"] {
        let bytes = file(&value.repeat(300_000), &[]);
        let peak = memory::peak(|| assert!(read(&bytes).is_err()));
        assert!(peak <= mutate::memory_bound(bytes.len()), "{value:?} takes {peak} bytes of {} ", bytes.len());
    }
    // Many tensors, each two numbers that lie at the ends of a large storage.
    let ends = tensor(&storage("FloatStorage", "0", 1 << 18), 0, &[2], &[(1 << 18) - 1]);
    let many: Vec<(String, Vec<u8>)> = (0..64).map(|n| (n.to_string(), ends.clone())).collect();
    let many: Vec<(&str, Vec<u8>)> = many.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let zeros = vec![0; 1 << 20];
    assert_refused(read(&file(&dict(&many), &[("data/0", &zeros)])), &["reading them would take too long"]);
}

#[test]
fn zip_files_that_contradict_themselves_are_refused() {
    let (numbers, pickle) = (twelve(), pickled(&view(0, &[12], &[1])));
    let records = || [stored("tiny/data.pkl", &pickle), stored("tiny/data/0", &numbers)];
    let with = |change: fn(&mut Record)| {
        let mut records = records();
        change(&mut records[1]);
        read(&zip(&records))
    };
    assert!(with(|_| {}).is_ok());
    assert_refused(with(|record| record.crc ^= 1), &["t", "its checksum is wrong"]);
    assert_refused(with(|record| record.size += 1), &["\"tiny/data/0\"", "announces another size"]);
    assert_refused(with(|record| record.flags |= 1), &["is encrypted"]);
    assert_refused(with(|record| record.method = 12), &["packed in another way than by deflate"]);
    assert_refused(with(|record| record.offset = Some(3)), &["\"tiny/data/0\"", "damaged"]);
    assert_refused(with(|record| record.offset = Some(0)), &["described in two ways"]);
    let mut overlapping = vec![records()[0].clone(), stored("tiny/data/0", &zip(&[stored("tiny/data/1", &numbers)]))];
    let inner = (30 + "tiny/data.pkl".len() + pickle.len() + 30 + "tiny/data/0".len()) as u32;
    overlapping.push(Record { offset: Some(inner), ..stored("tiny/data/1", &numbers) });
    assert_refused(read(&zip(&overlapping)), &["two records of the zip file overlap at byte"]);
    let [first, second] = records();
    assert_refused(read(&zip(&[first.clone(), second.clone(), second])), &["two records named \"tiny/data/0\""]);
    let behind = [zip(&records()).as_slice(), b"behind"].concat();
    assert_refused(read(&behind), &["its end is not where the file ends"]);
    assert_refused(read(&zip(&[stored("readme", b"text")])), &["neither of PyTorch", "nor of NumPy"]);
    let two = [first.clone(), stored("other/data.pkl", &pickle)];
    assert_refused(read(&zip(&two)), &["has several data.pkl"]);
    let program = [first, stored("tiny/constants.pkl", &pickle)];
    assert_refused(read(&zip(&program)), &["TorchScript"]);
}

#[test]
fn deflated_records_are_read_and_bombs_are_not() {
    let (numbers, pickle) = (twelve(), pickled(&view(3, &[3, 2], &[1, 3])));
    let records = [deflated("tiny/data.pkl", &pickle), streamed(deflated("tiny/data/0", &numbers))];
    let found = read(&zip(&records)).unwrap().parameters;
    assert_eq!(found["t"].data(), [3.0, 6.0, 4.0, 7.0, 5.0, 8.0]);
    let whole = pickled(&view(0, &[12], &[1]));
    let with = |change: fn(&mut Record)| {
        let mut records = [stored("tiny/data.pkl", &whole), deflated("tiny/data/0", &numbers)];
        change(&mut records[1]);
        read(&zip(&records))
    };
    assert!(with(|_| {}).is_ok());
    assert_refused(with(|record| record.crc ^= 1), &["t", "its checksum is wrong"]);
    assert_refused(with(|record| record.packed[1] ^= 0xff), &["t", "the file is damaged"]);
    for size in [44, 52] {
        let records = [stored("tiny/data.pkl", &whole), Record { size, ..deflated("tiny/data/0", &numbers) }];
        let parts = ["t", "has 48 bytes by its description", &format!("but {size} in the record tiny/data/0")];
        assert_refused(read(&zip(&records)), &parts);
    }
    let shorter = [stored("tiny/data.pkl", &whole), Record { size: 48, ..deflated("tiny/data/0", &numbers[..44]) }];
    assert_refused(read(&zip(&shorter)), &["t", "cut short"]);
    let bomb = [stored("tiny/data.pkl", &whole), deflated("tiny/data/0", &vec![0; 32 << 20])];
    assert_refused(read(&zip(&bomb)), &["bytes are packed into", "made to exhaust memory"]);
    let longer = [stored("tiny/data.pkl", &whole), Record { size: 48, ..deflated("tiny/data/0", &vec![0; 32 << 20]) }];
    assert_refused(read(&zip(&longer)), &["t", "more bytes come out than are announced"]);
}

#[test]
fn files_of_old_versions_are_read_only_if_their_storages_are_all_there() {
    let numbers = twelve();
    let value = view(0, &[12], &[1]);
    let good = legacy(true, &value, &[("0", 12, &numbers)]);
    assert_eq!(read(&good).unwrap().parameters["t"].data().len(), 12);
    assert_refused(read(&good[..good.len() - 1]), &["48 bytes from byte", "cut short?"]);
    assert_refused(read(&[good.as_slice(), b"!"].concat()), &["1 longer than its storages"]);
    let other = legacy(true, &value, &[("0", 11, &numbers[..44])]);
    assert_refused(read(&other), &["\"0\" has 12 numbers by its description, but 11 where it is"]);
    assert_refused(read(&legacy(true, &value, &[])), &["the numbers of the storage \"0\" are missing"]);
    let twice = legacy(true, &value, &[("0", 12, &numbers), ("0", 12, &numbers)]);
    assert_refused(read(&twice), &["two storages have the name \"0\""]);
    let stranger = legacy(true, &value, &[("0", 12, &numbers), ("1", 0, &[])]);
    assert_refused(read(&stranger), &["no tensor has the storage \"1\""]);
    let huge = dict(&[("t", tensor(&storage("FloatStorage", "0", i64::MAX), 0, &[1], &[1]))]);
    assert_refused(read(&legacy(true, &huge, &[("0", i64::MAX, &numbers)])), &["are announced, but the file has"]);
    let odd = dict(&[("a", whole("0", &[12])), ("b", tensor(&storage("HalfStorage", "0", 24), 0, &[1], &[1]))]);
    assert_refused(read(&legacy(true, &odd, &[("0", 12, &numbers)])), &["described in two ways"]);
}

#[test]
fn what_is_missing_from_a_file_is_an_error_of_its_weights() {
    for name in ["tiny_vgg16.pth", "tiny_vgg16_legacy.pth"] {
        let bytes = recipe::bytes(name);
        assert!(matches!(read(&bytes[..bytes.len() - 1]), Err(Error::Weights { .. })));
        mutate::is_refused_when_cut(&bytes);
    }
}

/// A checkpoint with tensors of several kinds.
fn checkpoint() -> Vec<u8> {
    let floats = storage("FloatStorage", "0", 12);
    dict(&[
        ("epoch", int(3)),
        (
            "state_dict",
            dict(&[
                ("a.weight", tensor(&floats, 2, &[2, 2, 2], &[4, 1, 2])),
                ("a.bias", tensor(&floats, 0, &[3], &[1])),
                ("n", tensor(&storage("HalfStorage", "1", 2), 0, &[2], &[1])),
                ("wide", tensor(&floats, 3, &[5, 2], &[0, 1])),
            ]),
        ),
    ])
}

fn checkpoint_records() -> [Record; 3] {
    [stored("tiny/data/0", &twelve()), deflated("tiny/data/1", &[0, 0x3c, 0, 0]), stored("tiny/byteorder", b"little")]
}

#[test]
fn mutated_zip_files_of_pytorch_do_no_harm() {
    let file = |pickle: Record| zip(&[&[pickle], checkpoint_records().as_slice()].concat());
    let pickle = pickled(&checkpoint());
    let corpus = [
        file(stored("tiny/data.pkl", &pickle)),
        file(streamed(deflated("tiny/data.pkl", &pickle))),
        with_pickle(newest(4), &[("data/0", &twelve())]),
    ];
    assert!(corpus.iter().all(|bytes| read(bytes).is_ok()));
    mutate::survives_wrong_bits(&corpus[0]);
    mutate::survives("PyTorch, zip file", &corpus, |bytes| bytes);
}

#[test]
fn mutated_pickles_do_no_harm() {
    // A checksum over a pickle would give most changes away.
    let corpus = [pickled(&checkpoint()), newest(4), newest(5)];
    mutate::survives("PyTorch, pickle", &corpus, |pickle| {
        zip(&[&[stored("tiny/data.pkl", &pickle)], checkpoint_records().as_slice()].concat())
    });
}

#[test]
fn mutated_old_files_of_pytorch_do_no_harm() {
    let (floats, halves) = (twelve(), [0, 0x3c, 0, 0]);
    let corpus = [legacy(true, &checkpoint(), &[("0", 12, &floats), ("1", 2, &halves)])];
    assert!(corpus.iter().all(|bytes| read(bytes).is_ok()));
    mutate::survives_wrong_bits(&corpus[0]);
    mutate::survives("PyTorch before 1.6", &corpus, |bytes| bytes);
}

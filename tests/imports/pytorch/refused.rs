//! Files that were made to do harm, contradict themselves or are not all there.

use super::*;

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
        (storage("FloatStorage", &"0".repeat(65), 1), "the name of a storage is too long"),
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
    // Comparing the long key with others each time would take minutes.
    let keys = [b"}(", text(&"k".repeat(2_000_000)).as_slice(), b"q\0N", &b"h\0N".repeat(500_000), b"u"].concat();
    assert!(read(&file(&keys, &[])).unwrap().parameters.is_empty());
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

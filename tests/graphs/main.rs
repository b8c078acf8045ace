//! Models that are damaged, contradict themselves or ask for too much: whatever is in a file, reading it ends, soon, with a
//! network that runs or with an error, and takes no more memory than a bound by the file's size.
//!
//! `MUTATIONS` sets how many files are made:
//!
//! ```text
//! MUTATIONS=200000 cargo test --test graphs -- --nocapture
//! ```
#![cfg(feature = "onnx")]

mod change;
#[path = "../imports/memory.rs"]
mod memory;
mod message;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use vultus::onnx::{self, Import, Imported};
use vultus::{Device, Error, Options, Random, Tensor};

use change::Corpus;
use message::{Field, Kind, encode};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// How many files are made if nothing else is said.
const COUNT: usize = 20_000;

/// No file may take longer. Most take a few milliseconds; the rest is for machines that are busy with other things.
const LONGEST: Duration = Duration::from_secs(10);

/// The most memory that reading a file of so many bytes may take at once: what `docs/onnx.md` says.
fn memory_bound(length: usize) -> usize {
    64 * length + (32 << 20)
}

/// A network that was read runs here if it takes no more floating-point operations and values than this.
const MOST_FLOPS: u64 = 1 << 24;
const MOST_VALUES: u64 = 1 << 20;

/// The graphs whose results are known, which together have every operator.
fn files() -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "golden", "onnx"].iter().collect();
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "onnx"));
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn import() -> Import {
    Import { dimensions: [("H".to_owned(), 6)].into(), ..Import::default() }
}

/// A file with one to three places changed.
fn damaged(files: &[Vec<u8>], seed: usize) -> Vec<u8> {
    let mut random = Random::new(seed as u64);
    let mut bytes = files[random.below(files.len())].clone();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len());
        let end = (at + 1 + random.below(20)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at.max(1)),
            3 => bytes[at..end].fill([0, 0xff, 0x7f, 0x80][random.below(4)]),
            4 if bytes.len() > end - at => drop(bytes.drain(at..end)),
            5 => {
                let copy = bytes[at..end].to_vec();
                let place = random.below(bytes.len());
                bytes.splice(place..place, copy);
            }
            _ => {
                let other = &files[random.below(files.len())];
                let from = random.below(other.len());
                let copy = other[from..(from + end - at).min(other.len())].to_vec();
                bytes.splice(at..end, copy);
            }
        }
    }
    bytes
}

/// Runs a network on ones, if that is soon done; whether it was. What it gives is its own affair: damaged weights may be
/// infinite.
fn run(read: &Imported) -> bool {
    let Ok([flops, values]) = read.network.cost() else { panic!("a network that was read has no shapes") };
    if flops > MOST_FLOPS || values > MOST_VALUES {
        return false;
    }
    let inputs: Vec<Tensor> =
        read.network.inputs().map(|(_, shape)| Tensor::filled([&[1], shape].concat(), 1.0)).collect();
    let model = Device::Cpu.load(&read.network, &read.parameters).expect("its parameters are its own");
    let mut plan = model.compile(1, &Options::default()).expect("what was read can be compiled");
    let outputs = plan.run_all(&inputs).expect("what was compiled runs");
    assert_eq!(outputs.len(), read.outputs.len());
    true
}

#[test]
fn changed_files_do_no_harm() {
    let count = std::env::var("MUTATIONS").map_or(COUNT, |text| text.parse().expect("MUTATIONS is a number"));
    let (files, place) = (files(), tempfile::tempdir().unwrap());
    let (corpus, path) = (Corpus::new(&files), place.path().join("changed.onnx"));
    fs::write(place.path().join("elsewhere.bin"), [0; 144]).unwrap();
    let start = Instant::now();
    let (mut are_read, mut run_too, mut slowest, mut largest) = (0, 0, Duration::ZERO, 0);
    // One thread, whose memory is counted.
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for seed in 0..count {
            let bytes = if seed % 3 == 0 { damaged(&files, seed) } else { corpus.changed(seed) };
            fs::write(&path, &bytes).unwrap();
            let (before, mut outcome) = (Instant::now(), Ok(None));
            let peak = memory::peak(|| {
                outcome = catch_unwind(AssertUnwindSafe(|| onnx::read(&path, &import()).ok()));
            });
            let ran = outcome.map(|read| {
                are_read += usize::from(read.is_some());
                catch_unwind(AssertUnwindSafe(|| read.as_ref().is_some_and(run)))
            });
            let Ok(Ok(ran)) = ran else {
                let kept = std::env::temp_dir().join(format!("changed_{seed}.onnx"));
                fs::write(&kept, &bytes).unwrap();
                panic!("the file of the seed {seed} makes it panic: {}", kept.display());
            };
            run_too += usize::from(ran);
            let (took, bound) = (before.elapsed(), memory_bound(bytes.len()));
            assert!(took < LONGEST, "the file of the seed {seed} takes {took:?}");
            assert!(peak <= bound, "the file of the seed {seed} takes {peak} bytes, more than {bound}");
            (slowest, largest) = (slowest.max(took), largest.max(peak));
        }
    });
    let all = start.elapsed();
    println!("{count} files in {all:.1?}, the slowest {slowest:.1?}, at most {largest} bytes of memory");
    println!("{are_read} are read, {run_too} of them run");
    // Many changes are of numbers, and any will do.
    assert!(run_too * 10 > count, "only {run_too} files run");
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, &[i64])]) -> Field {
    let mut fields: Vec<Field> = inputs.iter().map(|name| Field::bytes(1, name)).collect();
    fields.extend(outputs.iter().map(|name| Field::bytes(2, name)));
    fields.push(Field::bytes(4, operator));
    for (name, numbers) in attributes {
        let mut inner = vec![Field::bytes(1, name)];
        match numbers {
            [single] => inner.extend([Field::value(3, *single as u64), Field::value(20, 2)]),
            several => {
                inner.extend(several.iter().map(|&number| Field::value(8, number as u64)));
                inner.push(Field::value(20, 7));
            }
        }
        fields.push(Field::message(5, Kind::Attribute, inner));
    }
    Field::message(1, Kind::Node, fields)
}

/// Whole numbers as a node.
fn numbers(name: &str, values: &[i64]) -> Field {
    let value = [&[values.len() as i64], values].concat();
    let mut attribute = vec![Field::bytes(1, "value_ints"), Field::value(20, 7)];
    attribute.extend(value[1..].iter().map(|&number| Field::value(8, number as u64)));
    let attribute = Field::message(5, Kind::Attribute, attribute);
    Field::message(1, Kind::Node, vec![Field::bytes(2, name), Field::bytes(4, "Constant"), attribute])
}

/// A model of these nodes and tensors from `x`, of this shape, to `y`.
fn model(shape: &[u64], more: Vec<Field>) -> Vec<u8> {
    let dims = shape.iter().map(|&size| Field::message(1, Kind::Dimension, vec![Field::value(1, size)])).collect();
    let tensor = vec![Field::value(1, 1), Field::message(2, Kind::Shape, dims)];
    let kind = Field::message(2, Kind::Type, vec![Field::message(1, Kind::TensorType, tensor)]);
    let mut graph = more;
    graph.push(Field::message(11, Kind::ValueInfo, vec![Field::bytes(1, "x"), kind]));
    graph.push(Field::message(12, Kind::ValueInfo, vec![Field::bytes(1, "y")]));
    let opset = Field::message(8, Kind::OperatorSet, vec![Field::value(2, 17)]);
    encode(&[opset, Field::message(7, Kind::Graph, graph)])
}

#[test]
fn small_files_that_ask_for_much_are_refused() {
    const HUGE: i64 = 1 << 20;
    let many = i64::MAX;
    let tensor = |dims: &[u64]| {
        let mut fields: Vec<Field> = dims.iter().map(|&size| Field::value(1, size)).collect();
        fields.extend([Field::value(2, 1), Field::bytes(8, "w"), Field::bytes(9, [0; 4])]);
        Field::message(5, Kind::Tensor, fields)
    };
    // Each twice as large as the one before.
    let doubled = |count: usize| -> Vec<Field> {
        let name = |index: usize| if index == 0 { "x".to_owned() } else { format!("v{index}") };
        let mut nodes: Vec<Field> = (0..count)
            .map(|index| node("Concat", &[&name(index), &name(index)], &[&name(index + 1)], &[("axis", &[1])]))
            .collect();
        nodes.push(node("Relu", &[&name(count)], &["y"], &[]));
        nodes
    };
    let with =
        |shape: &[i64], operator: &str, inputs: &[&str]| vec![numbers("s", shape), node(operator, inputs, &["y"], &[])];
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a tensor of 10^12 numbers", model(&[1, 4], vec![tensor(&[1_000_000, 1_000_000])]), "1000000000000"),
        ("a tensor of more than there are", model(&[1, 4], vec![tensor(&[1 << 40, 1 << 40])]), "out of any range"),
        (
            "an input of 10^12 numbers",
            model(&[1, 1 << 20, 1 << 20], vec![node("Relu", &["x"], &["y"], &[])]),
            "too large",
        ),
        ("a constant", model(&[1, 4], with(&[HUGE, HUGE], "ConstantOfShape", &["s"])), "too large"),
        ("an expansion", model(&[1, 1, 1], with(&[1, HUGE, HUGE], "Expand", &["x", "s"])), "memory"),
        ("an expansion of itself", model(&[1, 1, 1], with(&[1, HUGE, 1], "Expand", &["x", "s"])), ""),
        ("a repetition", model(&[1, 8, 8], with(&[1, HUGE, HUGE], "Tile", &["x", "s"])), "memory"),
        ("a repetition of more than there is", model(&[1, 8, 8], with(&[1, many, many], "Tile", &["x", "s"])), ""),
        ("a border", model(&[1, 4, 4], with(&[0, HUGE, HUGE, 0, 0, 0], "Pad", &["x", "s"])), "too large"),
        (
            "a border of more than there is",
            model(&[1, 4, 4], with(&[0, many, many, 0, 0, 0], "Pad", &["x", "s"])),
            "out of",
        ),
        ("a shape", model(&[1, 4], with(&[many, many], "Reshape", &["x", "s"])), "x"),
        (
            "a long line backwards",
            model(
                &[1, 1 << 27],
                vec![
                    numbers("from", &[-1]),
                    numbers("to", &[-many]),
                    numbers("axes", &[1]),
                    node("Slice", &["x", "from", "to", "axes", "from"], &["y"], &[]),
                ],
            ),
            "parts",
        ),
        ("values that double", model(&[1, 64], doubled(40)), "too large"),
        (
            "the border of a convolution",
            model(
                &[1, 1, 4, 4],
                vec![node(
                    "AveragePool",
                    &["x"],
                    &["y"],
                    &[("kernel_shape", &[2, 2]), ("pads", &[30000, 30000, 30000, 30000])],
                )],
            ),
            "",
        ),
        (
            "a range",
            model(
                &[1, 4],
                vec![
                    numbers("s", &[0, many]),
                    node("Gather", &["s", "i"], &["end"], &[]),
                    node("Constant", &[], &["i"], &[("value_int", &[1])]),
                    node("Range", &["s", "end", "i"], &["y"], &[]),
                ],
            ),
            "",
        ),
    ];
    let place = tempfile::tempdir().unwrap();
    for (what, bytes, wanted) in cases {
        assert!(bytes.len() < 2048, "{what}");
        let path = place.path().join("large.onnx");
        fs::write(&path, &bytes).unwrap();
        let mut found = None;
        let peak = memory::peak(|| found = Some(onnx::read(&path, &Import::default())));
        assert!(peak <= memory_bound(bytes.len()), "{what} takes {peak} bytes");
        match found.unwrap() {
            Err(error @ (Error::Unsupported { .. } | Error::Model { .. })) => {
                assert!(error.to_string().contains(wanted), "{what}: {error}");
            }
            // What fits the limit.
            Ok(read) if wanted.is_empty() => assert!(read.network.cost().unwrap()[1] < 1 << 30, "{what}"),
            other => panic!("{what}: {:?}", other.map(|read| read.outputs)),
        }
    }
}

#[test]
fn graphs_that_contradict_themselves_are_refused() {
    let relu = |from: &str, to: &str| node("Relu", &[from], &[to], &[]);
    let place = tempfile::tempdir().unwrap();
    let reason = |nodes: Vec<Field>| {
        let path: &Path = &place.path().join("wrong.onnx");
        fs::write(path, model(&[1, 4], nodes)).unwrap();
        onnx::read(path, &Import::default()).unwrap_err().to_string()
    };
    for (nodes, wanted) in [
        (vec![relu("a", "b"), relu("b", "a"), relu("x", "y")], "reads \"a\", which nothing gives"),
        (vec![relu("y", "y")], "reads \"y\", which nothing gives"),
        (vec![relu("x", "y"), relu("x", "y")], "\"y\" is given twice"),
        (vec![relu("x", "x"), relu("x", "y")], "\"x\" is given twice"),
        (vec![relu("x", "z")], "nothing gives the output \"y\""),
    ] {
        let found = reason(nodes);
        assert!(found.contains(wanted), "{wanted:?} is not in: {found}");
    }
}

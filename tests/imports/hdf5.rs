//! Keras's files: what it and h5py write in any way that HDF5 has, and what is refused. tests/golden/make_keras.py makes
//! the small ones.

use std::collections::BTreeMap;
use std::path::Path;

use vultus::weights::{Catalog, Dtype, Format};

use crate::{mutate, recipe};

/// The catalog of bytes, or the error as a text.
fn catalog(bytes: &[u8]) -> Result<Catalog<'_>, String> {
    Catalog::from_bytes(Path::new("w.h5"), bytes).map_err(|e| e.to_string())
}

/// What is wrong with bytes, when they are listed or when they are read.
fn error(bytes: &[u8]) -> String {
    match catalog(bytes) {
        Ok(catalog) => catalog.read().map(|_| ()).unwrap_err().to_string(),
        Err(e) => e,
    }
}

fn small(name: &str) -> Vec<u8> {
    recipe::bytes(&format!("keras/{name}"))
}

/// The bytes with a piece of them, which is there once, replaced by another of its length.
fn replaced(bytes: &[u8], piece: &[u8], other: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(piece)).collect();
    let mut bytes = bytes.to_vec();
    assert_eq!((places.len(), piece.len()), (1, other.len()), "{places:?}");
    bytes[places[0]..places[0] + piece.len()].copy_from_slice(other);
    bytes
}

/// Little-endian numbers of eight bytes.
fn words<const N: usize>(numbers: [u64; N]) -> Vec<u8> {
    numbers.into_iter().flat_map(u64::to_le_bytes).collect()
}

/// The numbers of a layer of the small VGG16 in Keras's order: the inputs of a kernel before its outputs, and the channels
/// behind the rows and columns.
fn in_keras_order(shape: &[usize], values: &[f32]) -> (Vec<usize>, Vec<f32>) {
    let (outputs, inputs) = (shape[0], shape.get(1..).map_or(1, |rest| rest.iter().product()));
    let channels = match shape {
        [_] => return (shape.to_vec(), values.to_vec()),
        [_, channels, ..] if shape.len() == 4 => *channels,
        // The first dense layer follows 32 channels of 7 rows and 7 columns.
        [_, 1568] => 32,
        _ => inputs,
    };
    let pixels = inputs / channels;
    let order = |at: usize| {
        let (output, channel, pixel) = (at % outputs, at / outputs % channels, at / (outputs * channels));
        values[output * inputs + channel * pixels + pixel]
    };
    let shape = if shape.len() == 4 { vec![shape[2], shape[3], channels, outputs] } else { vec![inputs, outputs] };
    (shape, (0..values.len()).map(order).collect())
}

#[test]
fn the_file_of_keras_applications_holds_the_network_in_the_order_of_its_layers() {
    let bytes = recipe::bytes("tiny_vgg16_keras.h5");
    let catalog = catalog(&bytes).unwrap();
    assert_eq!(catalog.format(), Format::Hdf5);
    let metadata = [("backend", "tensorflow"), ("keras_version", "2.0.0")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(*catalog.metadata(), BTreeMap::from(metadata));

    let layers = [
        ("block1_conv1", "features.0"),
        ("block1_conv2", "features.2"),
        ("block2_conv1", "features.5"),
        ("block2_conv2", "features.7"),
        ("block3_conv1", "features.10"),
        ("block3_conv2", "features.12"),
        ("block3_conv3", "features.14"),
        ("block4_conv1", "features.17"),
        ("block4_conv2", "features.19"),
        ("block4_conv3", "features.21"),
        ("block5_conv1", "features.24"),
        ("block5_conv2", "features.26"),
        ("block5_conv3", "features.28"),
        ("fc1", "classifier.0"),
        ("fc2", "classifier.3"),
        ("predictions", "classifier.6"),
    ];
    let names = layers.iter().flat_map(|(layer, place)| {
        [("W", "weight"), ("b", "bias")].map(|(k, t)| (format!("{layer}/{layer}_{k}_1:0"), format!("{place}.{t}")))
    });
    let (expected, read) = (recipe::tiny_vgg16().parameters, catalog.read().unwrap());
    let mut entries = catalog.entries().iter();
    for (name, place) in names {
        let entry = entries.next().unwrap();
        let (shape, values) = in_keras_order(expected[&*place].shape(), expected[&*place].data());
        assert_eq!((&entry.name, entry.dtype, &entry.shape), (&name, Dtype::F32, &shape));
        assert_eq!((read.parameters[&*name].shape(), read.parameters[&*name].data()), (&*shape, &*values), "{name}");
    }
    assert_eq!((entries.next().map(|entry| &entry.name), read.parameters.len()), (None, 32));
}

#[test]
fn files_of_every_version_and_layout_are_read_to_the_same_numbers() {
    use Dtype::{BF16, F16, F32, F64};
    let integer = Dtype::Other("I64");
    let many: Vec<String> = (0..10).map(|number| format!("w{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), F32, vec![2])).collect();
    let files = [
        (
            "model.h5",
            vec![
                ("model_weights/conv/conv/kernel:0", F32, vec![3, 2]),
                ("model_weights/conv/conv/bias:0", F32, vec![2]),
                ("model_weights/ab/ab/kernel:0", F32, vec![3, 2]),
                ("model_weights/ab/ab/bias:0", F32, vec![2]),
            ],
        ),
        (
            "keras_3.weights.h5",
            vec![
                ("layers/conv2d/vars/0", F32, vec![2, 3]),
                ("layers/conv2d/vars/1", F16, vec![3]),
                ("layers/conv2d_2/vars/0", F32, vec![2, 3]),
                ("layers/conv2d_2/vars/1", F16, vec![3]),
                ("layers/conv2d_10/vars/0", F32, vec![2, 3]),
                ("layers/conv2d_10/vars/1", F16, vec![3]),
                ("layers/dense/vars/0", BF16, vec![3, 2]),
                ("optimizer/vars/0", integer, vec![]),
            ],
        ),
        ("dense.h5", many),
        ("chunks.h5", vec![("w", F32, vec![5, 7])]),
        (
            "lists.h5",
            vec![
                ("array", F32, vec![5, 7]),
                ("one", F32, vec![5, 7]),
                ("packed", F64, vec![5, 7]),
                ("row", F32, vec![5, 6]),
            ],
        ),
        ("tree.h5", vec![("w", F32, vec![5, 7])]),
        ("tree_packed.h5", vec![("w", F32, vec![5, 7])]),
    ];
    for (file, expected) in files {
        let bytes = small(file);
        // With a block of another program's in front, the file starts later and all places in it count from there.
        let length = bytes.len() as u64;
        let mut behind = vec![0; 512];
        behind.extend(replaced(&bytes, &words([length]), &words([length + 512])));
        for bytes in [&bytes, &behind] {
            let catalog = catalog(bytes).unwrap();
            let entries = catalog.entries().iter().map(|entry| (entry.name.as_str(), entry.dtype, entry.shape.clone()));
            assert_eq!(entries.collect::<Vec<_>>(), expected, "{file}");
            if expected.iter().any(|(_, dtype, _)| *dtype == integer) {
                let error = catalog.read().map(|_| ()).unwrap_err().to_string();
                assert!(error.starts_with("w.h5, tensor optimizer/vars/0: its type is I64, but only F32"), "{error}");
                continue;
            }
            let read = catalog.read().unwrap();
            for (name, _, shape) in &expected {
                let values: Vec<f32> =
                    (0..shape.iter().product()).map(|k: usize| k as f32 / 4.0 - name.len() as f32).collect();
                let tensor = &read.parameters[*name];
                assert_eq!((tensor.shape(), tensor.data()), (&**shape, &*values), "{file} {name}");
            }
        }
    }
}

#[test]
fn short_texts_among_the_attributes_become_metadata() {
    let metadata = |file| catalog(&small(file)).unwrap().metadata().clone();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let model = [("backend", "tensorflow"), ("keras_version", "2.15.0")].map(owned);
    assert_eq!(metadata("model.h5"), BTreeMap::from(model));
    let many = (0..9).map(|number| (format!("text{number}"), format!("attribute {number}"))).collect();
    assert_eq!(metadata("dense.h5"), many);
}

#[test]
fn links_that_go_in_circles_or_elsewhere_and_layouts_that_cannot_be_read_are_named() {
    let circle = "w.h5, tensor group/again: this group is in itself, in two others, or in far too many";
    let files = [
        ("circle.h5", circle),
        ("old_circle.h5", circle),
        ("soft.h5", "w.h5: a is a soft link, which is not followed: copy what it leads to into the file"),
        ("old_soft.h5", "w.h5: a is a soft link, which is not followed: copy what it leads to into the file"),
        ("external.h5", "w.h5: a is an external link, which is not followed: copy what it leads to into the file"),
        ("growing.h5", "w.h5, tensor w: it can grow, and its chunks are listed by an extensible array"),
        ("lzf.h5", "w.h5, tensor w: it is packed by the filter 32000 lzf: only gzip and shuffle can be read"),
        ("unwritten.h5", "w.h5, tensor w: some of its chunks were never written"),
    ];
    for (file, expected) in files {
        let error = error(&small(file));
        assert!(error.starts_with(expected), "{file}: {error}");
    }
}

/// Where a chunk of chunks.h5 is, and its length. The old B-tree has its length, its skipped filters, its first element as
/// the row, the column and a zero, and its place.
fn chunk(bytes: &[u8], row: u64, column: u64) -> (u64, usize) {
    let at = (8..bytes.len()).find(|&at| bytes[at..].starts_with(&words([row, column, 0]))).unwrap();
    let length = u32::from_le_bytes(bytes[at - 8..at - 4].try_into().unwrap());
    (u64::from_le_bytes(bytes[at + 24..at + 32].try_into().unwrap()), length as usize)
}

#[test]
fn shapes_and_chunks_that_were_made_to_do_harm_are_refused() {
    let chunks = small("chunks.h5");
    let [second, third] = [3, 6].map(|column| chunk(&chunks, 0, column).0);
    let moved = |to: [u64; 4]| replaced(&chunks, &words([0, 6, 0, third]), &words(to));
    let shaped = |shape: [u64; 2]| replaced(&chunks, &words([5, 7, 5, 7]), &words([shape[0], shape[1], 5, 7]));
    let cases = [
        (moved([0, 3, 0, third]), "one of its chunks is there twice"),
        (moved([0, 6, 0, second]), "two of its chunks are in the same place"),
        (moved([0, 5, 0, third]), "a chunk is between others"),
        (moved([0, 9, 0, third]), "a chunk is outside of the dataset"),
        (moved([1 << 63, 6, 0, third]), "a chunk is outside of the dataset"),
        (moved([0, 6, 0, chunks.len() as u64]), "where the file ends: it is damaged"),
        (moved([0, 6, 0, u64::MAX - 1]), "where the file ends: it is damaged"),
        (moved([0, 6, 0, u64::MAX]), "a structure of the HDF5 file is missing: the file is damaged"),
        (shaped([1 << 40, 1 << 40]), "its shape [1099511627776, 1099511627776] is out of any range"),
        (shaped([u64::MAX, 7]), "its shape [18446744073709551615, 7] is out of any range"),
        (shaped([1 << 40, 7]), "the tensors are far too large for a file of"),
        (shaped([7, 7]), "some of its chunks were never written"),
    ];
    for (bytes, expected) in cases {
        let error = error(&bytes);
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn heaps_that_go_beyond_the_file_are_refused() {
    // The lengths of a heap of names and of one of texts are behind the letters, the version and three bytes of nothing.
    for (file, letters) in [("chunks.h5", b"HEAP"), ("keras_3.weights.h5", b"GCOL")] {
        let mut bytes = small(file);
        let at = (0..bytes.len()).find(|&at| bytes[at..].starts_with(letters)).unwrap();
        for length in [bytes.len() as u64, 1 << 40, u64::MAX] {
            bytes[at + 8..at + 16].copy_from_slice(&length.to_le_bytes());
            let error = error(&bytes);
            assert!(error.contains(&format!("{length} bytes at ")), "{error}");
        }
    }
}

#[test]
fn trees_and_headers_that_lead_back_to_themselves_are_refused() {
    // The node of the old B-tree gets a level above the leaves, and each of its children is the node itself.
    let chunks = small("chunks.h5");
    let node = (0..chunks.len()).rfind(|&at| chunks[at..].starts_with(b"TREE")).unwrap();
    for level in [1, 32, 255] {
        let mut circle = chunks.clone();
        circle[node + 5] = level;
        for child in 0..9 {
            let at = node + 24 + 40 * child + 32;
            circle[at..at + 8].copy_from_slice(&(node as u64).to_le_bytes());
        }
        let error = error(&circle);
        assert!(error.contains("a B-tree of the HDF5 file has a wrong level"), "{error}");
    }
    // The root's header, whose first message becomes one that says the header goes on where this message is.
    let header = u64::from_le_bytes(chunks[64..72].try_into().unwrap()) as usize;
    let mut circle = chunks.clone();
    circle[header + 16..header + 20].copy_from_slice(&[0x10, 0, 16, 0]);
    circle[header + 24..header + 40].copy_from_slice(&words([header as u64 + 16, 24]));
    let error = error(&circle);
    assert!(error.contains("they go round in a circle"), "{error}");
}

#[test]
fn a_checksum_tells_damage_that_nothing_else_does() {
    let mut chunks = small("chunks.h5");
    let (start, length) = chunk(&chunks, 2, 3);
    chunks[start as usize + length - 1] ^= 1;
    let error = error(&chunks);
    assert!(error.contains("the checksum of a chunk is wrong"), "{error}");

    // The one chunk that is packed as a whole ends with a checksum of zlib, and behind it are zeros.
    let mut lists = small("lists.h5");
    let unpacked: Vec<u8> = (0..35).flat_map(|k| (k as f32 / 4.0 - 3.0).to_le_bytes()).collect();
    let (low, high) = unpacked.iter().fold((1, 0), |(low, high), &byte| {
        let low = (low + u32::from(byte)) % 65521;
        (low, (high + low) % 65521)
    });
    let sum = (high << 16 | low).to_be_bytes();
    lists = replaced(&lists, &sum, &(high << 16 | (low ^ 1)).to_be_bytes());
    let error = self::error(&lists);
    assert!(error.starts_with("w.h5, tensor one: a chunk cannot be unpacked"), "{error}");
}

#[test]
fn a_file_that_is_cut_short_anywhere_is_refused() {
    for name in ["model.h5", "dense.h5", "lists.h5"] {
        mutate::is_refused_when_cut(&small(name));
    }
    let model = small("model.h5");
    let error = error(&model[..model.len() - 1]);
    assert!(error.contains("the file is cut short: it should have"), "{error}");
}

#[test]
fn mutated_files_of_keras_do_no_harm() {
    let names = ["model.h5", "keras_3.weights.h5", "dense.h5", "chunks.h5", "lists.h5", "tree.h5", "tree_packed.h5"];
    // What was cut out would leave a file that is shorter than it says, which is refused before anything is read.
    let filled = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len() + 256, 0);
        bytes
    };
    let corpus = names.map(small);
    assert!(corpus.iter().all(|bytes| catalog(bytes).is_ok()));
    mutate::survives_wrong_bits(&small("lists.h5"));
    mutate::survives("Keras", &corpus, filled);
}

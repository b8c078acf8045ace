//! Files that are damaged at random.

use super::*;

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

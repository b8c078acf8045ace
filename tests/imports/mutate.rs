//! Damages files at random and reads them: whatever is in a file, reading it ends, soon, with what it holds or with an
//! error, and takes no more memory than [`memory_bound`] says.
//!
//! `MUTATIONS` sets how many files each test makes:
//!
//! ```text
//! MUTATIONS=200000 cargo test --test imports mutated -- --nocapture
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rayon::ThreadPoolBuilder;
use vultus::Random;
use vultus::weights::Catalog;

use crate::memory;

/// How many files a test makes if nothing else is said.
const COUNT: usize = 3000;

/// No file may take longer. The files here have a few kilobytes, which are read in less than a millisecond; the rest is for
/// machines that are busy with other things.
const LONGEST: Duration = Duration::from_secs(10);

/// Numbers that sizes and offsets are replaced by.
const NUMBERS: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// The most memory that reading a file of so many bytes may take at once. Its tensors may have sixteen times its size,
/// and so may what they are made from; an empty list takes a byte in a pickle, and some dozens in memory.
pub fn memory_bound(length: usize) -> usize {
    64 * length + (8 << 20)
}

/// Reads everything in a file, whatever comes of it.
pub fn read(bytes: &[u8]) {
    let _ = Catalog::from_bytes(Path::new("w"), bytes).and_then(|catalog| catalog.read());
}

/// Damages the files of a corpus, each in its turn, and reads what `wrap` makes of them: the same, or a file that contains
/// what was damaged.
pub fn survives(name: &str, corpus: &[Vec<u8>], wrap: impl Fn(Vec<u8>) -> Vec<u8> + Sync) {
    let count = std::env::var("MUTATIONS").map_or(COUNT, |text| text.parse().expect("MUTATIONS is a number"));
    // One thread, whose memory is counted.
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let start = Instant::now();
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    pool.install(|| {
        for seed in 0..count {
            let bytes = wrap(mutated(corpus, seed));
            let (before, mut outcome) = (Instant::now(), Ok(()));
            let peak = memory::peak(|| outcome = catch_unwind(AssertUnwindSafe(|| read(&bytes))));
            assert!(outcome.is_ok(), "{name}: the file of the seed {seed} makes the reader panic");
            let (took, bound) = (before.elapsed(), memory_bound(bytes.len()));
            assert!(took < LONGEST, "{name}: the file of the seed {seed} takes {took:?}");
            assert!(peak <= bound, "{name}: the file of the seed {seed} takes {peak} bytes, more than {bound}");
            (slowest, largest) = (slowest.max(took), largest.max(peak));
        }
    });
    let all = start.elapsed();
    println!("{name}: {count} files in {all:.1?}, the slowest {slowest:.1?}, at most {largest} bytes of memory");
}

/// A file with one to four places changed.
fn mutated(corpus: &[Vec<u8>], seed: usize) -> Vec<u8> {
    let mut random = Random::new(seed as u64);
    let mut bytes = corpus[seed % corpus.len()].clone();
    let other = &corpus[random.below(corpus.len())];
    for _ in 0..1 + random.below(4) {
        mutate(&mut bytes, other, &mut random);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(0);
    }
    let at = random.below(bytes.len());
    let end = (at + 1 + random.below(40)).min(bytes.len());
    match random.below(8) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = random.below(256) as u8,
        3 => {
            let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
            let number = NUMBERS[random.below(NUMBERS.len())].to_le_bytes();
            bytes[at..at + width].copy_from_slice(&number[..width]);
        }
        4 => {
            bytes.drain(at..end);
        }
        5 => {
            let copy = bytes[at..end].to_vec();
            let place = random.below(bytes.len());
            bytes.splice(place..place, copy);
        }
        6 => {
            let from = random.below(other.len());
            let copy = other[from..(from + end - at).min(other.len())].to_vec();
            bytes.splice(at..end, copy);
        }
        _ => {
            // Most cuts at the start would leave nothing to read.
            bytes.truncate(bytes.len() - random.below(bytes.len().min(200)));
        }
    }
}

/// Asserts that a file is refused wherever it is cut off, at every 64th byte.
pub fn is_refused_when_cut(bytes: &[u8]) {
    for length in (0..bytes.len()).step_by(64) {
        let catalog = Catalog::from_bytes(Path::new("w"), &bytes[..length]);
        assert!(catalog.and_then(|catalog| catalog.read()).is_err(), "the first {length} bytes are read");
    }
}

/// Reads a file with each of its bits wrong, one after the other.
pub fn survives_wrong_bits(bytes: &[u8]) {
    let mut damaged = bytes.to_vec();
    for at in 0..8 * bytes.len() {
        damaged[at / 8] ^= 1 << (at % 8);
        read(&damaged);
        damaged[at / 8] = bytes[at / 8];
    }
}

//! Do explanations hold? Takes away what they call important from the faces of a data set, and sees how much less probable
//! the model's answer becomes: `cargo run --release --example deletion -- DATA [FACES [MODEL]]`
//!
//! DATA is a folder or list as `vultus train` takes it, whose pictures are faces as a whole; so many FACES of it (200 unless
//! it is said), at even distances, are looked at. MODEL is a file of `vultus train`; without it the default model.

#[path = "../tests/deletion/mod.rs"]
mod deletion;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use deletion::{Deletion, Drops, METHODS, load, mean};
use vultus::data::Dataset;
use vultus::{Device, Random};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (data, faces, model) = match arguments.as_slice() {
        [data] => (data, 200, None),
        [data, faces] => (data, faces.parse()?, None),
        [data, faces, model] => (data, faces.parse()?, Some(Path::new(model))),
        _ => return Err("usage: deletion DATA [FACES [MODEL]]".into()),
    };
    let data = Dataset::open(Path::new(data))?;
    let (card, parameters) = load(model)?;
    let device = Device::best();
    let mut deletion = Deletion::new(&device, card, &parameters)?;
    let faces = data.samples.len().min(faces);
    if faces < 2 {
        return Err("at least 2 faces are needed".into());
    }
    let (mut random, mut drops, start) = (Random::new(1), [const { Vec::new() }; METHODS.len()], Instant::now());
    for number in 0..faces {
        let face = data.samples[number * data.samples.len() / faces].decode()?;
        for (drops, drop) in drops.iter_mut().zip(deletion.drops(&face, &mut random)?) {
            drops.push(drop);
        }
    }
    let (side, seconds) = (deletion.card().input, start.elapsed().as_secs_f64());
    println!("{faces} faces of {} at {side}×{side} on {device}, {seconds:.0} s", data.path.display());
    println!("by how much the answer becomes less probable without a tenth of the face (mean, 95 % interval)\n");
    println!("{:<10} {:>16} {:>16} {:>16}   most > random", "", "most important", "random", "least important");
    for (method, drops) in METHODS.iter().zip(&drops) {
        let tenth = |of: fn(&Drops) -> f32| {
            let [mean, half] = mean(&drops.iter().map(of).collect::<Vec<f32>>());
            format!("{mean:.3} ± {half:.3}")
        };
        let [most, random, least] = [tenth(|drop| drop.most), tenth(|drop| drop.random), tenth(|drop| drop.least)];
        let more = drops.iter().filter(|drop| drop.most > drop.random).count() as f32 / drops.len() as f32;
        println!("{method:<10} {most:>16} {random:>16} {least:>16}   {:.0} %", 100.0 * more);
    }
    Ok(())
}

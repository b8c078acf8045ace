//! A network of your own: described, trained on pictures that are made here, and judged on others.
//!
//! `cargo run --release --example custom_network` tells circles, squares and crosses apart. With `-- gpu` or a part of an
//! adapter's name it does so on that device.

use vultus::nn::{Network, Optimizer, Training};
use vultus::ops::{Adam, Conv2d, MaxPool2d};
use vultus::{Device, Options, Random, Result, StepOptions, Targets, Tensor};

const SIDE: usize = 24;
const CLASSES: [&str; 3] = ["circle", "square", "cross"];
const BATCH: usize = 32;

fn main() -> Result<()> {
    let device = std::env::args().nth(1).map_or(Ok(Device::best()), |name| Device::named(&name))?;
    let conv = Conv2d::square(3, 1, 1);
    let network = Network::new("shapes", [1, SIDE, SIDE])
        .conv2d("conv1", "conv1", 8, conv)
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 16, conv)
        .relu()
        .max_pool2d("pool2", MaxPool2d::new(2, 2))
        .flatten()
        .dense("fc1", "fc1", 32)
        .relu()
        .dense("fc2", "fc2", CLASSES.len())
        .softmax();
    let model = device.load(&network, &network.initialize(1)?)?;

    let training = Training { optimizer: Optimizer::Adam(Adam::default()), ..Training::default() };
    let mut plan = model.compile_training(BATCH, &training, &Options::default())?;
    let mut random = Random::new(2);
    let options = StepOptions { learning_rate: 0.002, ..StepOptions::default() };
    for step in 1..=300 {
        let (pictures, classes) = batch(&mut random);
        let targets: Vec<Option<usize>> = classes.into_iter().map(Some).collect();
        let loss = plan.train(&pictures, Targets::Classes(&targets), &options)?;
        if step % 50 == 0 {
            println!("step {step}: loss {loss:.3}");
        }
    }

    // All plans of a model share its parameters.
    let mut plan = model.compile(BATCH, &Options::default())?;
    let (mut right, mut all) = (0, 0);
    for _ in 0..20 {
        let (pictures, classes) = batch(&mut random);
        let probabilities = plan.run(&pictures)?;
        for (row, class) in probabilities[0].data().chunks(CLASSES.len()).zip(classes) {
            all += 1;
            right += usize::from(row.iter().all(|&other| other <= row[class]));
        }
    }
    println!("{device}: {right} of {all} new pictures right ({:.1} %)", 100.0 * right as f32 / all as f32);
    Ok(())
}

/// Pictures of shapes, a little noisy, of any size at any place, and what they show.
fn batch(random: &mut Random) -> (Tensor, Vec<usize>) {
    let (mut pixels, mut classes) = (Vec::new(), Vec::new());
    for _ in 0..BATCH {
        let class = random.below(CLASSES.len());
        let radius = 4.0 + 5.0 * random.uniform();
        let center = [(); 2].map(|()| radius + random.uniform() * (SIDE as f32 - 2.0 * radius));
        for place in 0..SIDE * SIDE {
            let [x, y] = [(place % SIDE) as f32 - center[0], (place / SIDE) as f32 - center[1]].map(f32::abs);
            let is_inside = match CLASSES[class] {
                "circle" => x.hypot(y) < radius,
                "square" => x.max(y) < 0.9 * radius,
                _ => x.min(y) < 0.3 * radius && x.max(y) < radius,
            };
            pixels.push(f32::from(u8::from(is_inside)) + 0.1 * random.normal());
        }
        classes.push(class);
    }
    let mut pixels = pixels.into_iter();
    (Tensor::from_fn([BATCH, 1, SIDE, SIDE], |_| pixels.next().unwrap_or_default()), classes)
}

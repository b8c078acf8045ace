//! Every operation on VGG16's shapes, on the CPU and on a GPU adapter: `cargo bench --bench operations`.
//!
//! The adapter is the best hardware one, or the one that `VULTUS_DEVICE` names. Filters as in every criterion bench:
//! `cargo bench --bench operations -- conv2d/cpu`.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vultus::nn::Network;
use vultus::ops::{self, Case, Crop, Filter, MaxPool2d, Normalization};
use vultus::{Device, Options, Parameters};

/// VGG16's layers at 224×224 and batch 1, and for what VGG16 has no layer the cases that the tests use.
fn cases() -> Vec<Case> {
    let mut cases = ops::conv2d::vgg16_cases(1, 224);
    cases.extend(ops::max_pool2d::vgg16_cases(1, 224));
    cases.extend(ops::dense::vgg16_cases(1));
    cases.extend(ops::dense::vgg16_cases(32).into_iter().take(3));
    for others in [
        ops::activation::cases(),
        ops::prelu::cases(),
        ops::adaptive_avg_pool2d::cases(),
        ops::add::cases(),
        ops::softmax::cases(),
        ops::cross_entropy::cases(),
        ops::dropout::cases(),
        ops::sgd::cases(),
        ops::adam::cases(),
    ] {
        cases.extend(others);
    }
    cases
}

fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("cpu", Device::Cpu)];
    let name = std::env::var("VULTUS_DEVICE").unwrap_or_else(|_| "gpu".to_owned());
    match Device::named(&name) {
        Ok(gpu) => devices.push(("gpu", gpu)),
        Err(error) => eprintln!("only the CPU is measured: {error}"),
    }
    devices
}

fn operations(criterion: &mut Criterion) {
    let devices = devices();
    for case in cases() {
        let inputs = case.inputs(1);
        let shapes = case.shapes();
        let outputs = case.op.output_shapes(&shapes).expect("cases are valid");
        let mut group = criterion.benchmark_group(case.name());
        group.throughput(Throughput::Elements(case.op.flops(&shapes, &outputs)));
        group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
        for (name, device) in &devices {
            let mut plan = device.compile_op(&case.op, &shapes, &Options::default()).expect("cases fit every device");
            plan.run_all(&inputs).expect("cases run");
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    plan.execute().expect("the device is there");
                    plan.wait().expect("the device is there");
                });
            });
        }
        group.finish();
    }
}

/// From 640×480 pixels to VGG16's input, and a batch of small crops as the face detector cuts them.
fn resize(criterion: &mut Criterion) {
    let devices = devices();
    let (width, height) = (640, 480);
    let pixels: Vec<u8> = (0..3 * width * height).map(|i| (i % 251) as u8).collect();
    let small: Vec<Crop> = (0..64).map(|i| Crop { x: 8 * i, y: 4 * i, width: 60, height: 60, mirror: false }).collect();
    for (name, crops, size, filter) in [
        ("resize/area/640x480_to_224x224", vec![Crop::whole(width, height)], 224, Filter::Area),
        ("resize/bilinear/640x480_to_224x224", vec![Crop::whole(width, height)], 224, Filter::Bilinear),
        ("resize/area/64_of_60x60_to_24x24", small, 24, Filter::Area),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
        for (name, device) in &devices {
            // The picture goes into the input of a plan, whose own work is not part of the measurement.
            let network = Network::new("input", [3, size, size]).max_pool2d("same", MaxPool2d::new(1, 1));
            let model = device.load(&network, &Parameters::new()).expect("the network has no parameters");
            let mut plan = model.compile(crops.len(), &Options::default()).expect("the input fits every device");
            let picture = device.upload(&pixels, width, height).expect("the picture fits every device");
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    plan.set_picture(&picture, &crops, filter, &Normalization::CAFFE).expect("the crops fit");
                    plan.wait().expect("the device is there");
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, operations, resize);
criterion_main!(benches);

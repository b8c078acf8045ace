//! What a plan costs after its first run, what the device gets back, and what happens when the device is lost.

mod compare;

use compare::{Comparison, adapter, fresh_gpu, photo};
use vultus::gpu::{Counts, Gpu};
use vultus::nn::{Network, Optimizer, Training, vgg16};
use vultus::ops::{Adam, BatchNorm2d, Conv2d, Crop, CrossEntropy, Filter, MaxPool2d, Normalization, Variation};
use vultus::{
    Device, Error, Model, Options, Parameters, Picture, Plan, Result, StepOptions, Targets, Tensor, TrainingPlan, wgpu,
};

/// A small classifier with many kinds of layers that train, one block of which is gone around.
fn network() -> Network {
    Network::new("small", [3, 16, 16])
        .conv2d_without_bias("conv1", "conv1", 8, Conv2d::square(3, 1, 1))
        .batch_norm2d("norm1", "norm1", BatchNorm2d::default())
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 8, Conv2d::square(3, 1, 1).groups(8))
        .prelu("prelu2", "prelu2")
        .stochastic_depth(0.5)
        .add("sum2", "pool1")
        .unwrap()
        .adaptive_avg_pool2d("pool2", [2, 2])
        .flatten()
        .dense("fc1", "fc1", 16)
        .relu()
        .dropout(0.5)
        .dense("fc2", "fc2", 7)
        .softmax()
}

fn model(device: &Device) -> Result<Model> {
    device.load(&network(), &network().initialize(1)?)
}

fn training() -> Training {
    Training {
        loss: CrossEntropy { label_smoothing: 0.1 }.into(),
        optimizer: Optimizer::Adam(Adam::default()),
        ..Training::default()
    }
}

fn input(batch: usize) -> Tensor {
    Tensor::from_fn([batch, 3, 16, 16], |i| (i as f32 * 0.37).sin())
}

fn options(learning_rate: f32) -> StepOptions {
    StepOptions { learning_rate, seed: 5, ..StepOptions::default() }
}

/// One step on four pictures, one of which only fills up the batch.
fn train(plan: &mut TrainingPlan) -> Result<f32> {
    plan.train(&input(4), Targets::Classes(&[Some(0), Some(3), None, Some(6)]), &options(0.01))
}

/// A crop that is another one in every step.
fn crop(step: u32) -> Crop {
    Crop { x: step % 50, y: step % 40, width: 30 + step % 100, height: 20 + step % 90, mirror: step % 2 == 1 }
}

fn cut(plan: &mut Plan, picture: &Picture, step: u32) -> Result<()> {
    plan.set_picture(picture, &[crop(step), crop(step + 1)], Filter::Area, &Normalization::MTCNN)
}

/// Two pictures in bytes, one in colour and one gray, varied in another way in every step.
fn vary(plan: &mut Plan, step: u32) -> Result<()> {
    let (colour, gray) = ([90; 3 * 16 * 16], [120; 16 * 16]);
    let varied = Variation { noise: 3.0, seed: u64::from(step), ..Variation::none() };
    plan.set_varied(&[&colour, &gray], &[varied, Variation::none()], &Normalization::MTCNN)
}

/// Runs twice, and then again and again: nothing may be created any more.
#[track_caller]
fn assert_steady(gpu: &Gpu, mut run: impl FnMut(u32) -> Result<()>) {
    let now = || (gpu.counts(), gpu.bytes_in_use());
    run(1).unwrap();
    run(2).unwrap();
    let before = now();
    assert!(before.0.buffers > 0 && before.0.bind_groups > 0 && before.0.pipelines > 0 && before.1 > 0);
    for step in 3..=100 {
        run(step).unwrap();
        assert_eq!(now(), before, "step {step}");
    }
}

#[test]
fn later_runs_create_nothing_and_all_memory_comes_back() {
    let gpu = fresh_gpu();
    assert_eq!((gpu.counts(), gpu.bytes_in_use()), (Counts::default(), 0));
    let device = Device::Gpu(gpu.clone());
    let model = model(&device).unwrap();
    let parameters = gpu.bytes_in_use();
    assert_eq!(parameters, 4 * network().initialize(1).unwrap().values().map(|t| t.len() as u64).sum::<u64>());
    {
        let mut plan = model.compile(2, &Options::default()).unwrap();
        assert_steady(&gpu, |_| plan.run(&input(2)).map(drop));
        let mut plan = model.compile_training(4, &training(), &Options::default()).unwrap();
        assert_steady(&gpu, |_| train(&mut plan).map(drop));
    }
    assert_eq!(gpu.bytes_in_use(), parameters);
    {
        let mut plan = model.compile(2, &Options::default()).unwrap();
        let (rgb, width, height) = photo();
        let picture = device.upload(&rgb, width, height).unwrap();
        assert_steady(&gpu, |step| {
            cut(&mut plan, &picture, step)?;
            plan.execute()?;
            plan.outputs().map(drop)
        });
        assert_steady(&gpu, |step| {
            vary(&mut plan, step)?;
            plan.execute()?;
            plan.outputs().map(drop)
        });
    }
    assert_eq!(gpu.bytes_in_use(), parameters);
    let plan = model.compile(1, &Options::default()).unwrap();
    drop(model);
    assert!(gpu.bytes_in_use() > parameters, "a plan keeps the parameters that it uses");
    drop(plan);
    assert_eq!(gpu.bytes_in_use(), 0);
}

#[test]
fn inference_holds_two_activations_at_a_time() {
    let gpu = fresh_gpu();
    // Too few channels for the algorithms that need scratch memory, which grows in blocks.
    let network = vgg16::base_with_widths(64, &[&[8, 8], &[10, 10], &[12, 12, 12], &[14, 14, 14], &[15, 15, 15]]);
    let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(1).unwrap()).unwrap();
    let bytes = |batch: usize| {
        let before = gpu.bytes_in_use();
        let plan = model.compile(batch, &Options::default()).unwrap();
        let bytes = gpu.bytes_in_use() - before;
        drop(plan);
        bytes
    };
    // Per image: the input, the largest two neighbours, the output, and the buffer through which it is read.
    let (input, largest, output) = (3 * 64 * 64, 8 * 64 * 64, 15 * 2 * 2);
    assert_eq!(bytes(6) - bytes(5), 4 * (input + 2 * largest + 2 * output));
}

#[test]
fn steps_share_their_scratch_memory() {
    let gpu = fresh_gpu();
    let bytes = |layers: usize| {
        let conv = Conv2d::square(3, 1, 1);
        let layer = |network: Network, i| network.conv2d(&format!("conv{i}"), &format!("conv{i}"), 16, conv);
        let network = (0..layers).fold(Network::new("layers", [16, 8, 8]), layer);
        let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(1).unwrap()).unwrap();
        let before = gpu.bytes_in_use();
        let options = Options { kernel: Some("conv2d/gemm_64".to_owned()), ..Options::default() };
        let plan = model.compile(1, &options).unwrap();
        let bytes = gpu.bytes_in_use() - before;
        drop(plan);
        assert_eq!(gpu.bytes_in_use(), before);
        bytes
    };
    // The packed filters of a layer take 9 KiB; what is not shared are the parameters of its dispatches.
    let packed = 4 * 9 * 16 * 16;
    assert!(bytes(2) > packed);
    assert!(bytes(5) - bytes(2) < packed);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    for device in [Device::Cpu, Device::Gpu(fresh_gpu())] {
        let run = || {
            let model = model(&device).unwrap();
            let mut plan = model.compile_training(4, &training(), &Options::default()).unwrap();
            let losses: Vec<u32> = (1..=20).map(|_| train(&mut plan).unwrap().to_bits()).collect();
            let bits = |t: Tensor| t.into_data().into_iter().map(f32::to_bits).collect::<Vec<_>>();
            (losses, model.parameters().unwrap().into_values().map(bits).collect::<Vec<_>>())
        };
        let first = run();
        assert!(first.0.windows(2).any(|pair| pair[0] != pair[1]), "nothing was trained on {device}");
        assert!(first == run(), "{device}");
    }
}

/// A device that an application has made for itself.
fn foreign() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let same = adapters.iter().find(|found| found.get_info().name == adapter().info().name).unwrap();
    pollster::block_on(same.request_device(&wgpu::DeviceDescriptor::default())).unwrap()
}

#[test]
fn a_lost_device_is_an_error() {
    let (device, queue) = foreign();
    for (whose, gpu) in [("own", fresh_gpu()), ("foreign", Gpu::from_device(device, queue))] {
        let device = Device::Gpu(gpu.clone());
        let model = model(&device).unwrap();
        let mut plan = model.compile(2, &Options::default()).unwrap();
        let mut trained = model.compile_training(4, &training(), &Options::default()).unwrap();
        let mut untouched = model.compile(1, &Options::default()).unwrap();
        let (rgb, width, height) = photo();
        let picture = device.upload(&rgb, width, height).unwrap();
        plan.run(&input(2)).unwrap();
        cut(&mut plan, &picture, 1).unwrap();
        train(&mut trained).unwrap();
        let (parameters, memory) = (model.parameters().unwrap(), trained.state().unwrap());
        gpu.device().destroy();
        let mut failures = Vec::new();
        let mut check = |what: &str, result: Result<()>| match result {
            Err(Error::DeviceLost { .. }) => {}
            other => failures.push(format!("{what}: {other:?}")),
        };
        check("run", plan.run(&input(2)).map(drop));
        check("first run", untouched.run(&input(1)).map(drop));
        check("outputs", plan.outputs().map(drop));
        check("train", train(&mut trained).map(drop));
        check("gradient", trained.gradient("fc1.weight").map(drop));
        check("set_picture", cut(&mut plan, &picture, 2).and_then(|()| plan.execute()).and_then(|()| plan.wait()));
        check("first set_picture", cut(trained.as_plan(), &picture, 2));
        check("first set_varied", vary(&mut plan, 2));
        check("profile", plan.profile().map(drop));
        check("wait", plan.wait());
        check("parameters", model.parameters().map(drop));
        check("set_parameters", model.set_parameters(&parameters));
        check("state", trained.state().map(drop));
        check("set_state", trained.set_state(&memory));
        check("compile", model.compile(3, &Options::default()).map(drop));
        check("upload", device.upload(&rgb, width, height).map(drop));
        check("load", self::model(&device).map(drop));
        check("run_async", pollster::block_on(plan.run_async(&input(2))).map(drop));
        assert!(failures.is_empty(), "{whose} device:\n{}", failures.join("\n"));
    }
}

#[test]
fn a_run_can_be_awaited_while_the_application_polls() {
    let gpu = fresh_gpu();
    let model = model(&Device::Gpu(gpu.clone())).unwrap();
    let mut plan = model.compile(2, &Options::default()).unwrap();
    let wanted = plan.run(&input(2)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let found = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                gpu.device().poll(wgpu::PollType::Poll).unwrap();
                std::thread::yield_now();
            }
        });
        let found = pollster::block_on(plan.run_async(&input(2))).unwrap();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        found
    });
    assert_eq!(found, wanted);
}

#[test]
fn an_awaited_run_that_is_given_up_leaves_the_plan_usable() {
    let (device, queue) = foreign();
    for gpu in [Gpu::from_device(device, queue), fresh_gpu()] {
        let mut plan = model(&Device::Gpu(gpu)).unwrap().compile(2, &Options::default()).unwrap();
        let wanted = plan.run(&input(2)).unwrap();
        let x = input(2);
        let mut run = Box::pin(plan.run_async(&x));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        // Asked once, before the device has answered, and dropped.
        let _ = std::future::Future::poll(run.as_mut(), &mut context);
        drop(run);
        assert_eq!(plan.run(&input(2)).unwrap(), wanted);
    }
}

#[test]
fn two_engines_share_one_device() {
    let (device, queue) = foreign();
    let engines = [(); 2].map(|()| Device::Gpu(Gpu::from_device(device.clone(), queue.clone())));
    let outputs = engines.each_ref().map(|engine| {
        let mut plan = model(engine).unwrap().compile(2, &Options::default()).unwrap();
        plan.run(&input(2)).unwrap()
    });
    assert_eq!(outputs[0], outputs[1]);
    // A plan takes no picture of another device, even if the driver's is the same.
    let cpu = Device::Cpu.upload(&[0; 3], 1, 1).unwrap();
    let mut plan = model(&engines[0]).unwrap().compile(1, &Options::default()).unwrap();
    let refused = plan.set_picture(&cpu, &[Crop::whole(1, 1)], Filter::Area, &Normalization::CAFFE);
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
}

#[test]
fn threads_share_one_device() {
    let device = Device::Gpu(fresh_gpu());
    let model = model(&device).unwrap();
    let wanted = model.compile(2, &Options::default()).unwrap().run(&input(2)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut plan = model.compile(2, &Options::default()).unwrap();
                for _ in 0..100 {
                    assert_eq!(plan.run(&input(2)).unwrap(), wanted);
                }
            });
        }
    });
}

#[test]
fn an_application_encodes_runs_into_its_own_commands() {
    let gpu = fresh_gpu();
    let model = model(&Device::Gpu(gpu.clone())).unwrap();
    let mut plan = model.compile(2, &Options::default()).unwrap();
    let wanted = plan.run(&input(2)).unwrap();
    plan.run(&Tensor::zeros([2, 3, 16, 16])).unwrap();
    let on_gpu = plan.gpu().unwrap();
    let (buffer, start) = on_gpu.input_buffer(0).unwrap();
    let bytes: Vec<u8> = input(2).data().iter().flat_map(|value| value.to_le_bytes()).collect();
    gpu.queue().write_buffer(buffer, start, &bytes);
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    on_gpu.encode(&mut encoder).unwrap();
    gpu.queue().submit([encoder.finish()]);
    assert!(on_gpu.output_buffer(0).is_some() && on_gpu.output_buffer(1).is_none());
    assert!(on_gpu.input_buffer(1).is_none());
    let mut comparison = Comparison::default();
    comparison.check("encoded", &plan.outputs().unwrap()[0], &wanted[0], 0.0);
    comparison.finish();
}

/// A network whose convolutions use transformed weights.
fn transformed() -> Network {
    let conv = Conv2d::square(3, 1, 1);
    Network::new("transformed", [16, 12, 12])
        .conv2d("conv1", "conv1", 24, conv)
        .relu()
        .conv2d("conv2", "conv2", 32, conv)
        .flatten()
        .dense("fc", "fc", 7)
        .softmax()
}

#[test]
fn transformed_weights_follow_what_is_trained() {
    let gpu = fresh_gpu();
    let network = transformed();
    let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(1).unwrap()).unwrap();
    let x = Tensor::from_fn([2, 16, 12, 12], |i| (i as f32 * 0.37).sin());
    let parameters = gpu.bytes_in_use();
    let mut plan = model.compile(2, &Options::default()).unwrap();
    let first = gpu.bytes_in_use() - parameters;
    let kernels: Vec<String> = plan.profile().unwrap().into_iter().map(|layer| layer.kernel).collect();
    assert!(kernels.iter().filter(|kernel| kernel.contains("winograd")).count() == 2, "{kernels:?}");
    let before = gpu.bytes_in_use();
    let mut other = model.compile(2, &Options::default()).unwrap();
    // The transformed weights (of at least 4 × 4 points) are there once.
    let saved = first - (gpu.bytes_in_use() - before);
    assert!(saved >= 16 * 4 * (16 * 24 + 24 * 32), "another plan takes only {saved} bytes less");
    let mut trained = model.compile_training(2, &training(), &Options::default()).unwrap();
    let mut comparison = Comparison::default();
    let mut compare = |what: &str, found: &Tensor| {
        let cpu = Device::Cpu.load(&network, &model.parameters().unwrap()).unwrap();
        let wanted = cpu.compile(2, &Options::default()).unwrap().run(&x).unwrap();
        comparison.check(what, found, &wanted[0], 1e-5);
        wanted
    };
    let before = compare("at first", &plan.run(&x).unwrap()[0]);
    for _ in 1..=3 {
        trained.train(&x, Targets::Classes(&[Some(0), Some(3)]), &options(0.05)).unwrap();
        compare("after a step", &plan.run(&x).unwrap()[0]);
    }
    assert_ne!(compare("in another plan", &other.run(&x).unwrap()[0]), before);

    // An application that encodes a run before the next training step, and submits it after.
    plan.set_input(0, &x).unwrap();
    let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    plan.gpu().unwrap().encode(&mut encoder).unwrap();
    trained.train(&x, Targets::Classes(&[Some(1), Some(2)]), &options(0.05)).unwrap();
    gpu.queue().submit([encoder.finish()]);
    compare("encoded before, submitted after", &plan.outputs().unwrap()[0]);
    comparison.finish();
}

#[test]
fn a_network_is_loaded_with_its_own_parameters_only() {
    let good = network().initialize(1).unwrap();
    let change = |change: fn(&mut Parameters)| {
        let mut parameters = good.clone();
        change(&mut parameters);
        Device::Cpu.load(&network(), &parameters).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(change(|p| drop(p.remove("fc1.bias"))).contains("fc1.bias is missing"));
    assert!(change(|p| drop(p.insert("fc3.bias".into(), Tensor::zeros([1])))).contains("no parameter \"fc3.bias\""));
    assert!(change(|p| drop(p.insert("fc1.bias".into(), Tensor::zeros([15])))).contains("[16] is needed"));
    assert_eq!(change(|_| ()), "");
}

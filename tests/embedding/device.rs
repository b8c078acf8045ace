//! The application's device: what it may lack, and who may be dropped before whom.

use vultus::gpu::Gpu;
use vultus::nn::{Optimizer, Training};
use vultus::ops::{Activation, Adam, Crop, Filter, Normalization};
use vultus::{Device, Error, Model, Options, Picture, Plan, StepOptions, Targets, Tensor, wgpu};

use super::application::{copies_arrive, input, model, plan, read, request, wanted};
use crate::compare::Comparison;

fn engine(limits: wgpu::Limits) -> Device {
    let (device, queue) = request(limits);
    Device::Gpu(Gpu::from_device(device, queue))
}

#[test]
fn the_limits_that_every_webgpu_device_has_are_enough() {
    let engine = engine(wgpu::Limits::default());
    assert!(engine.gpu().unwrap().device().features().is_empty());
    let (mut comparison, training) = (Comparison::default(), training());
    let run = |device: &Device| {
        let model = model(device, 1).unwrap();
        let mut plan = model.compile_training(2, &training, &Options::default()).unwrap();
        let step = StepOptions { learning_rate: 0.01, ..StepOptions::default() };
        let loss = plan.train(&input(0), Targets::Classes(&[Some(1), Some(4)]), &step).unwrap();
        let trained = model.compile(2, &Options::default()).unwrap().run(&input(1)).unwrap().swap_remove(0);
        (Tensor::new([1], vec![loss]).unwrap(), trained, plan.profile().unwrap().len())
    };
    let (found, wanted) = (run(&engine), run(&Device::Cpu));
    comparison.check("loss", &found.0, &wanted.0, 1e-5);
    comparison.check("after a step", &found.1, &wanted.1, 1e-4);
    // There are no timestamps.
    assert_eq!(found.2, wanted.2);
    comparison.finish();
}

fn training() -> Training {
    Training { optimizer: Optimizer::Adam(Adam::default()), ..Training::default() }
}

/// A limit by its name.
type Lower = (&'static str, fn(&mut wgpu::Limits));

#[test]
fn a_device_that_cannot_run_the_kernels_is_refused_by_the_name_of_the_limit() {
    let lower: [Lower; 6] = [
        ("max_compute_invocations_per_workgroup", |limits| limits.max_compute_invocations_per_workgroup = 128),
        ("max_compute_workgroup_size_x", |limits| limits.max_compute_workgroup_size_x = 128),
        ("max_compute_workgroup_storage_size", |limits| limits.max_compute_workgroup_storage_size = 8 << 10),
        ("max_compute_workgroups_per_dimension", |limits| limits.max_compute_workgroups_per_dimension = 1 << 10),
        ("max_storage_buffers_per_shader_stage", |limits| limits.max_storage_buffers_per_shader_stage = 2),
        ("max_uniform_buffers_per_shader_stage", |limits| limits.max_uniform_buffers_per_shader_stage = 1),
    ];
    for (name, lower) in lower {
        let mut limits = wgpu::Limits::default();
        lower(&mut limits);
        assert_refused(&engine(limits), name);
    }
    assert_refused(&engine(wgpu::Limits::downlevel_webgl2_defaults()), "max_compute_invocations_per_workgroup");
}

#[track_caller]
fn assert_refused(engine: &Device, name: &str) {
    let relu = engine.compile_op(&Activation::Relu.into(), &[&[4]], &Options::default()).map(drop);
    let refused = [model(engine, 1).map(drop), engine.upload(&[0; 3], 1, 1).map(drop), relu];
    for result in refused {
        let Err(error @ Error::Limit { limit, needed, available, .. }) = &result else { panic!("{name}: {result:?}") };
        assert_eq!(*limit, name);
        assert!(needed > available);
        assert!(error.to_string().contains("wgpu::Limits::default()"), "{error}");
    }
}

/// What an application holds of the engine.
struct Held {
    engine: Option<Device>,
    model: Option<Model>,
    picture: Option<Picture>,
    plan: Option<Plan>,
}

impl Held {
    fn drop_one(&mut self, which: usize) {
        match which {
            0 => drop(self.engine.take()),
            1 => drop(self.model.take()),
            2 => drop(self.picture.take()),
            _ => drop(self.plan.take()),
        }
    }

    /// Uses all that is left, alone and together.
    fn check(&mut self, case: &str, comparison: &mut Comparison) {
        if let Some(model) = &self.model {
            let found = model.compile(2, &Options::default()).unwrap().run(&input(1)).unwrap();
            comparison.check(format!("{case}: a new plan"), &found[0], &wanted(1, 1), 1e-5);
        }
        if let Some(engine) = &self.engine {
            let found = plan(engine, 2).unwrap().run(&input(2)).unwrap();
            comparison.check(format!("{case}: a new model"), &found[0], &wanted(2, 2), 1e-5);
        }
        if let Some(plan) = &mut self.plan {
            let found = plan.run(&input(3)).unwrap();
            comparison.check(format!("{case}: the plan"), &found[0], &wanted(1, 3), 1e-5);
            if let Some(picture) = &self.picture {
                let crops = [Crop::whole(1, 1); 2];
                plan.set_picture(picture, &crops, Filter::Area, &Normalization::MTCNN).unwrap();
                plan.execute().unwrap();
            }
        }
    }
}

#[test]
fn everything_may_be_dropped_in_any_order() {
    let mut comparison = Comparison::default();
    let (device, queue) = request(wgpu::Limits::default());
    let orders = (0..256).map(|code| [code % 4, code / 4 % 4, code / 16 % 4, code / 64]);
    let orders: Vec<[usize; 4]> = orders.filter(|order| (0..4).all(|which| order.contains(&which))).collect();
    assert_eq!(orders.len(), 24);
    for order in orders {
        let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
        let model = model(&engine, 1).unwrap();
        let plan = model.compile(2, &Options::default()).unwrap();
        let picture = engine.upload(&[10, 20, 30], 1, 1).unwrap();
        let mut held = Held { engine: Some(engine), model: Some(model), picture: Some(picture), plan: Some(plan) };
        for which in order {
            held.drop_one(which);
            held.check(&format!("{order:?} without {which}"), &mut comparison);
        }
        assert!(copies_arrive(&device, &queue, 7), "the application's device goes on");
    }
    comparison.finish();
}

#[test]
fn a_plan_outlives_the_applications_handles_and_its_buffers_the_plan() {
    let (device, queue) = request(wgpu::Limits::default());
    let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
    let mut plan = plan(&engine, 1).unwrap();
    drop((device, queue, engine));
    let mut comparison = Comparison::default();
    comparison.check("the plan", &plan.run(&input(1)).unwrap()[0], &wanted(1, 1), 1e-5);

    let on_gpu = plan.gpu().unwrap();
    let (device, queue) = (on_gpu.gpu().device().clone(), on_gpu.gpu().queue().clone());
    let (buffer, offset) = on_gpu.output_buffer(0).unwrap();
    let (buffer, shape) = (buffer.clone(), plan.output_shapes()[0].to_vec());
    drop(plan);
    let bytes = read(&device, &queue, &buffer, offset, 4 * shape.iter().product::<usize>() as u64);
    let found = bytemuck::pod_collect_to_vec(&bytes);
    comparison.check("its buffer", &Tensor::new(shape, found).unwrap(), &wanted(1, 1), 1e-5);
    comparison.finish();
}

#[test]
fn a_destroyed_device_may_be_dropped_before_or_after_what_is_on_it() {
    for before in [true, false] {
        let (device, queue) = request(wgpu::Limits::default());
        let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
        let mut plan = plan(&engine, 1).unwrap();
        plan.run(&input(1)).unwrap();
        device.destroy();
        if before {
            drop((device, queue));
            assert!(matches!(plan.run(&input(1)), Err(Error::DeviceLost { .. })));
        } else {
            drop((plan, engine));
        }
    }
}

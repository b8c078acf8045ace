//! Buffers of the application as inputs and outputs of a plan, read and written where they are.

use std::sync::{Arc, Mutex};

use vultus::gpu::GpuOptions;
use vultus::gpu::Port::{self, Input, Output};
use vultus::nn::Network;
use vultus::ops::{Conv2d, Crop, Filter, Normalization};
use vultus::{Device, Error, Options, Plan, Result, Tensor, wgpu};

use super::application::{Application, BEHIND, Own, STEP, buffer, embedded, input, model, network, plan, wanted};
use crate::compare::{Comparison, adapter};

pub fn bound(ports: &[Port]) -> Options {
    Options { bound: ports.to_vec(), ..Options::default() }
}

pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_plan_computes_in_the_applications_buffers_what_it_computes_in_its_own() {
    let app = Application::new();
    let model = model(&app.engine, 1).unwrap();
    let in_use = || app.gpu().bytes_in_use();
    let before = in_use();
    let mut own = model.compile(2, &Options::default()).unwrap();
    let with_own = in_use() - before;
    let before = in_use();
    let plan = model.compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let without = in_use() - before;
    // No input, no output, nothing through which the latter is read: what has no memory here is copied from and to
    // nowhere. Two words stand in.
    let (taken, given) = (2 * 3 * 12 * 12, 2 * 5);
    assert_eq!(with_own - without, 4 * (taken + 2 * given) - 2 * 4);
    for start in [0, STEP, 5 * STEP] {
        let wanted = own.run(&input(start)).unwrap();
        let (values, results) = (app.holding(input(start).data(), start), app.room(10, 2 * start));
        let ports = [(Output(0), results.binding()), (Input(0), values.binding())];
        let binding = plan.gpu().unwrap().bind(&ports).unwrap();
        assert_eq!(app.values(&results).iter().filter(|value| value.is_nan()).count(), 10);
        app.run(&plan, &binding);
        assert_eq!(bits(&app.values(&results)), bits(wanted[0].data()), "from word {start} on");
        assert_eq!(app.values(&values), input(start).data());
    }
}

#[test]
fn two_buffers_in_turn_create_nothing() {
    let app = Application::new();
    let mut plan = model(&app.engine, 1).unwrap().compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let sets = [1, 2].map(|number| (app.holding(input(number).data(), STEP * number), app.room(10, 0)));
    let bindings = sets.each_ref().map(|(values, results)| {
        plan.gpu().unwrap().bind(&[(Input(0), values.binding()), (Output(0), results.binding())]).unwrap()
    });
    let wanted = [1, 2].map(|number| wanted(1, number));
    let (mut comparison, mut before) = (Comparison::default(), None);
    for turn in 0..60 {
        let which = turn % 2;
        if turn % 3 == 0 {
            plan.execute_bound(&bindings[which]).unwrap();
        } else {
            app.run(&plan, &bindings[which]);
        }
        let now = (app.gpu().counts(), app.gpu().bytes_in_use());
        assert_eq!(*before.get_or_insert(now), now, "turn {turn}");
        if turn > 50 {
            let found = Tensor::new([2, 5], app.values(&sets[which].1)).unwrap();
            comparison.check(format!("turn {turn}"), &found, &wanted[which], 1e-5);
        }
    }
    comparison.finish();
}

/// The kind and the text of what is refused.
#[track_caller]
fn refused<T>(result: Result<T>) -> (Error, String) {
    let error = result.map(drop).unwrap_err();
    let text = error.to_string();
    (error, text)
}

#[test]
fn what_a_buffer_lacks_is_said() {
    let app = Application::new();
    let plan = model(&app.engine, 1).unwrap().compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let on_gpu = plan.gpu().unwrap();
    let (values, results) = (app.holding(input(0).data(), 0), app.room(10, 0));
    let bind = |input: wgpu::BufferBinding, output: wgpu::BufferBinding| {
        on_gpu.bind(&[(Input(0), input), (Output(0), output)]).map(drop)
    };
    bind(values.binding(), results.binding()).unwrap();

    // Another usage.
    let usages = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let copied = buffer(&app.device, 4096, usages);
    let (error, text) = refused(bind(copied.as_entire_buffer_binding(), results.binding()));
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
    assert!(text.starts_with("small: input 0 needs a buffer with the usage STORAGE, and is given one with "), "{text}");
    assert!(text.contains("COPY_SRC") && text.contains("COPY_DST"), "{text}");

    // Another place.
    let (error, text) = refused(bind(wgpu::BufferBinding { offset: 100, ..values.binding() }, results.binding()));
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
    let wanted = "small: input 0 begins at byte 100 of its buffer, which is no multiple of 256 \
                  (min_storage_buffer_offset_alignment)";
    assert_eq!(text, wanted);

    // Too little: the buffer, what is given of it, or what is left of it. A plan takes its whole batch.
    let one = app.holding(&input(0).data()[..432], 0);
    let whole = wgpu::BufferBinding { size: None, ..values.binding() };
    for (case, given, room) in [
        ("half a batch", one.binding(), 4 * 432),
        ("the same to its end", wgpu::BufferBinding { size: None, ..one.binding() }, 4 * (432 + BEHIND)),
        ("a part", wgpu::BufferBinding { size: wgpu::BufferSize::new(3452), ..values.binding() }, 3452),
        ("from too far on", wgpu::BufferBinding { offset: 512, ..whole.clone() }, 3456 + 4 * BEHIND - 512),
        ("from behind it on", wgpu::BufferBinding { offset: 1 << 40, ..whole }, 0),
    ] {
        let offset = given.offset;
        let (error, text) = refused(bind(given, results.binding()));
        assert!(matches!(error, Error::Shape { .. }), "{case}: {error:?}");
        let wanted = format!(
            "small: input 0 of the shape [2, 3, 12, 12] needs 3456 bytes, and its buffer has {room} from byte {offset} on"
        );
        assert_eq!(text, wanted, "{case}");
    }

    // A buffer that is something else as well.
    let both = app.room(3456 + 64, 0);
    let far = wgpu::BufferBinding { offset: 4096, size: None, ..both.binding() };
    for (error, text) in [refused(bind(both.binding(), both.binding())), refused(bind(both.binding(), far))] {
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
        assert!(text.starts_with("small: input 0 is in the buffer of output 0: an output needs a buffer"), "{text}");
    }

    // Too few, too many, others.
    let one = (Input(0), values.binding());
    for (buffers, wanted) in [
        (vec![one.clone()], "output 0 needs one buffer, and is given 0"),
        (vec![one.clone(), (Output(0), results.binding()), one.clone()], "input 0 needs one buffer, and is given 2"),
        (vec![one.clone(), (Output(1), results.binding())], "output 1 is not among Options::bound"),
    ] {
        let (error, text) = refused(on_gpu.bind(&buffers));
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
        assert!(text.starts_with(&format!("small: {wanted}")), "{text}");
    }
}

#[test]
fn buffers_of_another_device_or_destroyed_ones_are_refused() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let same = adapters.iter().find(|found| found.get_info().name == adapter().info().name).unwrap();
    let open = || pollster::block_on(same.request_device(&wgpu::DeviceDescriptor::default())).unwrap();
    let [app, other] =
        [open(), open()].map(|(device, queue)| Application::with_options(device, queue, GpuOptions::default()));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let errors = heard.clone();
    app.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| errors.lock().unwrap().push(error.to_string())));

    let mut plan = model(&app.engine, 1).unwrap().compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let bind = |plan: &Plan, values: &Own, results: &Own| {
        plan.gpu().unwrap().bind(&[(Input(0), values.binding()), (Output(0), results.binding())])
    };
    let (values, results) = (app.holding(input(0).data(), 0), app.room(10, 0));
    let foreign = other.holding(input(0).data(), 0);
    let (error, text) = refused(bind(&plan, &foreign, &results));
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    assert!(text.contains("the application's"), "{text}");

    let binding = bind(&plan, &values, &results).unwrap();
    plan.execute_bound(&binding).unwrap();
    values.buffer.destroy();
    let (error, _) = refused(plan.execute_bound(&binding));
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    let (error, _) = refused(bind(&plan, &values, &results));
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    assert_eq!(*heard.lock().unwrap(), [""; 0]);

    app.device.destroy();
    let (error, _) = refused(bind(&plan, &values, &results));
    assert!(matches!(error, Error::DeviceLost { .. }), "{error:?}");
    let _ = plan.execute_bound(&binding);
    assert!(matches!(plan.wait(), Err(Error::DeviceLost { .. })));
}

#[test]
fn what_needs_memory_of_the_plans_own_is_refused() {
    let (device, _, engine) = embedded();
    let model = model(&engine, 1).unwrap();
    let mut plan = model.compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let mut half = model.compile(2, &bound(&[Output(0)])).unwrap();
    let picture = engine.upload(&[0; 3], 1, 1).unwrap();
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let none = plan.gpu().unwrap();
    assert!(none.input_buffer(0).is_none() && none.output_buffer(0).is_none());
    half.set_input(0, &input(0)).unwrap();
    let crop = [Crop::whole(1, 1)];
    let refusals = [
        ("input 0 is in a buffer of the application", plan.set_input(0, &input(0))),
        ("input 0 is in", plan.set_picture(&picture, &crop, Filter::Area, &Normalization::MTCNN)),
        ("input 0 is in", plan.run(&input(0)).map(drop)),
        ("input 0 needs a buffer", plan.execute()),
        ("input 0 needs a buffer", plan.profile().map(drop)),
        ("input 0 needs a buffer", plan.gpu().unwrap().encode(&mut encoder)),
        ("output 0 needs a buffer", half.run(&input(0)).map(drop)),
        ("output 0 needs a buffer", pollster::block_on(half.run_async(&input(0))).map(drop)),
        ("output 0 is in a buffer of the application", half.outputs().map(drop)),
        ("output 0 is in", pollster::block_on(half.output_async(0)).map(drop)),
        ("output 0 is in", half.activation("fc.softmax").map(drop)),
    ];
    for (reason, result) in refusals {
        let (error, text) = refused(result);
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
        assert!(text.contains(reason) && text.contains("Options::bound"), "{text} instead of {reason}");
    }

    // A binding is one plan's.
    let results = buffer(&device, 40, wgpu::BufferUsages::STORAGE);
    let binding = half.gpu().unwrap().bind(&[(Output(0), results.as_entire_buffer_binding())]).unwrap();
    let mut twin = model.compile(2, &bound(&[Output(0)])).unwrap();
    let mut cpu = super::application::plan(&Device::Cpu, 1).unwrap();
    let refusals = [
        twin.execute_bound(&binding),
        twin.gpu().unwrap().encode_bound(&mut encoder, &binding),
        cpu.execute_bound(&binding),
    ];
    for result in refusals {
        assert_eq!(refused(result).1, "small: the binding is another plan's");
    }
    half.execute_bound(&binding).unwrap();
}

/// x → features (an output, in two shapes, and read again) → classes (an output).
fn branching() -> Network {
    Network::new("branching", [3, 12, 12])
        .conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1))
        .relu()
        .output()
        .flatten()
        .output()
        .dense("fc", "fc", 5)
        .output()
}

#[test]
fn outputs_that_are_read_again_or_are_views_are_bound_once() {
    let app = Application::new();
    let network = branching();
    let model = app.engine.load(&network, &network.initialize(3).unwrap()).unwrap();
    let mut own = model.compile(2, &Options::default()).unwrap();
    let wanted = own.run(&input(1)).unwrap();
    // Whichever of the two shapes is bound, and whether the others are.
    for ports in [vec![Output(0)], vec![Output(1), Output(2)], vec![Input(0), Output(2), Output(0)]] {
        let mut plan = model.compile(2, &bound(&ports)).unwrap();
        let lengths = [2 * 3 * 144, 2 * 4 * 144, 2 * 4 * 144, 2 * 5];
        let held: Vec<Own> = ports
            .iter()
            .map(|port| match port {
                Input(_) => app.holding(input(1).data(), STEP),
                Output(number) => app.room(lengths[1 + number], 0),
            })
            .collect();
        let buffers: Vec<_> = ports.iter().zip(&held).map(|(&port, own)| (port, own.binding())).collect();
        let binding = plan.gpu().unwrap().bind(&buffers).unwrap();
        if !ports.contains(&Input(0)) {
            plan.set_input(0, &input(1)).unwrap();
        }
        app.run(&plan, &binding);
        for (port, own) in ports.iter().zip(&held) {
            if let Output(number) = port {
                assert_eq!(bits(&app.values(own)), bits(wanted[*number].data()), "{ports:?}: {port}");
            }
        }
        // Those that are not bound are read as always, unless they are a bound one in another shape.
        for (number, wanted) in wanted.iter().enumerate() {
            let is_elsewhere = ports.contains(&Output(number)) || number < 2;
            let found = pollster::block_on(plan.output_async(number));
            assert_eq!(plan.gpu().unwrap().output_buffer(number).is_none(), is_elsewhere);
            match found {
                Ok(found) => assert!(!is_elsewhere && found == *wanted, "{ports:?}: {number}"),
                Err(error) => assert!(is_elsewhere, "{ports:?}: {error}"),
            }
        }
    }
}

#[test]
fn inputs_and_outputs_that_cannot_be_bound_are_refused_when_compiling() {
    let (_, _, engine) = embedded();
    let compile = |network: Network, ports: &[Port]| {
        let parameters = network.initialize(1).unwrap();
        engine.load(&network, &parameters).unwrap().compile(1, &bound(ports)).map(drop)
    };
    let flat = || Network::new("flat", [3, 4]).flatten();
    for (network, ports, wanted) in [
        (
            branching(),
            vec![Output(0), Output(1)],
            "output 1 has the numbers of output 0: bind one of them, and read there",
        ),
        (branching(), vec![Input(0), Input(0)], "input 0 is to be bound twice"),
        (branching(), vec![Input(1)], "there is no input 1 to be bound"),
        (branching(), vec![Output(3)], "there is no output 3 to be bound"),
        (flat(), vec![Output(0)], "output 0 cannot be bound: it has the numbers of an input, which nothing computes"),
    ] {
        let name = network.name().to_owned();
        let (error, text) = refused(compile(network, &ports));
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
        assert_eq!(text, format!("{name}: {wanted}"));
    }
    compile(flat(), &[Input(0)]).unwrap();

    let cpu = model(&Device::Cpu, 1).unwrap();
    let (_, text) = refused(cpu.compile(2, &bound(&[Input(0)])));
    assert_eq!(text, "small: there are buffers to be bound (Options::bound) on a GPU only");
    let model = model(&engine, 1).unwrap();
    let (_, text) = refused(model.compile_training(2, &vultus::nn::Training::default(), &bound(&[Input(0)])));
    assert_eq!(text, "small: a plan that trains has no bound inputs or outputs");
    let gradient = model.compile_gradient(2, "conv", &bound(&[Output(2)])).unwrap();
    assert!(gradient.gpu().unwrap().output_buffer(2).is_none());
}

#[test]
fn plans_go_on_with_each_others_outputs() {
    let app = Application::new();
    let tail = Network::new("tail", [5]).dense("fc", "fc", 3).softmax();
    let tail = app.engine.load(&tail, &tail.initialize(5).unwrap()).unwrap();
    let mut first = plan(&app.engine, 1).unwrap();
    let between = first.run(&input(1)).unwrap().swap_remove(0);
    let mut alone = tail.compile(2, &Options::default()).unwrap();
    let wanted = alone.run(&between).unwrap();

    let second = tail.compile(2, &bound(&[Input(0), Output(0)])).unwrap();
    let results = app.room(6, 0);
    let (given, offset) = first.gpu().unwrap().output_buffer(0).unwrap();
    let given = wgpu::BufferBinding { buffer: given, offset, size: None };
    let buffers = [(Input(0), given), (Output(0), results.binding())];
    let binding = second.gpu().unwrap().bind(&buffers).unwrap();
    let mut encoder = app.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    first.gpu().unwrap().encode(&mut encoder).unwrap();
    second.gpu().unwrap().encode_bound(&mut encoder, &binding).unwrap();
    app.queue.submit([encoder.finish()]);
    assert_eq!(bits(&app.values(&results)), bits(wanted[0].data()));

    // But no plan with its own.
    let half = tail.compile(2, &bound(&[Output(0)])).unwrap();
    let (own, offset) = half.gpu().unwrap().input_buffer(0).unwrap();
    let own = wgpu::BufferBinding { buffer: own, offset, size: None };
    let (error, text) = refused(half.gpu().unwrap().bind(&[(Output(0), own)]));
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
    assert_eq!(text, "tail: output 0 is in a buffer of the plan itself, in which it computes");
}

#[test]
fn inputs_may_share_a_buffer() {
    let app = Application::new();
    let network = Network::new("masked", [64]).with_input("mask", [64]).relu().mul("out", "mask").unwrap();
    let model = app.engine.load(&network, &network.initialize(1).unwrap()).unwrap();
    let values: Vec<f32> = (0..128).map(|i| (i as f32 * 0.37).sin()).collect();
    let (both, results) = (app.holding(&values, 0), app.room(64, 0));
    let part = |offset| wgpu::BufferBinding { offset, size: wgpu::BufferSize::new(256), ..both.binding() };
    let plan = model.compile(1, &bound(&[Input(0), Input(1), Output(0)])).unwrap();
    let wanted: Vec<f32> = (0..64).map(|i| values[i].max(0.0) * values[64 + i]).collect();
    let buffers = [(Input(0), part(0)), (Input(1), part(256)), (Output(0), results.binding())];
    app.run(&plan, &plan.gpu().unwrap().bind(&buffers).unwrap());
    assert_eq!(app.values(&results), wanted);
    assert_eq!(app.values(&both), values);
}

#[test]
fn new_parameters_are_seen() {
    let app = Application::new();
    let model = model(&app.engine, 1).unwrap();
    let plan = model.compile(2, &bound(&[Output(0)])).unwrap();
    let results = app.room(10, 0);
    let binding = plan.gpu().unwrap().bind(&[(Output(0), results.binding())]).unwrap();
    let mut plan = plan;
    plan.set_input(0, &input(1)).unwrap();
    let mut comparison = Comparison::default();
    for seed in [1, 2] {
        model.set_parameters(&network().initialize(seed).unwrap()).unwrap();
        app.run(&plan, &binding);
        let found = Tensor::new([2, 5], app.values(&results)).unwrap();
        comparison.check(format!("parameters {seed}"), &found, &wanted(seed, 1), 1e-5);
    }
    comparison.finish();
}

//! The application's own ways of hearing of errors stay its own, and what it hears can be told apart.

use std::sync::{Arc, Mutex};

use vultus::gpu::Gpu;
use vultus::nn::{Network, Trainable, Training};
use vultus::{Device, Error, Options, Picture, wgpu};

use super::application::{buffer, embedded, input, plan, request};
use crate::compare::texture;

/// What the driver complains of.
fn make_a_mistake(device: &wgpu::Device) {
    // A buffer that can be mapped for reading can be used for copies only.
    buffer(device, 4, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE);
}

/// What is wrong with a texture, and how it becomes so.
type Wrong = (&'static str, fn(&mut wgpu::TextureDescriptor));

/// Uses the engine as an application does, rightly and wrongly; nothing of that is the application's error.
fn use_the_engine(device: &wgpu::Device, engine: &Device) {
    let mut plan = plan(engine, 1).unwrap();
    plan.run(&input(1)).unwrap();
    pollster::block_on(plan.run_async(&input(1))).unwrap();
    plan.profile().unwrap();
    let gpu = engine.gpu().unwrap();
    Picture::from_texture(gpu, &texture(device, [8, 8], |_| ())).unwrap();
    let wrong: [Wrong; 3] = [
        ("COPY_SRC", |texture| texture.usage = wgpu::TextureUsages::COPY_DST),
        ("R8Unorm; pictures are Rgba8Unorm or Bgra8Unorm (also with Srgb), Rgba16Float or Rgba32Float", |texture| {
            texture.format = wgpu::TextureFormat::R8Unorm;
        }),
        ("one sample", |texture| (texture.sample_count, texture.usage) = (4, wgpu::TextureUsages::RENDER_ATTACHMENT)),
    ];
    for (reason, change) in wrong {
        let refused = Picture::from_texture(gpu, &texture(device, [8, 8], change)).map(drop);
        let Err(error @ Error::InvalidArgument { .. }) = refused else { panic!("{reason}: {refused:?}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
    // What a driver refuses: a shader that is none.
    let broken = Device::Gpu(Gpu::from_device(device.clone(), gpu.queue().clone()));
    broken.gpu().unwrap().replace_shader("softmax", "fn nothing( {").unwrap();
    let refused = super::application::plan(&broken, 1).map(drop);
    assert!(matches!(refused, Err(Error::Device { .. })), "{refused:?}");
}

#[test]
fn error_scopes_catch_the_applications_errors_and_no_others() {
    let (device, _, engine) = embedded();
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    use_the_engine(&device, &engine);
    assert!(pollster::block_on(scope.pop()).is_none());

    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    make_a_mistake(&device);
    use_the_engine(&device, &engine);
    assert!(matches!(pollster::block_on(scope.pop()), Some(wgpu::Error::Validation { .. })));
}

#[test]
fn the_applications_callbacks_are_still_called() {
    let (device, queue) = request(wgpu::Limits::default());
    let (errors, losses) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let heard = errors.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| heard.lock().unwrap().push(error.to_string())));
    let lost = losses.clone();
    device.set_device_lost_callback(move |reason, _| lost.lock().unwrap().push(reason));

    let engine = Device::Gpu(Gpu::from_device(device.clone(), queue));
    use_the_engine(&device, &engine);
    assert_eq!(*errors.lock().unwrap(), [""; 0]);
    make_a_mistake(&device);
    assert_eq!(errors.lock().unwrap().len(), 1);
    // It is the application's error, and not the engine's next one.
    let mut plan = plan(&engine, 1).unwrap();
    plan.run(&input(1)).unwrap();
    assert!(losses.lock().unwrap().is_empty());

    device.destroy();
    assert!(matches!(plan.run(&input(1)), Err(Error::DeviceLost { .. })));
    let _ = device.poll(wgpu::PollType::wait_indefinitely());
    assert_eq!(*losses.lock().unwrap(), [wgpu::DeviceLostReason::Destroyed]);
}

/// The texts are for users, the kinds for programs.
#[test]
fn errors_have_kinds_that_can_be_acted_on() {
    let network = Network::new("small", [4]).dropout(2.0).dense("fc", "fc", 2);
    let error = network.parameters_from(&Trainable::From("nothing".to_owned())).unwrap_err();
    assert_eq!(error.to_string(), "small: there is no layer \"nothing\"; there are input.dropout, fc");
    let Error::UnknownName { what, name, known } = error else { panic!("{error}") };
    assert_eq!((what.as_str(), name.as_str()), ("small", "layer \"nothing\""));
    assert_eq!(known, ["input.dropout", "fc"]);

    let model = Device::Cpu.load(&network, &network.initialize(1).unwrap()).unwrap();
    let error = model.compile_training(1, &Training::default(), &Options::default()).map(drop).unwrap_err();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
    let wanted = "small, layer input.dropout: dropout: a probability of 2 is not in 0 to 1 (exclusive)";
    assert_eq!(error.to_string(), wanted);
    // The logits have a gradient, but are no parameter.
    let fine = Network::new("small", [4]).dense("fc", "fc", 2);
    let model = Device::Cpu.load(&fine, &fine.initialize(1).unwrap()).unwrap();
    let mut plan = model.compile_training(1, &Training::default(), &Options::default()).unwrap();
    let error = plan.gradient("logits").unwrap_err();
    assert!(matches!(&error, Error::UnknownName { known, .. } if known.is_empty()), "{error:?}");
    assert_eq!(error.to_string(), "small: there is no trained parameter \"logits\"");
}

//! What the tests embed the engine in: an application's own device, and a small network.

use vultus::gpu::Gpu;
use vultus::nn::Network;
use vultus::ops::{Conv2d, MaxPool2d};
use vultus::{Device, Model, Options, Plan, Result, Tensor, wgpu};

use crate::compare::adapter;

/// A device that the application has made, with these limits and no optional feature, on the adapter under test.
pub fn request(limits: wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let same = adapters.iter().find(|found| found.get_info().name == adapter().info().name).unwrap();
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..wgpu::DeviceDescriptor::default() };
    pollster::block_on(same.request_device(&descriptor)).unwrap()
}

/// The application's device and the engine on it.
pub fn embedded() -> (wgpu::Device, wgpu::Queue, Device) {
    let (device, queue) = request(wgpu::Limits::default());
    let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
    (device, queue, engine)
}

/// A small classifier of pictures.
pub fn network() -> Network {
    Network::new("small", [3, 12, 12])
        .conv2d("conv", "conv", 8, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool", MaxPool2d::new(2, 2))
        .flatten()
        .dense("fc", "fc", 5)
        .softmax()
}

/// The network with the parameters of this seed.
pub fn model(device: &Device, seed: u64) -> Result<Model> {
    device.load(&network(), &network().initialize(seed)?)
}

pub fn plan(device: &Device, seed: u64) -> Result<Plan> {
    model(device, seed)?.compile(2, &Options::default())
}

pub fn input(number: usize) -> Tensor {
    Tensor::from_fn([2, 3, 12, 12], |i| ((i + 100 * number) as f32 * 0.37).sin())
}

/// What the CPU makes of an input.
pub fn wanted(seed: u64, number: usize) -> Tensor {
    plan(&Device::Cpu, seed).unwrap().run(&input(number)).unwrap().swap_remove(0)
}

/// A buffer of the application.
pub fn buffer(device: &wgpu::Device, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor { label: Some("own"), size, usage, mapped_at_creation: false })
}

/// Whether a copy of the application's own, from one of its buffers to another, arrives.
pub fn copies_arrive(device: &wgpu::Device, queue: &wgpu::Queue, value: u32) -> bool {
    let from = buffer(device, 4, wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST);
    queue.write_buffer(&from, 0, &value.to_le_bytes());
    read(device, queue, &from, 0, 4) == value.to_le_bytes()
}

/// The application reads a buffer by itself.
pub fn read(device: &wgpu::Device, queue: &wgpu::Queue, from: &wgpu::Buffer, offset: u64, size: u64) -> Vec<u8> {
    let to = buffer(device, size, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(from, offset, &to, 0, size);
    let submitted = queue.submit([encoder.finish()]);
    let (sender, mapped) = std::sync::mpsc::channel();
    to.map_async(wgpu::MapMode::Read, .., move |result| sender.send(result).unwrap());
    device.poll(wgpu::PollType::Wait { submission_index: Some(submitted), timeout: None }).unwrap();
    mapped.recv().unwrap().unwrap();
    to.slice(..).get_mapped_range().unwrap().to_vec()
}

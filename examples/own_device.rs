//! The engine on a wgpu device that belongs to somebody else, with input and output that stay on the GPU.
//!
//! `cargo run --example own_device` takes the first adapter that there is, software or not.

use vultus::gpu::Gpu;
use vultus::nn::Network;
use vultus::ops::Conv2d;
use vultus::{Device, Options, wgpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What the application has anyway.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let size = 3 * 64 * 64 * 4;
    let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let pixels = device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false });
    queue.write_buffer(&pixels, 0, &[0; 3 * 64 * 64 * 4]);

    let network = Network::new("edges", [3, 64, 64]).conv2d("conv", "conv", 8, Conv2d::square(3, 1, 1)).relu();
    let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
    let model = engine.load(&network, &network.initialize(1)?)?;
    let mut plan = model.compile(1, &Options::default())?;

    // One submission of the application: its own copy, then the network. Nothing is read back.
    let on_gpu = plan.gpu().ok_or("the plan runs on a GPU")?;
    let (input, offset) = on_gpu.input_buffer();
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(&pixels, 0, input, offset, size);
    on_gpu.encode(&mut encoder);
    queue.submit([encoder.finish()]);

    // The output's buffer can be bound by the application's own shaders; here it is read to show that it is there.
    let shape = plan.outputs()?[0].shape().to_vec();
    println!("{}: output {shape:?}, {} bytes in use", engine, engine.gpu().map_or(0, Gpu::bytes_in_use));
    Ok(())
}

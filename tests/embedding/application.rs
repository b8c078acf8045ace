//! What the tests embed the engine in: an application's own device, and a small network.

use vultus::gpu::{Binding, Gpu, GpuOptions};
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

/// What lies around the values in a buffer.
const AROUND: f32 = -77.5;

/// Words behind them.
pub const BEHIND: usize = 70;

/// Words from one place where a storage binding may begin to the next, on any device.
pub const STEP: usize = 64;

/// An application with a shader that copies words, for buffers that no command can copy.
pub struct Application {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub engine: Device,
    copying: wgpu::ComputePipeline,
}

/// Values within a buffer that shaders alone can touch: it has no usage but `STORAGE`.
pub struct Own {
    pub buffer: wgpu::Buffer,
    start: usize,
    len: usize,
}

impl Own {
    pub fn binding(&self) -> wgpu::BufferBinding<'_> {
        let size = wgpu::BufferSize::new(4 * self.len as u64);
        wgpu::BufferBinding { buffer: &self.buffer, offset: 4 * self.start as u64, size }
    }
}

impl Application {
    pub fn new() -> Self {
        let (device, queue) = request(wgpu::Limits::default());
        Self::with_options(device, queue, GpuOptions::default())
    }

    pub fn with_options(device: wgpu::Device, queue: wgpu::Queue, options: GpuOptions) -> Self {
        let source = "
            @group(0) @binding(0) var<storage, read> source: array<u32>;
            @group(0) @binding(1) var<storage, read_write> target_words: array<u32>;
            @compute @workgroup_size(64)
            fn copy(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
                for (var i = id.x; i < arrayLength(&target_words); i += 64u * groups.x) {
                    target_words[i] = source[i];
                }
            }";
        let descriptor = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(source.into()) };
        let copying = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &device.create_shader_module(descriptor),
            entry_point: Some("copy"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let engine = Device::Gpu(Gpu::with_options(device.clone(), queue.clone(), options));
        Application { device, queue, engine, copying }
    }

    pub fn gpu(&self) -> &Gpu {
        self.engine.gpu().unwrap()
    }

    /// These values from a word on.
    pub fn holding(&self, values: &[f32], start: usize) -> Own {
        let (len, around) = (values.len(), start + values.len() + BEHIND);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("the application's"),
            size: 4 * around as u64,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: true,
        });
        let mut words = vec![AROUND; around];
        words[start..start + len].copy_from_slice(values);
        buffer.get_mapped_range_mut(..).unwrap().copy_from_slice(bytemuck::cast_slice(&words));
        buffer.unmap();
        Own { buffer, start, len }
    }

    /// Room for so many values from a word on.
    pub fn room(&self, len: usize, start: usize) -> Own {
        self.holding(&vec![f32::NAN; len], start)
    }

    /// What is in a buffer of the application's now; what is around the values must be what it was.
    pub fn values(&self, own: &Own) -> Vec<f32> {
        let size = own.buffer.size();
        let copy = buffer(&self.device, size, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &self.copying.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: own.buffer.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: copy.as_entire_binding() },
            ],
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.copying);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(16, 1, 1);
        }
        self.queue.submit([encoder.finish()]);
        let bytes = read(&self.device, &self.queue, &copy, 0, size);
        let words: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let (before, rest) = words.split_at(own.start);
        let (values, behind) = rest.split_at(own.len);
        assert!(before.iter().chain(behind).all(|&word| word == AROUND), "something beside the values has changed");
        values.to_vec()
    }

    /// Submits a run within commands of the application.
    pub fn run(&self, plan: &Plan, binding: &Binding) {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        plan.gpu().unwrap().encode_bound(&mut encoder, binding).unwrap();
        self.queue.submit([encoder.finish()]);
    }
}

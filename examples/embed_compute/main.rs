//! The engine in an application with a wgpu device and a shader of its own: a texture goes in, the network finds edges,
//! and the shader counts in which direction they run. Nothing of the network is read back.
//!
//! `cargo run --example embed_compute -- 30` draws a bar that is turned by 30 degrees. It takes the first adapter that
//! there is, software or not.

use std::error::Error;

use vultus::gpu::Gpu;
use vultus::nn::Network;
use vultus::ops::{Conv2d, Crop, Filter, Normalization, Order};
use vultus::{Device, Options, Parameters, Picture, Tensor, wgpu};

/// Height and width of the picture.
const SIDE: u32 = 96;

/// Directions that are told apart.
const BINS: u64 = 18;

fn main() -> Result<(), Box<dyn Error>> {
    let degrees: f32 = std::env::args().nth(1).map_or(Ok(30.0), |text| text.parse())?;

    // What the application has anyway: a device, a texture, a shader.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    let texture = bar(&device, &queue, degrees);
    let pipeline = counting(&device);

    // The engine on that device: handles of wgpu are cheap to clone.
    let engine = Device::Gpu(Gpu::from_device(device.clone(), queue.clone()));
    let (network, parameters) = edges();
    let mut plan = engine.load(&network, &parameters)?.compile(1, &Options::default())?;

    // The texture is cut and normalised on the device.
    let picture = Picture::from_texture(engine.gpu().ok_or("the engine is on a GPU")?, &texture)?;
    let normalization = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: true };
    plan.set_picture(&picture, &[Crop::whole(SIDE, SIDE)], Filter::Bilinear, &normalization)?;

    // One submission of the application: the network, its own shader on what the network gives, and its few numbers.
    let on_gpu = plan.gpu().ok_or("the plan runs on a GPU")?;
    let (slopes, offset) = on_gpu.output_buffer(0).ok_or("the network has an output")?;
    let size = wgpu::BufferSize::new(2 * u64::from(SIDE * SIDE) * 4);
    let slopes = wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: slopes, offset, size });
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 4 * BINS, usage, mapped_at_creation: false })
    };
    let counts = buffer(wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let answer = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
    let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: slopes },
            wgpu::BindGroupEntry { binding: 1, resource: counts.as_entire_binding() },
        ],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    on_gpu.encode(&mut encoder)?;
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups((SIDE * SIDE).div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&counts, 0, &answer, 0, 4 * BINS);
    queue.submit([encoder.finish()]);

    answer.map_async(wgpu::MapMode::Read, .., |_| ());
    device.poll(wgpu::PollType::wait_indefinitely())?;
    let mapped = answer.slice(..).get_mapped_range()?;
    let counts: &[u32] = bytemuck::cast_slice(&mapped);
    println!("{engine}: edges in steps of 10 degrees: {counts:?}");
    let most = (0..counts.len()).max_by_key(|&bin| counts[bin]).unwrap_or_default();
    println!("the bar is turned by {} degrees", 10 * most);
    Ok(())
}

/// A white bar on black, turned clockwise about the centre.
fn bar(device: &wgpu::Device, queue: &wgpu::Queue, degrees: f32) -> wgpu::Texture {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let pixel = |i: u32| {
        let [x, y] = [i % SIDE, i / SIDE].map(|place| place as f32 - (SIDE - 1) as f32 / 2.0);
        // How far inside of the edges it lies, up to a pixel: a smooth bar.
        let inside =
            [36.5 - (cos * x + sin * y).abs(), 6.5 - (cos * y - sin * x).abs()].map(|depth| depth.clamp(0.0, 1.0));
        let gray = (255.0 * inside[0] * inside[1]) as u8;
        [gray, gray, gray, 255]
    };
    let pixels: Vec<u8> = (0..SIDE * SIDE).flat_map(pixel).collect();
    let size = wgpu::Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("bar"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * SIDE), rows_per_image: None };
    queue.write_texture(texture.as_image_copy(), &pixels, layout, size);
    texture
}

/// Sobel's filters as a network: the slopes along x and along y.
fn edges() -> (Network, Parameters) {
    let network = Network::new("edges", [3, SIDE as usize, SIDE as usize]);
    let network = network.conv2d("sobel", "sobel", 2, Conv2d::square(3, 1, 1));
    let along_x = [-1.0, 0.0, 1.0, -2.0, 0.0, 2.0, -1.0, 0.0, 1.0];
    let along_y = [-1.0, -2.0, -1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 1.0];
    // All three channels hold the same gray.
    let weight = Tensor::from_fn([2, 3, 3, 3], |i| [along_x, along_y][i / 27][i % 9] / 3.0);
    let parameters = [("sobel.weight".to_owned(), weight), ("sobel.bias".to_owned(), Tensor::zeros([2]))];
    (network, Parameters::from(parameters))
}

/// The application's own shader.
fn counting(device: &wgpu::Device) -> wgpu::ComputePipeline {
    let module = device.create_shader_module(wgpu::include_wgsl!("directions.wgsl"));
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("directions"),
        layout: None,
        module: &module,
        entry_point: Some("count"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}

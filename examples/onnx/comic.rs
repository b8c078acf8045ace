//! The graph between the application's texture and the application's shader: what goes in is cut from the texture, and what
//! comes out is drawn from the buffer that it was computed into.

use std::path::Path;

use vultus::gpu::{Binding, Gpu, Port};
use vultus::image::RgbImage;
use vultus::onnx::{self, Import};
use vultus::ops::{Crop, Filter, Normalization, Order};
use vultus::{Device, Options, Picture, Plan, wgpu};

use crate::Failure;

/// RGB from 0 to 1, as the graph wants it.
const TO_ONE: Normalization = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [255.0; 3], gray: false };

pub struct Comic {
    picture: Picture,
    plan: Plan,
    binding: Binding,
    pipeline: wgpu::RenderPipeline,
    bindings: wgpu::BindGroup,
    /// Width and height of what comes out.
    pub size: [u32; 2],
}

impl Comic {
    /// On the application's device, to be drawn on textures of this format.
    pub fn new(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        photo: &RgbImage,
        model: &Path,
        format: wgpu::TextureFormat,
    ) -> Result<Self, Failure> {
        let gpu = Gpu::from_device(device.clone(), queue.clone());
        let engine = Device::Gpu(gpu.clone());
        let picture = Picture::from_texture(&gpu, &texture(device, queue, photo))?;

        // A graph whose height and width are open takes half of the photo's: ours gives twice as much.
        let open = [("height", photo.height()), ("width", photo.width())];
        let half = |(name, length): (&str, u32)| (name.to_owned(), (length / 2).max(1) as usize);
        let import = Import { dimensions: open.map(half).into(), ..Import::default() };
        let imported = onnx::read(model, &import)?;
        let loaded = engine.load(&imported.network, &imported.parameters)?;
        let options = Options { bound: vec![Port::Output(0)], ..Options::default() };
        let plan = loaded.compile(1, &options)?;
        let (takes, gives) = (plan.input_shapes(), plan.output_shapes());
        let ([[1, 3, _, _]], [[1, 3, height, width]]) = (takes.as_slice(), gives.as_slice()) else {
            return Err(format!("{takes:?} to {gives:?} is not from one picture to one picture").into());
        };
        let size = [*width as u32, *height as u32];

        // The buffer is the application's. The graph writes it, and the shader reads it there.
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("comic"),
            size: 4 * 3 * u64::from(size[0]) * u64::from(size[1]),
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let on_gpu = plan.gpu().ok_or("the plan runs on a GPU")?;
        let binding = on_gpu.bind(&[(Port::Output(0), buffer.as_entire_buffer_binding())])?;
        let pipeline = drawing(device, size, format);
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("comic"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        Ok(Comic { picture, plan, binding, pipeline, bindings, size })
    }

    /// The photo's width and height.
    pub fn photo(&self) -> [u32; 2] {
        [self.picture.width(), self.picture.height()]
    }

    /// Runs the graph on a part of the photo and draws what comes out as large as it fits, all within the application's
    /// commands.
    pub fn draw(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::TextureView,
        part: Crop,
    ) -> Result<(), Failure> {
        let takes = self.plan.input_shapes()[0];
        let is_larger = part.height as usize >= takes[2] && part.width as usize >= takes[3];
        let filter = if is_larger { Filter::Area } else { Filter::Bilinear };
        self.plan.set_picture(&self.picture, &[part], filter, &TO_ONE)?;
        self.plan.gpu().ok_or("the plan runs on a GPU")?.encode_bound(encoder, &self.binding)?;

        let room = target.texture().size();
        let [width, height] = self.size.map(|length| length as f32);
        let scale = (room.width as f32 / width).min(room.height as f32 / height);
        let [x, y] = [(room.width, width), (room.height, height)].map(|(all, used)| (all as f32 - scale * used) / 2.0);
        let clear = wgpu::Operations { load: wgpu::LoadOp::Clear(wgpu::Color::BLACK), store: wgpu::StoreOp::Store };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("comic"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: target,
                depth_slice: None,
                resolve_target: None,
                ops: clear,
            })],
            ..wgpu::RenderPassDescriptor::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.set_viewport(x.max(0.0), y.max(0.0), scale * width, scale * height, 0.0, 1.0);
        pass.draw(0..4, 0..1);
        Ok(())
    }
}

/// The photo as the application has it.
fn texture(device: &wgpu::Device, queue: &wgpu::Queue, photo: &RgbImage) -> wgpu::Texture {
    let size = wgpu::Extent3d { width: photo.width(), height: photo.height(), depth_or_array_layers: 1 };
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("photo"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8UnormSrgb,
        usage: wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let rgba: Vec<u8> = photo.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255]).collect();
    let layout =
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * photo.width()), rows_per_image: None };
    queue.write_texture(texture.as_image_copy(), &rgba, layout, size);
    texture
}

/// The application's own shader.
fn drawing(device: &wgpu::Device, [width, height]: [u32; 2], format: wgpu::TextureFormat) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::include_wgsl!("draw.wgsl"));
    let decode = if format.is_srgb() { 1.0 } else { 0.0 };
    let constants = [("WIDTH", width.into()), ("HEIGHT", height.into()), ("DECODE", decode)];
    let compilation_options = wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() };
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("comic"),
        layout: None,
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("corner"),
            compilation_options: compilation_options.clone(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState {
            topology: wgpu::PrimitiveTopology::TriangleStrip,
            ..wgpu::PrimitiveState::default()
        },
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("color"),
            compilation_options,
            targets: &[Some(format.into())],
        }),
        multiview_mask: None,
        cache: None,
    })
}

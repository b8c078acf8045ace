//! What the model makes of a part of a photo, and where it looks for that: computed on the window's own device.

use vultus::face::{Detector, DetectorOptions, Face, GradCam, ModelCard, assemble, needs_base, square_crop};
use vultus::gpu::Gpu;
use vultus::image::RgbImage;
use vultus::ops::{Crop, Filter};
use vultus::weights::{DefaultFile, Store};
use vultus::{Device, Error, Options, Picture, Plan, Result, Tensor, wgpu};

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub crop: Crop,
    /// The number of a class; the most probable one where it is none.
    pub class: Option<usize>,
}

/// How probable each class is, what is the answer, and which class the heat map is now for.
pub struct Answer {
    /// A class, or that the model is uncertain.
    pub expression: String,
    pub probabilities: Vec<f32>,
    pub explained: usize,
}

/// How much each place speaks for a class, 0 to 1 in row order, on the device.
#[derive(Clone)]
pub struct HeatMap {
    pub buffer: wgpu::Buffer,
    pub width: u32,
    pub height: u32,
}

pub struct Explainer {
    gpu: Gpu,
    card: ModelCard,
    picture: Picture,
    plan: Plan,
    heat_map: HeatMap,
    weighing: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
}

impl Explainer {
    /// Puts a photo and the default model on the device; also the square around the photo's largest face.
    pub fn new(gpu: Gpu, photo: &RgbImage) -> Result<(Self, Crop)> {
        let (device, store) = (Device::Gpu(gpu.clone()), Store::open(None)?);
        let picture = device.upload(photo, photo.width(), photo.height())?;
        let model = store.load(DefaultFile::ExpressionModel)?;
        let base = if needs_base(&model)? { Some(store.load(DefaultFile::Vgg16Base)?) } else { None };
        let (card, parameters) = assemble(base, model)?;
        let network = card.network()?;
        // The layer whose feature maps the heat map is computed from.
        let layer = GradCam::layer(&network)?;
        let plan = device.load(&network, &parameters)?.compile_gradient(1, &layer, &Options::default())?;
        let [_, channels, height, width] = plan.output_shapes()[1] else {
            return Err(Error::Shape { what: layer, reason: "does not give feature maps".to_owned() });
        };
        let (channels, height, width) = (*channels, *height as u32, *width as u32);
        let heat_map = HeatMap {
            buffer: gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("heat map"),
                size: u64::from(4 * height * width),
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            }),
            width,
            height,
        };
        let weighing = weighing(gpu.device(), channels as f64, f64::from(height * width));
        let bindings = bindings(gpu.device(), &weighing, &plan, &heat_map)?;
        let mut detector = Detector::new(&device, store.load(DefaultFile::Yunet)?, DetectorOptions::default())?;
        let bounds = Face::meant(detector.detect(&picture)?, None)
            .map_or([0.0, 0.0, photo.width() as f32, photo.height() as f32], |face| face.bounds);
        let crop = square_crop(bounds, card.margin, photo.width(), photo.height());
        Ok((Explainer { gpu, card, picture, plan, heat_map, weighing, bindings }, crop))
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// Where the heat map is.
    pub fn heat_map(&self) -> &HeatMap {
        &self.heat_map
    }

    /// Judges a part of the photo and makes its heat map. Only the logits come back from the device.
    pub fn explain(&mut self, wish: &Wish) -> Result<Answer> {
        let filter = Filter::for_crop(&wish.crop, self.card.input);
        self.plan.set_picture(&self.picture, &[wish.crop], filter, &self.card.preprocessing)?;
        self.plan.execute()?;
        let logits = pollster::block_on(self.plan.output_async(0))?;
        let probabilities = softmax(logits.data());
        let answer = self.card.answer(&probabilities);
        let expression = answer.name(&self.card.classes).to_owned();
        let explained = wish.class.unwrap_or(answer.best);

        let counts = |class| if class == explained { 1.0 } else { 0.0 };
        self.plan.set_input(1, &Tensor::from_fn(logits.shape(), counts))?;
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        if let Some(plan) = self.plan.gpu() {
            plan.encode(&mut encoder)?;
        }
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.weighing);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
        self.gpu.queue().submit([encoder.finish()]);
        Ok(Answer { expression, probabilities, explained })
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The shader that makes a heat map of feature maps and their gradients.
fn weighing(device: &wgpu::Device, channels: f64, places: f64) -> wgpu::ComputePipeline {
    let module = device.create_shader_module(wgpu::include_wgsl!("heat_map.wgsl"));
    let constants = [("CHANNELS", channels), ("PLACES", places)];
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("heat map"),
        layout: None,
        module: &module,
        entry_point: Some("weigh"),
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    })
}

/// That shader on a plan's outputs, which stay where they are for as long as the plan lives.
fn bindings(
    device: &wgpu::Device,
    weighing: &wgpu::ComputePipeline,
    plan: &Plan,
    heat_map: &HeatMap,
) -> Result<wgpu::BindGroup> {
    let missing =
        || Error::InvalidArgument { what: "heat map".to_owned(), reason: "the plan has no such output".to_owned() };
    let on_gpu = plan.gpu().ok_or_else(missing)?;
    let bytes = plan.output_shapes()[1].iter().product::<usize>() as u64 * 4;
    let output = |index| {
        let (buffer, offset) = on_gpu.output_buffer(index).ok_or_else(missing)?;
        let size = wgpu::BufferSize::new(bytes);
        Ok(wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size }))
    };
    Ok(device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("heat map"),
        layout: &weighing.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: output(1)? },
            wgpu::BindGroupEntry { binding: 1, resource: output(2)? },
            wgpu::BindGroupEntry { binding: 2, resource: heat_map.buffer.as_entire_binding() },
        ],
    }))
}

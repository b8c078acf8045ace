//! What the model makes of a part of a photo, and where it looks for that: computed on the window's own device.

use vultus::face::{Analyzer, FaceExpression, Frame, ModelCard, assemble, needs_base, square_crop};
use vultus::gpu::Gpu;
use vultus::image::RgbImage;
use vultus::ops::{Crop, Filter};
use vultus::weights::{DefaultFile, Store};
use vultus::{Device, Error, Options, Picture, Plan, Result, wgpu};

/// Places of the cover along each side.
const PLACES: u32 = 11;
/// The face, and a copy for each place of the cover.
const FACES: u32 = 1 + PLACES * PLACES;
/// Of a workgroup.
const INVOCATIONS: u32 = 128;

/// What is to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub crop: Crop,
    /// The number of a class; the most probable one where it is none.
    pub class: Option<usize>,
}

/// How probable each class is, and which of them the heat map is now for.
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

/// A shader with what it works on.
struct Pass {
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    workgroups: [u32; 2],
}

pub struct Explainer {
    gpu: Gpu,
    analyzer: Analyzer,
    card: ModelCard,
    picture: Picture,
    plan: Plan,
    heat_map: HeatMap,
    /// The number of the class to be explained.
    explained: wgpu::Buffer,
    covering: [Pass; 2],
    weighing: Pass,
    /// The last part of the photo, and what it shows.
    seen: Option<(Crop, FaceExpression)>,
}

impl Explainer {
    /// Puts a photo and the default model on the device; also the square around the photo's largest face.
    pub fn new(gpu: Gpu, photo: &RgbImage) -> Result<(Self, Crop)> {
        let (device, store) = (Device::Gpu(gpu.clone()), Store::open(None)?);
        let picture = device.upload(photo, photo.width(), photo.height())?;
        let model = store.load(DefaultFile::ExpressionModel)?;
        let base = if needs_base(&model)? { Some(store.load(DefaultFile::Vgg16Base)?) } else { None };
        let (card, parameters) = assemble(base, model)?;
        let plan = device.load(&card.network()?, &parameters)?.compile(FACES as usize, &Options::default())?;
        let buffer = |label, size: u32, usage| {
            let size = u64::from(4 * size);
            gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let heat = buffer("heat map", PLACES * PLACES, wgpu::BufferUsages::STORAGE);
        let explained = buffer("class", 1, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
        let means = buffer("means", 3, wgpu::BufferUsages::STORAGE);
        let (side, classes) = (card.input as u32, card.classes.len() as u32);
        let (faces, probabilities) = buffers(&plan)?;
        let shaders = Shaders::new(gpu.device(), [("SIDE", side), ("CLASSES", classes)]);
        let (means, class) = (means.as_entire_binding(), explained.as_entire_binding());
        let values = (3 * side * side).div_ceil(INVOCATIONS);
        let covering = [
            shaders.pass("mean", &[(0, faces.clone()), (1, means.clone())], [3, 1]),
            shaders.pass("cover", &[(0, faces), (1, means)], [values, PLACES * PLACES]),
        ];
        let weighed = [(2, probabilities), (3, class), (4, heat.as_entire_binding())];
        let weighing = shaders.pass("weigh", &weighed, [1, 1]);
        let mut analyzer = Analyzer::builder().device(device).network(card.clone(), parameters).build()?;
        let faces = analyzer.analyze(&picture)?.faces;
        let bounds = faces.first().map_or([0.0, 0.0, photo.width() as f32, photo.height() as f32], |face| face.bounds);
        let crop = square_crop(bounds, card.margin, photo.width(), photo.height());
        let heat_map = HeatMap { buffer: heat, width: PLACES, height: PLACES };
        Ok((
            Explainer { gpu, analyzer, card, picture, plan, heat_map, explained, covering, weighing, seen: None },
            crop,
        ))
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// Where the heat map is.
    pub fn heat_map(&self) -> &HeatMap {
        &self.heat_map
    }

    /// Judges a part of the photo and makes its heat map. Only probabilities come back from the device.
    pub fn explain(&mut self, wish: &Wish) -> Result<Answer> {
        let face = match self.seen.take() {
            Some((crop, face)) if crop == wish.crop => face,
            _ => self.look(&wish.crop)?,
        };
        let FaceExpression { answer, expression, .. } = face.clone();
        let probabilities = face.scores.iter().map(|(_, score)| *score).collect();
        self.seen = Some((wish.crop, face));
        let explained = wish.class.unwrap_or(answer.best);
        self.gpu.queue().write_buffer(&self.explained, 0, bytemuck::bytes_of(&(explained as u32)));
        self.submit(std::slice::from_ref(&self.weighing));
        Ok(Answer { expression, probabilities, explained })
    }

    /// What a part of the photo shows; its covered copies go through the network too.
    fn look(&mut self, crop: &Crop) -> Result<FaceExpression> {
        let filter = Filter::for_crop(crop, self.card.input);
        self.plan.set_picture(&self.picture, &[*crop], filter, &self.card.preprocessing)?;
        self.submit(&self.covering);
        self.plan.execute()?;
        Ok(self.analyzer.analyze(Frame::from(&self.picture).face_in(*crop))?.faces.swap_remove(0))
    }

    fn submit(&self, passes: &[Pass]) {
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for Pass { pipeline, bindings, workgroups: [x, y] } in passes {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bindings, &[]);
                pass.dispatch_workgroups(*x, *y, 1);
            }
        }
        self.gpu.queue().submit([encoder.finish()]);
    }
}

/// A plan's input and output, which stay where they are for as long as the plan lives.
fn buffers(plan: &Plan) -> Result<(wgpu::BindingResource<'_>, wgpu::BindingResource<'_>)> {
    let missing = || Error::InvalidArgument { what: "plan".to_owned(), reason: "it has no such buffer".to_owned() };
    let on_gpu = plan.gpu().ok_or_else(missing)?;
    let binding = |found: Option<_>, shape: &[usize]| {
        let (buffer, offset) = found.ok_or_else(missing)?;
        let size = wgpu::BufferSize::new(4 * shape.iter().product::<usize>() as u64);
        Ok(wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size }))
    };
    let input = binding(on_gpu.input_buffer(0), plan.input_shapes()[0])?;
    Ok((input, binding(on_gpu.output_buffer(0), plan.output_shapes()[0])?))
}

/// The shaders of `occlusion.wgsl` for faces of this size and so many classes.
struct Shaders<'a> {
    device: &'a wgpu::Device,
    module: wgpu::ShaderModule,
    constants: [(&'static str, f64); 3],
}

impl<'a> Shaders<'a> {
    fn new(device: &'a wgpu::Device, [side, classes]: [(&'static str, u32); 2]) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("occlusion.wgsl"));
        let constants = [("CHANNELS", 3), side, classes].map(|(name, value)| (name, f64::from(value)));
        Shaders { device, module, constants }
    }

    fn pass(&self, name: &str, resources: &[(u32, wgpu::BindingResource<'_>)], workgroups: [u32; 2]) -> Pass {
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &self.module,
            entry_point: Some(name),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &self.constants, ..Default::default() },
            cache: None,
        });
        let resources = resources.iter().map(|(binding, resource)| (*binding, resource.clone()));
        let entries: Vec<_> = resources.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let layout = pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: Some(name), layout: &layout, entries: &entries };
        let bindings = self.device.create_bind_group(&descriptor);
        Pass { pipeline, bindings, workgroups }
    }
}

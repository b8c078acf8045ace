//! Plans: a network or an operation, compiled for a device and a batch, to be run again and again.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::backend::{Executor, ModelMemory, PictureMemory};
use super::picture::Picture;
use super::tune::tune;
use super::verify::verify;
use crate::cpu::{Algorithm, CpuPlan, resize::Pixels};
use crate::error::{Error, Result};
use crate::gpu::{Binding, GpuPixels, GpuPlan, Port, Precision, choices};
use crate::image::bytes::Bytes;
use crate::ops::{Crop, Filter, Normalization, RunState, Variation};
use crate::program::{Program, Step, ValueId};
use crate::reading::{Reading, at_once};
use crate::tensor::Tensor;

/// How a plan is compiled.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Options, Tensor};
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
/// let options = Options { keep_activations: true, kernel: Some("dense/rows".into()), ..Options::default() };
/// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(1, &options)?;
/// plan.run(&Tensor::zeros([1, 4]))?;
/// assert_eq!(plan.activation("fc")?.data(), [0.0, 0.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether every layer's output can be looked at after a run; it costs memory.
    pub keep_activations: bool,
    /// Whether memory is filled with NaN before each run and writes beside a buffer are found: slow, for tests.
    pub checked: bool,
    /// A kernel (by its name, `conv2d/gemm_64`) that is used wherever it can be, whatever the rules say. The CPU has
    /// `conv2d/direct`, `conv2d/winograd2` and `conv2d/winograd4`; names of the other backend are ignored.
    pub kernel: Option<String>,
    /// The precision in which a GPU computes.
    pub precision: Precision,
    /// The inputs and outputs that are buffers of the application: the plan has no memory for them, and is run by
    /// [`GpuPlan::encode_bound`] or [`Plan::execute_bound`] only. For plans on a GPU that do not train.
    pub bound: Vec<Port>,
}

/// A network or an operation on a device, with all the memory that it needs. Running it allocates nothing.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Options, Tensor};
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
/// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(3, &Options::default())?;
/// assert_eq!((plan.input_shapes(), plan.output_shapes()), (vec![&[3, 4][..]], vec![&[3, 2][..]]));
///
/// let input = Tensor::from_fn([3, 4], |place| place as f32);
/// let outputs = plan.run(&input)?;
/// // The same, step by step.
/// plan.set_input(0, &input)?;
/// plan.execute()?;
/// assert_eq!(plan.outputs()?, outputs);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Plan {
    program: Arc<Program>,
    executor: Executor,
}

/// How long one layer took: its forward pass or, of a plan that trains, one of its steps backward or the optimiser's.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Options};
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
/// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(3, &Options::default())?;
/// let times = plan.profile()?;
/// for layer in &times {
///     println!("{:>10} {:>8} {:.3} ms", layer.name, layer.operation, layer.milliseconds);
/// }
/// assert_eq!((times[0].operation, times[0].flops), ("dense", 2 * 3 * 4 * 2));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LayerTime {
    /// The layer; for a step of the optimiser, the parameter.
    pub name: String,
    /// The operation: `conv2d`, `dense_backward_weight`, …
    pub operation: &'static str,
    /// The kernel; on the CPU, where there is no choice, the operation.
    pub kernel: String,
    /// Milliseconds from the start of the run until it began.
    pub start: f64,
    /// Milliseconds that it took.
    pub milliseconds: f64,
    /// Floating-point operations by the operation's definition (a multiply-add counts as two), whatever the kernel makes
    /// of it.
    pub flops: u64,
    /// Bytes of its inputs, parameters and outputs, each counted once.
    pub bytes: u64,
}

impl Plan {
    pub(crate) fn new(program: Program, memory: &ModelMemory, options: &Options) -> Result<Self> {
        let known = || choices().chain(Algorithm::ALL.into_iter().map(Algorithm::name));
        if let Some(name) = options.kernel.as_deref().filter(|&name| !known().any(|choice| choice == name)) {
            // Those of all operations would be too many to read.
            let operation = name.split('/').next();
            let alike: BTreeSet<&str> = known().filter(|choice| choice.split('/').next() == operation).collect();
            return Err(Error::unknown(&program.name, format!("kernel {name:?}"), alike));
        }
        if let ModelMemory::Cpu(_) = memory {
            options.precision.check_on_the_cpu()?;
        }
        let (program, kernel) = (Arc::new(program), options.kernel.as_deref());
        let executor = match memory {
            ModelMemory::Cpu(_) if !options.bound.is_empty() => {
                return Err(Error::invalid(
                    &program.name,
                    "there are buffers to be bound (Options::bound) on a GPU only",
                ));
            }
            ModelMemory::Cpu(model) => {
                Executor::Cpu(Box::new(CpuPlan::new(program.clone(), model, options.checked, kernel)))
            }
            ModelMemory::Gpu(gpu, model) => {
                // What would be measured is not what matrix units do.
                let is_tuned = !options.precision.is_by_matrix_units() && !gpu.tuning_left().is_zero();
                if kernel.is_none() && !options.checked && is_tuned {
                    tune(gpu, &program);
                }
                let Options { bound, checked, precision, .. } = options;
                let plan = GpuPlan::new(gpu, program.clone(), model, bound, *checked, kernel, *precision)?;
                // A checked plan is a test itself.
                if !*checked {
                    verify(gpu, *precision, &plan)?;
                }
                Executor::Gpu(Box::new(plan))
            }
        };
        Ok(Plan { program, executor })
    }

    /// The shapes of the inputs, with the batch.
    pub fn input_shapes(&self) -> Vec<&[usize]> {
        self.program.shapes(&self.program.inputs)
    }

    /// The shapes of the outputs, with the batch.
    pub fn output_shapes(&self) -> Vec<&[usize]> {
        self.program.shapes(&self.program.outputs)
    }

    /// The plan on the GPU, where it runs on one.
    pub fn gpu(&self) -> Option<&GpuPlan> {
        match &self.executor {
            Executor::Cpu(_) => None,
            Executor::Gpu(plan) => Some(plan),
        }
    }

    /// Runs a plan of one input: its outputs. Blocks until they are there.
    ///
    /// # Errors
    /// [`Error::Shape`] if the plan takes another number of inputs, or the input has another shape than the plan's;
    /// [`Error::InvalidArgument`] if inputs or outputs are to be bound; [`Error::DeviceLost`] if the device is gone.
    pub fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.run_all(std::slice::from_ref(input))
    }

    /// Runs a plan with all of its inputs.
    ///
    /// # Errors
    /// As [`Plan::run`].
    ///
    /// ```
    /// use vultus::ops::Op;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let mut prelu = Device::Cpu.compile_op(&Op::Prelu, &[&[1, 2], &[2]], &Options::default())?;
    /// let (x, slope) = (Tensor::filled([1, 2], -1.0), Tensor::new([2], vec![0.25, 0.5])?);
    /// assert_eq!(prelu.run_all(&[x, slope])?[0].data(), [-0.25, -0.5]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn run_all(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.run_in(inputs, &RunState::default())
    }

    /// As [`Plan::run_all`], for an operation by itself that depends on the step of a training.
    ///
    /// # Errors
    /// As [`Plan::run`].
    #[doc(hidden)]
    pub fn run_in(&mut self, inputs: &[Tensor], state: &RunState) -> Result<Vec<Tensor>> {
        self.set_inputs(inputs)?;
        let program = self.program.clone();
        self.submit(state, state.even_share(), &program.outputs)?;
        at_once(self.read_copied(&program.outputs, Reading::Blocking))
    }

    /// As [`Plan::run`], without blocking: a thread of the engine's submits the run to a GPU and reads what comes out, and who
    /// awaits it calls no driver, which may make a thread wait. Commands that the application submits meanwhile may come
    /// before the run or after it. The processor computes before the future returns: give that to a thread that may block.
    ///
    /// # Errors
    /// As [`Plan::run`].
    ///
    /// ```
    /// use vultus::ops::Activation;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let mut relu = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[2]], &Options::default())?;
    /// let input = Tensor::new([2], vec![-1.0, 1.0])?;
    /// let outputs = pollster::block_on(relu.run_async(&input))?;
    /// assert_eq!(outputs[0].data(), [0.0, 1.0]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub async fn run_async(&mut self, input: &Tensor) -> Result<Vec<Tensor>> {
        self.run_all_async(std::slice::from_ref(input)).await
    }

    /// As [`Plan::run_async`], with all inputs of the plan.
    ///
    /// # Errors
    /// As [`Plan::run`].
    pub async fn run_all_async(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let program = self.program.clone();
        if let Executor::Cpu(_) = &self.executor {
            self.set_inputs(inputs)?;
            self.submit(&RunState::default(), 1.0, &[])?;
            return self.read_copied(&program.outputs, Reading::Async).await;
        }
        let given = self.check_inputs(inputs)?.map(|(id, input)| (id, input.data().to_vec())).collect();
        let Executor::Gpu(plan) = &mut self.executor else { return Ok(Vec::new()) };
        let values = plan.run_later(given, program.outputs.clone()).await?;
        self.shaped(&program.outputs, values)
    }

    /// One output of the last run, without blocking: of [`Plan::execute`], or of commands that the application has
    /// submitted ([`GpuPlan::encode`]). No other output is read back.
    ///
    /// Any executor will do, and the application need not poll the device: the engine does that in a thread of its own
    /// while something is awaited, which may run callbacks of the application, too. Dropping the future gives it up; what
    /// blocks may then wait until the thread is done with it.
    ///
    /// ```
    /// use vultus::nn::Network;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
    /// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(3, &Options::default())?;
    /// plan.set_input(0, &Tensor::filled([3, 4], 1.0))?;
    /// plan.execute()?;
    /// let probabilities = pollster::block_on(plan.output_async(0))?;
    /// assert_eq!(probabilities.shape(), [3, 2]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such output, or it is bound; [`Error::DeviceLost`] if the device is gone.
    pub async fn output_async(&mut self, index: usize) -> Result<Tensor> {
        let Some(&id) = self.program.outputs.get(index) else {
            return Err(Error::invalid(&self.program.name, format!("there is no output {index}")));
        };
        Ok(self.read_by(&[id], Reading::Async).await?.swap_remove(0))
    }

    /// Writes an input.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no such input, or it is bound; [`Error::Shape`] if it has another shape.
    pub fn set_input(&mut self, index: usize, input: &Tensor) -> Result<()> {
        let id = self.check_input(index, input)?;
        self.write(id, input.data());
        Ok(())
    }

    /// The value that an input is, if it takes this.
    fn check_input(&self, index: usize, input: &Tensor) -> Result<ValueId> {
        let Some(&id) = self.program.inputs.get(index) else {
            return Err(Error::invalid(&self.program.name, format!("there is no input {index}")));
        };
        let wanted = &self.program.values[id].shape;
        if input.shape() != wanted {
            let reason = format!("the input has the shape {:?} where the plan takes {wanted:?}", input.shape());
            return Err(Error::shape(&self.program.name, reason));
        }
        if let Executor::Gpu(plan) = &self.executor {
            plan.check_own(id)?;
        }
        Ok(id)
    }

    /// Fills the first images of the first input from a picture: each crop is scaled to the plan's height and width
    /// and normalised.
    ///
    /// # Errors
    /// [`Error::Shape`] if a crop is empty or leaves the picture, there are no crops or more than images in a batch, or
    /// the input does not have three channels; [`Error::InvalidArgument`] if the picture is on another device, or the
    /// input is bound.
    pub fn set_picture(
        &mut self,
        picture: &Picture,
        crops: &[Crop],
        filter: Filter,
        normalization: &Normalization,
    ) -> Result<()> {
        let id = self.program.inputs[0];
        let shape = &self.program.values[id].shape;
        if shape.len() != 4 || shape[1] != 3 || crops.is_empty() || crops.len() > shape[0] {
            let reason = format!("{} crops of three channels do not fill an input of {shape:?}", crops.len());
            return Err(Error::shape(&self.program.name, reason));
        }
        crops.iter().try_for_each(|crop| crop.check(picture.width(), picture.height()))?;
        match (&mut self.executor, &picture.memory) {
            (Executor::Cpu(plan), PictureMemory::Cpu(data)) => {
                let pixels = Pixels { data, width: picture.width(), linear: picture.linear };
                plan.write_pixels(id, &pixels, crops, filter, normalization);
                Ok(())
            }
            (Executor::Cpu(plan), PictureMemory::CpuFloats(data)) => {
                let pixels = Pixels { data, width: picture.width(), linear: picture.linear };
                plan.write_pixels(id, &pixels, crops, filter, normalization);
                Ok(())
            }
            (Executor::Gpu(plan), PictureMemory::Gpu(memory)) => {
                let pixels = GpuPixels { picture: memory, linear: picture.linear };
                plan.write_picture(id, &pixels, crops, filter, normalization)
            }
            _ => Err(Error::invalid(&self.program.name, "the picture is on another device than the plan")),
        }
    }

    /// Fills the first images of the first input from pictures that are varied and normalised on the device:
    /// [`crate::ops::augment`] has the definition. Each picture has the plan's height and width, in rows without gaps, and
    /// for each pixel three bytes (red, green, blue) or one (gray).
    ///
    /// # Errors
    /// [`Error::Shape`] if there are no pictures or more than the batch has images, not a variation for each, a picture of
    /// another size, or an input without three channels; [`Error::InvalidArgument`] if a variation has a number that is not
    /// finite, or the input is bound; [`Error::Limit`] if one picture is larger than a binding of the device.
    pub fn set_varied(
        &mut self,
        pictures: &[&[u8]],
        variations: &[Variation],
        normalization: &Normalization,
    ) -> Result<()> {
        let id = self.program.inputs[0];
        let shape = &self.program.values[id].shape;
        let misshapen = |reason: String| Err(Error::shape(&self.program.name, reason));
        let &[batch, 3, height, width] = shape.as_slice() else {
            return misshapen(format!("pictures of three channels do not fill an input of {shape:?}"));
        };
        if pictures.is_empty() || pictures.len() > batch || pictures.len() != variations.len() {
            let reason = format!("{} pictures and {} variations for {batch} images", pictures.len(), variations.len());
            return misshapen(reason);
        }
        variations.iter().try_for_each(Variation::check)?;
        let mut bytes = Vec::with_capacity(pictures.len());
        for data in pictures {
            let Some(picture) = Bytes::new(data, width, height) else {
                return misshapen(format!("a picture of {width}×{height} does not have {} bytes", data.len()));
            };
            bytes.push(picture);
        }
        match &mut self.executor {
            Executor::Cpu(plan) => plan.write_varied(id, &bytes, variations, normalization),
            Executor::Gpu(plan) => plan.write_varied(id, &bytes, variations, normalization)?,
        }
        Ok(())
    }

    /// Runs a network on each of these crops of a picture, in batches, each crop scaled as its own size asks for: its
    /// first output for each. What a crop gives does not depend on the others.
    ///
    /// # Errors
    /// As [`Plan::set_picture`] and [`Plan::execute`].
    pub(crate) async fn run_crops(
        &mut self,
        picture: &Picture,
        crops: &[Crop],
        normalization: &Normalization,
        reading: Reading,
    ) -> Result<Vec<Vec<f32>>> {
        let shape = self.input_shapes()[0];
        let (batch, side) = (shape[0], shape[shape.len() - 1]);
        let mut rows = vec![Vec::new(); crops.len()];
        for filter in [Filter::Area, Filter::Bilinear] {
            let group: Vec<usize> = (0..crops.len()).filter(|&i| Filter::for_crop(&crops[i], side) == filter).collect();
            for piece in group.chunks(batch) {
                let cut: Vec<Crop> = piece.iter().map(|&i| crops[i]).collect();
                self.set_picture(picture, &cut, filter, normalization)?;
                let first = [self.program.outputs[0]];
                self.submit(&RunState::default(), 1.0, &first)?;
                let output = self.read_copied(&first, reading).await?.swap_remove(0);
                for (&i, row) in piece.iter().zip(output.data().chunks_exact(output.len() / batch)) {
                    rows[i] = row.to_vec();
                }
            }
        }
        Ok(rows)
    }

    /// Runs the plan on the inputs that are there. On a GPU the work is submitted, and not waited for.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone (an application's own device: at the next wait or read);
    /// [`Error::InvalidArgument`] if inputs or outputs are to be bound; [`Error::OutOfBounds`] if a checked plan finds
    /// such a write.
    pub fn execute(&mut self) -> Result<()> {
        self.submit(&RunState::default(), 1.0, &[])
    }

    /// As [`Plan::execute`], for what reads all outputs next ([`Plan::read_begun`]): they are copied in the same submission.
    pub(crate) fn begin(&mut self) -> Result<()> {
        let program = self.program.clone();
        self.submit(&RunState::default(), 1.0, &program.outputs)
    }

    /// The outputs of a run that was begun.
    pub(crate) async fn read_begun(&mut self, reading: Reading) -> Result<Vec<Tensor>> {
        let program = self.program.clone();
        self.read_copied(&program.outputs, reading).await
    }

    /// Runs the plan on buffers of the application: as [`Plan::execute`], not waiting.
    ///
    /// # Errors
    /// As [`Plan::execute`]; also [`Error::InvalidArgument`] if the binding is another plan's, and [`Error::Device`] if one
    /// of the buffers was destroyed.
    pub fn execute_bound(&mut self, binding: &Binding) -> Result<()> {
        match &mut self.executor {
            Executor::Cpu(_) => Err(Error::invalid(&self.program.name, "the binding is another plan's")),
            Executor::Gpu(plan) => plan.submit_bound(binding),
        }
    }

    /// Runs the plan; `share` is what this micro-batch weighs among those of its step so far. The outputs in `copies` can be
    /// read without another copy.
    pub(super) fn submit(&mut self, state: &RunState, share: f32, copies: &[ValueId]) -> Result<()> {
        match &mut self.executor {
            Executor::Cpu(plan) => {
                plan.run(state, share);
                Ok(())
            }
            Executor::Gpu(plan) => plan.submit(state, share, copies),
        }
    }

    /// The outputs of the last run. Blocks until they are there.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn outputs(&mut self) -> Result<Vec<Tensor>> {
        let program = self.program.clone();
        at_once(self.read_by(&program.outputs, Reading::Blocking))
    }

    /// Waits until the device has done what was submitted to it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn wait(&self) -> Result<()> {
        match &self.executor {
            Executor::Cpu(_) => Ok(()),
            Executor::Gpu(plan) => plan.wait(),
        }
    }

    /// The output of a layer in the last run, of a plan that keeps its activations. An activation right after a
    /// convolution or dense layer is computed with it and has no output of its own.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer, or it has no output of its own; [`Error::InvalidArgument`] if
    /// its output is not kept.
    pub fn activation(&mut self, layer: &str) -> Result<Tensor> {
        let Some(id) = self.find(layer) else {
            return Err(Error::unknown(&self.program.name, format!("value {layer:?}"), self.layers()));
        };
        if !self.program.keep_activations && !self.program.outputs.contains(&id) {
            return Err(Error::invalid(layer, "the plan does not keep its activations (Options::keep_activations)"));
        }
        self.read(id)
    }

    /// The names of the layers whose outputs [`Plan::activation`] gives, in the order in which they run.
    ///
    /// ```
    /// use vultus::nn::Network;
    /// use vultus::{Device, Options};
    ///
    /// let network = Network::new("small", [4]).dense("fc1", "fc1", 8).relu().dense("fc2", "fc2", 2).softmax();
    /// let plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(1, &Options::default())?;
    /// assert_eq!(plan.layers(), ["fc1", "fc2", "fc2.softmax"]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn layers(&self) -> Vec<&str> {
        let makes = |step: &&Step, name: &str| step.outputs.iter().any(|&id| self.program.values[id].name == name);
        self.program.steps.iter().filter(|step| makes(step, &step.name)).map(|step| step.name.as_str()).collect()
    }

    /// Runs once and times every layer, by the device's own clock where it has one.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn profile(&mut self) -> Result<Vec<LayerTime>> {
        let state = RunState::default();
        let times = match &mut self.executor {
            Executor::Cpu(plan) => plan.profile(&state),
            Executor::Gpu(plan) => plan.profile(&state)?,
        };
        let steps = self.program.steps.iter().enumerate().skip(self.program.prologue);
        let layers = steps.zip(times).map(|((index, step), span)| {
            let kernel = match &self.executor {
                Executor::Cpu(plan) => plan.kernel_of_step(index).to_owned(),
                Executor::Gpu(plan) => {
                    let mut names = plan.kernels_of_step(index);
                    names.dedup();
                    if names.is_empty() { "with the step before".to_owned() } else { names.join(" + ") }
                }
            };
            LayerTime {
                name: step.name.clone(),
                operation: step.op.name(),
                kernel,
                start: span.start,
                milliseconds: span.milliseconds,
                flops: step.flops,
                bytes: self.program.bytes(step),
            }
        });
        Ok(layers.collect())
    }

    /// Writes all inputs.
    fn set_inputs(&mut self, inputs: &[Tensor]) -> Result<()> {
        let ids: Vec<ValueId> = self.check_inputs(inputs)?.map(|(id, _)| id).collect();
        ids.into_iter().zip(inputs).for_each(|(id, input)| self.write(id, input.data()));
        Ok(())
    }

    /// The values that all inputs are, if they take these.
    fn check_inputs<'a>(&self, inputs: &'a [Tensor]) -> Result<impl Iterator<Item = (ValueId, &'a Tensor)> + use<'a>> {
        let (wanted, given) = (self.program.inputs.len(), inputs.len());
        if given != wanted {
            return Err(Error::shape(&self.program.name, format!("takes {wanted} inputs, not {given}")));
        }
        let ids = inputs.iter().enumerate().map(|(index, input)| self.check_input(index, input));
        Ok(ids.collect::<Result<Vec<_>>>()?.into_iter().zip(inputs))
    }

    pub(super) fn find(&self, name: &str) -> Option<ValueId> {
        self.program.values.iter().position(|value| value.name == name)
    }

    pub(super) fn write(&mut self, id: ValueId, data: &[f32]) {
        match &mut self.executor {
            Executor::Cpu(plan) => plan.write(id, data),
            Executor::Gpu(plan) => plan.write(id, data),
        }
    }

    /// Writes values that must arrive together, and says so if there is no device any more to take them.
    pub(super) fn write_all(&mut self, values: &[(ValueId, &Tensor)]) -> Result<()> {
        match &mut self.executor {
            Executor::Cpu(plan) => {
                values.iter().for_each(|(id, tensor)| plan.write(*id, tensor.data()));
                Ok(())
            }
            Executor::Gpu(plan) => plan.write_all(values),
        }
    }

    pub(super) fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// As `read`, for what is seldom read: keeps no memory for the next time.
    pub(super) fn read_once(&self, id: ValueId) -> Result<Tensor> {
        let data = match &self.executor {
            Executor::Cpu(plan) => plan.read(id),
            Executor::Gpu(plan) => plan.read_once(id)?,
        };
        Tensor::new(self.program.values[id].shape.clone(), data)
    }

    /// Outputs that have been copied to where they are read.
    async fn read_copied(&mut self, ids: &[ValueId], reading: Reading) -> Result<Vec<Tensor>> {
        let values = match (&mut self.executor, reading) {
            (Executor::Cpu(plan), _) => ids.iter().map(|&id| plan.read(id)).collect(),
            (Executor::Gpu(plan), Reading::Blocking) => {
                ids.iter().map(|&id| plan.read_copied(id)).collect::<Result<_>>()?
            }
            (Executor::Gpu(plan), Reading::Async) => plan.read_later(ids.to_vec(), false).await?,
        };
        self.shaped(ids, values)
    }

    pub(super) fn read(&mut self, id: ValueId) -> Result<Tensor> {
        Ok(at_once(self.read_by(&[id], Reading::Blocking))?.swap_remove(0))
    }

    /// Values, which for reading without blocking are outputs.
    async fn read_by(&mut self, ids: &[ValueId], reading: Reading) -> Result<Vec<Tensor>> {
        match (&mut self.executor, reading) {
            (Executor::Gpu(plan), Reading::Async) => {
                let values = plan.read_later(ids.to_vec(), true).await?;
                return self.shaped(ids, values);
            }
            (Executor::Gpu(plan), Reading::Blocking) => ids.iter().try_for_each(|&id| plan.copy(id))?,
            (Executor::Cpu(_), _) => {}
        }
        self.read_copied(ids, reading).await
    }

    fn shaped(&self, ids: &[ValueId], values: Vec<Vec<f32>>) -> Result<Vec<Tensor>> {
        let shaped = |(&id, data): (&ValueId, _)| Tensor::new(self.program.values[id].shape.clone(), data);
        ids.iter().zip(values).map(shaped).collect()
    }
}

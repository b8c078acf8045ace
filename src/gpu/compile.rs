//! From the steps of a program to dispatches: pipelines, bind groups, grids.

use std::ops::Range;
use std::sync::Arc;

use super::binding::{Entry, Open};
use super::buffer::{GUARD, Storage, View};
use super::device::{CountedBuffer, Gpu};
use super::dispatch::{Compiled, Dispatch, Group, Packed};
use super::kernel::{Access, Kernel, MatrixKernels, Variant};
use super::parameter::Parameter;
use super::precision::Precision;
use super::tuning::tuning_key;
use super::uniform::Uniform;
use crate::error::{Error, Result};
use crate::ops::Op;

/// The most workgroups along one dimension of a grid.
pub(super) const MAX_GRID: usize = 65_535;

/// The largest magnitude of weights that matrix units multiply: Winograd's transforms make them up to 1.5² as large, the
/// kernels 64 times ([`Scales`](super::scale::Scales)), and f16 ends at 65,504.
const MATRIX_UNITS_MOST: f32 = 450.0;

/// A dispatch whose parameters are not in a buffer yet.
struct Pending {
    variant: Variant,
    views: Vec<View>,
    parameters: usize,
    grid: [u32; 3],
    flops: u64,
    step: usize,
}

/// Collects the dispatches of a program.
pub(super) struct Compiler<'a> {
    pub gpu: &'a Gpu,
    /// A kernel to be used wherever it can be, instead of the one that the rules choose.
    forced: Option<&'a str>,
    /// The kernel to be used in this step, where it can be: the forced one, or the one that was measured to be best.
    requested_kernel: Option<String>,
    checked: bool,
    precision: Precision,
    /// The parameters that the program trains, which is done in f32.
    trained: &'a [Arc<Parameter>],
    /// Packed parameters that the steps use.
    packed: Vec<Arc<Packed>>,
    pending: Vec<Pending>,
    parameters: Vec<u8>,
    step: usize,
    /// Scratch memory. How large it must be is known after the last step: until then a small buffer stands in, except
    /// in a checked plan, where nothing is shared.
    scratch: Vec<Storage>,
    /// How many pieces of scratch memory this step has taken, and how many of these it keeps to its end.
    taken: usize,
    kept: usize,
}

/// What an operation works on.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub inputs: &'a [&'a Storage],
    pub shapes: &'a [&'a [usize]],
    pub outputs: &'a [&'a Storage],
    pub output_shapes: &'a [&'a [usize]],
}

impl<'a> Operands<'a> {
    /// The inputs, if there are as many as the operation's kernels read.
    pub fn inputs<const N: usize>(&self) -> Result<[&'a Storage; N]> {
        exactly("inputs", self.inputs)
    }

    /// So many inputs, and another one if there is one more.
    pub fn inputs_and_last<const N: usize>(&self) -> Result<([&'a Storage; N], Option<&'a Storage>)> {
        let (first, last) = match self.inputs.split_last() {
            Some((last, first)) if first.len() == N => (first, Some(*last)),
            _ => (self.inputs, None),
        };
        Ok((exactly("inputs", first)?, last))
    }

    /// The outputs, if there are as many as the operation's kernels write.
    pub fn outputs<const N: usize>(&self) -> Result<[&'a Storage; N]> {
        exactly("outputs", self.outputs)
    }
}

fn exactly<'a, const N: usize>(what: &str, storages: &[&'a Storage]) -> Result<[&'a Storage; N]> {
    storages.try_into().map_err(|_| {
        let found = storages.len();
        Error::shape("operands", format!("{found} {what} instead of {N}, which is a fault of this library: report it"))
    })
}

impl<'a> Compiler<'a> {
    pub fn new(gpu: &'a Gpu, forced: Option<&'a str>, checked: bool) -> Self {
        let (pending, parameters, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Compiler {
            gpu,
            forced,
            requested_kernel: None,
            checked,
            precision: Precision::F32,
            trained: &[],
            packed: Vec::new(),
            pending,
            parameters,
            step: 0,
            scratch,
            taken: 0,
            kept: 0,
        }
    }

    /// From here on kernels compute in this precision, but for the parameters that the program trains.
    pub fn compute_in(&mut self, precision: Precision, trained: &'a [Arc<Parameter>]) {
        (self.precision, self.trained) = (precision, trained);
    }

    /// Whether kernels may read these weights in f16.
    pub fn in_f16(&self, weight: &Storage) -> bool {
        let suits = weight.parameter.as_ref().is_some_and(|parameter| parameter.suits_f16());
        self.precision == Precision::F16Weights && suits && !self.trains(weight)
    }

    /// The kernel that makes products by matrix units, if the precision asks for that.
    pub fn by_matrix_units(&self, kernels: &'static MatrixKernels) -> Option<&'static Kernel> {
        kernels.of(self.precision)
    }

    /// Refuses weights that are too large for matrix units.
    pub fn check_for_matrix_units(&self, weight: &Storage) -> Result<()> {
        let largest = weight.parameter.as_ref().map_or(0.0, |parameter| parameter.largest());
        if largest <= MATRIX_UNITS_MOST || largest.is_nan() {
            return Ok(());
        }
        let reason = format!("{} reaches {largest}, and may reach {MATRIX_UNITS_MOST}", weight.name);
        Err(self.gpu.refused_precision(self.precision, reason))
    }

    fn trains(&self, weight: &Storage) -> bool {
        let is_it = |parameter: &Arc<Parameter>| self.trained.iter().any(|trained| Arc::ptr_eq(trained, parameter));
        weight.parameter.as_ref().is_some_and(is_it)
    }

    /// Begins a step: finds the kernel that is requested for it, and frees the scratch memory of the step before.
    pub fn begin(&mut self, index: usize, op: &Op, operands: &Operands) {
        self.step = index;
        // What was measured in f32 says nothing of matrix units.
        let measured = || (!self.precision.is_by_matrix_units()).then(|| tuning_key(op, operands.shapes));
        self.requested_kernel =
            self.forced.map(str::to_owned).or_else(|| measured().and_then(|key| self.gpu.fastest(&key)));
        self.kept = 0;
        self.reuse_scratch();
    }

    /// The requested kernel, if it is one of these, else the default.
    pub fn choose(&self, candidates: &[&'static Kernel], default: &'static Kernel) -> &'static Kernel {
        candidates.iter().copied().find(|kernel| Some(kernel.name) == self.requested_kernel()).unwrap_or(default)
    }

    /// The name of the kernel or algorithm that is requested for this step.
    pub fn requested_kernel(&self) -> Option<&str> {
        self.requested_kernel.as_deref()
    }

    /// Whether the adapter computes on the CPU: kernels that share workgroup memory are slow there.
    pub fn is_software(&self) -> bool {
        self.gpu.is_software()
    }

    /// Weights in another layout, which `pack` makes: of a parameter once for all plans and again when it has changed,
    /// of other values in every run.
    pub fn packed(
        &mut self,
        weight: &Storage,
        form: String,
        values: usize,
        pack: impl FnOnce(&mut Compiler, &Storage) -> Result<()>,
    ) -> Result<Storage> {
        let Some(parameter) = &weight.parameter else {
            let storage = self.scratch(values)?;
            pack(self, &storage)?;
            return Ok(storage);
        };
        let packed = parameter.packed(form, || {
            let storage = self.gpu.storage(&format!("{}, packed", weight.name), values, 0)?;
            let mut compiler = Compiler::new(self.gpu, self.forced, self.checked);
            pack(&mut compiler, &storage)?;
            Ok(Packed::new(parameter.clone(), storage, compiler.finish(None, &[])?))
        })?;
        self.packed.push(packed.clone());
        Ok(packed.storage.clone())
    }

    /// Memory for what a step writes and reads itself, in dispatches one after the other; nothing is in it before. Steps
    /// share it; a step that takes two gets two buffers, so that a dispatch can read one and write the other.
    pub fn scratch(&mut self, values: usize) -> Result<Storage> {
        if self.checked {
            let storage = self.gpu.storage("scratch memory", values, GUARD)?;
            self.scratch.push(storage.clone());
            return Ok(storage);
        }
        if self.taken == self.scratch.len() {
            self.scratch.push(self.gpu.storage("scratch memory", 1, 0)?);
        }
        let shared = &mut self.scratch[self.taken];
        self.taken += 1;
        shared.len = shared.len.max(values);
        let mut storage = Storage { len: values, row: values, ..shared.clone() };
        storage.chunks[0].values = 0..values;
        Ok(storage)
    }

    /// From here on a step needs nothing any more of what it wrote into its scratch memory, but for what it keeps.
    pub fn reuse_scratch(&mut self) {
        self.taken = self.kept;
    }

    /// Keeps the scratch memory that the step has taken so far.
    pub fn keep_scratch(&mut self) {
        self.kept = self.taken;
    }

    /// Puts memory in the place of what stands in for it.
    fn allocate_scratch(&mut self) -> Result<Vec<Storage>> {
        let mut scratch = std::mem::take(&mut self.scratch);
        if !self.checked {
            for storage in &mut scratch {
                let memory = self.gpu.storage("scratch memory", storage.len, 0)?;
                let stand_in = &storage.chunks[0].buffer;
                let views = self.pending.iter_mut().flat_map(|pending| &mut pending.views);
                for view in views.filter(|view| Arc::ptr_eq(&view.buffer, stand_in)) {
                    view.buffer = memory.chunks[0].buffer.clone();
                }
                *storage = memory;
            }
        }
        Ok(scratch)
    }

    /// Whether an invocation may take more than 64 registers and still leave the adapter work to hide memory's latency
    /// with. Subgroups of 64 only are those of AMD's GCN, whose registers are then enough for two subgroups.
    pub fn has_many_registers(&self) -> bool {
        self.gpu.info().subgroup_min_size < 64
    }

    /// Adds a dispatch. `views` are the bindings of the kernel that are storage buffers, in order.
    pub fn dispatch<P: Uniform>(
        &mut self,
        variant: impl Into<Variant>,
        parameters: &P,
        views: &[&View],
        grid: [usize; 3],
        flops: u64,
    ) -> Result<()> {
        let variant = variant.into();
        let kernel = variant.kernel;
        if grid.iter().any(|&groups| groups > MAX_GRID) {
            return Err(Error::Limit {
                what: format!("a grid of {grid:?} workgroups for {}", kernel.name),
                needed: grid.iter().copied().max().unwrap_or(0) as u64,
                limit: "max_compute_workgroups_per_dimension",
                available: MAX_GRID as u64,
                advice: "take a smaller batch or input",
            });
        }
        if kernel.parameters != P::LAYOUT {
            let reason = "is given another kernel's parameters, which is a fault of this library: report it";
            return Err(Error::shape(kernel.name, reason));
        }
        let align = self.gpu.limits().min_uniform_buffer_offset_alignment as usize;
        self.parameters.resize(self.parameters.len().next_multiple_of(align), 0);
        let start = self.parameters.len();
        self.parameters.extend_from_slice(bytemuck::bytes_of(parameters));
        self.parameters.resize(start + P::LAYOUT.binding(), 0);
        self.pending.push(Pending {
            variant,
            views: views.iter().map(|&view| view.clone()).collect(),
            parameters: start,
            grid: grid.map(|groups| groups as u32),
            flops,
            step: self.step,
        });
        Ok(())
    }

    /// The grid for this many workgroups in a row: kernels go on along y after `grid[0]`.
    pub fn folded(&self, groups: usize) -> [usize; 3] {
        let across = groups.clamp(1, MAX_GRID);
        [across, groups.div_ceil(across).max(1), 1]
    }

    /// Stretches of a value of this length that fit one binding and begin at multiples of `unit`.
    pub fn stretches(&self, length: usize, unit: usize) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let most = (self.gpu.values_per_binding() / unit).max(1) * unit;
        (0..length.div_ceil(most)).map(move |i| i * most..((i + 1) * most).min(length))
    }

    /// How many images go into one dispatch, so that each of these lengths (per image) fits one binding and the work
    /// one submission.
    pub fn images_per_dispatch(&self, lengths: &[usize], flops: u64) -> usize {
        let fitting = lengths.iter().map(|&length| self.gpu.values_per_binding() / length.max(1)).min().unwrap_or(1);
        let affordable = usize::try_from(self.gpu.flops_per_dispatch() / flops.max(1)).unwrap_or(usize::MAX);
        fitting.min(affordable).max(1)
    }

    /// Makes the scratch memory, the buffer of parameters and the bind groups, but for those with one of these stand-ins.
    pub fn finish(mut self, state: Option<&CountedBuffer>, stand_ins: &[&wgpu::Buffer]) -> Result<Compiled> {
        let scratch = self.allocate_scratch()?;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let size = self.parameters.len().max(4) as u64;
        let parameters = self.gpu.create_buffer("parameters", size, usage)?;
        self.gpu.queue().write_buffer(&parameters, 0, &self.parameters);
        let mut variants: Vec<Variant> = Vec::new();
        for pending in &self.pending {
            if !variants.contains(&pending.variant) {
                variants.push(pending.variant);
            }
        }
        self.gpu.prepare(&variants)?;
        let mut open = Vec::new();
        let dispatches = self.pending.iter().map(|pending| {
            let pipeline = self.gpu.pipeline(pending.variant)?;
            let entries = entries(pending, &parameters, state);
            let group = if entries.iter().any(|entry| stand_ins.contains(&&entry.buffer)) {
                open.push(Open { pipeline: pipeline.clone(), entries });
                Group::Bound(open.len() - 1)
            } else {
                Group::Own(self.gpu.bind_group(&pipeline, &entries))
            };
            Ok(Dispatch {
                pipeline,
                group,
                grid: pending.grid,
                flops: pending.flops,
                step: pending.step,
                kernel: pending.variant.kernel,
            })
        });
        let dispatches = dispatches.collect::<Result<_>>()?;
        Ok(Compiled { dispatches, open, parameters, scratch, packed: self.packed })
    }
}

/// What the bindings of a dispatch's kernel are.
fn entries(pending: &Pending, parameters: &CountedBuffer, state: Option<&CountedBuffer>) -> Vec<Entry> {
    let entry = |binding, buffer: &wgpu::Buffer, bytes| Entry { binding, buffer: buffer.clone(), bytes };
    let (kernel, start) = (pending.variant.kernel, pending.parameters as u64);
    let mut entries = vec![entry(0, parameters, start..start + kernel.parameters.binding() as u64)];
    let mut views = pending.views.iter();
    for (access, binding) in kernel.bindings.iter().zip(1..) {
        entries.extend(match access {
            Access::Unused => None,
            Access::State => state.map(|state| entry(binding, state, 0..state.size())),
            Access::Read | Access::Write => views.next().map(|view| entry(binding, &view.buffer, view.bytes.clone())),
        });
    }
    entries
}

/// As few pieces of a range as there can be of at most this length, all nearly as long as each other.
pub(super) fn cut_evenly(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, length) = (range.start, range.len());
    let pieces = length.div_ceil(most);
    (0..pieces).map(move |i| start + i * length / pieces..start + (i + 1) * length / pieces)
}

//! Buffers of an application in the place of a plan's own: which inputs and outputs may be such, and what a buffer must be.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use super::buffer::{Chunk, Storage};
use super::device::{CountedBuffer, Gpu, Pipeline};
use crate::error::{Error, Result};
use crate::ops::Shape;
use crate::program::{self, Program, ValueId};

/// An input or an output of a plan, by its number.
///
/// ```
/// use vultus::Options;
/// use vultus::gpu::Port;
///
/// // The second input and the first output are to be buffers of the application.
/// let options = Options { bound: vec![Port::Input(1), Port::Output(0)], ..Options::default() };
/// assert_eq!(options.bound[0].to_string(), "input 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// An input.
    Input(usize),
    /// An output.
    Output(usize),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Input(number) => write!(f, "input {number}"),
            Port::Output(number) => write!(f, "output {number}"),
        }
    }
}

/// Buffers of the application in the place of those inputs and outputs of a plan that
/// [`Options::bound`](crate::Options::bound) names. [`GpuPlan::bind`](super::GpuPlan::bind) makes it once; running the plan
/// with it creates and copies nothing. It keeps the buffers alive.
///
/// ```no_run
/// use vultus::gpu::{Binding, Port};
/// use vultus::{Model, Options, Plan, Result, wgpu};
///
/// fn bind(model: &Model, values: &wgpu::Buffer, results: &wgpu::Buffer) -> Result<(Plan, Option<Binding>)> {
///     let options = Options { bound: vec![Port::Input(0), Port::Output(0)], ..Options::default() };
///     let plan = model.compile(1, &options)?;
///     let buffers = [
///         (Port::Input(0), values.as_entire_buffer_binding()),
///         (Port::Output(0), results.as_entire_buffer_binding()),
///     ];
///     let binding = plan.gpu().map(|plan| plan.bind(&buffers)).transpose()?;
///     Ok((plan, binding))
/// }
/// ```
pub struct Binding {
    /// The plan that it is for.
    ports: Arc<Ports>,
    /// By the numbers of the plan's open dispatches.
    pub(super) groups: Vec<wgpu::BindGroup>,
}

/// A part of a buffer as a kernel is given it.
pub(super) struct Entry {
    /// The number of the kernel's binding.
    pub binding: u32,
    pub buffer: wgpu::Buffer,
    pub bytes: Range<u64>,
}

/// What a dispatch needs to be bound, in which buffers that are not known yet have stand-ins.
pub(super) struct Open {
    pub pipeline: Arc<Pipeline>,
    pub entries: Vec<Entry>,
}

/// The inputs and outputs of one plan that are the application's buffers.
pub(super) struct Ports {
    plan: String,
    ports: Vec<BoundPort>,
}

struct BoundPort {
    port: Port,
    shape: Shape,
    /// The value that is in the buffer; where the port is a view, that of which it is one.
    value: ValueId,
    stand_in: Arc<CountedBuffer>,
}

impl Gpu {
    /// A bind group of these entries.
    pub(super) fn bind_group(&self, pipeline: &Pipeline, entries: &[Entry]) -> wgpu::BindGroup {
        let entries = entries.iter().map(|entry| wgpu::BindGroupEntry {
            binding: entry.binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &entry.buffer,
                offset: entry.bytes.start,
                size: NonZeroU64::new(entry.bytes.end - entry.bytes.start),
            }),
        });
        self.create_bind_group(&pipeline.layout, &entries.collect::<Vec<_>>())
    }
}

impl Ports {
    /// Stand-ins for these inputs and outputs of a program.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one cannot be a buffer of its own.
    pub fn new(gpu: &Gpu, program: &Program, bound: &[Port]) -> Result<Self> {
        let mut ports: Vec<BoundPort> = Vec::new();
        for &port in bound {
            let (value, shape) = value_of(program, port).map_err(|reason| Error::invalid(&program.name, reason))?;
            if let Some(other) = ports.iter().find(|other| other.value == value) {
                let reason = match other.port == port {
                    true => format!("{port} is to be bound twice"),
                    false => format!("{port} has the numbers of {}: bind one of them, and read there", other.port),
                };
                return Err(Error::invalid(&program.name, reason));
            }
            let stand_in = Arc::new(gpu.create_buffer("stand-in", 4, super::buffer::USAGE)?);
            ports.push(BoundPort { port, shape, value, stand_in });
        }
        Ok(Ports { plan: program.name.clone(), ports })
    }

    /// The buffers in whose place those of the application come.
    pub fn stand_ins(&self) -> impl Iterator<Item = &wgpu::Buffer> {
        self.ports.iter().map(|port| &**port.stand_in)
    }

    /// The memory of a value, if that is the application's: one buffer, also where the plan's own would be several.
    pub fn storage(&self, id: ValueId, value: &program::Value) -> Option<Storage> {
        let port = self.ports.iter().find(|port| port.value == id)?;
        let len = value.len();
        let chunks = vec![Chunk { buffer: port.stand_in.clone(), values: 0..len, guard: 0 }];
        let row = if value.storage == program::Storage::Gradient { len / value.shape[0] } else { len };
        Some(Storage { name: value.name.clone(), len, row, chunks, parameter: None })
    }

    /// Whether a value, which is not a view, is in a buffer of the application.
    pub fn holds(&self, value: ValueId) -> bool {
        self.ports.iter().any(|port| port.value == value)
    }

    /// Refuses what needs memory of the plan's own for a value, which is not a view.
    pub fn check_own(&self, value: ValueId) -> Result<()> {
        match self.ports.iter().find(|port| port.value == value) {
            None => Ok(()),
            Some(BoundPort { port, .. }) => {
                Err(Error::invalid(&self.plan, format!("{port} is in a buffer of the application (Options::bound)")))
            }
        }
    }

    /// The bind groups for a run: of these buffers, or of none.
    pub fn groups<'a>(self: &Arc<Self>, binding: Option<&'a Binding>) -> Result<&'a [wgpu::BindGroup]> {
        match (binding, self.ports.first()) {
            (Some(binding), _) if Arc::ptr_eq(&binding.ports, self) => Ok(&binding.groups),
            (Some(_), _) => Err(Error::invalid(&self.plan, "the binding is another plan's")),
            (None, None) => Ok(&[]),
            (None, Some(BoundPort { port, .. })) => {
                let reason = format!("{port} needs a buffer (Options::bound): run the plan with a binding");
                Err(Error::invalid(&self.plan, reason))
            }
        }
    }

    /// Binds these buffers in the place of the stand-ins. `own` are the plan's buffers.
    pub fn bind<'a>(
        self: &Arc<Self>,
        gpu: &Gpu,
        buffers: &[(Port, wgpu::BufferBinding)],
        open: &[Open],
        own: impl Iterator<Item = &'a wgpu::Buffer> + Clone,
    ) -> Result<Binding> {
        if let Some((port, _)) = buffers.iter().find(|(port, _)| !self.ports.iter().any(|bound| bound.port == *port)) {
            return Err(self.refused(*port, "is not among Options::bound, with which the plan was compiled"));
        }
        let mut bound = Vec::new();
        for wanted in &self.ports {
            let given = self.given(wanted, buffers)?;
            self.check(gpu, wanted, given)?;
            if own.clone().any(|own| own == given.buffer) {
                return Err(self.refused(wanted.port, "is in a buffer of the plan itself, in which it computes"));
            }
            bound.push((&**wanted.stand_in, given));
        }
        let group = |open: &Open| {
            let entry = |entry: &Entry| {
                let found = bound.iter().find(|(stand_in, _)| **stand_in == entry.buffer);
                let (buffer, start) = found.map_or((&entry.buffer, 0), |(_, given)| (given.buffer, given.offset));
                let bytes = start + entry.bytes.start..start + entry.bytes.end;
                Entry { binding: entry.binding, buffer: buffer.clone(), bytes }
            };
            let entries: Vec<Entry> = open.entries.iter().map(entry).collect();
            gpu.bind_group(&open.pipeline, &entries)
        };
        let groups = gpu.guarded(|| Ok(open.iter().map(group).collect()))?;
        Ok(Binding { ports: self.clone(), groups })
    }

    /// The one buffer for an input or output, which it shares with no other where one of both is written.
    fn given<'a, 'b>(
        &self,
        wanted: &BoundPort,
        buffers: &'a [(Port, wgpu::BufferBinding<'b>)],
    ) -> Result<&'a wgpu::BufferBinding<'b>> {
        let of: Vec<&wgpu::BufferBinding> =
            buffers.iter().filter(|(port, _)| *port == wanted.port).map(|(_, buffer)| buffer).collect();
        let &[given] = of.as_slice() else {
            return Err(self.refused(wanted.port, format!("needs one buffer, and is given {}", of.len())));
        };
        let is_output = |port: Port| matches!(port, Port::Output(_));
        let shares = |(port, other): &&(Port, wgpu::BufferBinding)| {
            *port != wanted.port && other.buffer == given.buffer && (is_output(*port) || is_output(wanted.port))
        };
        if let Some((other, _)) = buffers.iter().find(shares) {
            let reason = format!("is in the buffer of {other}: an output needs a buffer that nothing else is in");
            return Err(self.refused(wanted.port, reason));
        }
        Ok(given)
    }

    /// Whether a buffer can be bound.
    fn check(&self, gpu: &Gpu, wanted: &BoundPort, given: &wgpu::BufferBinding) -> Result<()> {
        if !given.buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            let reason =
                format!("needs a buffer with the usage STORAGE, and is given one with {:?}", given.buffer.usage());
            return Err(self.refused(wanted.port, reason));
        }
        let align = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
        if !given.offset.is_multiple_of(align) {
            let reason = format!(
                "begins at byte {} of its buffer, which is no multiple of {align} (min_storage_buffer_offset_alignment)",
                given.offset
            );
            return Err(self.refused(wanted.port, reason));
        }
        let rest = given.buffer.size().saturating_sub(given.offset);
        let available = given.size.map_or(rest, |size| size.get().min(rest));
        let needed = wanted.shape.iter().product::<usize>() as u64 * size_of::<f32>() as u64;
        if available < needed {
            let reason = format!(
                "{} of the shape {:?} needs {needed} bytes, and its buffer has {available} from byte {} on",
                wanted.port, wanted.shape, given.offset
            );
            return Err(Error::shape(&self.plan, reason));
        }
        Ok(())
    }

    fn refused(&self, port: Port, reason: impl fmt::Display) -> Error {
        Error::invalid(&self.plan, format!("{port} {reason}"))
    }
}

/// The value that a buffer of the application would hold, and its shape as the port has it; why there is none.
fn value_of(program: &Program, port: Port) -> std::result::Result<(ValueId, Shape), String> {
    let (ports, number) = match port {
        Port::Input(number) => (&program.inputs, number),
        Port::Output(number) => (&program.outputs, number),
    };
    let &seen = ports.get(number).ok_or_else(|| format!("there is no {port} to be bound"))?;
    let value = program.base(seen);
    let is_kept = !matches!(program.values[value].storage, program::Storage::Activation | program::Storage::Gradient);
    let mut writers = program.steps.iter().filter(|step| step.outputs.contains(&value));
    let is_written = writers.clone().next().is_some();
    if is_kept || writers.any(|step| !step.op.in_place().is_empty()) {
        return Err(format!("{port} cannot be bound: it stays with the model or the plan from run to run"));
    }
    if matches!(port, Port::Output(_)) && !is_written {
        return Err(format!("{port} cannot be bound: it has the numbers of an input, which nothing computes"));
    }
    Ok((value, program.values[seen].shape.clone()))
}

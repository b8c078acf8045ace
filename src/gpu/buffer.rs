//! Where values are in device memory, and which part of it a kernel sees.

use std::ops::Range;
use std::sync::Arc;

use super::device::{CountedBuffer, Gpu};
use super::parameter::Parameter;
use crate::error::{Error, Result};

/// Words of a known pattern on both sides of a value in a checked plan.
pub(super) const GUARD: usize = 64;

/// The pattern of the guards, and of values that nothing has written yet (a NaN).
pub(super) const GUARD_WORD: u32 = 0xC0DE_C0DE;
pub(super) const POISON_WORD: u32 = 0x7FC0_0BAD;

const WORD: usize = 4;

/// A value on the device: one buffer, or several where it is stored by rows and larger than one binding.
#[derive(Clone)]
pub(super) struct Storage {
    pub name: String,
    pub len: usize,
    /// Values of one row; the whole length where it is not stored by rows.
    pub row: usize,
    pub chunks: Vec<Chunk>,
    /// Where it is a parameter of a model: its history.
    pub parameter: Option<Arc<Parameter>>,
}

/// One buffer of a [`Storage`].
#[derive(Clone)]
pub(super) struct Chunk {
    pub buffer: Arc<CountedBuffer>,
    /// Which values of the whole it holds.
    pub values: Range<usize>,
    /// Words before the first value.
    pub guard: usize,
}

/// A stretch of a value as a kernel sees it: a binding, and where in it the stretch begins.
#[derive(Clone)]
pub(super) struct View {
    pub buffer: Arc<CountedBuffer>,
    pub bytes: Range<u64>,
    pub offset: u32,
}

pub(super) const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

impl Gpu {
    /// Values that surely fit one binding, wherever they begin.
    pub(super) fn values_per_binding(&self) -> usize {
        let slack = 2 * (u64::from(self.limits().min_storage_buffer_offset_alignment) + (GUARD * WORD) as u64);
        usize::try_from(self.max_binding().saturating_sub(slack) / WORD as u64).unwrap_or(usize::MAX)
    }

    /// Memory for a value that is bound as a whole or by images.
    pub(super) fn storage(&self, name: &str, len: usize, guard: usize) -> Result<Storage> {
        let bytes = ((len + 2 * guard) * WORD) as u64;
        let buffer = Arc::new(self.create_buffer(name, bytes, USAGE)?);
        let chunks = vec![Chunk { buffer, values: 0..len, guard }];
        Ok(Storage { name: name.to_owned(), len, row: len, chunks, parameter: None })
    }

    /// Memory for a value whose rows (of its first dimension) may be spread over several buffers.
    pub(super) fn storage_by_rows(&self, name: &str, shape: &[usize], guard: usize) -> Result<Storage> {
        let row = shape[1..].iter().product::<usize>();
        let rows = shape[0];
        let buffer = usize::try_from(self.limits().max_buffer_size).unwrap_or(usize::MAX) / WORD - 2 * GUARD;
        // A single row may fill a binding to its end: its buffer begins with it.
        let fits = (row * WORD) as u64 <= self.max_binding();
        let most = (self.values_per_binding().min(buffer) / row).max(usize::from(fits));
        if most == 0 {
            return Err(self.too_large(&format!("one row of {name}"), (row * WORD) as u64));
        }
        let pieces = rows.div_ceil(most);
        let chunks = (0..pieces).map(|i| {
            let values = i * rows / pieces * row..(i + 1) * rows / pieces * row;
            let bytes = ((values.len() + 2 * guard) * WORD) as u64;
            Ok(Chunk { buffer: Arc::new(self.create_buffer(name, bytes, USAGE)?), values, guard })
        });
        let chunks = chunks.collect::<Result<_>>()?;
        Ok(Storage { name: name.to_owned(), len: rows * row, row, chunks, parameter: None })
    }

    fn too_large(&self, what: &str, bytes: u64) -> Error {
        Error::Limit {
            what: what.to_owned(),
            needed: bytes,
            limit: "max_storage_buffer_binding_size",
            available: self.max_binding(),
            advice: "take a smaller input, or a device with larger bindings",
        }
    }

    /// The binding through which a kernel sees `values` of a storage.
    pub(super) fn view(&self, storage: &Storage, values: Range<usize>) -> Result<View> {
        let too_large = |bytes| self.too_large(&format!("a part of {} that is needed at once", storage.name), bytes);
        let found = storage.chunks.iter().find(|c| c.values.start <= values.start && values.end <= c.values.end);
        let chunk = found.ok_or_else(|| too_large((values.len() * WORD) as u64))?;
        let align = u64::from(self.limits().min_storage_buffer_offset_alignment);
        // The guards are within the binding, so that a write beside the values hits them.
        let first = (values.start - chunk.values.start) * WORD;
        let start = first as u64 / align * align;
        let end = (first + (values.len() + 2 * chunk.guard) * WORD) as u64;
        if end - start > self.max_binding() {
            return Err(too_large(end - start));
        }
        let offset = chunk.guard + (first - start as usize) / WORD;
        Ok(View { buffer: chunk.buffer.clone(), bytes: start..end, offset: offset as u32 })
    }

    /// The whole of a value.
    pub(super) fn whole(&self, storage: &Storage) -> Result<View> {
        self.view(storage, 0..storage.len)
    }
}

impl Storage {
    /// The rows that each buffer holds.
    pub fn rows(&self) -> impl Iterator<Item = Range<usize>> {
        self.chunks.iter().map(|chunk| chunk.values.start / self.row..chunk.values.end / self.row)
    }

    /// Writes values from the start on.
    pub fn write(&self, gpu: &Gpu, data: &[f32]) {
        for chunk in &self.chunks {
            let values = chunk.values.start.min(data.len())..chunk.values.end.min(data.len());
            let bytes = bytemuck::cast_slice(&data[values]);
            if !bytes.is_empty() {
                gpu.queue().write_buffer(&chunk.buffer, (chunk.guard * WORD) as u64, bytes);
            }
        }
    }

    /// Writes the guards, and NaN over the first values: those that are yet to be computed.
    pub fn guard(&self, gpu: &Gpu, poisoned: usize) {
        for chunk in &self.chunks {
            let guard = vec![GUARD_WORD; chunk.guard];
            let after = ((chunk.guard + chunk.values.len()) * WORD) as u64;
            gpu.queue().write_buffer(&chunk.buffer, 0, bytemuck::cast_slice(&guard));
            gpu.queue().write_buffer(&chunk.buffer, after, bytemuck::cast_slice(&guard));
            let values = vec![POISON_WORD; poisoned.saturating_sub(chunk.values.start).min(chunk.values.len())];
            if !values.is_empty() {
                gpu.queue().write_buffer(&chunk.buffer, (chunk.guard * WORD) as u64, bytemuck::cast_slice(&values));
            }
        }
    }
}

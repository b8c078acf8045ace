//! Reading values back from the device.

use std::ops::Range;
use std::sync::Arc;

use super::answer::Answer;
use super::buffer::{Chunk, Storage};
use super::device::{CountedBuffer, Gpu};
use crate::error::Result;

/// Buffers through which a value is read back.
pub(super) struct ReadBack {
    /// Each with the first byte to copy.
    pub parts: Arc<[(CountedBuffer, u64)]>,
}

impl ReadBack {
    pub fn new(gpu: &Gpu, storage: &Storage) -> Result<Self> {
        let range = |chunk: &Chunk| {
            let start = 4 * chunk.guard as u64;
            start..start + 4 * chunk.values.len() as u64
        };
        Self::for_bytes(gpu, storage.chunks.iter().map(range))
    }

    pub fn for_bytes(gpu: &Gpu, ranges: impl IntoIterator<Item = Range<u64>>) -> Result<Self> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let part = |r: Range<u64>| Ok((gpu.create_buffer("read-back", r.end - r.start, usage)?, r.start));
        Ok(ReadBack { parts: ranges.into_iter().map(part).collect::<Result<_>>()? })
    }

    pub fn copy(&self, gpu: &Gpu, storage: &Storage) {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode_copy(&mut encoder, storage);
        gpu.submit(encoder.finish());
    }

    pub fn encode_copy(&self, encoder: &mut wgpu::CommandEncoder, storage: &Storage) {
        for ((staging, start), chunk) in self.parts.iter().zip(&storage.chunks) {
            encoder.copy_buffer_to_buffer(&chunk.buffer, *start, staging, 0, staging.size());
        }
    }

    pub fn read_blocking(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        let mapping = gpu.guarded(|| Ok(self.map(gpu)))?;
        gpu.wait()?;
        mapping.answers.iter().for_each(|answer| answer.wait());
        mapping.values().map_err(|reason| gpu.refused(reason))
    }

    /// Asks for the values once the work submitted so far is done.
    pub fn map(&self, gpu: &Gpu) -> Mapping {
        let map = |(buffer, _): &(CountedBuffer, u64)| {
            let answer = Arc::new(Answer::default());
            let sender = answer.clone();
            buffer.map_async(wgpu::MapMode::Read, .., move |result| sender.set(result));
            answer
        };
        Mapping { gpu: gpu.clone(), parts: self.parts.clone(), answers: self.parts.iter().map(map).collect() }
    }
}

/// Buffers that are mapped, or about to be. However reading ends, also when it is given up, they are unmapped, so that the
/// next copy can be made.
pub(super) struct Mapping {
    gpu: Gpu,
    parts: Arc<[(CountedBuffer, u64)]>,
    answers: Vec<Arc<Answer>>,
}

impl Mapping {
    /// Waits for nothing but the executor.
    #[cfg(target_family = "wasm")]
    pub async fn arrive(&self) {
        use std::task::Poll;
        std::future::poll_fn(|context| {
            let ready = self.answers.iter().all(|answer| answer.is_ready(context));
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The values, or why there are none.
    pub fn values(&self) -> std::result::Result<Vec<f32>, String> {
        let mut values = Vec::new();
        for ((buffer, _), answer) in self.parts.iter().zip(&self.answers) {
            answer.result().ok_or("the read-back did not finish")?.map_err(|error| error.to_string())?;
            let mapped = buffer.slice(..).get_mapped_range().map_err(|error| error.to_string())?;
            values.extend_from_slice(bytemuck::cast_slice(&mapped));
        }
        Ok(values)
    }
}

#[cfg(not(target_family = "wasm"))]
impl super::worker::Arriving for Mapping {
    fn is_there(&self) -> bool {
        self.answers.iter().all(|answer| answer.result().is_some())
    }

    fn read(&self) -> Result<Vec<f32>> {
        self.gpu.check()?;
        self.values().map_err(|reason| self.gpu.refused(reason))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let mapped =
            self.parts.iter().zip(&self.answers).filter(|(_, answer)| !matches!(answer.result(), Some(Err(_))));
        // On a device that was lost meanwhile there is nothing to unmap, which is no error of the application.
        let _ = self.gpu.scoped(|| mapped.for_each(|((buffer, _), _)| buffer.unmap()));
    }
}

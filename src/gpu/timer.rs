//! How long dispatches take by the device's own clock.

use super::compile::Dispatch;
use super::device::{CountedBuffer, Gpu};
use super::read_back::ReadBack;
use crate::error::Result;

/// Dispatches that are timed with one set of queries.
pub(super) const MAX_TIMED: usize = 1024;

/// Timestamps around every dispatch.
pub(super) struct Timer {
    queries: wgpu::QuerySet,
    resolved: CountedBuffer,
    read_back: ReadBack,
}

impl Timer {
    pub fn new(gpu: &Gpu, dispatches: usize) -> Result<Self> {
        let count = 2 * dispatches.max(1);
        let size = (count * size_of::<u64>()) as u64;
        gpu.guarded(|| {
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            Ok(Timer {
                queries: gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: count as u32,
                }),
                resolved: gpu.create_buffer("timestamps", size, usage)?,
                read_back: ReadBack::for_bytes(gpu, std::iter::once(0..size))?,
            })
        })
    }

    /// Runs these dispatches; the milliseconds of each.
    pub fn run(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<f64>> {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (dispatch, query) in dispatches.iter().zip((0u32..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel.name),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &self.queries,
                    beginning_of_pass_write_index: Some(query),
                    end_of_pass_write_index: Some(query + 1),
                }),
            });
            dispatch.encode(&mut pass);
        }
        let count = 2 * dispatches.len() as u32;
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read_back.parts[0].0, 0, self.resolved.size());
        gpu.queue().submit([encoder.finish()]);
        let words = self.read_back.read_blocking(gpu)?;
        let tick = f64::from(gpu.queue().get_timestamp_period()) * 1e-6;
        let stamp = |pair: &[f32]| u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32;
        let stamps: Vec<u64> = words.chunks_exact(2).map(stamp).collect();
        let elapsed = |pair: &[u64]| pair[1].saturating_sub(pair[0]) as f64 * tick;
        Ok(stamps.chunks_exact(2).take(dispatches.len()).map(elapsed).collect())
    }
}

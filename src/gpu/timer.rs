//! How long dispatches take.

use super::device::{CountedBuffer, Gpu};
use super::dispatch::Dispatch;
use super::read_back::ReadBack;
use crate::error::Result;
use crate::program::Span;
use crate::time::Instant;

/// Dispatches that are timed with one set of queries.
const MAX_TIMED: usize = 1024;

/// Times dispatches by the device's own clock, or where it has none by the host's.
pub(super) struct Timer {
    clock: Option<Clock>,
}

/// Timestamps around every dispatch.
struct Clock {
    queries: wgpu::QuerySet,
    resolved: CountedBuffer,
    read_back: ReadBack,
}

impl Timer {
    /// For as many dispatches.
    pub fn new(gpu: &Gpu, dispatches: usize) -> Result<Self> {
        if !gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(Timer { clock: None });
        }
        let count = 2 * dispatches.clamp(1, MAX_TIMED);
        let size = (count * size_of::<u64>()) as u64;
        gpu.guarded(|| {
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            let clock = Clock {
                queries: gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: count as u32,
                }),
                resolved: gpu.create_buffer("timestamps", size, usage)?,
                read_back: ReadBack::for_bytes(gpu, std::iter::once(0..size))?,
            };
            Ok(Timer { clock: Some(clock) })
        })
    }

    /// Runs these dispatches one after the other; when each ran, from the beginning of the first.
    pub fn run(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<Span>> {
        let Some(clock) = &self.clock else { return by_the_host(gpu, dispatches) };
        let mut stamps = Vec::with_capacity(2 * dispatches.len());
        for dispatches in dispatches.chunks(MAX_TIMED) {
            stamps.extend(clock.run(gpu, dispatches)?);
        }
        let tick = f64::from(gpu.queue().get_timestamp_period()) * 1e-6;
        let first = stamps.first().copied().unwrap_or(0);
        let span = |pair: &[u64]| Span {
            start: pair[0].saturating_sub(first) as f64 * tick,
            milliseconds: pair[1].saturating_sub(pair[0]) as f64 * tick,
        };
        Ok(stamps.chunks_exact(2).map(span).collect())
    }
}

impl Clock {
    /// The device's clock before and after each dispatch, in its own ticks.
    fn run(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<u64>> {
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
            dispatch.encode(&mut pass, &[]);
        }
        let count = 2 * dispatches.len() as u32;
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read_back.parts[0].0, 0, self.resolved.size());
        gpu.submit(encoder.finish());
        let words = self.read_back.read_blocking(gpu)?;
        let stamp = |pair: &[f32]| u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32;
        Ok(words.chunks_exact(2).take(count as usize).map(stamp).collect())
    }
}

/// Each dispatch is submitted and waited for on its own.
fn by_the_host(gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<Span>> {
    let begin = Instant::now();
    let elapsed = || begin.elapsed().as_secs_f64() * 1e3;
    let timed = |dispatch: &Dispatch| {
        let start = elapsed();
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        dispatch.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()), &[]);
        gpu.submit(encoder.finish());
        gpu.wait()?;
        Ok(Span { start, milliseconds: elapsed() - start })
    };
    let spans = dispatches.iter().map(timed).collect::<Result<_>>()?;
    if gpu.is_lost() { Err(gpu.lost("it does not answer any more")) } else { Ok(spans) }
}

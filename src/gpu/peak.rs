//! The device's peak: multiply-adds without memory, and a copy.

use super::buffer::Storage;
use super::compile::Compiler;
use super::device::Gpu;
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::timer::Timer;
use super::uniform::uniform;
use crate::error::Result;
use crate::peak::Peak;

pub(super) static KERNELS: &[&Kernel] = &[&MULTIPLY_ADD, &COPY];

const SHADER: Shader = shader!("peak");

static MULTIPLY_ADD: Kernel = Kernel::new::<Params>("peak/multiply_add", SHADER, "multiply_add", &[Unused, Write]);
static COPY: Kernel = Kernel::new::<Params>("peak/copy", SHADER, "copy", &[Read, Write]);

/// Runs of which the fastest counts.
const RUNS: usize = 5;
/// A run of multiply-adds is long enough when it takes this many milliseconds: the device has woken, and what it writes
/// at the end does not count.
const LONG: f64 = 20.0;
/// Invocations of the multiply-adds, each for four values: enough for every multiprocessor of a large GPU.
const INVOCATIONS: usize = 1 << 19;
/// Operations of one invocation in one round.
const OPERATIONS: usize = 3 * 4 * 8 * 2;
/// Values to copy, at most: 128 MiB.
const VALUES: usize = 32 << 20;

uniform! {
    struct Params {
        length: u32,
        rounds: u32,
        grid: u32,
    }
}

impl Gpu {
    /// Measures what the device reaches at most.
    pub(crate) fn peak(&self) -> Result<Peak> {
        self.guarded(|| {
            let length = VALUES.min(self.values_per_binding()) / 4;
            let (from, to) = (self.storage("copy", 4 * length, 0)?, self.storage("copy", 4 * length, 0)?);
            let copy = run(self, &COPY, &[&from, &to], length, 0, RUNS)?;

            let invocations = INVOCATIONS.min(length);
            let (mut rounds, mut time) = (4, 0.0);
            while time < LONG && rounds < 1 << 14 {
                rounds *= 4;
                time = run(self, &MULTIPLY_ADD, &[&to], invocations, rounds, 1)?;
            }
            let time = run(self, &MULTIPLY_ADD, &[&to], invocations, rounds, RUNS)?;
            Ok(Peak {
                gflops: (invocations * OPERATIONS * rounds) as f64 / time / 1e6,
                gigabytes_per_second: (2 * 4 * 4 * length) as f64 / copy / 1e6,
            })
        })
    }
}

/// Runs a kernel with an invocation for each of `length` groups of four values; the milliseconds of the shortest run.
fn run(gpu: &Gpu, kernel: &'static Kernel, on: &[&Storage], length: usize, rounds: usize, runs: usize) -> Result<f64> {
    let mut compiler = Compiler::new(gpu, None, false);
    let grid = compiler.folded(length.div_ceil(256));
    let params = Params { length: length as u32, rounds: rounds as u32, grid: grid[0] as u32 };
    let views = on.iter().map(|storage| gpu.whole(storage)).collect::<Result<Vec<_>>>()?;
    compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, 0)?;
    let compiled = compiler.finish(None, &[])?;
    let timer = Timer::new(gpu, compiled.dispatches.len())?;
    let mut shortest = f64::INFINITY;
    for _ in 0..runs {
        shortest = timer
            .run(gpu, &compiled.dispatches)?
            .iter()
            .fold(shortest, |shortest, span| shortest.min(span.milliseconds));
    }
    Ok(shortest)
}

#[cfg(test)]
mod tests {
    use super::super::adapter::Adapter;
    use super::super::read_back::ReadBack;
    use super::*;

    #[test]
    fn the_kernels_do_all_of_the_work() {
        let gpu = Adapter::all()[0].open().unwrap();
        let length = 1000;
        let (from, to) = (gpu.storage("from", 4 * length, 0).unwrap(), gpu.storage("to", 4 * length, 0).unwrap());
        let read = |storage: &Storage| {
            let read_back = ReadBack::new(&gpu, storage).unwrap();
            read_back.copy(&gpu, storage);
            read_back.read_blocking(&gpu).unwrap()
        };
        let values: Vec<f32> = (0..4 * length).map(|i| i as f32).collect();
        from.write(&gpu, &values);
        run(&gpu, &COPY, &[&from, &to], length, 0, 1).unwrap();
        assert_eq!(read(&to), values);

        // One round takes s to 1 + (s − 1) / 2⁸; the sums of invocation n begin at n, n + 1 and n + 2.
        run(&gpu, &MULTIPLY_ADD, &[&to], length, 1, 1).unwrap();
        let wanted = |i: usize| (0..3).map(|s| 1.0 + (((i / 4) % 256 + s) as f32 - 1.0) / 256.0).sum::<f32>();
        assert_eq!(read(&to), (0..4 * length).map(wanted).collect::<Vec<_>>());
    }
}

//! Batches that are made ready on other threads while the device computes.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::Examples;
use crate::error::{Error, Result};
use crate::random::Random;
use crate::tensor::Tensor;

/// Batches that each thread may have ready.
const AHEAD: usize = 2;

/// Some examples, one behind the other.
pub(super) struct Batch {
    /// `[size, channels, height, width]`; what is behind the last example, or could not be read, is zero.
    pub input: Tensor,
    /// The examples' numbers; `None` where one could not be read and behind the last.
    pub examples: Vec<Option<usize>>,
    /// Examples that could not be read, and why.
    pub unreadable: Vec<(usize, Error)>,
}

/// What a pass over examples reads, and how.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    /// The examples.
    pub examples: &'a dyn Examples,
    /// Their numbers, in the order in which they come.
    pub order: &'a [usize],
    /// Examples per batch.
    pub size: usize,
    /// What the variations are drawn from, for training.
    pub seed: Option<u64>,
}

impl Pass<'_> {
    /// Makes one batch.
    fn batch(&self, number: usize) -> Result<Batch> {
        let shape = self.examples.shape();
        let length: usize = shape.iter().product();
        let mut values = vec![0.0; self.size * length];
        let (mut examples, mut unreadable) = (vec![None; self.size], Vec::new());
        let first = number * self.size;
        let mine = &self.order[first..self.order.len().min(first + self.size)];
        for (slot, (&example, out)) in mine.iter().zip(values.chunks_exact_mut(length)).enumerate() {
            // By place in the order, so that an example that comes twice is not varied twice in the same way.
            let mut random = self.seed.map(|seed| Random::new(seed.wrapping_add((first + slot) as u64)));
            match self.examples.write(example, random.as_mut(), out) {
                Ok(()) => examples[slot] = Some(example),
                Err(error) => {
                    out.fill(0.0);
                    unreadable.push((example, error));
                }
            }
        }
        fill_up(&mut values, length, &examples);
        Ok(Batch { input: Tensor::new([&[self.size], &shape[..]].concat(), values)?, examples, unreadable })
    }

    fn batches(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }
}

/// Repeats pictures where a batch has none. They count for nothing in the loss, but batch normalisation sees them, and
/// should see what the others are like.
fn fill_up(values: &mut [f32], length: usize, examples: &[Option<usize>]) {
    let filled: Vec<usize> = (0..examples.len()).filter(|&slot| examples[slot].is_some()).collect();
    if filled.is_empty() {
        return;
    }
    let empty = (0..examples.len()).filter(|&slot| examples[slot].is_none());
    for (slot, from) in empty.zip(filled.iter().cycle()) {
        values.copy_within(from * length..(from + 1) * length, slot * length);
    }
}

/// Threads that make batches. Their work is kept out of rayon's global pool, on which the device may compute.
pub(super) struct Stream {
    pool: ThreadPool,
    threads: usize,
    /// How long batches were waited for.
    pub waited: Duration,
}

impl Stream {
    /// # Errors
    /// [`Error::Io`] if the system gives no threads.
    pub fn new() -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 8);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("vultus-batches-{i}"))
            .build()
            .map_err(|error| no_threads(std::io::Error::other(error)))?;
        Ok(Stream { pool, threads, waited: Duration::ZERO })
    }

    /// Hands every batch of a pass to `take`, in order, until one is refused. At most a few wait at any time, so that
    /// memory does not grow with the pass.
    ///
    /// # Errors
    /// The first error of `take`; [`Error::Io`] if the system gives no threads.
    pub fn run(&mut self, pass: Pass, mut take: impl FnMut(Batch) -> Result<()>) -> Result<()> {
        let threads = self.threads.min(pass.batches()).max(1);
        let (pool, waited) = (&self.pool, &mut self.waited);
        thread::scope(move |scope| {
            let mut receivers = Vec::new();
            for first in 0..threads {
                let (sender, receiver) = sync_channel(AHEAD);
                let make = move || make(pool, pass, (first, threads), &sender);
                let name = format!("vultus-batches-{first}");
                thread::Builder::new().name(name).spawn_scoped(scope, make).map_err(no_threads)?;
                receivers.push(receiver);
            }
            for number in 0..pass.batches() {
                let begin = Instant::now();
                let batch = next(&receivers[number % threads])?;
                *waited += begin.elapsed();
                take(batch)?;
            }
            // Receivers end here, and with them threads that would still send.
            Ok(())
        })
    }
}

fn no_threads(error: std::io::Error) -> Error {
    Error::io(Path::new("threads"), error)
}

/// Every `threads`th batch, until nobody takes them any more. The pool works on batches but waits for nobody who takes
/// them: one of its threads that waits for a part of a batch may begin another batch meanwhile, and if that one waited for
/// its turn, the first would never be done.
fn make(pool: &ThreadPool, pass: Pass, (first, threads): (usize, usize), sender: &SyncSender<Result<Batch>>) {
    for number in (first..pass.batches()).step_by(threads) {
        if sender.send(pool.install(|| pass.batch(number))).is_err() {
            return;
        }
    }
}

fn next(receiver: &Receiver<Result<Batch>>) -> Result<Batch> {
    receiver.recv().unwrap_or_else(|_| Err(Error::shape("batches", "the thread that makes them has ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures whose making is shared among threads, which wait for each other.
    struct Shared;

    impl Examples for Shared {
        fn shape(&self) -> [usize; 3] {
            [1, 1, 1]
        }

        fn write(&self, index: usize, _: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
            let pause = || thread::sleep(Duration::from_micros(200));
            rayon::join(pause, pause);
            out[0] = index as f32;
            Ok(())
        }
    }

    #[test]
    fn batches_come_in_order_though_threads_that_make_them_help_each_other() {
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut stream = Stream::new().unwrap();
            for _ in 0..20 {
                let (order, mut taken): (Vec<usize>, _) = ((0..40).collect(), Vec::new());
                let pass = Pass { examples: &Shared, order: &order, size: 1, seed: None };
                let take = |batch: Batch| {
                    taken.push(batch.input.data()[0] as usize);
                    Ok(())
                };
                stream.run(pass, take).unwrap();
                assert_eq!(taken, order);
            }
            sender.send(()).unwrap();
        });
        // Far longer than it takes: what waits for itself never ends.
        receiver.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn what_is_missing_in_a_batch_repeats_the_others() {
        let mut values = [1.0, 2.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0];
        fill_up(&mut values, 2, &[Some(7), None, Some(8), None, None]);
        assert_eq!(values, [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
        fill_up(&mut values, 2, &[None; 5]);
        assert_eq!(values[..2], [1.0, 2.0]);
    }
}

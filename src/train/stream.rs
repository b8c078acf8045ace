//! Batches that are made ready on other threads while the device computes.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{Examples, Varied};
use crate::error::{Error, Result};
use crate::ops::{Normalization, Variation};
use crate::random::Random;
use crate::tensor::Tensor;

/// Batches that each thread may have ready.
const AHEAD: usize = 2;

/// Some examples, one behind the other.
pub(super) struct Batch<I = Tensor> {
    /// As the network takes them: `[size, channels, height, width]`. What is behind the last example, or could not be read,
    /// repeats others; where none could be read all is zero.
    pub input: I,
    /// The examples' numbers; `None` where one could not be read and behind the last.
    pub examples: Vec<Option<usize>>,
    /// Examples that could not be read, and why.
    pub unreadable: Vec<(usize, Error)>,
}

/// What goes into a network that is trained.
pub(super) enum Input {
    /// As it takes them.
    Values(Tensor),
    /// Pictures that the device varies and normalises.
    Pictures(Pictures),
}

/// The bytes of a batch's pictures, and what is to be done to each.
pub(super) struct Pictures {
    bytes: Vec<Vec<u8>>,
    pub variations: Vec<Variation>,
    pub normalization: Normalization,
}

impl Pictures {
    pub fn bytes(&self) -> Vec<&[u8]> {
        self.bytes.iter().map(Vec::as_slice).collect()
    }
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
        let Batch { examples, unreadable, .. } = self.read(number, |slot, example, place| {
            let out = &mut values[slot * length..(slot + 1) * length];
            let mut random = self.seed.map(|seed| source(seed, place));
            let written = self.examples.write(example, random.as_mut(), out);
            written.inspect_err(|_| out.fill(0.0))
        });
        for (slot, from) in gaps(&examples) {
            values.copy_within(from * length..(from + 1) * length, slot * length);
        }
        Ok(Batch { input: Tensor::new([&[self.size], &shape[..]].concat(), values)?, examples, unreadable })
    }

    /// Makes one batch of pictures in bytes.
    fn varied(&self, varied: &dyn Varied, seed: u64, number: usize) -> Result<Batch<Input>> {
        let mut drawn = vec![None; self.size];
        let Batch { examples, unreadable, .. } = self.read(number, |slot, example, place| {
            drawn[slot] = Some(varied.draw(example, &mut source(seed, place))?);
            Ok(())
        });
        gaps(&examples).for_each(|(slot, from)| drawn[slot] = drawn[from].clone());
        let (bytes, variations): (Vec<_>, Vec<_>) = drawn.into_iter().flatten().unzip();
        let input = if bytes.is_empty() {
            // Nothing of this batch counts.
            Input::Values(Tensor::zeros([&[self.size], &self.examples.shape()[..]].concat()))
        } else {
            Input::Pictures(Pictures { bytes, variations, normalization: varied.normalization() })
        };
        Ok(Batch { input, examples, unreadable })
    }

    /// Goes through the examples of a batch: hands over the place of each in it, its number, and its place in the order.
    fn read(&self, number: usize, mut read: impl FnMut(usize, usize, usize) -> Result<()>) -> Batch<()> {
        let (mut examples, mut unreadable) = (vec![None; self.size], Vec::new());
        let first = number * self.size;
        let mine = &self.order[first..self.order.len().min(first + self.size)];
        for (slot, &example) in mine.iter().enumerate() {
            match read(slot, example, first + slot) {
                Ok(()) => examples[slot] = Some(example),
                Err(error) => unreadable.push((example, error)),
            }
        }
        Batch { input: (), examples, unreadable }
    }

    fn batches(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }
}

/// What the variation at this place in the order is drawn from: an example that comes twice is not varied twice in the
/// same way.
fn source(seed: u64, place: usize) -> Random {
    Random::new(seed.wrapping_add(place as u64))
}

/// The places of a batch that have no picture, each with the one whose picture is repeated there. They count for nothing
/// in the loss, but batch normalisation sees them, and should see what the others are like.
fn gaps(examples: &[Option<usize>]) -> impl Iterator<Item = (usize, usize)> {
    let (filled, empty): (Vec<usize>, Vec<usize>) = (0..examples.len()).partition(|&slot| examples[slot].is_some());
    empty.into_iter().zip(filled.into_iter().cycle())
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
    pub fn run(&mut self, pass: Pass, take: impl FnMut(Batch) -> Result<()>) -> Result<()> {
        self.run_batches(pass.batches(), &|number| pass.batch(number), take)
    }

    /// The same in training; with these pictures in bytes, varied by this seed, where the device does the rest.
    ///
    /// # Errors
    /// As [`Stream::run`].
    pub fn run_varied(
        &mut self,
        pass: Pass,
        varied: Option<(&dyn Varied, u64)>,
        take: impl FnMut(Batch<Input>) -> Result<()>,
    ) -> Result<()> {
        let make = |number| match varied {
            Some((varied, seed)) => pass.varied(varied, seed, number),
            None => {
                let Batch { input, examples, unreadable } = pass.batch(number)?;
                Ok(Batch { input: Input::Values(input), examples, unreadable })
            }
        };
        self.run_batches(pass.batches(), &make, take)
    }

    fn run_batches<I: Send>(
        &mut self,
        count: usize,
        batch: &(impl Fn(usize) -> Result<Batch<I>> + Sync),
        mut take: impl FnMut(Batch<I>) -> Result<()>,
    ) -> Result<()> {
        let threads = self.threads.min(count).max(1);
        let (pool, waited) = (&self.pool, &mut self.waited);
        thread::scope(move |scope| {
            let mut receivers = Vec::new();
            for first in 0..threads {
                let (sender, receiver) = sync_channel(AHEAD);
                let mine = (first..count).step_by(threads);
                let make = move || make(pool, batch, mine, &sender);
                let name = format!("vultus-batches-{first}");
                thread::Builder::new().name(name).spawn_scoped(scope, make).map_err(no_threads)?;
                receivers.push(receiver);
            }
            for number in 0..count {
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

/// These batches, until nobody takes them any more. The pool works on batches but waits for nobody who takes
/// them: one of its threads that waits for a part of a batch may begin another batch meanwhile, and if that one waited for
/// its turn, the first would never be done.
fn make<I: Send>(
    pool: &ThreadPool,
    batch: &(impl Fn(usize) -> Result<Batch<I>> + Sync),
    numbers: impl Iterator<Item = usize>,
    sender: &SyncSender<Result<Batch<I>>>,
) {
    for number in numbers {
        if sender.send(pool.install(|| batch(number))).is_err() {
            return;
        }
    }
}

fn next<I>(receiver: &Receiver<Result<Batch<I>>>) -> Result<Batch<I>> {
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
        let found: Vec<_> = gaps(&[Some(7), None, Some(8), None, None]).collect();
        assert_eq!(found, [(1, 0), (3, 2), (4, 0)]);
        assert_eq!(gaps(&[None; 5]).count(), 0);
    }

    /// Pictures of one pixel, of which every third cannot be read; all where nothing is readable.
    struct Pixels(bool);

    impl Varied for Pixels {
        fn normalization(&self) -> Normalization {
            Normalization::MTCNN
        }

        fn draw(&self, index: usize, random: &mut Random) -> Result<(Vec<u8>, Variation)> {
            if !self.0 || index % 3 == 1 {
                return Err(Error::shape("pixel", "is missing"));
            }
            Ok((vec![index as u8], Variation { offset: random.uniform(), ..Variation::none() }))
        }
    }

    #[test]
    fn pictures_in_bytes_fill_a_batch_too() {
        let order = [0, 1, 2, 3, 4];
        let pass = Pass { examples: &Shared, order: &order, size: 4, seed: None };
        let batch = |readable, number| pass.varied(&Pixels(readable), 9, number).unwrap();
        let first = batch(true, 0);
        assert_eq!(first.examples, [Some(0), None, Some(2), Some(3)]);
        assert_eq!((first.unreadable.len(), first.unreadable[0].0), (1, 1));
        let Input::Pictures(pictures) = first.input else { panic!("there are no bytes") };
        assert_eq!(pictures.bytes(), [[0], [0], [2], [3]]);
        assert_eq!(pictures.variations[1], pictures.variations[0]);
        assert_ne!(pictures.variations[2], pictures.variations[0]);
        assert_eq!(pictures.variations[3].offset, source(9, 3).uniform());
        // The rest of the last batch, of which nothing can be read.
        for batch in [batch(true, 1), batch(false, 0)] {
            let Input::Values(values) = batch.input else { panic!("there are bytes") };
            assert_eq!(values, Tensor::zeros([4, 1, 1, 1]));
            assert_eq!(batch.examples, [None; 4]);
        }
    }
}

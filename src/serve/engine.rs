//! The one thread that uses the device, and the bounded queue in front of it.
//!
//! Pictures that wait together are answered together: their faces share the batches of the network.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vultus::Error;

use super::inside::{Question, View};
use super::machine::{Machine, Request, Seen, since};
use super::metrics::Metrics;

/// Pictures that may wait for the device.
const QUEUE: usize = 96;
/// How long a picture may have to wait, as far as can be told: who would wait longer is refused at once.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Pictures that are answered together at most: the first of them waits for the last.
const TOGETHER: usize = 8;

/// Why there is no answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// Too many pictures wait already.
    Busy,
    /// The device takes no work.
    Gone(String),
    /// This picture cannot be worked on.
    Failed(String),
}

type Answer<T> = oneshot::Sender<Result<T, Trouble>>;

/// A picture, since when it waits, and who waits for it.
type Looking = (Request, Instant, Answer<Seen>);

enum Job {
    Look { request: Request, queued: Instant, answer: Answer<Seen> },
    Inside { request: Request, question: Question, answer: Answer<View> },
}

/// Hands pictures to the thread that uses the device. Clones share it.
#[derive(Clone)]
pub struct Engine {
    queue: SyncSender<Job>,
    pace: Arc<Pace>,
    metrics: Arc<Metrics>,
    alive: Arc<AtomicBool>,
}

impl Engine {
    /// Starts the thread with this machine. After the loss of the device `make` is asked for another one.
    pub fn start(
        machine: Machine,
        make: impl Fn() -> Result<Machine, Error> + Send + 'static,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let alive = Arc::new(AtomicBool::new(true));
        let pace = Arc::new(Pace::default());
        let worker =
            Worker { pace: pace.clone(), machine: Some(machine), make, metrics: metrics.clone(), alive: alive.clone() };
        thread::Builder::new().name("device".to_owned()).spawn(move || worker.run(&jobs))?;
        Ok(Engine { queue, pace, metrics, alive })
    }

    /// Whether the device answered the last time.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// What a picture shows.
    pub async fn look(&self, request: Request) -> Result<Seen, Trouble> {
        self.ask(|answer| Job::Look { request, queued: Instant::now(), answer }).await
    }

    /// How the answer for a face comes about.
    pub async fn look_inside(&self, request: Request, question: Question) -> Result<View, Trouble> {
        self.ask(|answer| Job::Inside { request, question, answer }).await
    }

    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, Trouble> {
        let (answer, result) = oneshot::channel();
        let waiting = u32::try_from(self.metrics.queue.get()).unwrap_or(0);
        if self.pace.picture() * waiting > LONGEST_WAIT {
            return Err(Trouble::Busy);
        }
        self.metrics.queue.add(1);
        if let Err(refused) = self.queue.try_send(job(answer)) {
            self.metrics.queue.add(-1);
            return Err(match refused {
                TrySendError::Full(_) => Trouble::Busy,
                TrySendError::Disconnected(_) => Trouble::Gone("the thread of the device has ended".to_owned()),
            });
        }
        let gone = |_| Err(Trouble::Gone("the device gave no answer".to_owned()));
        result.await.unwrap_or_else(gone)
    }
}

/// How long a picture takes, as an average over the last ones.
#[derive(Default)]
struct Pace(AtomicU64);

impl Pace {
    /// The part of the average that the newest pictures have.
    const NEWEST: f64 = 0.2;

    fn add(&self, pictures: usize, took: Duration) {
        let (old, new) = (self.picture(), took / u32::try_from(pictures.max(1)).unwrap_or(u32::MAX));
        let average = if old.is_zero() { new } else { old.mul_f64(1.0 - Self::NEWEST) + new.mul_f64(Self::NEWEST) };
        self.0.store(u64::try_from(average.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn picture(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

struct Worker<F> {
    pace: Arc<Pace>,
    machine: Option<Machine>,
    make: F,
    metrics: Arc<Metrics>,
    alive: Arc<AtomicBool>,
}

impl<F: Fn() -> Result<Machine, Error>> Worker<F> {
    /// Works until nobody can ask any more.
    fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut inside = Vec::new();
            let mut looks = Vec::new();
            for job in together(first, jobs) {
                self.metrics.queue.add(-1);
                match job {
                    // Who has gone away needs no answer.
                    Job::Look { request, queued, answer } if !answer.is_closed() => {
                        looks.push((request, queued, answer))
                    }
                    Job::Inside { request, question, answer } if !answer.is_closed() => {
                        inside.push((request, question, answer));
                    }
                    _ => {}
                }
            }
            let work = AssertUnwindSafe(|| self.answer(looks, inside));
            if catch_unwind(work).is_err() {
                // What a panic leaves may be half done. Those who waited are told that there is no answer.
                self.machine = None;
            }
        }
    }

    fn answer(&mut self, looks: Vec<Looking>, inside: Vec<(Request, Question, Answer<View>)>) {
        self.look(looks);
        for (request, question, answer) in inside {
            let view = self.with_machine(|machine| machine.look_inside(&request, &question));
            let _ = answer.send(view.and_then(|view| view.map_err(|error| self.trouble(error))));
        }
    }

    fn look(&mut self, looks: Vec<Looking>) {
        if looks.is_empty() {
            return;
        }
        let waits: Vec<f64> = looks.iter().map(|(_, queued, _)| since(*queued)).collect();
        let requests: Vec<&Request> = looks.iter().map(|(request, ..)| request).collect();
        let start = Instant::now();
        let seen = self.with_machine(|machine| machine.look(&requests));
        self.pace.add(requests.len(), start.elapsed());
        self.metrics.batch(requests.len());
        match seen {
            Err(trouble) => looks.into_iter().for_each(|(.., answer)| drop(answer.send(Err(trouble.clone())))),
            Ok(seen) => {
                for ((seen, wait), (.., answer)) in seen.into_iter().zip(waits).zip(looks) {
                    let seen = seen.map_err(|error| self.trouble(error)).map(|mut seen| {
                        seen.times.wait = wait;
                        seen
                    });
                    let _ = answer.send(seen);
                }
            }
        }
    }

    /// Does something with the machine, which is made anew where it was lost.
    fn with_machine<T>(&mut self, work: impl FnOnce(&mut Machine) -> T) -> Result<T, Trouble> {
        if self.machine.is_none() {
            let machine = (self.make)().map_err(|error| Trouble::Gone(error.to_string()))?;
            self.alive.store(true, Ordering::Relaxed);
            self.machine = Some(machine);
        }
        self.machine.as_mut().map(work).ok_or_else(|| Trouble::Gone("there is no device".to_owned()))
    }

    fn trouble(&mut self, error: Error) -> Trouble {
        if let Error::DeviceLost { .. } = error {
            self.machine = None;
            self.alive.store(false, Ordering::Relaxed);
            return Trouble::Gone(error.to_string());
        }
        Trouble::Failed(error.to_string())
    }
}

/// A job with those that wait behind it.
fn together(first: Job, jobs: &Receiver<Job>) -> Vec<Job> {
    let mut all = vec![first];
    while all.len() < TOGETHER {
        match jobs.try_recv() {
            Ok(job) => all.push(job),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_what_pictures_take() {
        let pace = Pace::default();
        pace.add(4, Duration::from_millis(400));
        assert_eq!(pace.picture(), Duration::from_millis(100));
        pace.add(1, Duration::from_millis(200));
        assert_eq!(pace.picture(), Duration::from_millis(120));
    }
}

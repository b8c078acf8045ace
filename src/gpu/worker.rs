//! The device's own thread, for those who await what a device computes: it submits their runs, polls until these are done,
//! and reads what has come out. Who awaits calls no driver. Some drivers make a thread that submits work wait for the work
//! before, callbacks of the application run wherever a device is polled or given work, and what wgpu locks may be held by
//! a thread that waits: none of that blocks a runtime that awaits.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::answer::PATIENCE;
use crate::error::Result;

/// The pauses between two polls. A wait with a timeout would need none, but it keeps others from destroying their
/// buffers for so long, and with wgpu 30 it may panic where another thread polls or submits at the same time, which
/// loses the answers that it was to deliver (<https://github.com/gfx-rs/wgpu/pull/9958>).
const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(2);

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is a device's own.
pub(super) fn is_here() -> bool {
    IS_WORKER.get()
}

/// A thread that serves a device, and sleeps while nothing is awaited. It ends when this is dropped.
pub(super) struct Worker {
    jobs: Sender<Job>,
}

/// Values that are on their way from the device. Dropped, they are given up.
pub(super) trait Arriving: Send {
    fn is_there(&self) -> bool;

    /// The values, which are there.
    fn read(&self) -> Result<Vec<f32>>;
}

/// What begins a job: it submits, and says what is to be read.
type Begin = Box<dyn FnOnce() -> Result<Vec<Box<dyn Arriving>>> + Send>;

struct Job {
    begin: Begin,
    promise: Arc<Promise>,
}

impl Worker {
    /// Starts the thread, which by itself keeps nothing alive but wgpu's own handle.
    pub fn start(device: wgpu::Device) -> std::io::Result<Self> {
        let (jobs, given) = channel();
        std::thread::Builder::new().name("vultus device".to_owned()).spawn(move || serve(&device, &given))?;
        Ok(Worker { jobs })
    }

    /// Begins this on the thread, after what it was given before.
    pub fn take(&self, begin: impl FnOnce() -> Result<Vec<Box<dyn Arriving>>> + Send + 'static) -> Arc<Promise> {
        let promise = Arc::new(Promise::default());
        // The thread outlives the sender.
        let _ = self.jobs.send(Job { begin: Box::new(begin), promise: promise.clone() });
        promise
    }
}

fn serve(device: &wgpu::Device, jobs: &Receiver<Job>) {
    IS_WORKER.set(true);
    let (mut running, mut since) = (Vec::<Running>::new(), Instant::now());
    loop {
        let job = match running.is_empty() {
            true => match jobs.recv() {
                Ok(job) => Some(job),
                Err(_) => return,
            },
            // An answer comes at most a sixteenth later than it could.
            false => jobs.recv_timeout((since.elapsed() / 16).clamp(SHORTEST, LONGEST)).ok(),
        };
        // What was given up is unmapped before its plan runs again.
        running.retain_mut(|running| !running.is_given_up());
        if let Some(job) = job {
            since = Instant::now();
            running.extend(job.begin());
        }
        let is_idle = !running.is_empty() && !poll(device);
        running.retain_mut(|running| !running.is_done(is_idle));
    }
}

/// Whether the device has more to do.
fn poll(device: &wgpu::Device) -> bool {
    // Callbacks of the application run here, too. One that panics must not end the others' waiting.
    let polled = catch_unwind(AssertUnwindSafe(|| device.poll(wgpu::PollType::Poll)));
    matches!(polled, Err(_) | Ok(Ok(wgpu::PollStatus::Poll)))
}

impl Job {
    fn begin(self) -> Option<Running> {
        let Job { begin, promise } = self;
        if promise.is_given_up() {
            drop(begin);
            promise.settle(None);
            return None;
        }
        match catch_unwind(AssertUnwindSafe(begin)) {
            Ok(Ok(values)) => return Some(Running { values, promise, idle_since: None }),
            Ok(Err(error)) => promise.settle(Some(Ok(Err(error)))),
            Err(panic) => promise.settle(Some(Err(panic))),
        }
        None
    }
}

/// A job whose work was submitted.
struct Running {
    values: Vec<Box<dyn Arriving>>,
    promise: Arc<Promise>,
    idle_since: Option<Instant>,
}

impl Running {
    /// Whether nobody waits for it any more; then its buffers are free.
    fn is_given_up(&mut self) -> bool {
        let is_given_up = self.promise.is_given_up();
        if is_given_up {
            self.values.clear();
            self.promise.settle(None);
        }
        is_given_up
    }

    /// Whether its values were read, or will never be there: the device is done or gone.
    fn is_done(&mut self, is_idle: bool) -> bool {
        let is_late = |since: &mut Option<Instant>| since.get_or_insert_with(Instant::now).elapsed() > PATIENCE;
        let is_done = self.values.iter().all(|value| value.is_there()) || is_idle && is_late(&mut self.idle_since);
        if is_done {
            let values = self.values.iter().map(|value| value.read()).collect();
            self.values.clear();
            self.promise.settle(Some(Ok(values)));
        }
        is_done
    }
}

/// What a job gives: its values, an error, or the panic of what began it.
type Outcome = std::thread::Result<Result<Vec<Vec<f32>>>>;

/// Where the outcome of a job will be.
#[derive(Default)]
pub(super) struct Promise {
    inner: Mutex<Inner>,
    settled: Condvar,
}

#[derive(Default)]
struct Inner {
    outcome: Option<Outcome>,
    waker: Option<Waker>,
    is_given_up: bool,
    is_settled: bool,
}

impl Promise {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, outcome: Option<Outcome>) {
        let mut inner = self.lock();
        inner.outcome = outcome;
        inner.is_settled = true;
        let waker = inner.waker.take();
        drop(inner);
        self.settled.notify_all();
        waker.into_iter().for_each(Waker::wake);
    }

    fn is_given_up(&self) -> bool {
        self.lock().is_given_up
    }

    /// Blocks until the thread is done with the job, whatever has become of it.
    fn wait(&self) {
        drop(self.settled.wait_while(self.lock(), |inner| !inner.is_settled));
    }
}

/// A job that somebody awaits. Dropped before, it is given up.
pub(super) struct Awaited(Arc<Promise>);

impl Future for Awaited {
    type Output = Result<Vec<Vec<f32>>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context) -> Poll<Self::Output> {
        let mut inner = self.0.lock();
        match inner.outcome.take() {
            Some(Ok(values)) => Poll::Ready(values),
            Some(Err(panic)) => {
                drop(inner);
                resume_unwind(panic)
            }
            None => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.lock().is_given_up = true;
    }
}

/// The last job of a plan, which may have been given up and still use the plan's memory.
#[derive(Default)]
pub(super) struct Last(Mutex<Option<Arc<Promise>>>);

impl Last {
    pub fn follow(&self, promise: Arc<Promise>) -> Awaited {
        *self.lock() = Some(promise.clone());
        Awaited(promise)
    }

    /// Blocks until the plan is nobody else's.
    pub fn wait(&self) {
        let last = self.lock().take();
        last.iter().for_each(|promise| promise.wait());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Promise>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

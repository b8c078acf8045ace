//! The answer that a device gives later, on whichever thread polls it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

/// What a mapping gives.
pub(super) type Mapped = std::result::Result<(), wgpu::BufferAsyncError>;

/// The answer of a mapping, and who waits for it.
#[derive(Default)]
pub(super) struct Answer {
    inner: Mutex<(Option<Mapped>, Option<Waker>)>,
    arrived: Condvar,
}

/// How long an answer may take to arrive once the device has done everything.
const PATIENCE: Duration = Duration::from_secs(10);

impl Answer {
    fn lock(&self) -> MutexGuard<'_, (Option<Mapped>, Option<Waker>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, result: Mapped) {
        let mut inner = self.lock();
        inner.0 = Some(result);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
        self.arrived.notify_all();
    }

    /// Blocks until the answer is there. Where several threads wait for a device, one of them delivers the answers of
    /// all, and the others may come back a little earlier.
    pub fn wait(&self) {
        let missing = |inner: &mut (Option<_>, _)| inner.0.is_none();
        drop(self.arrived.wait_timeout_while(self.lock(), PATIENCE, missing));
    }

    /// Whether it is there, which it stays.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_there(&self) -> bool {
        self.lock().0.is_some()
    }

    /// Ends waiting for what has not arrived.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn give_up(&self) {
        if !self.is_there() {
            self.set(Err(wgpu::BufferAsyncError));
        }
    }

    pub fn is_ready(&self, context: &Context) -> bool {
        let mut inner = self.lock();
        inner.1 = Some(context.waker().clone());
        inner.0.is_some()
    }

    pub fn result(&self) -> Option<Mapped> {
        self.lock().0.clone()
    }
}

//! The answer that a device gives later, on whichever thread polls it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a mapping gives.
pub(super) type Mapped = std::result::Result<(), wgpu::BufferAsyncError>;

/// The answer of a mapping, and who waits for it.
#[derive(Default)]
pub(super) struct Answer {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    result: Option<Mapped>,
    /// Where threads do not wait: in browsers.
    #[cfg(target_family = "wasm")]
    waker: Option<std::task::Waker>,
}

/// How long an answer may take to arrive once the device has done everything: another thread that polls may be about to
/// deliver it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

impl Answer {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, result: Mapped) {
        let mut inner = self.lock();
        inner.result = Some(result);
        #[cfg(target_family = "wasm")]
        inner.waker.take().into_iter().for_each(std::task::Waker::wake);
        self.arrived.notify_all();
    }

    /// Blocks until the answer is there. Where several threads wait for a device, one of them delivers the answers of
    /// all, and the others may come back a little earlier.
    pub fn wait(&self) {
        let missing = |inner: &mut Inner| inner.result.is_none();
        drop(self.arrived.wait_timeout_while(self.lock(), PATIENCE, missing));
    }

    #[cfg(target_family = "wasm")]
    pub fn is_ready(&self, context: &std::task::Context) -> bool {
        let mut inner = self.lock();
        inner.waker = Some(context.waker().clone());
        inner.result.is_some()
    }

    pub fn result(&self) -> Option<Mapped> {
        self.lock().result.clone()
    }
}

//! Working memory of a plan, kept from run to run.

use std::sync::{Mutex, PoisonError};

/// Buffers that tasks borrow and give back; there are as many as tasks have run at the same time.
pub(super) struct Scratch {
    free: Mutex<Vec<Vec<f32>>>,
    /// Whether borrowed memory is filled with NaN first, so that a value read before it is written shows.
    checked: bool,
}

impl Scratch {
    pub fn new(checked: bool) -> Self {
        Scratch { free: Mutex::default(), checked }
    }

    /// Runs `f` with memory of this length, with any contents.
    pub fn with<R>(&self, length: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
        let mut buffer = self.take(length);
        if buffer.len() < length {
            // Nothing that is in it needs to be copied to where it grows.
            buffer = vec![0.0; length];
        }
        if self.checked {
            buffer.fill(f32::NAN);
        }
        let result = f(&mut buffer[..length]);
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
        result
    }

    /// The shortest free buffer that is long enough, else the longest.
    fn take(&self, length: usize) -> Vec<f32> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let best = (0..free.len()).min_by_key(|&i| {
            let held = free[i].len();
            if held >= length { (0, held) } else { (1, usize::MAX - held) }
        });
        best.map(|i| free.swap_remove(i)).unwrap_or_default()
    }
}

//! Working memory of a plan, kept from run to run.

use std::sync::{Mutex, PoisonError};

/// Values of a line of the caches.
const LINE: usize = 16;

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

    /// Runs `f` with memory of this length, with any contents. It begins with a line of the caches.
    pub fn with<R>(&self, length: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
        let needed = length + LINE;
        let mut buffer = self.take(needed);
        if buffer.len() < needed {
            // Nothing that is in it needs to be copied to where it grows.
            buffer = vec![0.0; needed];
        }
        // Vectors that lie in two lines take longer to load.
        let start = buffer.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        if self.checked {
            buffer.fill(f32::NAN);
        }
        let result = f(&mut buffer[start..start + length]);
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

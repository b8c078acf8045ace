//! In a browser nothing can be waited for: what the device complains of is told by the next call, and values are read
//! back without blocking only.

use std::sync::Arc;

use super::answer::Answer;
use super::device::{Complaint, Gpu};
use crate::error::{Error, Result};

impl Gpu {
    /// Runs what creates objects, and gives what the driver has complained of so far as an error.
    pub(super) fn guarded<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let made = make()?;
        self.check()?;
        Ok(made)
    }

    /// Whether the device is known to be gone.
    pub(super) fn is_lost(&self) -> bool {
        matches!(*self.complaint(), Some(Complaint::Lost(_)))
    }

    /// A browser polls its devices itself.
    pub(super) fn poll_until(&self, _: &[Arc<Answer>]) -> Result<()> {
        Ok(())
    }

    /// Refuses.
    pub(super) fn wait(&self) -> Result<()> {
        self.check()?;
        let reason = "a browser does not let a program wait for it: use the functions that are async".to_owned();
        Err(Error::Device { device: self.name().to_owned(), reason })
    }
}

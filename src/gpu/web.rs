//! In a browser nothing can be waited for: what the device complains of is told by the next call, and values are read
//! back without blocking only.

use super::device::{Complaint, Gpu};
use super::read_back::Mapping;
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

    /// Submits commands.
    pub(super) fn submit(&self, commands: wgpu::CommandBuffer) {
        self.count_submission();
        self.queue().submit([commands]);
    }

    /// Begins this, and gives what it asks for. A browser polls its devices itself, and makes nobody wait who submits.
    pub(super) async fn read_later(
        &self,
        _: &Last,
        begin: impl FnOnce() -> Result<Vec<Mapping>>,
    ) -> Result<Vec<Vec<f32>>> {
        let mut values = Vec::new();
        for mapping in begin()? {
            mapping.arrive().await;
            self.check()?;
            match mapping.values() {
                Ok(read) => values.push(read),
                Err(reason) => return Err(self.refused_async(reason).await),
            }
        }
        Ok(values)
    }

    /// As [`Gpu::refused`], without blocking.
    async fn refused_async(&self, reason: String) -> Error {
        let is_lost = self.probe().await.is_some();
        if is_lost { self.lost(reason) } else { Error::Device { device: self.name().to_owned(), reason } }
    }

    /// Refuses.
    pub(super) fn wait(&self) -> Result<()> {
        self.check()?;
        let reason = "a browser does not let a program wait for it: use the functions that are async".to_owned();
        Err(Error::Device { device: self.name().to_owned(), reason })
    }
}

/// Nothing goes on in a browser once a future is dropped.
#[derive(Default)]
pub(super) struct Last;

impl Last {
    pub fn wait(&self) {}
}

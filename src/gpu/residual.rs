//! What convolutions add to their sums before the activation, or what its gradient sees, as kernels see it.

use super::buffer::View;
use crate::error::Result;

/// What meets a part of y, if anything.
pub(super) struct Residual {
    view: Option<View>,
    /// How much further than the same value of y it lies, as the shaders take it.
    pub shift: u32,
}

impl Residual {
    pub fn of(view: Option<Result<View>>, y: &View) -> Result<Self> {
        let view = view.transpose()?;
        let shift = view.as_ref().map_or(0, |view| view.offset.wrapping_sub(y.offset));
        Ok(Residual { view, shift })
    }

    pub fn exists(&self) -> bool {
        self.view.is_some()
    }

    /// What is bound: another view where there is none, which is not read.
    pub fn or<'a>(&'a self, other: &'a View) -> &'a View {
        self.view.as_ref().unwrap_or(other)
    }
}

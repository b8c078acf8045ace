//! What a convolution does with its sums before they are written.

use super::activation;
use crate::ops::Activation;

/// What is added to the sums of a convolution.
#[derive(Clone, Copy)]
pub(super) struct After<'a> {
    /// One for each filter.
    pub bias: &'a [f32],
    /// In the shape of the output.
    pub residual: Option<&'a [f32]>,
}

/// Adds a part of the residual to the same part of the output, which begins here, and applies the activation.
#[inline(always)]
pub(super) fn finish(residual: Option<&[f32]>, start: usize, activation: Option<Activation>, y: &mut [f32]) {
    if let Some(residual) = residual {
        y.iter_mut().zip(&residual[start..]).for_each(|(y, residual)| *y += residual);
    }
    activation::apply(activation, y);
}

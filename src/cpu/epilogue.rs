//! What a convolution does with its sums before they are written.

use std::ops::Range;

use pulp::Simd;

use super::activation;
use super::shared_output::SharedOutput;
use super::vector::{load, store};
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

/// The same for sums that are still in registers, where the activation only limits them.
#[derive(Clone)]
pub(super) struct Finish<'a> {
    after: After<'a>,
    limits: Option<[f32; 2]>,
    y: SharedOutput<'a>,
    /// The first of the filters, where its sums go, and how far apart those of the next ones lie.
    filter: usize,
    place: Range<usize>,
    stride: usize,
}

impl<'a> Finish<'a> {
    /// For this part of the output of a filter, and the same part of the filters that follow it, whose planes lie so far
    /// apart. `None` if the activation does more than limit.
    ///
    /// # Safety
    /// Of what lives at the same time, nothing else may have these parts of the output.
    #[inline(always)]
    pub unsafe fn new(
        after: After<'a>,
        activation: Option<Activation>,
        y: SharedOutput<'a>,
        filter: usize,
        place: Range<usize>,
        stride: usize,
    ) -> Option<Self> {
        let limits = match activation {
            None => None,
            Some(Activation::Relu) => Some([0.0, f32::INFINITY]),
            Some(Activation::Clip { min, max }) => Some([min, max]),
            Some(_) => return None,
        };
        Some(Finish { after, limits, y, filter, place, stride })
    }

    /// The same for places this much further on.
    #[inline(always)]
    pub fn at(&self, place: Range<usize>) -> Self {
        let place = self.place.start + place.start..(self.place.start + place.end).min(self.place.end);
        Finish { place, ..self.clone() }
    }

    /// Writes the sums of a filter, counted from the first.
    #[inline(always)]
    pub fn write<S: Simd, const V: usize>(&self, simd: S, row: usize, sums: [S::f32s; V]) {
        let bias = simd.splat_f32s(self.after.bias[self.filter + row]);
        let place = self.place.start + row * self.stride..self.place.end + row * self.stride;
        let residual = self.after.residual.map(|residual| &residual[place.clone()]);
        // SAFETY: whoever made this vouches for it.
        let y = unsafe { self.y.part(place) };
        let (lanes, length) = (S::F32_LANES, y.len());
        for (v, sum) in sums.into_iter().enumerate() {
            let range = (v * lanes).min(length)..((v + 1) * lanes).min(length);
            let mut value = simd.add_f32s(sum, bias);
            if let Some(residual) = residual {
                value = simd.add_f32s(value, load(simd, &residual[range.clone()]));
            }
            if let Some([min, max]) = self.limits {
                // Comparisons with NaN are false, so that NaN stays.
                let [min, max] = [min, max].map(|limit| simd.splat_f32s(limit));
                value = simd.select_f32s(simd.less_than_f32s(value, min), min, value);
                value = simd.select_f32s(simd.less_than_f32s(max, value), max, value);
            }
            store(simd, &mut y[range], value);
        }
    }
}

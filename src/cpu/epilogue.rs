//! What a convolution does with its sums before they are written.

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

/// The limits of what is not limited.
pub(super) const UNLIMITED: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// What an activation limits its input to, if it does nothing else.
pub(super) fn limits(activation: Option<Activation>) -> Option<[f32; 2]> {
    match activation {
        None => Some(UNLIMITED),
        Some(Activation::Relu) => Some([0.0, f32::INFINITY]),
        Some(Activation::Clip { min, max }) => Some([min, max]),
        Some(_) => None,
    }
}

/// Limits what is in registers. Comparisons with NaN are false, so that NaN stays.
#[inline(always)]
pub(super) fn limit<S: Simd>(simd: S, limits: [f32; 2], value: S::f32s) -> S::f32s {
    let [min, max] = limits.map(|limit| simd.splat_f32s(limit));
    let value = simd.select_f32s(simd.less_than_f32s(value, min), min, value);
    simd.select_f32s(simd.less_than_f32s(max, value), max, value)
}

/// Where a part of what is computed at once belongs.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// Its first value among those, and how many there are.
    pub from: usize,
    pub length: usize,
    /// The image, and the place within each plane of it.
    pub image: usize,
    pub within: usize,
    /// How far one may write beyond it: what lies there is written later.
    pub room: usize,
}

/// The same for sums that are still in registers.
pub(super) struct Finish<'a> {
    after: After<'a>,
    activation: Option<Activation>,
    limits: Option<[f32; 2]>,
    y: SharedOutput<'a>,
    /// The first of the filters, and the pixels of an image.
    first: usize,
    plane: usize,
}

impl<'a> Finish<'a> {
    /// For the filters from this one on.
    ///
    /// # Safety
    /// Of what lives at the same time, nothing else may have the places of the output that it is used for.
    pub unsafe fn new(
        after: After<'a>,
        activation: Option<Activation>,
        y: SharedOutput<'a>,
        first: usize,
        plane: usize,
    ) -> Self {
        let limits = if activation.is_some() { limits(activation) } else { None };
        Finish { after, activation, limits, y, first, plane }
    }

    /// Whether nothing is left to be done once the sums are written.
    pub fn is_complete(&self) -> bool {
        self.limits.is_some() || self.activation.is_none()
    }

    /// Applies the activation where all sums have been written.
    #[inline(always)]
    pub fn activate(&self, row: usize, place: Place) {
        let start = self.start(row, place);
        // SAFETY: whoever made this vouches for it.
        activation::apply(self.activation, unsafe { self.y.part(start..start + place.length) });
    }

    #[inline(always)]
    fn start(&self, row: usize, place: Place) -> usize {
        (place.image * self.after.bias.len() + self.first + row) * self.plane + place.within
    }

    /// Writes the sums of a filter, counted from the first.
    #[inline(always)]
    pub fn write<S: Simd, const V: usize>(&self, simd: S, row: usize, mut sums: [S::f32s; V], places: &[Place]) {
        let (lanes, bias) = (S::F32_LANES, simd.splat_f32s(self.after.bias[self.first + row]));
        // Loops: a closure that is not inlined has no vectors.
        for sum in &mut sums {
            *sum = simd.add_f32s(*sum, bias);
        }
        match places {
            [place] if place.length == V * lanes => {
                let (y, residual) = self.part(row, *place, V * lanes);
                for (v, sum) in sums.into_iter().enumerate() {
                    let residual = residual.map(|residual| &residual[v * lanes..][..lanes]);
                    self.write_vector(simd, sum, residual, &mut y[v * lanes..][..lanes]);
                }
            }
            _ => {
                // One vector more than there are, so that a whole one can begin anywhere.
                let mut held = [simd.splat_f32s(0.0); 4];
                held[..V].copy_from_slice(&sums);
                let held: &[f32] = bytemuck::cast_slice(&held);
                for place in places {
                    self.write_place(simd, row, *place, &held[place.from..]);
                }
            }
        }
    }

    #[inline(always)]
    fn write_place<S: Simd>(&self, simd: S, row: usize, place: Place, sums: &[f32]) {
        let lanes = S::F32_LANES;
        let room = place.length.next_multiple_of(lanes).min(place.room - place.within);
        let (y, residual) = self.part(row, place, room);
        for (v, y) in (0..place.length).step_by(lanes).zip(y.chunks_mut(lanes)) {
            let residual = residual.map(|residual| &residual[v..v + y.len()]);
            self.write_vector(simd, S::as_simd_f32s(&sums[v..][..lanes]).0[0], residual, y);
        }
    }

    /// So many values of the output from a place on, and of the residual.
    #[inline(always)]
    fn part(&self, row: usize, place: Place, length: usize) -> (&'a mut [f32], Option<&'a [f32]>) {
        let start = self.start(row, place);
        // SAFETY: whoever made this vouches for it.
        let y = unsafe { self.y.part(start..start + length) };
        (y, self.after.residual.map(|residual| &residual[start..start + length]))
    }

    #[inline(always)]
    fn write_vector<S: Simd>(&self, simd: S, mut value: S::f32s, residual: Option<&[f32]>, y: &mut [f32]) {
        if let Some(residual) = residual {
            value = simd.add_f32s(value, load(simd, residual));
        }
        if let Some(limits) = self.limits {
            value = limit(simd, limits, value);
        }
        store(simd, y, value);
    }
}

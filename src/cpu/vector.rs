//! Loads and stores of a vector, or of the part of one that there is.

use pulp::{MemMask, Simd};

/// A vector, or as much of it as there is and zeros.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    if from.len() == S::F32_LANES {
        return S::as_simd_f32s(from).0[0];
    }
    let mask = inside(simd, 0, from.len());
    // SAFETY: the mask leaves out what lies behind the slice.
    unsafe { simd.mask_load_ptr_f32s(mask, from.as_ptr()) }
}

/// The lanes from this one on and before that one.
#[inline(always)]
pub(super) fn inside<S: Simd>(simd: S, start: usize, end: usize) -> MemMask<S::m32s> {
    // Without the code that pulp keeps for each mask and calls for each load.
    MemMask::new(simd.mask_between_m32s(start as u32, end as u32).mask())
}

/// As much of a vector as there is room for.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, to: &mut [f32], value: S::f32s) {
    if to.len() == S::F32_LANES {
        S::as_mut_simd_f32s(to).0[0] = value;
    } else {
        simd.partial_store_f32s(to, value);
    }
}

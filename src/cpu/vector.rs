//! Loads and stores of a vector, or of the part of one that there is.

use pulp::{MemMask, Simd};

/// A vector, or as much of it as there is and zeros.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, from: &[f32]) -> S::f32s {
    if from.len() == S::F32_LANES {
        return S::as_simd_f32s(from).0[0];
    }
    let mask = inside(simd, 0, from.len());
    // SAFETY: the mask leaves out what comes after the slice.
    unsafe { simd.mask_load_ptr_f32s(mask, from.as_ptr()) }
}

/// Which lanes of a vector that begins at this column lie within a row of so many values.
#[inline(always)]
pub(super) fn inside<S: Simd>(simd: S, column: isize, length: usize) -> MemMask<S::m32s> {
    let end = (length as isize - column).clamp(0, S::F32_LANES as isize);
    let start = (-column).clamp(0, end);
    // Of none, the first: pulp has no mask for those between the last lane and the last.
    let (start, end) = if start == end { (0, 0) } else { (start, end) };
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

/// Every so many values from the first on, as many as there is room for.
#[inline(always)]
pub(super) fn pick(from: &[f32], stride: usize, to: &mut [f32]) {
    match stride {
        1 => to.copy_from_slice(&from[..to.len()]),
        2 => {
            to.iter_mut().zip(from.as_chunks::<2>().0).for_each(|(to, pair)| *to = pair[0]);
            // The last one may have no neighbour.
            let last = to.len().saturating_sub(1);
            to.iter_mut().skip(last).zip(&from[2 * last..]).for_each(|(to, from)| *to = *from);
        }
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, from)| *to = *from),
    }
}

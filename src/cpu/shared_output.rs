//! Memory that the tasks of an operation write to at the same time, where their parts do not follow each other.

use std::cell::UnsafeCell;
use std::ops::Range;

/// Output that several threads write to, each to other places.
#[derive(Clone, Copy)]
pub(super) struct SharedOutput<'a> {
    data: &'a [UnsafeCell<f32>],
}

// SAFETY: `part` is the only way to the values, and who calls it vouches that no other thread has the same ones.
unsafe impl Sync for SharedOutput<'_> {}
// SAFETY: as above.
unsafe impl Send for SharedOutput<'_> {}

impl<'a> SharedOutput<'a> {
    pub fn new(data: &'a mut [f32]) -> Self {
        let length = data.len();
        // SAFETY: an `UnsafeCell<f32>` lies in memory as an `f32` does, and the borrow of `data` goes on.
        SharedOutput { data: unsafe { std::slice::from_raw_parts(data.as_mut_ptr().cast(), length) } }
    }

    /// # Safety
    /// Of the slices that live at the same time, none may overlap.
    pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [f32] {
        let cells = &self.data[range];
        // SAFETY: the bounds were checked, and the caller vouches for the absence of aliases.
        unsafe { std::slice::from_raw_parts_mut(cells.as_ptr().cast_mut().cast(), cells.len()) }
    }
}

#[cfg(test)]
mod tests {
    use crate::parallel::*;

    use super::*;

    #[test]
    fn threads_write_to_parts_that_do_not_follow_each_other() {
        let mut values = vec![0.0; 3 * 1000];
        let output = SharedOutput::new(&mut values);
        (0..3).into_par_iter().for_each(|thread| {
            for place in (thread..3 * 1000).step_by(3) {
                // SAFETY: each place belongs to one thread.
                let part = unsafe { output.part(place..place + 1) };
                part[0] = place as f32;
            }
        });
        assert!(values.iter().enumerate().all(|(place, &value)| value == place as f32));
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_part_outside_is_refused() {
        // SAFETY: there is only one part.
        unsafe { SharedOutput::new(&mut [0.0; 4]).part(2..5) };
    }
}

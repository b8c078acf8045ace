//! Parallel iterators: rayon's with the feature `parallel`, else the standard library's under the same names, on the
//! calling thread. Where there are no threads (`wasm32-unknown-unknown`), the feature is of no use.

#[cfg(feature = "parallel")]
pub(crate) use rayon::{current_num_threads, prelude::*};

/// What matrix products run on.
#[cfg(feature = "parallel")]
pub(crate) const MATRIX_THREADS: gemm::Parallelism = gemm::Parallelism::Rayon(0);

/// Runs tasks of about the same size, the calling thread among the others: it neither sleeps while they work nor waits to
/// be woken, which for the layers of a small network takes as long as the work.
#[cfg(feature = "parallel")]
pub(crate) fn for_each_task(count: usize, run: impl Fn(usize) + Sync) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    /// Looks for the end of others' last tasks, a few microseconds' worth.
    const LOOKS: usize = 1 << 12;
    let helpers = current_num_threads().min(count).saturating_sub(1);
    if helpers == 0 {
        return (0..count).for_each(run);
    }
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= count {
                return;
            }
            run(task);
            finished.fetch_add(1, Ordering::Release);
        }
    };
    rayon::in_place_scope(|scope| {
        (0..helpers).for_each(|_| scope.spawn(|_| work()));
        work();
        let mut looks = 0;
        while finished.load(Ordering::Acquire) < count && looks < LOOKS {
            std::hint::spin_loop();
            looks += 1;
        }
    });
}

/// Runs a function on every thread; what each gives.
#[cfg(feature = "parallel")]
pub(crate) fn broadcast<R: Send>(run: impl Fn() -> R + Sync) -> Vec<R> {
    rayon::broadcast(|_| run())
}

#[cfg(not(feature = "parallel"))]
pub(crate) use serial::*;

#[cfg(not(feature = "parallel"))]
mod serial {
    use std::iter::FlatMap;
    use std::slice::{Chunks, ChunksMut};

    pub(crate) const MATRIX_THREADS: gemm::Parallelism = gemm::Parallelism::None;

    pub(crate) fn broadcast<R>(run: impl Fn() -> R) -> Vec<R> {
        vec![run()]
    }

    pub(crate) fn current_num_threads() -> usize {
        1
    }

    pub(crate) fn for_each_task(count: usize, run: impl Fn(usize)) {
        (0..count).for_each(run);
    }

    pub(crate) trait IntoParallelIterator: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<I: IntoIterator> IntoParallelIterator for I {}

    pub(crate) trait IntoParallelRefIterator<'a> {
        type Iter;

        fn par_iter(&'a self) -> Self::Iter;
    }

    impl<'a, C: ?Sized + 'a> IntoParallelRefIterator<'a> for C
    where
        &'a C: IntoIterator,
    {
        type Iter = <&'a C as IntoIterator>::IntoIter;

        fn par_iter(&'a self) -> Self::Iter {
            self.into_iter()
        }
    }

    pub(crate) trait IntoParallelRefMutIterator<'a> {
        type Iter;

        fn par_iter_mut(&'a mut self) -> Self::Iter;
    }

    impl<'a, C: ?Sized + 'a> IntoParallelRefMutIterator<'a> for C
    where
        &'a mut C: IntoIterator,
    {
        type Iter = <&'a mut C as IntoIterator>::IntoIter;

        fn par_iter_mut(&'a mut self) -> Self::Iter {
            self.into_iter()
        }
    }

    pub(crate) trait ParallelSlice<T> {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T>;
    }

    impl<T> ParallelSlice<T> for [T] {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T> {
            self.chunks(size)
        }
    }

    pub(crate) trait ParallelSliceMut<T> {
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T>;
    }

    impl<T> ParallelSliceMut<T> for [T] {
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T> {
            self.chunks_mut(size)
        }
    }

    /// What rayon's iterators have and the standard library's have not.
    pub(crate) trait IndexedParallelIterator: Iterator + Sized {
        fn with_min_len(self, _: usize) -> Self {
            self
        }

        fn flat_map_iter<U: IntoIterator, F: FnMut(Self::Item) -> U>(self, of: F) -> FlatMap<Self, U, F> {
            self.flat_map(of)
        }
    }

    impl<I: Iterator> IndexedParallelIterator for I {}
}

//! A plan on the CPU allocates its memory once.
#![cfg(feature = "parallel")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use vultus::nn::vgg16;
use vultus::{Device, Options};

/// Bytes that were ever allocated.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn later_runs_allocate_no_memory_for_values() {
    // One thread, so that as many tasks run at the same time in every run.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        let network = vgg16::whole_with_widths(64, &[&[20, 20], &[40], &[80], &[80], &[80]], &[64], 7).unwrap();
        let model = Device::Cpu.load(&network, &network.initialize(1).unwrap()).unwrap();
        for kernel in ["conv2d/direct", "conv2d/winograd2", "conv2d/winograd4"] {
            let options = Options { kernel: Some(kernel.to_owned()), ..Options::default() };
            let mut plan = model.compile(2, &options).unwrap();
            let mut bytes = || {
                let before = ALLOCATED.load(Ordering::Relaxed);
                plan.execute().unwrap();
                ALLOCATED.load(Ordering::Relaxed) - before
            };
            let (first, _, third) = (bytes(), bytes(), bytes());
            // Each step collects references to its values: some hundred bytes.
            assert!(first > 50_000 && third < 10_000, "{kernel}: {first} bytes at first, then {third}");
        }
    });
}

//! Threads: what may go from one to another, and engines that run side by side.

use vultus::*;

use super::application::{copies_arrive, embedded, input, plan, wanted};
use crate::compare::Comparison;

#[test]
fn engines_on_threads_of_their_own_share_the_applications_device() {
    let (device, queue, first) = embedded();
    let second = Device::Gpu(gpu::Gpu::from_device(device.clone(), queue.clone()));
    let work = |engine: &Device, seed: u64| {
        let (mut plan, mut comparison) = (plan(engine, seed).unwrap(), Comparison::default());
        for number in 0..40 {
            let found = match number % 2 {
                0 => plan.run(&input(number)),
                _ => pollster::block_on(plan.run_async(&input(number))),
            };
            comparison.check(format!("engine {seed}, {number}"), &found.unwrap()[0], &wanted(seed, number), 1e-5);
        }
        comparison.finish();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(&first, 1));
        scope.spawn(|| work(&second, 2));
        // The application has work of its own.
        for number in 0..40 {
            assert!(copies_arrive(&device, &queue, number));
        }
    });
}

#[test]
fn awaited_runs_may_go_from_thread_to_thread() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let mut plan = plan(&Device::Cpu, 1).unwrap();
    pollster::block_on(assert_send(plan.run_async(&input(1)))).unwrap();
    pollster::block_on(assert_send(plan.output_async(0))).unwrap();
}

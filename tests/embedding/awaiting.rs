//! Runs that are awaited: by any executor, without anybody who polls the device, and without blocking.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use vultus::nn::light;
use vultus::ops::{Crop, Filter, Normalization};
use vultus::{Device, Error, Options, Plan, Tensor, wgpu};

use super::application::{embedded, input, model, plan, wanted};
use crate::compare::{Comparison, fresh_gpu};

#[test]
fn nobody_else_needs_to_poll_the_device() {
    let (_, _, foreign) = embedded();
    let mut comparison = Comparison::default();
    for (whose, device) in [("foreign", foreign), ("own", Device::Gpu(fresh_gpu())), ("CPU", Device::Cpu)] {
        let mut plan = plan(&device, 1).unwrap();
        for number in 0..3 {
            let found = pollster::block_on(plan.run_async(&input(number))).unwrap();
            comparison.check(format!("{whose}, run {number}"), &found[0], &wanted(1, number), 1e-5);
        }
    }
    comparison.finish();
}

#[test]
fn an_output_can_be_awaited_whoever_has_run_the_plan() {
    let (device, queue, engine) = embedded();
    let (mut plan, mut comparison) = (plan(&engine, 1).unwrap(), Comparison::default());
    plan.set_input(0, &input(3)).unwrap();
    plan.execute().unwrap();
    comparison.check("executed", &pollster::block_on(plan.output_async(0)).unwrap(), &wanted(1, 3), 1e-5);
    plan.set_input(0, &input(4)).unwrap();
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    plan.gpu().unwrap().encode(&mut encoder).unwrap();
    queue.submit([encoder.finish()]);
    comparison.check("encoded", &pollster::block_on(plan.output_async(0)).unwrap(), &wanted(1, 4), 1e-5);
    // Twice the same, and by the door that blocks.
    comparison.check("again", &pollster::block_on(plan.output_async(0)).unwrap(), &wanted(1, 4), 1e-5);
    comparison.check("blocking", &plan.outputs().unwrap()[0], &wanted(1, 4), 1e-5);
    let refused = pollster::block_on(plan.output_async(1));
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })), "{refused:?}");
    comparison.finish();
}

#[test]
fn a_cut_of_a_picture_is_awaited_as_any_input_is() {
    let rgb: Vec<u8> = (0..3 * 30 * 20).map(|i| (i * 7 % 256) as u8).collect();
    let crops = [Crop { x: 3, y: 2, width: 15, height: 15, mirror: true }, Crop::whole(30, 20)];
    let run = |device: &Device| {
        let mut plan = plan(device, 1).unwrap();
        let picture = device.upload(&rgb, 30, 20).unwrap();
        plan.set_picture(&picture, &crops, Filter::Area, &Normalization::MTCNN).unwrap();
        plan.execute().unwrap();
        pollster::block_on(plan.output_async(0)).unwrap()
    };
    let mut comparison = Comparison::default();
    comparison.check("cut", &run(&embedded().2), &run(&Device::Cpu), 1e-5);
    comparison.finish();
}

/// A plan that a software adapter needs some time for, and its input.
fn slow(device: &Device) -> (Plan, Tensor) {
    let network = light::network(light::INPUT, 0.0, 7);
    let model = device.load(&network, &network.initialize(1).unwrap()).unwrap();
    (model.compile(32, &Options::default()).unwrap(), Tensor::filled([32, 3, light::INPUT, light::INPUT], 0.5))
}

#[test]
fn asking_a_future_takes_no_time() {
    let (_, _, engine) = embedded();
    let (mut plan, x) = slow(&engine);
    // A driver may compile in the first run.
    plan.run(&x).unwrap();
    // Others use this machine too: the best of some tries counts.
    let tries = (0..8).map(|_| {
        let (start, mut future) = (Instant::now(), pin!(plan.run_async(&x)));
        let mut context = Context::from_waker(Waker::noop());
        let first = future.as_mut().poll(&mut context);
        let asked = start.elapsed();
        if first.is_pending() {
            pollster::block_on(future).unwrap();
        }
        (asked, start.elapsed(), first.is_pending())
    });
    let tries: Vec<(Duration, Duration, bool)> = tries.collect();
    // A GPU may be done before it is asked.
    let is_slow = tries.iter().all(|&(_, whole, _)| whole > Duration::from_millis(20));
    assert!(!is_slow || tries.iter().any(|&(asked, whole, is_pending)| is_pending && asked < whole / 4), "{tries:?}");
}

#[test]
fn a_runtime_goes_on_while_it_awaits() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (_, _, engine) = embedded();
    let (mut plan, x) = slow(&engine);
    let wanted = plan.run(&x).unwrap();
    let ticks = Arc::new(AtomicU64::new(0));
    let counter = ticks.clone();
    let (found, time) = runtime.block_on(async move {
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let awaited = async move {
            let start = Instant::now();
            (plan.run_async(&x).await, start.elapsed())
        };
        tokio::spawn(awaited).await.unwrap()
    });
    assert_eq!(found.unwrap(), wanted);
    // At least one tick in 10 ms of this very run: another one may take longer.
    assert!(u128::from(ticks.load(Ordering::Relaxed)) >= time.as_millis() / 10, "{ticks:?} ticks in {time:?}");
}

/// A callback of the application that blocks whoever gives the device work or polls it, until it is told to go on. What it
/// gives are the thread that it came upon, and what lets it go on.
fn blocking_callback(queue: &wgpu::Queue) -> (mpsc::Receiver<ThreadId>, mpsc::Sender<()>) {
    let (caught, blocked) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    queue.on_submitted_work_done(move || {
        let _ = caught.send(thread::current().id());
        // Not for ever, should the test fail.
        let _ = wait.recv_timeout(Duration::from_secs(20));
    });
    (blocked, go_on)
}

#[test]
fn a_driver_that_blocks_does_not_block_who_awaits() {
    let (_, queue, engine) = embedded();
    let mut plan = plan(&engine, 1).unwrap();
    // What is compiled in the first run is not what this is about.
    plan.run(&input(1)).unwrap();
    let mut comparison = Comparison::default();
    for door in ["run_async", "output_async"] {
        let (blocked, go_on) = blocking_callback(&queue);
        let x = input(1);
        let mut future: Pin<Box<dyn Future<Output = _> + '_>> = match door {
            "run_async" => Box::pin(async { plan.run_async(&x).await.map(|mut outputs| outputs.swap_remove(0)) }),
            _ => Box::pin(plan.output_async(0)),
        };
        let mut ask = || future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(ask().is_pending(), "{door}: nothing can be there while the device's thread is blocked");
        let thread = blocked.recv_timeout(Duration::from_secs(20)).expect("somebody gives the device work");
        assert_ne!(thread, thread::current().id(), "{door} has run what blocks");
        // It is still blocked, and asking again takes no part in that.
        assert!(ask().is_pending(), "{door}");
        go_on.send(()).unwrap();
        comparison.check(door, &pollster::block_on(future).unwrap(), &wanted(1, 1), 1e-5);
    }
    comparison.finish();
}

#[test]
fn a_run_given_up_while_it_waits_its_turn_touches_nothing() {
    let (_, queue, engine) = embedded();
    let mut plan = plan(&engine, 1).unwrap();
    plan.run(&input(1)).unwrap();
    let mut comparison = Comparison::default();
    for number in 2..6 {
        let (blocked, go_on) = blocking_callback(&queue);
        // One in which the device's thread is blocked, and one after it, both given up.
        let (first, second) = (input(20), input(30));
        let mut future = Box::pin(plan.run_async(&first));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        blocked.recv_timeout(Duration::from_secs(20)).expect("somebody gives the device work");
        drop(future);
        let mut future = Box::pin(plan.run_async(&second));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
        go_on.send(()).unwrap();
        let found = plan.run(&input(number)).unwrap();
        comparison.check(format!("run {number}"), &found[0], &wanted(1, number), 1e-5);
    }
    comparison.finish();
}

#[test]
fn many_runs_are_awaited_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (_, _, engine) = embedded();
    let found: Vec<(usize, Tensor)> = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for seed in 0..4 {
            let mut plan = plan(&engine, seed as u64).unwrap();
            tasks.spawn(async move {
                let mut found = Vec::new();
                for number in 0..10 {
                    found.push((100 * seed + number, plan.run_async(&input(number)).await.unwrap().swap_remove(0)));
                }
                found
            });
        }
        tasks.join_all().await.into_iter().flatten().collect()
    });
    assert_eq!(found.len(), 40);
    let mut comparison = Comparison::default();
    for (case, found) in found {
        comparison.check(format!("{case}"), &found, &wanted((case / 100) as u64, case % 100), 1e-5);
    }
    comparison.finish();
}

#[test]
fn an_application_that_polls_all_the_time_takes_no_answer_away() {
    let (device, _, engine) = embedded();
    let (done, mut plan) = (AtomicBool::new(false), plan(&engine, 1).unwrap());
    let wanted = [0, 1, 2].map(|number| wanted(1, number));
    let found: Vec<_> = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    device.poll(wgpu::PollType::Poll).unwrap();
                    std::thread::yield_now();
                }
            });
        }
        let found = (0..60).map(|number| pollster::block_on(plan.run_async(&input(number % 3)))).collect();
        done.store(true, Ordering::Relaxed);
        found
    });
    let mut comparison = Comparison::default();
    for (number, found) in found.into_iter().enumerate() {
        comparison.check(format!("run {number}"), &found.unwrap()[0], &wanted[number % 3], 1e-5);
    }
    comparison.finish();
}

#[test]
fn what_is_awaited_ends_when_the_device_is_lost() {
    let (device, _, engine) = embedded();
    let (mut plan, x) = slow(&engine);
    let result = {
        let mut future = Box::pin(plan.run_async(&x));
        let first = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        device.destroy();
        match first {
            Poll::Ready(result) => result,
            Poll::Pending => pollster::block_on(future),
        }
    };
    // What was submitted before may still have been done.
    assert!(matches!(result, Ok(_) | Err(Error::DeviceLost { .. })), "{result:?}");
    let after = pollster::block_on(plan.run_async(&x));
    assert!(matches!(after, Err(Error::DeviceLost { .. })), "{after:?}");
}

#[test]
fn a_future_given_up_leaves_everything_usable() {
    let (device, queue, engine) = embedded();
    let model = model(&engine, 1).unwrap();
    let (mut given_up, mut kept) =
        (model.compile(2, &Options::default()).unwrap(), model.compile(2, &Options::default()).unwrap());
    let mut comparison = Comparison::default();
    for number in 0..20 {
        let x = input(number);
        let mut future = Box::pin(given_up.run_async(&x));
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(future);
        let found = pollster::block_on(kept.run_async(&input(number))).unwrap();
        comparison.check(format!("the other plan, {number}"), &found[0], &wanted(1, number), 1e-5);
        assert!(super::application::copies_arrive(&device, &queue, number as u32));
    }
    let found = pollster::block_on(given_up.run_async(&input(7))).unwrap();
    comparison.check("the same plan", &found[0], &wanted(1, 7), 1e-5);
    comparison.finish();
}

#[test]
fn a_callback_of_the_application_that_panics_stops_nobody_elses_waiting() {
    let (_, queue, engine) = embedded();
    let (mut plan, x) = slow(&engine);
    let (mut comparison, wanted) = (Comparison::default(), plan.run(&x).unwrap());
    for round in 0..3 {
        let mut future = pin!(plan.run_async(&x));
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        queue.on_submitted_work_done(|| panic!("a callback of the application panics, as it is meant to"));
        comparison.check(format!("round {round}"), &pollster::block_on(future).unwrap()[0], &wanted[0], 0.0);
    }
    comparison.finish();
}

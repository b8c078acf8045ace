//! Longer work that reads from a device on its way: written once, it blocks or is a future.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// How work waits for what it reads from a device.
#[derive(Clone, Copy)]
pub(crate) enum Reading {
    /// It blocks, and its future is ready at once.
    Blocking,
    /// It does not: its future is ready some time after the device was polled.
    Async,
}

/// What work gives that reads in the blocking way.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("what blocks is ready at once"),
    }
}

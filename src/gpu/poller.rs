//! Polling a device for those who await what is read back from it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::answer::Answer;

/// The pauses between two polls. A wait with a timeout would need none, but it keeps others from destroying their
/// buffers for so long, and with wgpu 30 it may panic where another thread polls or submits at the same time, which
/// loses the answers that it was to deliver (<https://github.com/gfx-rs/wgpu/pull/9958>).
const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(2);

/// A thread that polls a device while answers of it are awaited, and sleeps when none are. It ends when this is dropped.
pub(super) struct Poller {
    awaited: Sender<Arc<Answer>>,
}

impl Poller {
    /// Starts the thread, which keeps nothing alive but wgpu's own handle.
    pub fn start(device: wgpu::Device) -> std::io::Result<Self> {
        let (awaited, answers) = channel();
        let poll = move || poll_for(&device, &answers);
        std::thread::Builder::new().name("vultus poller".to_owned()).spawn(poll)?;
        Ok(Poller { awaited })
    }

    /// Polls until this answer has arrived.
    pub fn poll_until(&self, answer: &Arc<Answer>) {
        // The thread outlives the sender.
        let _ = self.awaited.send(answer.clone());
    }
}

fn poll_for(device: &wgpu::Device, answers: &Receiver<Arc<Answer>>) {
    for answer in answers {
        let start = Instant::now();
        while !answer.is_there() && poll(device) {
            // An answer comes at most a sixteenth later than it could.
            std::thread::sleep((start.elapsed() / 16).clamp(SHORTEST, LONGEST));
        }
        // The device is done or gone. Another thread that polls may still be about to deliver the answer.
        answer.wait();
        answer.give_up();
    }
}

/// Whether the device has more to do.
fn poll(device: &wgpu::Device) -> bool {
    // Callbacks of the application run here, too. One that panics must not end the others' waiting.
    let polled = catch_unwind(AssertUnwindSafe(|| device.poll(wgpu::PollType::Poll)));
    matches!(polled, Err(_) | Ok(Ok(wgpu::PollStatus::Poll)))
}

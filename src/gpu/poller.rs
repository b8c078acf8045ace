//! Polling a device for those who await what is read back from it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::answer::Answer;

/// How long the device is waited for at a time. For so long wgpu may keep others from destroying its buffers.
const SPELL: Duration = Duration::from_millis(2);

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
        while !answer.is_there() && poll(device) {}
        // The device is done or gone. Another thread that polls may still be about to deliver the answer.
        answer.wait();
        answer.give_up();
    }
}

/// Polls for a spell; whether the device has more to do.
fn poll(device: &wgpu::Device) -> bool {
    let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(SPELL) };
    // Callbacks of the application run here, too. One that panics must not end the others' waiting.
    let polled = catch_unwind(AssertUnwindSafe(|| device.poll(wait)));
    matches!(polled, Err(_) | Ok(Err(wgpu::PollError::Timeout)))
}

//! How much a client may ask for.

use std::time::Duration;

/// What bounds memory and time. Refusals say which limit it was.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body of a request and the largest message of a WebSocket, in bytes.
    pub body: usize,
    /// The most pixels of a picture.
    pub pixels: u64,
    /// The most pixels of a camera's frame.
    pub frame_pixels: u64,
    /// The most bytes that all bodies and decoded pictures take together.
    pub memory: usize,
    /// The most pictures in one request.
    pub pictures: usize,
    /// The most connections at a time.
    pub connections: usize,
    /// The most WebSockets at a time.
    pub live: usize,
    /// The most frames in a second that one camera is answered; others are skipped.
    pub frames_per_second: f64,
    /// How long the head of a request may take.
    pub head: Duration,
    /// How long the body of a request may take.
    pub upload: Duration,
    /// How long an answer may take from the moment that the body is there.
    pub answer: Duration,
    /// How long a connection may be silent, and how long it may take nothing of what is sent to it.
    pub silence: Duration,
    /// How long requests that were begun are waited for when the server ends.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 16 << 20,
            pixels: 25_000_000,
            frame_pixels: 2_100_000,
            memory: 1 << 30,
            pictures: 16,
            connections: 256,
            live: 32,
            frames_per_second: 30.0,
            head: Duration::from_secs(10),
            upload: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            farewell: Duration::from_secs(10),
        }
    }
}

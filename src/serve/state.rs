//! What all requests share.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use vultus::face::ModelCard;

use super::admission::Memory;
use super::engine::Engine;
use super::guard::Guard;
use super::limits::Limits;
use super::metrics::Metrics;

/// What all requests share. Clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Shared>);

/// See [`Server`].
pub struct Shared {
    /// The device.
    pub engine: Engine,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who is let in.
    pub guard: Guard,
    /// How much may be asked for.
    pub limits: Limits,
    /// What bodies and pictures may take.
    pub memory: Memory,
    /// Pictures that are decoded at a time.
    pub decoders: Semaphore,
    /// WebSockets that may still be opened.
    pub live: Arc<Semaphore>,
    /// The answer of `/api/model`.
    pub about: serde_json::Value,
    /// What the model says about itself.
    pub card: ModelCard,
    /// The device's name.
    pub device: String,
    /// True once the server ends.
    pub ending: watch::Sender<bool>,
}

impl Server {
    /// A server that knows no client yet.
    pub fn new(
        engine: Engine,
        metrics: Arc<Metrics>,
        guard: Guard,
        limits: Limits,
        about: serde_json::Value,
        card: ModelCard,
        device: String,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Server(Arc::new(Shared {
            engine,
            metrics,
            guard,
            memory: Memory::new(limits.memory),
            decoders: Semaphore::new(cores),
            live: Arc::new(Semaphore::new(limits.live)),
            limits,
            about,
            card,
            device,
            ending: watch::Sender::new(false),
        }))
    }
}

impl std::ops::Deref for Server {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

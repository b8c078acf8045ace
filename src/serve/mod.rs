//! The live page and the HTTP API: `vultus serve`.
//!
//! One thread owns the device ([`engine`]); requests reach it through a bounded queue. Everything that a client can make
//! large has a limit ([`limits`]), and everything that a foreign page could do is refused ([`guard`]). Pictures are kept
//! nowhere and written into no log.

mod admission;
mod assets;
mod connection;
mod engine;
mod guard;
mod inside;
mod limits;
mod live;
mod machine;
mod metrics;
mod model;
mod picture;
mod predict;
mod reply;
mod router;
mod state;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use vultus::Error;

use engine::Engine;
use guard::Guard;
pub use limits::Limits;
use machine::Machine;
pub use machine::{BATCH, Setup};
use metrics::Metrics;
use state::Server;

/// A server with a device that is ready, not yet listening.
pub struct Ready {
    machine: Machine,
    make: Box<dyn Fn() -> Result<Machine, Error> + Send>,
}

impl Ready {
    /// Loads the networks onto the device. If that is lost, the setup is asked for once more.
    ///
    /// # Errors
    /// The setup's, or those of a device that cannot hold the networks.
    pub fn new(setup: impl Fn() -> Result<Setup, Error> + Send + 'static) -> Result<Self, Error> {
        let make = move || Ok(Machine::new(setup()?));
        Ok(Ready { machine: make()?, make: Box::new(make) })
    }

    /// Answers on this listener until the future is ready, and then finishes what was begun.
    ///
    /// # Errors
    /// The operating system's, if the thread of the device cannot be started.
    pub async fn serve(
        self,
        listener: TcpListener,
        address: SocketAddr,
        token: Option<String>,
        limits: Limits,
        shutdown: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        let metrics = Arc::new(Metrics::default());
        let (about, card) = (model::about(&self.machine, &limits), self.machine.card().clone());
        let device = self.machine.device().to_string();
        let engine = Engine::start(self.machine, self.make, metrics.clone())?;
        let guard = Guard::new(address, token);
        let server = Server::new(engine, metrics, guard, limits, about, card, device);
        connection::accept(listener, router::router(server.clone()), server, shutdown).await;
        Ok(())
    }
}

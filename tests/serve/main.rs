//! `vultus serve` as clients meet it: what it answers, what it refuses, and that nothing brings it down.
#![cfg(feature = "serve")]

mod api;
mod attack;
mod harness;
mod live;
mod load;
mod site;

use harness::Server;

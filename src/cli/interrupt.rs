//! Ctrl-C: what was begun is finished, with what is there.

use std::sync::atomic::{AtomicBool, Ordering};

use super::failure::{INTERRUPTED, say};

/// Whether the process was asked to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Waits for Ctrl-C and other requests to end from now on. The first only leaves a note, the second ends the process.
pub fn listen() {
    // Where the system refuses, the process ends at once, as without this.
    let _ = ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        say("vultus: finishing what was done so far; once more ends it at once");
    });
}

/// Whether the process was asked to end since [`listen`].
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

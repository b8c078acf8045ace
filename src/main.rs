//! The program `vultus`.

#![warn(missing_docs)]

mod answer;
mod cli;
#[cfg(feature = "serve")]
mod serve;

fn main() -> std::process::ExitCode {
    cli::main()
}

//! `vultus serve`: the live page and the HTTP API.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use vultus::Error;

use super::analyzer::builder;
use super::detector::{self, DetectorArguments};
use super::failure::{Failure, say};
use super::global::Global;
use super::recognizer::{ReadModel, RecognizerArguments};
use crate::serve::{BATCH, Limits, Ready, Setup};

/// Open a page that recognises expressions live, from a camera and in photos
///
/// The page and everything behind it stay on this machine: nothing is loaded from elsewhere, and no picture is stored or
/// logged. Prints the page's address. Ends on SIGTERM or Ctrl-C, when requests that were begun are answered.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus serve --open
  vultus serve --port 8000 --device cpu --model light
  curl --data-binary @photo.jpg http://127.0.0.1:7860/api/predict
  curl -F a=@one.jpg -F b=@two.jpg http://127.0.0.1:7860/api/predict
  curl http://127.0.0.1:7860/metrics
  vultus serve --host 0.0.0.0 --token SECRET   then open http://NAME:7860/#token=SECRET

The API is described at /openapi.json. A camera needs https or 127.0.0.1: browsers give none to pages of other
machines without https.")]
pub struct Arguments {
    /// The port; 0 for any that is free
    #[arg(long, default_value_t = 7860)]
    port: u16,
    /// The address to listen at. Any other than this machine's own lets others use it, and needs --token
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// A secret that every request of data must know: letters, digits, and - . _ ~, which need no quoting in addresses
    #[arg(long, env = "VULTUS_TOKEN", hide_env_values = true, value_parser = token)]
    token: Option<String>,
    /// Open the page in the browser
    #[arg(long)]
    open: bool,
    /// The largest body of a request, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_body: u32,
    #[command(flatten)]
    detector: DetectorArguments,
    #[command(flatten)]
    recognizer: RecognizerArguments,
}

fn token(text: &str) -> Result<String, &'static str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
    if text.is_empty() || !text.chars().all(plain) {
        return Err("it is made of letters, digits, and - . _ ~");
    }
    Ok(text.to_owned())
}

/// Serves until it is told to end.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    if !arguments.host.is_loopback() {
        if arguments.token.is_none() {
            let reason = "lets everyone who reaches this machine use it: give a secret with --token";
            return Err(Failure::Usage(format!("--host {} {reason}", arguments.host)));
        }
        say(&format!("warning: {} can be reached by others, and what they send is not encrypted", arguments.host));
    }
    arguments.recognizer.model.check()?;
    let failed = |what: &str, error: std::io::Error| Failure::Failed(format!("{what}: {error}"));
    let (detector, recognizer, global) = (arguments.detector, arguments.recognizer.clone(), global.clone());
    let ready = Ready::new(move || setup(&detector, &recognizer, &global))?;
    let limits = Limits { body: (arguments.max_body as usize) << 20, ..Limits::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("threads", error))?;
    runtime.block_on(async {
        let wanted = SocketAddr::new(arguments.host, arguments.port);
        let listening = tokio::net::TcpListener::bind(wanted).await;
        let listener = listening.map_err(|error| failed(&format!("{wanted}"), error))?;
        let address = listener.local_addr().map_err(|error| failed("listening", error))?;
        let shutdown = shutdown().map_err(|error| failed("signals", error))?;
        let page = page(address);
        writeln!(out, "{page}")?;
        out.flush()?;
        if arguments.open {
            let token = arguments.token.as_ref().map_or(String::new(), |token| format!("#token={token}"));
            if let Err(error) = open::that_detached(format!("{page}{token}")) {
                say(&format!("no browser could be opened: {error}"));
            }
        }
        let served = ready.serve(listener, address, arguments.token.clone(), limits, shutdown).await;
        served.map_err(|error| failed("the thread of the device", error))
    })
}

/// What the options ask for, loaded.
fn setup(arguments: &DetectorArguments, recognizer: &RecognizerArguments, global: &Global) -> Result<Setup, Error> {
    let read = || -> Result<_, Error> {
        Ok((detector::weights(arguments.options(), global)?, recognizer.model.load(global)?))
    };
    let (device, (weights, (card, parameters))) = global.device_beside(read)?;
    let model = ReadModel { card, parameters: parameters.clone() };
    let builder = builder(device, arguments.options(), weights, model, recognizer);
    Ok(Setup { analyzer: builder.batch(BATCH).build()?, parameters })
}

/// The page's address as this machine sees it.
fn page(address: SocketAddr) -> String {
    let unspecified = address.ip().is_unspecified();
    let host = if unspecified { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    format!("http://{}/", SocketAddr::new(host, address.port()))
}

/// Ready when the process is asked to end.
#[cfg(unix)]
fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ready when the process is asked to end.
#[cfg(not(unix))]
fn shutdown() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

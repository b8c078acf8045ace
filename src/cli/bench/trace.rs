//! When every layer ran, in the trace event format of Chrome and Perfetto: complete events, in microseconds.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use vultus::{Error, LayerTime, file};

use super::report::Measurement;

/// A complete event: it has a beginning and a duration.
#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    /// The category.
    cat: &'static str,
    ph: &'static str,
    ts: f64,
    dur: f64,
    pid: u32,
    tid: u32,
    args: Value,
}

/// Writes the runs one after the other, each an event that its layers' events lie in.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write(path: &Path, measurement: &Measurement, profiles: &[Vec<LayerTime>]) -> Result<(), Error> {
    let mut events = Vec::new();
    let mut begin = 0.0;
    let event = |name, cat, ts, dur, args| Event { name, cat, ph: "X", ts, dur, pid: 1, tid: 1, args };
    for (run, layers) in profiles.iter().enumerate() {
        let length = layers.iter().map(|layer| layer.start + layer.milliseconds).fold(0.0, f64::max) * 1e3;
        events.push(event("run", "run", begin, length, json!({ "run": run + 1 })));
        for layer in layers {
            let args = json!({ "kernel": layer.kernel, "flops": layer.flops, "bytes": layer.bytes });
            let (start, duration) = (begin + layer.start * 1e3, layer.milliseconds * 1e3);
            events.push(event(&layer.name, layer.operation, start, duration, args));
        }
        begin += length;
    }
    let title = json!({ "name": "process_name", "ph": "M", "pid": 1, "args": { "name": measurement.title() } });
    let events = std::iter::once(Ok(title)).chain(events.iter().map(serde_json::to_value));
    let failed = |error: serde_json::Error| Error::Io { path: path.to_path_buf(), source: error.into() };
    let events = events.collect::<Result<Vec<Value>, _>>().map_err(failed)?;
    file::write(path, |out| {
        serde_json::to_writer(&mut *out, &json!({ "traceEvents": events, "displayTimeUnit": "ms" }))?;
        writeln!(out)
    })
}

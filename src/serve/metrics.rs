//! What the server counts, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::machine::Times;

/// A number that rises and falls.
#[derive(Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds to it.
    pub fn add(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that only rises.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All of them.
#[derive(Default)]
pub struct Metrics {
    /// Requests by route and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    /// Seconds by stage.
    seconds: Mutex<BTreeMap<&'static str, f64>>,
    /// Pictures that were answered.
    pub pictures: Counter,
    /// Faces in them.
    pub faces: Counter,
    /// Frames of cameras that were answered.
    pub frames: Counter,
    /// Frames of cameras for which a newer one was taken.
    pub skipped: Counter,
    /// Connections that were refused since there were too many.
    pub refused: Counter,
    batches: Counter,
    batched: Counter,
    /// Pictures that wait for the device.
    pub queue: Gauge,
    /// Open connections.
    pub connections: Gauge,
    /// Open WebSockets.
    pub live: Gauge,
}

impl Metrics {
    /// Counts an answered request. Routes are those of the server: a stranger cannot make up new ones.
    pub fn request(&self, route: &str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route.to_owned(), status)).or_default() += 1;
    }

    /// Counts a run of the device for this many pictures.
    pub fn batch(&self, pictures: usize) {
        self.batches.add(1);
        self.batched.add(pictures as u64);
    }

    /// Counts an answered picture.
    pub fn seen(&self, faces: usize, times: &Times) {
        self.pictures.add(1);
        self.faces.add(faces as u64);
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let stages = [
            ("decode", times.decode),
            ("wait", times.wait),
            ("detect", times.detect),
            ("prepare", times.prepare),
            ("network", times.network),
            ("total", times.total),
        ];
        for (stage, milliseconds) in stages {
            *seconds.entry(stage).or_default() += milliseconds / 1e3;
        }
    }

    /// The text format of Prometheus, version 0.0.4.
    pub fn text(&self) -> String {
        let mut out = String::new();
        head(&mut out, "vultus_requests_total", "counter", "HTTP requests by route and status.");
        for ((route, status), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(out, "vultus_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        head(&mut out, "vultus_stage_seconds_total", "counter", "Seconds that answered pictures spent in each stage.");
        for (stage, seconds) in self.seconds.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(out, "vultus_stage_seconds_total{{stage=\"{stage}\"}} {seconds}");
        }
        for (name, counter, help) in [
            ("vultus_pictures_total", &self.pictures, "Answered pictures, frames of cameras included."),
            ("vultus_faces_total", &self.faces, "Faces in them."),
            ("vultus_frames_total", &self.frames, "Answered frames of cameras."),
            ("vultus_frames_skipped_total", &self.skipped, "Frames for which a newer one was taken."),
            ("vultus_batches_total", &self.batches, "Runs of the device."),
            ("vultus_batched_pictures_total", &self.batched, "Pictures in these runs."),
            ("vultus_connections_refused_total", &self.refused, "Connections refused since there were too many."),
        ] {
            head(&mut out, name, "counter", help);
            let _ = writeln!(out, "{name} {}", counter.get());
        }
        for (name, gauge, help) in [
            ("vultus_queue_pictures", &self.queue, "Pictures that wait for the device."),
            ("vultus_connections", &self.connections, "Open connections."),
            ("vultus_live_connections", &self.live, "Open WebSockets."),
        ] {
            head(&mut out, name, "gauge", help);
            let _ = writeln!(out, "{name} {}", gauge.get());
        }
        out
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_type_for_every_sample() {
        let metrics = Metrics::default();
        metrics.request("/api/predict", 200);
        metrics.request("/api/predict", 200);
        metrics.request("/api/predict", 503);
        metrics.seen(2, &Times { detect: 30.0, ..Times::default() });
        metrics.queue.add(3);
        metrics.queue.add(-1);
        metrics.batch(4);
        let text = metrics.text();
        for line in [
            "vultus_requests_total{route=\"/api/predict\",status=\"200\"} 2",
            "vultus_requests_total{route=\"/api/predict\",status=\"503\"} 1",
            "vultus_stage_seconds_total{stage=\"detect\"} 0.03",
            "vultus_faces_total 2",
            "vultus_batched_pictures_total 4",
            "vultus_queue_pictures 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let name = sample.split(['{', ' ']).next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{sample}");
        }
    }
}

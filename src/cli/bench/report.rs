//! What is said of a measurement: for people, as Markdown, as JSON.

use std::io::Write;

use serde::Serialize;
use vultus::LayerTime;

use super::super::failure::Failure;
use super::super::table::{Align, Table, widest};

/// A network's times.
#[derive(Serialize)]
pub struct Measurement {
    pub device: String,
    pub network: String,
    /// What is trained; `null` where the network is only run.
    pub train: Option<&'static str>,
    /// `null` for detectors, whose networks have a batch and an input of their own.
    pub batch: Option<usize>,
    /// `null` also for ONNX models.
    pub input: Option<usize>,
    /// From the weights' file to a plan that can be run.
    pub load_ms: f64,
    /// The first run, in which drivers still compile.
    pub first_ms: f64,
    pub median_ms: f64,
    pub min_ms: f64,
    /// From the median; `null` for detectors, and for ONNX models that take something else.
    pub pictures_per_second: Option<f64>,
    /// `null` where the layers are not timed.
    pub peak: Option<Peak>,
    pub layers: Vec<Layer>,
}

/// What the device reaches at most.
#[derive(Serialize)]
pub struct Peak {
    gflops: f64,
    gb_per_s: f64,
}

/// A layer's time, and what follows from it.
#[derive(Serialize)]
pub struct Layer {
    name: String,
    operation: &'static str,
    kernel: String,
    ms: f64,
    /// This and what depends on the time is `null` where the device's clock did not tick.
    gflops: Option<f64>,
    gb_per_s: Option<f64>,
    flop_per_byte: f64,
    /// Which part of what the device could reach.
    limit: Option<f64>,
    #[serde(skip)]
    flops: u64,
}

impl From<vultus::Peak> for Peak {
    fn from(peak: vultus::Peak) -> Self {
        Peak { gflops: peak.gflops, gb_per_s: peak.gigabytes_per_second }
    }
}

impl Layer {
    pub fn new(time: LayerTime, peak: &vultus::Peak) -> Self {
        let LayerTime { name, operation, kernel, milliseconds: ms, flops, bytes, .. } = time;
        let rate = |value: f64| (ms > 0.0).then(|| value / ms);
        Layer {
            name,
            operation,
            kernel,
            ms,
            gflops: rate(flops as f64 / 1e6),
            gb_per_s: rate(bytes as f64 / 1e6),
            flop_per_byte: flops as f64 / bytes as f64,
            limit: rate(peak.least_milliseconds(flops, bytes)),
            flops,
        }
    }

    fn cells(&self, total: f64) -> [String; 8] {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let percent = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:.1}%", 100.0 * value));
        [
            self.name.clone(),
            self.kernel.clone(),
            format!("{:.3}", self.ms),
            percent((total > 0.0).then(|| self.ms / total)),
            number(self.gflops),
            number(self.gb_per_s),
            format!("{:.1}", self.flop_per_byte),
            percent(self.limit),
        ]
    }
}

/// The columns of the layers, and the width of the numbers.
const COLUMNS: [(&str, Align, usize); 8] = [
    ("layer", Align::Left, 0),
    ("kernel", Align::Left, 0),
    ("ms", Align::Right, 9),
    ("time", Align::Right, 6),
    ("GFLOP/s", Align::Right, 8),
    ("GB/s", Align::Right, 6),
    ("FLOP/byte", Align::Right, 9),
    ("limit", Align::Right, 6),
];

impl Measurement {
    pub fn write_json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(writeln!(out)?)
    }

    pub fn write(&self, out: &mut dyn Write, runs: usize) -> Result<(), Failure> {
        writeln!(out, "{}", self.title())?;
        let rate = match self.layers.iter().map(|layer| layer.flops).sum::<u64>() {
            0 => String::new(),
            flops => format!(", {:.1} GFLOP/s", flops as f64 / self.median_ms / 1e6),
        };
        let pictures = self.pictures_per_second.map(|rate| format!(", {rate:.1} pictures/s")).unwrap_or_default();
        let Measurement { median_ms, min_ms, .. } = self;
        writeln!(out, "median {median_ms:.3} ms, minimum {min_ms:.3} ms of {runs} runs{rate}{pictures}")?;
        writeln!(out, "loaded in {:.3} ms, first run {:.3} ms", self.load_ms, self.first_ms)?;
        let Some(peak) = &self.peak else { return Ok(()) };
        writeln!(out, "{peak}\n")?;
        let mut columns = COLUMNS;
        columns[0].2 = widest(self.layers.iter().map(|layer| layer.name.as_str()));
        columns[1].2 = widest(self.layers.iter().map(|layer| layer.kernel.as_str()));
        let table = Table::new(columns);
        table.head(out)?;
        Ok(self.rows().try_for_each(|cells| table.row(out, cells))?)
    }

    pub fn write_markdown(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let peak = self.peak.iter().map(|peak| format!("; {peak}")).collect::<String>();
        writeln!(out, "{}: median {:.1} ms{peak}.\n", self.title(), self.median_ms)?;
        writeln!(out, "| {} |", COLUMNS.map(|(title, ..)| title).join(" | "))?;
        let rules = COLUMNS.map(|(_, align, _)| if matches!(align, Align::Left) { "---" } else { "---:" });
        writeln!(out, "| {} |", rules.join(" | "))?;
        Ok(self.rows().try_for_each(|cells| writeln!(out, "| {} |", cells.join(" | ")))?)
    }

    fn rows(&self) -> impl Iterator<Item = [String; 8]> {
        let total: f64 = self.layers.iter().map(|layer| layer.ms).sum();
        self.layers.iter().map(move |layer| layer.cells(total))
    }

    /// What was run, and where.
    pub fn title(&self) -> String {
        let train = self.train.map(|what| format!(", training {what}")).unwrap_or_default();
        let size = match (self.batch, self.input) {
            (Some(batch), Some(input)) => format!(", batch {batch}, {input}x{input}"),
            (Some(batch), None) => format!(", batch {batch}"),
            (None, _) => String::new(),
        };
        format!("{} on {}{train}{size}", self.network, self.device)
    }
}

impl std::fmt::Display for Peak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "peak {:.1} GFLOP/s, {:.1} GB/s", self.gflops, self.gb_per_s)
    }
}

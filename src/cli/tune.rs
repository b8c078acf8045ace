//! `vultus tune`: which kernels are the fastest on this GPU.

use std::io::Write;
use std::time::Duration;

use clap::value_parser;
use serde::Serialize;
use vultus::gpu::Tuned;
use vultus::nn::vgg16;
use vultus::{Device, Options};

use super::failure::Failure;
use super::global::Global;
use super::table::{Align, Table, widest};

/// Measure which kernels are the fastest on this GPU for VGG16's layers, and remember it
///
/// Each candidate runs on the very shapes of a layer, and may win only if its result is the CPU's. Other commands spend
/// up to 2 seconds with that when a layer is met for the first time (not on software adapters); this one takes the time
/// that is needed. What is found is kept for this adapter and driver.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus tune
  vultus tune --batch 32 --input 96 --seconds 120")]
pub struct Arguments {
    /// Pictures per run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1024))]
    batch: u32,
    /// Height and width of the pictures
    #[arg(long, value_name = "N", default_value_t = 224, value_parser = value_parser!(u32).range(32..=2048))]
    input: u32,
    /// The most seconds to spend
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Print one JSON object: {"device", "operations": {OPERATION: {"kernel", "milliseconds", ...}}}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Found {
    device: String,
    operations: std::collections::BTreeMap<String, Tuned>,
}

/// Measures and prints what is known then.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let device = global.device()?;
    let Device::Gpu(gpu) = &device else {
        let text = "only a GPU is tuned: choose one by --device, among those that `vultus devices` lists";
        return Err(Failure::Usage(text.to_owned()));
    };
    gpu.tune_within(Duration::from_secs(arguments.seconds));
    let network = vgg16::base(arguments.input as usize);
    let model = device.load(&network, &global.vgg16_base()?.parameters)?;
    model.compile(arguments.batch as usize, &Options::default())?;
    let found = Found { device: device.to_string(), operations: gpu.tuned() };
    if arguments.json {
        serde_json::to_writer(&mut *out, &found)?;
        writeln!(out)?;
        return Ok(());
    }
    let table = Table::new([
        ("operation", Align::Left, widest(found.operations.keys().map(String::as_str))),
        ("kernel", Align::Left, widest(found.operations.values().map(kernel))),
        ("ms", Align::Right, 9),
        ("by rule", Align::Right, 9),
        ("wrong", Align::Left, 5),
    ]);
    table.head(out)?;
    for (operation, tuned) in &found.operations {
        let rule = tuned.rule_milliseconds.map_or("wrong".to_owned(), |milliseconds| format!("{milliseconds:.3}"));
        let row = [
            operation.clone(),
            kernel(tuned).to_owned(),
            format!("{:.3}", tuned.milliseconds),
            rule,
            tuned.wrong.join(" "),
        ];
        table.row(out, row)?;
    }
    Ok(())
}

fn kernel(tuned: &Tuned) -> &str {
    tuned.kernel.as_deref().unwrap_or("by rule")
}

//! `vultus devices`: what this machine computes on, and which of it is chosen.

use std::io::Write;

use serde::Serialize;
use vultus::gpu::Adapter;
use vultus::wgpu::{self, Features};
use vultus::{Device, Error};

use super::failure::Failure;
use super::global::Global;

/// List the devices of this machine, with limits and features, and say which one is chosen and why
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus devices
  vultus devices --json | jq -r .chosen")]
pub struct Arguments {
    /// Print one JSON object: {"devices": [...], "chosen": NAME}
    #[arg(long)]
    json: bool,
}

/// The features that make a difference to an engine of compute kernels.
const FEATURES: [(&str, Features); 5] = [
    ("TIMESTAMP_QUERY", Features::TIMESTAMP_QUERY),
    ("SHADER_F16", Features::SHADER_F16),
    ("SUBGROUP", Features::SUBGROUP),
    ("PIPELINE_CACHE", Features::PIPELINE_CACHE),
    ("COOPERATIVE_MATRIX", Features::EXPERIMENTAL_COOPERATIVE_MATRIX),
];

#[derive(Serialize)]
struct Listing {
    devices: Vec<Entry>,
    chosen: String,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    kind: &'static str,
    backend: String,
    driver: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
    features: Vec<Feature>,
    chosen: bool,
    reason: String,
    /// Why the device cannot be opened, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Serialize)]
struct Limits {
    max_buffer_size: u64,
    max_storage_buffer_binding_size: u64,
    max_compute_workgroup_storage_size: u32,
    max_compute_invocations_per_workgroup: u32,
}

#[derive(Serialize)]
struct Feature {
    name: &'static str,
    offered: bool,
    used: bool,
}

/// Lists the devices.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let listing = list(global.device.as_deref())?;
    global.note(&format!("device: {}", listing.chosen));
    if arguments.json {
        serde_json::to_writer(&mut *out, &listing)?;
        writeln!(out)?;
        return Ok(());
    }
    for entry in &listing.devices {
        entry.write(out)?;
    }
    writeln!(out, "chosen: {}", listing.chosen)?;
    Ok(())
}

/// All devices, the processor last. The chosen one is the wished one, else the best.
fn list(wish: Option<&str>) -> Result<Listing, Error> {
    let chosen = wish.map_or_else(|| Ok(Device::best()), Device::named)?;
    let is_chosen = |info: &wgpu::AdapterInfo| {
        chosen.gpu().is_some_and(|gpu| gpu.name() == info.name && gpu.info().backend == info.backend)
    };
    let mut devices = Vec::new();
    for (adapter, reason) in Adapter::all().iter().zip(Device::explain()) {
        let chosen = is_chosen(&adapter.info()) && !devices.iter().any(|entry: &Entry| entry.chosen);
        devices.push(Entry::of_adapter(adapter, chosen, wish.map_or(reason, |_| reason_for_wish(chosen))));
    }
    let reason = match (wish, chosen.gpu()) {
        (None, Some(_)) => "not chosen: there is a hardware adapter".to_owned(),
        (None, None) => "chosen: there is no hardware adapter that can be used".to_owned(),
        (Some(_), gpu) => reason_for_wish(gpu.is_none()),
    };
    devices.push(Entry::of_processor(chosen.gpu().is_none(), reason));
    let chosen = devices.iter().find(|entry| entry.chosen).map(|entry| entry.name.clone());
    Ok(Listing { devices, chosen: chosen.unwrap_or_default() })
}

fn reason_for_wish(chosen: bool) -> String {
    if chosen { "chosen: --device asks for it" } else { "not chosen: --device asks for another" }.to_owned()
}

impl Entry {
    fn of_adapter(adapter: &Adapter, chosen: bool, reason: String) -> Self {
        let (info, limits, offered) = (adapter.info(), adapter.limits(), adapter.features());
        let opened = adapter.open();
        let used = opened.as_ref().map_or(Features::empty(), |gpu| gpu.device().features());
        let feature =
            |(name, feature)| Feature { name, offered: offered.contains(feature), used: used.contains(feature) };
        Entry {
            kind: kind(info.device_type),
            backend: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            name: info.name,
            threads: None,
            limits: Some(Limits {
                max_buffer_size: limits.max_buffer_size,
                max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
                max_compute_workgroup_storage_size: limits.max_compute_workgroup_storage_size,
                max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            }),
            features: FEATURES.map(feature).into(),
            chosen,
            reason,
            error: opened.err().map(|error| error.to_string()),
        }
    }

    fn of_processor(chosen: bool, reason: String) -> Self {
        Entry {
            name: Device::Cpu.to_string(),
            kind: "cpu",
            backend: "native".to_owned(),
            driver: String::new(),
            threads: Some(rayon::current_num_threads()),
            limits: None,
            features: Vec::new(),
            chosen,
            reason,
            error: None,
        }
    }

    fn write(&self, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{}", self.name)?;
        writeln!(out, "  kind      {} ({})", self.kind, self.backend)?;
        if !self.driver.is_empty() {
            writeln!(out, "  driver    {}", self.driver)?;
        }
        if let Some(threads) = self.threads {
            writeln!(out, "  threads   {threads}")?;
        }
        if let Some(limits) = &self.limits {
            let (buffer, binding) = (bytes(limits.max_buffer_size), bytes(limits.max_storage_buffer_binding_size));
            writeln!(out, "  buffers   {buffer}, {binding} per binding")?;
            let memory = bytes(limits.max_compute_workgroup_storage_size.into());
            let invocations = limits.max_compute_invocations_per_workgroup;
            writeln!(out, "  workgroup {invocations} invocations, {memory} of shared memory")?;
        }
        for (i, feature) in self.features.iter().enumerate() {
            let state = match (feature.used, feature.offered) {
                (true, _) => "in use",
                (_, true) => "offered, not used",
                _ => "no",
            };
            writeln!(out, "  {:<9} {:<18} {state}", if i == 0 { "features" } else { "" }, feature.name)?;
        }
        if let Some(error) = &self.error {
            writeln!(out, "  error     {error}")?;
        }
        writeln!(out, "  {}\n", self.reason)?;
        Ok(())
    }
}

fn kind(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Other => "other",
        wgpu::DeviceType::Cpu => "software",
    }
}

/// A number of bytes in the largest unit that leaves at least 1.
fn bytes(count: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = (count.max(1).ilog2() / 10) as usize;
    let value = count as f64 / 1024f64.powi(power as i32);
    if value.fract() == 0.0 { format!("{value} {}", units[power]) } else { format!("{value:.1} {}", units[power]) }
}

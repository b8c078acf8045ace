//! Kernels chosen by measurement, and what is kept in a folder from process to process.
#![cfg(feature = "files")]

mod compare;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compare::{Comparison, fresh_gpu};
use vultus::gpu::{Gpu, shader_source};
use vultus::nn::Network;
use vultus::ops::Conv2d;
use vultus::{Device, Options, Plan, Tensor};

const LONG: Duration = Duration::from_secs(300);

fn network() -> Network {
    Network::new("small", [3, 12, 10]).conv2d("conv", "conv", 20, Conv2d::square(3, 1, 1)).relu()
}

fn input() -> Tensor {
    Tensor::from_fn([1, 3, 12, 10], |i| (i as f32 * 0.37).sin())
}

fn compile(gpu: &Gpu) -> Plan {
    let model = Device::Gpu(gpu.clone()).load(&network(), &network().initialize(1).unwrap()).unwrap();
    model.compile(1, &Options::default()).unwrap()
}

/// A device on which some of the convolution's candidates give wrong numbers: these texts are replaced.
fn broken(changes: &[(&str, &str)]) -> Gpu {
    let gpu = fresh_gpu();
    let mut source = shader_source("conv2d").unwrap().to_owned();
    for (from, to) in changes {
        assert!(source.contains(from), "{from}");
        source = source.replace(from, to);
    }
    gpu.replace_shader("conv2d", source).unwrap();
    gpu
}

/// The kernels that were measured to be the fastest, by operation.
fn kernels(gpu: &Gpu) -> Vec<(String, Option<String>)> {
    gpu.tuned().into_iter().map(|(key, tuned)| (key, tuned.kernel)).collect()
}

/// The files of the cache whose name begins with this.
fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(kind)).collect()
}

#[test]
fn nothing_is_measured_unless_asked_for() {
    let gpu = fresh_gpu();
    compile(&gpu);
    assert!(gpu.tuned().is_empty());
    gpu.tune_within(Duration::ZERO);
    compile(&gpu);
    assert!(gpu.tuned().is_empty());
}

#[test]
fn only_right_candidates_win() {
    // In the whole shader: every kernel but those of Winograd's algorithms.
    let gpu = broken(&[
        ("vec4<f32>(bias[params.bias_offset", "vec4<f32>(5.0 + bias[params.bias_offset"),
        ("sum += bias[product", "sum += 5.0 + bias[product"),
    ]);
    gpu.tune_within(LONG);
    let mut plan = compile(&gpu);
    let tuned = gpu.tuned();
    let (key, tuned) = tuned.first_key_value().unwrap();
    assert!(key.contains("1x3x12x10"), "{key}");
    assert_eq!(tuned.rule_milliseconds, None);
    let kernel = tuned.kernel.as_deref().unwrap();
    assert!(kernel.contains("winograd"), "{kernel}");
    assert!(!tuned.wrong.is_empty() && tuned.wrong.iter().all(|name| !name.contains("winograd")), "{:?}", tuned.wrong);
    // And it is used.
    let used = plan.profile().unwrap().swap_remove(0).kernel;
    assert!(used.contains("winograd"), "{used}");
    let wanted = Device::Cpu.load(&network(), &network().initialize(1).unwrap()).unwrap();
    let wanted = wanted.compile(1, &Options::default()).unwrap().run(&input()).unwrap();
    let mut comparison = Comparison::default();
    comparison.check("tuned", &plan.run(&input()).unwrap()[0], &wanted[0], 1e-5);
    comparison.finish();
}

#[test]
fn candidates_are_tried_on_all_images_of_a_batch() {
    // The kernels that are no product read the third image from the fourth on.
    let gpu = broken(&[("group.z * params.x_image", "min(group.z, 2u) * params.x_image")]);
    gpu.tune_within(LONG);
    let model = Device::Gpu(gpu.clone()).load(&network(), &network().initialize(1).unwrap()).unwrap();
    model.compile(8, &Options::default()).unwrap();
    let tuned = gpu.tuned();
    let (key, tuned) = tuned.first_key_value().unwrap();
    assert!(key.contains("8x3x12x10"), "{key}");
    let direct = tuned.wrong.iter().filter(|name| name.starts_with("conv2d/direct")).count();
    let rule_is_wrong = usize::from(tuned.rule_milliseconds.is_none());
    assert_eq!((direct + rule_is_wrong, direct), (2, tuned.wrong.len()), "{tuned:?}");
    assert!(tuned.kernel.as_deref().is_none_or(|kernel| !kernel.starts_with("conv2d/direct")), "{tuned:?}");
}

#[test]
fn what_was_measured_is_kept_for_other_processes() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let gpu = fresh_gpu();
    gpu.cache_in(&cache).unwrap();
    gpu.tune_within(LONG);
    compile(&gpu);
    assert_eq!(gpu.tuned().len(), 1);
    let [file] = files(&cache, "tuning-").try_into().unwrap();

    // Whichever of the two comes first.
    let [first, second] = [fresh_gpu(), fresh_gpu()];
    first.cache_in(&cache).unwrap();
    first.tune_within(Duration::ZERO);
    second.tune_within(Duration::ZERO);
    second.cache_in(&cache).unwrap();
    for other in [first, second] {
        assert_eq!(kernels(&other), kernels(&gpu));
    }
    // What is in the table decides.
    let text = fs::read_to_string(&file).unwrap();
    let mut table: serde_json::Value = serde_json::from_str(&text).unwrap();
    table.as_object_mut().unwrap().values_mut().for_each(|tuned| tuned["kernel"] = "conv2d/winograd2".into());
    fs::write(&file, table.to_string()).unwrap();
    let third = fresh_gpu();
    third.cache_in(&cache).unwrap();
    third.tune_within(Duration::ZERO);
    let used = compile(&third).profile().unwrap().swap_remove(0).kernel;
    assert!(used.contains("winograd2"), "{used}");
    // Without tuning the rules decide.
    let fourth = fresh_gpu();
    fourth.cache_in(&cache).unwrap();
    let used = compile(&fourth).profile().unwrap().swap_remove(0).kernel;
    assert!(!used.contains("winograd"), "{used}");
}

#[test]
fn what_is_true_of_shaders_on_trial_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = broken(&[("bias[params.bias_offset", "5.0 + bias[params.bias_offset")]);
    gpu.cache_in(folder.path()).unwrap();
    gpu.tune_within(LONG);
    compile(&gpu);
    assert_eq!(gpu.tuned().len(), 1);
    assert!(files(folder.path(), "tuning-").is_empty());
}

#[test]
fn damaged_files_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = fresh_gpu();
    gpu.cache_in(folder.path()).unwrap();
    gpu.tune_within(LONG);
    compile(&gpu);
    for path in fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()) {
        fs::write(path, b"{ not what it was").unwrap();
    }
    let gpu = fresh_gpu();
    gpu.cache_in(folder.path()).unwrap();
    gpu.tune_within(LONG);
    assert!(gpu.tuned().is_empty());
    let mut plan = compile(&gpu);
    assert_eq!(gpu.tuned().len(), 1);
    assert!(plan.run(&input()).is_ok());
    let again = fresh_gpu();
    again.cache_in(folder.path()).unwrap();
    again.tune_within(Duration::ZERO);
    assert_eq!(kernels(&again), kernels(&gpu));
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let refused = fresh_gpu().cache_in(&file.join("cache"));
    assert!(matches!(refused, Err(vultus::Error::Io { .. })));
}

//! What may go from thread to thread: every public type of the sources.

use std::collections::BTreeSet;
use std::path::Path;

use vultus::*;

/// Types that may be sent to and shared with other threads; what is not does not compile here. Their names.
macro_rules! sendable {
    ($room:ident: $($type:ty),* $(,)?) => {
        fn $room() -> Vec<&'static str> {
            fn assert_send_and_sync<T: Send + Sync>() {}
            $(assert_send_and_sync::<$type>();)*
            vec![$(stringify!($type)),*]
        }
    };
}

sendable! { engine:
    Device, Error, LayerTime, Model, Options, Peak, Picture, Plan, Random, StepOptions, Targets<'static>, Tensor,
    TrainingPlan, TrainingState,
    gpu::Access, gpu::Adapter, gpu::Binding, gpu::Counts, gpu::Gpu, gpu::GpuOptions, gpu::GpuPlan, gpu::Kernel, gpu::Port,
    gpu::Precision,
    gpu::Tuned,
    nn::Group, nn::Layer, nn::Loss, nn::Network, nn::Optimizer, nn::Published, nn::Source, nn::Trainable, nn::Training,
    nn::vgg16::Pooling,
    ops::Activation, ops::ActivationBackward, ops::Adam, ops::AdaptiveAvgPool2d, ops::AdaptiveAvgPool2dBackward,
    ops::augment::AugmentCase, ops::AvgPool2d, ops::AvgPool2dBackward, ops::BatchNorm2d, ops::BatchNorm2dBackward, ops::BatchNorm2dFold,
    ops::BatchNorm2dRunning, ops::Case, ops::Concat, ops::Conv2d, ops::Conv2dBackwardInput, ops::Conv2dBackwardWeight,
    ops::Crop, ops::CrossEntropy, ops::Dense, ops::Dropout, ops::Ema, ops::Fill, ops::Filter, ops::Interpolation,
    ops::LayerNorm, ops::LayerNormBackward, ops::MaskedFill, ops::MatMul, ops::MaxPool2d, ops::MaxPool2dBackward, ops::MulReduce,
    ops::Normalization, ops::Op, ops::Order, ops::Pad, ops::ReduceMean, ops::ReduceMeanBackward, ops::ReduceSum,
    ops::RelativePositionBias, ops::RelativePositionBiasBackward, ops::Reshape, ops::resize::PixelSource,
    ops::resize::ResizeCase, ops::RunState, ops::Sgd, ops::Slice, ops::Softmax, ops::SoftmaxBackward,
    ops::StochasticDepth, ops::Transpose, ops::Unary, ops::UnaryBackward, ops::Upsample, ops::UpsampleBackward,
    ops::Variation,
}

sendable! { faces:
    face::Analysis, face::AnalysisTimes, face::Analyzer, face::AnalyzerBuilder, face::Answer, face::Architecture, face::Classifier, face::Detector, face::DetectorKind, face::DetectorOptions, face::Face, face::FaceExpression, face::FaceSize,
    face::Frame<'static>, face::HiResCam, face::ModelCard,
    face::Occlusion, face::PixelFormat, face::Place,
    face::Recognizer, face::TestTimeAugmentation, face::Track, prepare::Alignment, prepare::Augmentation, prepare::Denoise,
    prepare::Illumination, prepare::Mix, prepare::Preparation, track::TrackedFace, track::Tracker,
    track::TrackerOptions, weights::Catalog<'static>, weights::DefaultFile, weights::Dtype, weights::Entry, weights::Format,
    weights::Match<'static>, weights::Store, weights::Vgg16<'static>, weights::WeightFile, weights::safetensors::Precision,
}

sendable! { training:
    data::ClassCount, data::ClassMap, data::Cleaning, data::Dataset, data::Duplicates, data::Found, data::Inspected,
    data::Inspection, data::Leak, data::Leakage, data::Part, data::PartLeakage, data::Protocol, data::Sample,
    data::Sizes, data::Source, data::Split, data::SplitPart, data::Spread, data::Unreadable, data::Votes,
    metrics::Bootstrap, metrics::ClassMeasures, metrics::Evaluation, metrics::Intervals, metrics::Measures, metrics::PairedTest,
    metrics::Predictions, metrics::ReliabilityBin, metrics::Unit, train::Balance, train::Calibration, train::Course<'static>, train::Decay,
    train::Epoch, train::Event<'static>, train::Features, train::Frozen<'static>, train::Job<'static>,
    train::Judgement, train::Labels, train::Pictures<'static>, train::Predictor<'static>, train::Recipe, train::Rule,
    train::Schedule, train::Trained, train::Truth,
    file::Pending, image::Decoded,
}

#[cfg(feature = "baseline")]
sendable! { older_methods:
    baseline::Circle, baseline::Classifier, baseline::Examples<'static>, baseline::Faces, baseline::FeatureKind,
    baseline::Method, baseline::Selection<'static>, baseline::Settings, baseline::Summary, baseline::SvmKind,
    baseline::Trial,
}

#[cfg(feature = "report")]
sendable! { reports:
    report::Bar, report::BarChart, report::BarSeries, report::Card, report::Cell, report::Chart,
    report::ConfusionMatrix, report::Gallery, report::GalleryItem, report::LineChart, report::Method<'static>,
    report::Page, report::ReliabilityCurve, report::ScatterChart, report::ScatterPoint, report::Section,
    report::Series, report::Table, report::TimelineChart, report::Unit,
}

#[cfg(feature = "video")]
sendable! { videos:
    video::FrameRate, video::MjpegWriter<Vec<u8>>, video::VideoFormat, video::VideoReader<&'static [u8]>,
    video::Y4mWriter<Vec<u8>>,
}

#[cfg(feature = "onnx")]
sendable! { onnx_models: onnx::Export, onnx::Import, onnx::Imported, onnx::Precision }

/// `gpu::Plan<'static>` to `gpu::Plan`, `ops::resize::Case` to `ops::Case`: the room and the name.
fn short(path: &str) -> String {
    let path: String = path.split('<').next().unwrap_or_default().split_whitespace().collect();
    match (path.split_once("::"), path.rsplit_once("::")) {
        (Some((room, _)), Some((_, name))) => format!("{room}::{name}"),
        _ => path,
    }
}

/// The public types of a folder of sources, as `short` names them.
fn written(folder: &Path, room: Option<&str>, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            written(&path, Some(room.unwrap_or(&name)), found);
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let kinds = ["pub struct ", "pub enum ", "pub union "];
            // Not at the start of the line where a macro declares it.
            let rest = kinds.iter().find_map(|kind| line.trim_start().strip_prefix(kind));
            let Some(rest) = rest.filter(|rest| !rest.starts_with('$')) else { continue };
            let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            found.insert(match (room, name) {
                // Where a user finds what is written elsewhere.
                (None, "Pending") => "file::Pending".to_owned(),
                (Some("prepare"), "Face") => "face::Face".to_owned(),
                (None | Some("engine"), _) => name.to_owned(),
                (Some(room), _) => format!("{room}::{name}"),
            });
        }
    }
}

#[test]
fn every_public_type_may_go_from_thread_to_thread() {
    let mut listed: Vec<&str> = [engine(), faces(), training()].concat();
    // These belong to the program.
    let mut others = vec!["answer", "cli", "serve"];
    #[cfg(feature = "baseline")]
    listed.extend(older_methods());
    #[cfg(feature = "report")]
    listed.extend(reports());
    #[cfg(feature = "video")]
    listed.extend(videos());
    #[cfg(feature = "onnx")]
    listed.extend(onnx_models());
    for (room, is_there) in [
        ("baseline", cfg!(feature = "baseline")),
        ("report", cfg!(feature = "report")),
        ("video", cfg!(feature = "video")),
        ("onnx", cfg!(feature = "onnx")),
    ] {
        if !is_there {
            others.push(room);
        }
    }
    let listed: BTreeSet<String> = listed.into_iter().map(short).collect();
    let mut found = BTreeSet::new();
    written(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut found);
    found.retain(|name| !others.contains(&name.split("::").next().unwrap()));
    assert!(found.len() > 50, "{found:?}");
    assert_eq!(listed, found, "list every public type above");
}

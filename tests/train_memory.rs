//! A training's memory: it does not grow from epoch to epoch, nor with the number of pictures.
#![cfg(feature = "train")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use vultus::Device;
use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard};
use vultus::image::RgbImage;
use vultus::nn::Trainable;
use vultus::ops::Normalization;
use vultus::prepare::{Augmentation, Preparation};
use vultus::train::{Course, Event, Labels, Pictures, Recipe};

/// Bytes that are allocated, and the most there ever were.
static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two classes of so many pictures each, of 96×96.
fn write_faces(folder: &Path, count: usize) {
    for class in ["a", "b"] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        let picture = RgbImage::from_pixel(96, 96, image::Rgb([if class == "a" { 40 } else { 200 }; 3]));
        picture.save(folder.join(class).join("0.png")).unwrap();
        for number in 1..count {
            std::fs::hard_link(folder.join(class).join("0.png"), folder.join(class).join(format!("{number}.png")))
                .unwrap();
        }
    }
}

/// The most bytes above what was there before, up to the end of each epoch of a training on these pictures.
fn peaks(folder: &Path, epochs: usize) -> Vec<usize> {
    let data = Dataset::open(folder).unwrap();
    let normalization = Normalization { gray: true, ..Normalization::TORCHVISION };
    let card = ModelCard::new(Architecture::Light, data.classes.clone(), 32, normalization);
    let pictures = Pictures {
        data: &data,
        input: 32,
        normalization,
        preparation: Preparation::NONE,
        augmentation: Augmentation::standard(),
        alignment: None,
        margin: 1.0,
    };
    let (validation, training): (Vec<usize>, Vec<usize>) = (0..data.samples.len()).partition(|index| index % 10 == 0);
    let recipe = Recipe { epochs, batch: 10, ema: Some(0.9), ..Recipe::default() };
    let labels = Labels::own(&data);
    let course = Course {
        device: &Device::Cpu,
        card: &card,
        dropout: 0.5,
        start: card.network().unwrap().initialize(0).unwrap(),
        trainable: Trainable::All,
        pictures: &pictures,
        labels: &labels,
        training: &training,
        validation: &validation,
        recipe: &recipe,
        cache: None,
        checkpoint: None,
    };
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut peaks = Vec::new();
    let hear = |event: Event| {
        if matches!(event, Event::Epoch(_)) {
            peaks.push(PEAK.load(Ordering::Relaxed) - before);
        }
    };
    course.run(&mut |_| {}, hear).unwrap();
    peaks
}

#[test]
fn neither_epochs_nor_pictures_cost_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (folder.path().join("few"), folder.path().join("many"));
    write_faces(&few, 30);
    write_faces(&many, 300);
    let few = peaks(&few, 4);
    let many = peaks(&many, 1);
    // The second epoch holds the best parameters of the first besides its own.
    let growth = few[3] as f64 / few[1] as f64;
    assert!(growth < 1.02, "{few:?}");
    // The pictures of the larger set take 16 MB as bytes, and 7 MB as they go into the network. What may grow are
    // lists of numbers, and how many batches happen to be ready at the same time.
    let apart = many[0] as f64 - few[0] as f64;
    assert!(apart < 2e6, "{few:?}, {many:?}");
}

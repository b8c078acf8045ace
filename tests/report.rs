//! A whole report, as a study writes it, from made-up predictions and drawn pictures.
#![cfg(feature = "report")]

use std::path::PathBuf;

use vultus::image::RgbImage;
use vultus::metrics::{Evaluation, Predictions};
use vultus::ops::Order;
use vultus::report::{
    Cell, Chart, Gallery, GalleryItem, LineChart, Method, Page, Section, Series, Table, Unit, evaluation_cards,
    evaluation_sections, filters_picture, heat_overlay, methods_section,
};
use vultus::{Random, Tensor};

const CLASSES: [&str; 7] = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"];

/// Predictions with a tendency to the true class that depends on the class.
fn predictions(strength: f32, seed: u64) -> Predictions {
    let mut predictions = Predictions::new(CLASSES.map(str::to_owned).into());
    let mut random = Random::new(seed);
    for (class, images) in [96, 12, 100, 180, 124, 120, 80].into_iter().enumerate() {
        for _ in 0..images {
            let logits: Vec<f32> = (0..CLASSES.len())
                .map(|other| {
                    let ease = [1.0, 0.7, 0.7, 2.0, 1.2, 0.9, 1.8][class] * strength;
                    random.normal() * 0.9 + if other == class { ease } else { 0.0 }
                })
                .collect();
            let sum: f32 = logits.iter().map(|logit| (1.4 * logit).exp()).sum();
            predictions.labels.push(class);
            predictions.probabilities.push(logits.iter().map(|logit| (1.4 * logit).exp() / sum).collect());
        }
    }
    predictions
}

fn evaluation(strength: f32, seed: u64) -> Evaluation {
    Evaluation::new(&predictions(strength, seed), 7, 200).expect("an evaluation")
}

/// A drawn face: an oval, eyes, and a mouth that is bent up or down.
fn face(bend: f32) -> RgbImage {
    RgbImage::from_fn(48, 48, |x, y| {
        let (u, v) = ((x as f32 - 23.5) / 24.0, (y as f32 - 23.5) / 24.0);
        let eye = (u.abs() - 0.35).hypot(v + 0.2) < 0.12;
        let mouth = u.abs() < 0.42 && (v - 0.45 + bend * (u * u - 0.09)).abs() < 0.05;
        let skin = 205.0 - 60.0 * (u * u + v * v);
        let inside = (u / 0.8).hypot(v / 0.97) < 1.0;
        let value = if eye || mouth {
            60.0
        } else if inside {
            skin
        } else {
            90.0
        };
        image::Rgb([value as u8; 3])
    })
}

fn training() -> Section {
    let curve = |name: &str, at: fn(f64) -> f64| Series::new(name, (1..=24).map(|e| [f64::from(e), at(f64::from(e))]));
    let loss = LineChart::new("epoch", "mean log loss", Unit::Number)
        .series(curve("training", |e| 0.72 + 1.15 * (-e / 6.0).exp()))
        .series(curve("validation", |e| 0.98 + 0.8 * (-e / 4.0).exp() + 0.0006 * e * e))
        .mark(14.0, "kept: epoch 14");
    let accuracy = LineChart::new("epoch", "accuracy", Unit::Percent)
        .series(curve("training", |e| 0.74 - 0.42 * (-e / 6.0).exp()))
        .series(curve("validation", |e| 0.635 - 0.31 * (-e / 4.0).exp()))
        .series(curve("validation, balanced", |e| 0.592 - 0.33 * (-e / 4.5).exp()))
        .mark(14.0, "kept: epoch 14");
    Section::new("Training")
        .facts([
            ("optimiser", "AdamW, weight decay 1e-4"),
            ("learning rate", "1e-3 for the head, 1e-4 from block5_conv1"),
            ("schedule", "warm-up of 1 epoch, then cosine"),
            ("batch", "64 images"),
        ])
        .chart(
            "Loss",
            Chart::Line(loss),
            "Of the training images with augmentation and dropout, of the others without.",
        )
        .chart("Accuracy", Chart::Line(accuracy), "")
}

fn data() -> Section {
    let counts = [3995, 436, 4097, 7215, 4965, 4830, 3171];
    let rows = CLASSES.iter().zip(counts).map(|(class, images)| {
        let test = images * 3 / 10;
        [Cell::text(*class), Cell::count(images - test), Cell::count(test), Cell::percent(images as f64 / 28_709.0)]
    });
    Section::new("Data")
        .facts([
            ("folder", "faces/fer2013 <train>"),
            ("layout", "one folder per class"),
            ("split", "70/30 by image, stratified"),
            ("seed", "7"),
            ("device", "CPU, 2 threads (AVX-512)"),
            ("version", "vultus 0.1.0"),
        ])
        .table(
            Table::new(["class", "training", "test", "share"])
                .caption("Images after duplicates were dropped")
                .rows(rows),
        )
        .note("280 of the test images are also in the training part, pixel for pixel; they were dropped.")
}

fn pictures() -> Section {
    let item = |truth: &str, predicted: &str, probability: f64, bend: f32| {
        let name = format!("test/{truth}/Training_{:07}.png", (probability * 1e7) as u32);
        GalleryItem::face(face(bend), truth, predicted, probability, &name)
    };
    let right = (0..8).map(|i| item("happy", "happy", 0.999 - 0.003 * f64::from(i), 1.0));
    let wrong = (0..6).map(|i| item("fear", "sad", 0.97 - 0.01 * f64::from(i), -1.0));
    let mut random = Random::new(3);
    let filters = filters_picture(&Tensor::from_fn([64, 3, 3, 3], |_| random.normal()), Order::Bgr).expect("a picture");
    let heat = CLASSES.map(|class| {
        let map: Vec<f32> = (0..49)
            .map(|i| (-((i % 7) as f32 - 3.0).powi(2) / 4.0 - ((i / 7) as f32 - 4.5).powi(2) / 2.0).exp())
            .collect();
        let picture = heat_overlay(&face(1.0), &map, [7, 7]).expect("an overlay");
        GalleryItem::new(picture, format!("Heat for {class}")).heading(class)
    });
    Section::new("Pictures")
        .gallery(Gallery::new("Surest right").items(right))
        .gallery(Gallery::new("Surest wrong").note("What the network was most sure of and yet wrong.").items(wrong))
        .gallery(Gallery::new("What spoke for each class").note("Occlusion.").color_bar("nothing", "most").items(heat))
        .gallery(
            Gallery::new("Filters of the first layer").side(330).item(GalleryItem::new(filters, "64 filters of 3×3")),
        )
}

fn page() -> Page {
    let [vgg, frozen, light, hog, lbp] = [1.25, 1.15, 1.05, 0.75, 0.6].map(|strength| evaluation(strength, 1));
    let method = |name: &str, evaluation, milliseconds, parameters| Method {
        name: name.to_owned(),
        evaluation,
        milliseconds: Some(milliseconds),
        parameters,
        against_best: None,
    };
    let methods = methods_section(&[
        method("VGG16, from block5_conv1 to the end", &vgg, 72.4, Some(15_241_031)),
        method("VGG16, head only", &frozen, 72.4, Some(526_343)),
        method("light network", &light, 3.1, Some(912_455)),
        method("HOG + RBF SVM", &hog, 2.8, None),
        method("HOG + linear SVM", &hog, 1.4, None),
        method("DRLBP + RBF SVM", &lbp, 2.6, None),
        method("DRLBP + linear SVM", &lbp, 1.35, None),
        method("LBP + linear SVM", &lbp, 1.3, None),
    ]);
    Page::new("Expressions in FER2013")
        .lead("Which of seven expressions does a face show? Eight methods, trained and tested on the same split of 28,709 images.")
        .cards(evaluation_cards(&vgg))
        .section(data())
        .section(training())
        .sections(evaluation_sections(&vgg))
        .section(methods)
        .section(pictures())
}

#[test]
fn a_study_fits_on_a_page() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    page().save(&path).expect("saved");
    let html = std::fs::read_to_string(&path).expect("a page");
    assert_eq!(html.matches("<section").count(), 8);
    assert_eq!(html.matches("<svg").count(), 8);
    assert_eq!(html.matches("<img").count(), 8 + 6 + 7 + 1);
    assert!(!html.contains("NaN") && !html.contains("fer2013 <train>"));
    for name in
        html.split("aria-labelledby=\"").skip(1).flat_map(|part| part.split('"').next()).flat_map(str::split_whitespace)
    {
        assert_eq!(html.matches(&format!("id=\"{name}\"")).count(), 1, "{name}");
    }
    assert!(html.len() < 400_000, "{} bytes", html.len());
}

#[test]
fn many_classes_with_long_names_fit_too() {
    let classes = (0..30).map(|class| format!("an expression with a long name, number {class}")).collect();
    let mut predictions = Predictions::new(classes);
    let mut random = Random::new(4);
    for sample in 0..900 {
        let mut row: Vec<f32> = (0..30).map(|_| random.uniform() / 29.0).collect();
        // The last class has no samples.
        row[sample % 29] += 0.04 * random.uniform();
        let sum: f32 = row.iter().sum();
        predictions.labels.push(sample % 29);
        predictions.probabilities.push(row.iter().map(|value| value / sum).collect());
    }
    let evaluation = Evaluation::new(&predictions, 1, 50).expect("an evaluation");
    let page =
        Page::new("Thirty classes").cards(evaluation_cards(&evaluation)).sections(evaluation_sections(&evaluation));
    page.save(&PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("many_classes.html")).expect("saved");
    let html = page.html();
    assert!(html.contains("number 29") && html.contains(">undefined</text>") && !html.contains("NaN"));
}

#[test]
fn the_same_data_give_the_same_page() {
    assert_eq!(page().html(), page().html());
}

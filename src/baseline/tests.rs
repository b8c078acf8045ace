//! The methods from faces to scores, on textures.

use super::*;
use crate::random::Random;

/// Stripes of three directions with noise: horizontal, vertical, diagonal.
fn textures(count: usize, seed: u64) -> (Vec<GrayImage>, Vec<usize>) {
    let mut random = Random::new(seed);
    let labels: Vec<usize> = (0..count).map(|i| i % 3).collect();
    let texture = |&label: &usize| {
        let (wave, shift) = (5 + random.below(3) as u32, random.below(8) as u32);
        GrayImage::from_fn(48, 48, |x, y| {
            let place = [y, x, x + y][label] + shift;
            let level = if place % wave < wave / 2 { 80.0 } else { 160.0 };
            image::Luma([(level + 10.0 * random.normal()).clamp(0.0, 255.0) as u8])
        })
    };
    (labels.iter().map(texture).collect(), labels)
}

fn examples<'a>(faces: &'a [GrayImage], labels: &'a [usize]) -> Examples<'a> {
    Examples { faces, labels, subjects: None, classes: 3 }
}

fn accuracy(classifier: &Classifier, faces: &[GrayImage], labels: &[usize]) -> f64 {
    let scores = classifier.scores_of(faces).unwrap();
    let right = scores.iter().zip(labels).filter(|(p, label)| p.iter().all(|&other| other <= p[**label]));
    right.count() as f64 / labels.len() as f64
}

const METHODS: [Method; 4] = [
    Method { features: FeatureKind::Lbp, svm: SvmKind::Linear },
    Method { features: FeatureKind::Lbp, svm: SvmKind::Rbf },
    Method { features: FeatureKind::Hog, svm: SvmKind::Linear },
    Method { features: FeatureKind::Hog, svm: SvmKind::Rbf },
];

#[test]
fn directions_of_stripes_are_told_by_features_that_see_them() {
    let (faces, labels) = textures(60, 1);
    let (others, other_labels) = textures(30, 2);
    for method in METHODS {
        let classifier = train(method, examples(&faces, &labels), &Settings::default()).unwrap();
        let accuracy = accuracy(&classifier, &others, &other_labels);
        assert!(accuracy >= 0.95, "{method}: {accuracy}");
        assert_eq!(classifier.summary().given, 60);
        assert_eq!(classifier.summary().support_vectors.is_some(), method.svm == SvmKind::Rbf);
    }
}

#[test]
fn what_rotated_patterns_learn_of_upright_pictures_holds_for_turned_ones() {
    let method = Method { features: FeatureKind::Drlbp, svm: SvmKind::Linear };
    let (stripes, labels) = textures(90, 1);
    let horizontal: Vec<GrayImage> = stripes.into_iter().zip(labels).filter(|(_, l)| *l == 0).map(|(f, _)| f).collect();
    let mut random = Random::new(8);
    let mut noise = || GrayImage::from_fn(48, 48, |_, _| image::Luma([80 + random.below(80) as u8]));
    let faces: Vec<GrayImage> = horizontal.iter().flat_map(|face| [face.clone(), noise()]).collect();
    let labels: Vec<usize> = (0..faces.len()).map(|i| i % 2).collect();
    let classifier = train(method, Examples { classes: 2, ..examples(&faces, &labels) }, &Settings::default()).unwrap();
    let turned: Vec<GrayImage> = faces.iter().map(image::imageops::rotate90).collect();
    assert_eq!(accuracy(&classifier, &turned, &labels), 1.0);
}

#[test]
fn the_same_seed_gives_the_same_scores() {
    let (faces, labels) = textures(45, 3);
    for features in [FeatureKind::Drlbp, FeatureKind::Hog] {
        let scores = |seed| {
            let method = Method { features, svm: SvmKind::Rbf };
            let settings = Settings { rbf_samples: 30, seed, ..Settings::default() };
            let classifier = train(method, examples(&faces, &labels), &settings).unwrap();
            assert_eq!(classifier.summary().used, 30);
            classifier.scores_of(&faces).unwrap()
        };
        assert_eq!(scores(4), scores(4));
        assert_ne!(scores(4), scores(5));
    }
}

#[test]
fn classes_without_a_face_have_the_probability_0_and_subjects_may_be_given() {
    let (faces, labels) = textures(45, 3);
    let subjects: Vec<usize> = (0..45).map(|i| i / 9).collect();
    let examples = Examples { classes: 5, subjects: Some(&subjects), ..examples(&faces, &labels) };
    let classifier = train(METHODS[2], examples, &Settings::default()).unwrap();
    let scores = classifier.scores(&faces[0]).unwrap();
    assert_eq!(scores[3..], [0.0, 0.0]);
    approx::assert_abs_diff_eq!(scores.iter().sum::<f32>(), 1.0, epsilon = 1e-5);
}

#[test]
fn what_cannot_be_trained_on_is_refused_with_the_reason() {
    let (faces, labels) = textures(6, 1);
    let refused = |examples: Examples, settings: Settings| {
        train(METHODS[2], examples, &settings).map(|_| ()).unwrap_err().to_string()
    };
    let good = examples(&faces, &labels);
    let normal = Settings::default;
    assert!(refused(Examples { labels: &[1; 6], ..good }, normal()).contains("one class"));
    assert!(refused(Examples { faces: &[], labels: &[], ..good }, normal()).contains("one class"));
    assert!(refused(Examples { labels: &labels[1..], ..good }, normal()).contains("5 labels for 6 faces"));
    assert!(refused(Examples { subjects: Some(&[1]), ..good }, normal()).contains("1 subjects"));
    assert!(refused(Examples { classes: 2, ..good }, normal()).contains("label 2"));
    // Of one face in each of two classes none can be kept aside.
    assert_ne!(labels[0], labels[1]);
    let two = Examples { faces: &faces[..2], labels: &labels[..2], ..good };
    assert!(refused(two, normal()).contains("too few"));
    for validation in [0.0, 1.0, f64::NAN] {
        assert!(refused(good, Settings { validation, ..normal() }).contains("kept aside"));
    }
    let mut blank = faces.clone();
    blank[3] = GrayImage::new(0, 7);
    assert!(refused(Examples { faces: &blank, ..good }, normal()).contains("face 3 has no pixels"));
    assert!(refused(good, Settings { rbf_samples: 0, side: 8, ..normal() }).contains("too small"));
}

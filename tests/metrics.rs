//! Figures of predictions: against scikit-learn, against each other, and whether intervals cover what they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use vultus::Random;
use vultus::metrics::{BINS, Evaluation, Measures, Predictions, Unit};

/// Both sides add at most 3,500 numbers in f64, each sum wrong by less than 3,500 × 2⁻⁵³ = 4e-13 of itself.
const TOLERANCE: f64 = 1e-12;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("class {class}")).collect()
}

/// Predictions of random skill for random labels.
fn random_predictions(classes: usize, samples: usize, random: &mut Random) -> Predictions {
    let mut predictions = Predictions::new(names(classes));
    let skill = 3.0 * random.uniform();
    for _ in 0..samples {
        let label = random.below(classes);
        let mut row: Vec<f32> = (0..classes).map(|_| random.normal().exp()).collect();
        row[label] *= skill.exp();
        let sum: f32 = row.iter().sum();
        predictions.labels.push(label);
        predictions.probabilities.push(row.iter().map(|value| value / sum).collect());
    }
    predictions
}

/// Two classes, of which the first is always the truth: right or wrong as given.
fn outcomes(right: &[bool]) -> Predictions {
    let row = |&right: &bool| if right { vec![0.75, 0.25] } else { vec![0.25, 0.75] };
    Predictions {
        labels: vec![0; right.len()],
        probabilities: right.iter().map(row).collect(),
        ..Predictions::new(names(2))
    }
}

// ---- scikit-learn ----

fn golden() -> serde_json::Map<String, Value> {
    serde_json::from_str(include_str!("golden/metrics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn predictions_of(case: &Value) -> Predictions {
    let classes = case["classes"].as_u64().unwrap() as usize;
    let parts: Vec<f32> = numbers(&case["parts"]).iter().map(|&parts| parts as f32 / 512.0).collect();
    Predictions {
        labels: numbers(&case["labels"]).iter().map(|&label| label as usize).collect(),
        probabilities: parts.chunks(classes).map(<[f32]>::to_vec).collect(),
        ..Predictions::new(names(classes))
    }
}

/// The evaluation's JSON in the form of the golden figures.
fn in_golden_form(evaluation: &Evaluation) -> Value {
    let mut json = serde_json::to_value(evaluation).unwrap();
    let per_class: Vec<Value> = evaluation.classes.iter().map(|class| json["per_class"][class].clone()).collect();
    json["per_class"] = per_class.into();
    let bins = |key: &str| -> Vec<Value> {
        let bins = json["reliability"].as_array().unwrap().iter();
        bins.map(|bin| bin[key].clone()).filter(|value| !value.is_null()).collect()
    };
    let (counts, accuracy, confidence) = (bins("count"), bins("accuracy"), bins("confidence"));
    json["counts"] = counts.into();
    json["bin_accuracy"] = accuracy.into();
    json["bin_confidence"] = confidence.into();
    json
}

/// The paths of the figures of `wanted` that are others in `found`.
fn differences(found: &Value, wanted: &Value, path: &str) -> Vec<String> {
    match (found, wanted) {
        (Value::Object(_), Value::Object(wanted)) => {
            wanted.iter().flat_map(|(key, value)| differences(&found[key], value, &format!("{path}/{key}"))).collect()
        }
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => {
            let pairs = found.iter().zip(wanted).enumerate();
            pairs.flat_map(|(i, (found, wanted))| differences(found, wanted, &format!("{path}/{i}"))).collect()
        }
        (Value::Null, Value::Null) => Vec::new(),
        _ => match (found.as_f64(), wanted.as_f64()) {
            (Some(found), Some(wanted)) if (found - wanted).abs() <= TOLERANCE => Vec::new(),
            _ => vec![format!("{path}: {found}, not {wanted}")],
        },
    }
}

/// Every number and null of a value, by path.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{path}/{i}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let cases = golden();
    assert_eq!(cases.len(), 10);
    for (name, case) in &cases {
        let evaluation = Evaluation::new(&predictions_of(case), 0, 0).unwrap();
        let different = differences(&in_golden_form(&evaluation), &case["figures"], "");
        assert!(different.is_empty(), "{name}: {different:#?}");
    }
}

#[test]
fn each_changed_figure_is_noticed() {
    for case in golden().values() {
        let found = in_golden_form(&Evaluation::new(&predictions_of(case), 0, 0).unwrap());
        let mut paths = Vec::new();
        leaves(&case["figures"], "", &mut paths);
        assert!(paths.len() > 40);
        for path in paths {
            let mut changed = case["figures"].clone();
            let figure = changed.pointer_mut(&path).unwrap();
            *figure = figure.as_f64().map_or(0.into(), |value| (value + 1e-9).into());
            assert_eq!(differences(&found, &changed, "").len(), 1, "{path}");
        }
        let mut shorter = case["figures"].clone();
        shorter["confusion"].as_array_mut().unwrap().pop();
        assert_eq!(differences(&found, &shorter, "").len(), 1);
    }
}

// ---- figures among each other ----

#[test]
fn jaccard_dice_and_micro_averages_follow_from_the_others() {
    let mut random = Random::new(11);
    for round in 0..200 {
        let (classes, samples) = (2 + random.below(8), 1 + random.below(60));
        let predictions = random_predictions(classes, samples, &mut random);
        let evaluation = Evaluation::new(&predictions, 0, 0).unwrap();
        for measures in evaluation.per_class.values().map(|class| &class.measures).chain([&evaluation.micro]) {
            assert_eq!(measures.dice, measures.f1);
            assert_eq!(measures.jaccard.is_some(), measures.f1.is_some());
            if let (Some(f1), Some(jaccard)) = (measures.f1, measures.jaccard) {
                assert!((jaccard - f1 / (2.0 - f1)).abs() < TOLERANCE, "{round}: {measures:?}");
                // No precision can be lower with this F1, which is the harmonic mean with a recall of at most 1.
                assert!(measures.precision.is_none_or(|p| p >= f1 / (2.0 - f1) - TOLERANCE), "{round}: {measures:?}");
            }
        }
        let Measures { recall, precision, f1, .. } = evaluation.micro;
        assert_eq!([recall, precision, f1], [Some(evaluation.accuracy); 3]);
        assert!(evaluation.weighted.recall.is_some_and(|recall| (recall - evaluation.accuracy).abs() < TOLERANCE));
        assert_eq!(evaluation.macro_average.recall, Some(evaluation.balanced_accuracy));
        assert!(evaluation.top2 >= evaluation.accuracy && (classes > 2 || evaluation.top2 == 1.0));
        let counted: u64 = evaluation.confusion.iter().flatten().sum();
        assert_eq!(counted as usize, samples);
    }
}

#[test]
fn what_is_a_part_of_nothing_is_null() {
    let mut predictions = outcomes(&[true, true, false]);
    predictions.classes.push("absent".to_owned());
    predictions.probabilities.iter_mut().for_each(|row| row.push(0.0));
    let json = serde_json::to_value(Evaluation::new(&predictions, 0, 0).unwrap()).unwrap();
    let class = |class: &str, measure: &str| json["per_class"][class][measure].clone();
    // All samples are of class 0.
    assert!(class("class 0", "specificity").is_null());
    assert!(class("class 1", "recall").is_null());
    assert_eq!(class("class 1", "f1"), 0.0);
    for measure in ["recall", "precision", "f1", "jaccard", "dice"] {
        assert!(class("absent", measure).is_null(), "{measure}");
    }
    assert_eq!(class("absent", "specificity"), 1.0);
    assert_eq!(class("absent", "support"), 0);
    // Means over the classes that have samples: one.
    assert_eq!(json["macro"]["recall"], 2.0 / 3.0);
    assert_eq!(json["macro"]["precision"], 1.0);
    assert_eq!(json["macro"]["f1"], 0.8);
    assert!(json["weighted"]["specificity"].is_null());
    assert!(json["intervals"].is_null());
}

#[test]
fn of_equal_probabilities_the_first_counts() {
    let predictions =
        Predictions { labels: vec![0, 1, 2], probabilities: vec![vec![1.0 / 3.0; 3]; 3], ..Predictions::new(names(3)) };
    assert_eq!(predictions.predicted(), [0, 0, 0]);
    let evaluation = Evaluation::new(&predictions, 0, 0).unwrap();
    assert_eq!((evaluation.accuracy, evaluation.top2), (1.0 / 3.0, 2.0 / 3.0));
}

#[test]
fn an_edge_between_bins_belongs_to_the_lower_one() {
    let predictions =
        Predictions { labels: vec![0, 0], probabilities: vec![vec![1.0, 0.0], vec![0.5, 0.5]], ..outcomes(&[true; 2]) };
    let bins = Evaluation::new(&predictions, 0, 0).unwrap().reliability;
    assert_eq!(bins.len(), BINS);
    assert_eq!((bins[14].count, bins[7].count), (1, 1));
    assert_eq!((bins[0].low, bins[14].high), (0.0, 1.0));
    assert_eq!((bins[3].confidence, bins[14].accuracy), (None, Some(1.0)));
}

#[test]
fn the_json_has_the_agreed_keys_and_can_be_read_again() {
    let mut random = Random::new(3);
    let evaluation = Evaluation::new(&random_predictions(3, 50, &mut random), 4, 100).unwrap();
    let json = serde_json::to_value(&evaluation).unwrap();
    for key in ["classes", "n", "accuracy", "balanced_accuracy", "confusion", "log_loss", "ece", "intervals"] {
        assert!(!json[key].is_null(), "{key}");
    }
    for measures in [&json["macro"], &json["micro"], &json["weighted"], &json["per_class"]["class 2"]] {
        for key in ["recall", "specificity", "precision", "f1", "jaccard", "dice"] {
            assert!(measures[key].is_number(), "{key}");
        }
    }
    assert_eq!(json["intervals"]["accuracy"].as_array().unwrap().len(), 2);
    assert_eq!(json["intervals"]["macro"]["f1"].as_array().unwrap().len(), 2);
    assert_eq!(json["intervals"]["method"]["unit"], "image");
    let again: Evaluation = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(again, evaluation);
}

// ---- what cannot be evaluated ----

#[test]
fn what_cannot_be_evaluated_is_refused() {
    type Change = fn(&mut Predictions);
    let cases: [(&str, Change); 12] = [
        ("there are none", |p| {
            p.labels.clear();
            p.probabilities.clear();
        }),
        ("2 labels, but probabilities of 3 samples", |p| p.labels.truncate(2)),
        ("3 labels, but subjects of 1 samples", |p| p.subjects = Some(vec!["a".into()])),
        ("1 classes, at least 2", |p| p.classes.truncate(1)),
        ("two classes have the name \"class 0\"", |p| p.classes[1] = "class 0".to_owned()),
        ("sample 1 (from 0) has the label 2, but there are 2 classes", |p| p.labels[1] = 2),
        ("sample 2 (from 0) has 1 probabilities", |p| p.probabilities[2].truncate(1)),
        ("the probability NaN", |p| p.probabilities[0][1] = f32::NAN),
        ("the probability inf", |p| p.probabilities[0][1] = f32::INFINITY),
        ("the probability -0.25", |p| p.probabilities[0] = vec![-0.25, 1.25]),
        ("the probability 1.5", |p| p.probabilities[0] = vec![1.5, 0.5]),
        ("whose sum is 1.5, not 1", |p| p.probabilities[0] = vec![0.75, 0.75]),
    ];
    for (said, change) in cases {
        let mut predictions = outcomes(&[true, false, true]);
        change(&mut predictions);
        let error = Evaluation::new(&predictions, 0, 10).unwrap_err().to_string();
        assert!(error.starts_with("predictions: ") && error.contains(said), "{said}: {error}");
        assert!(predictions.restrict(&["class 0", "class 1"]).is_err(), "{said}");
    }
    let error = Evaluation::new(&outcomes(&[true, false]), 0, 1_000_001).unwrap_err().to_string();
    assert!(error.contains("at most 1000000"), "{error}");
}

// ---- parts, folds, files ----

#[test]
fn a_restricted_choice_is_among_the_given_classes_only() {
    let predictions = Predictions {
        labels: vec![0, 1, 2, 2],
        probabilities: vec![
            vec![0.25, 0.5, 0.25],
            vec![0.25, 0.25, 0.5],
            vec![0.75, 0.125, 0.125],
            vec![0.0, 1.0, 0.0],
        ],
        subjects: Some(["a", "b", "c", "d"].map(Arc::from).into()),
        ..Predictions::new(names(3))
    };
    let restricted = predictions.restrict(&["class 2", "class 0"]).unwrap();
    assert_eq!(restricted.classes, ["class 2", "class 0"]);
    assert_eq!(restricted.labels, [1, 0, 0]);
    // The second sample is of another class. Where neither is probable at all, both are alike.
    assert_eq!(restricted.probabilities, [[0.5, 0.5], [0.125 / 0.875, 0.75 / 0.875], [0.5, 0.5]]);
    assert_eq!(restricted.subjects.unwrap(), ["a", "c", "d"].map(Arc::from));

    let refused = |classes: &[&str]| predictions.restrict(classes).unwrap_err().to_string();
    assert!(refused(&["class 0", "class 7"]).contains("no class \"class 7\" but class 0, class 1, class 2"));
    assert!(refused(&["class 0"]).contains("at least 2"));
    assert!(refused(&["class 0", "class 0"]).contains("two classes have the name"));
    let first = Predictions { labels: vec![0; 4], ..predictions.clone() };
    assert!(first.restrict(&["class 1", "class 2"]).unwrap_err().to_string().contains("there are none"));
}

#[test]
fn other_frequencies_of_classes_scale_their_probabilities() {
    let predictions = Predictions {
        labels: vec![0, 1],
        probabilities: vec![vec![0.5, 0.25, 0.25], vec![1.0, 0.0, 0.0]],
        subjects: Some(["a", "b"].map(Arc::from).into()),
        ..Predictions::new(names(3))
    };
    let same = predictions.with_priors(&[0.5, 0.25, 0.25], &[0.5, 0.25, 0.25]).unwrap();
    assert_eq!(same, predictions);
    // 0.5 / 2, 0.25 * 2, 0.25 * 1, by their sum.
    let other = predictions.with_priors(&[0.5, 0.25, 0.25], &[0.25, 0.5, 0.25]).unwrap();
    assert_eq!(other.probabilities, [[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]]);
    assert_eq!((&other.labels, &other.subjects), (&predictions.labels, &predictions.subjects));
    // Where only what cannot be was probable, what is expected is all that is known.
    let never = predictions.with_priors(&[0.5, 0.25, 0.25], &[0.0, 0.75, 0.25]).unwrap();
    assert_eq!(never.probabilities, [[0.0, 0.75, 0.25], [0.0, 0.75, 0.25]]);

    let refused = |learned: &[f32], priors: &[f32]| predictions.with_priors(learned, priors).unwrap_err().to_string();
    let third = 1.0 / 3.0;
    assert!(refused(&[0.5, 0.5], &[third; 3]).contains("there are 2, for 3 classes"));
    assert!(refused(&[0.5, 0.5, 0.0], &[third; 3]).contains("one is 0, which is no share"));
    assert!(refused(&[third; 3], &[0.5, 0.8, -0.3]).contains("one is -0.3, which is no share"));
    assert!(refused(&[third; 3], &[0.5, f32::NAN, 0.5]).contains("one is NaN, which is no share"));
    assert!(refused(&[third; 3], &[0.5, 0.2, 0.2]).contains("not 1"));
}

#[test]
fn folds_are_merged_if_they_belong_together() {
    let (mut folds, first, second) = (Predictions::new(names(2)), outcomes(&[true, false]), outcomes(&[true]));
    folds.extend(first.clone()).unwrap();
    folds.extend(second).unwrap();
    assert_eq!(folds, outcomes(&[true, false, true]));

    let other = Predictions { classes: vec!["a".into(), "b".into()], ..first.clone() };
    assert!(folds.extend(other).unwrap_err().to_string().contains("class 0, class 1 and a, b"));
    let known = Predictions { subjects: Some(["a", "b"].map(Arc::from).into()), ..first };
    assert!(folds.extend(known.clone()).unwrap_err().to_string().contains("one part only"));
    assert_eq!(folds, outcomes(&[true, false, true]));
    let mut subjects = Predictions::new(names(2));
    subjects.extend(known.clone()).unwrap();
    subjects.extend(Predictions::new(names(2))).unwrap();
    subjects.extend(known).unwrap();
    assert_eq!(subjects.subjects.unwrap(), ["a", "b", "a", "b"].map(Arc::from));
}

#[test]
fn csv_has_a_line_for_each_sample_or_class() {
    let mut predictions = outcomes(&[true, false]);
    predictions.classes[1] = "glad, \"very\"".to_owned();
    let mut csv = Vec::new();
    predictions.write_csv(&["a,b.png", "c.png"], &mut csv).unwrap();
    let wanted = "name,true,predicted,class 0,\"glad, \"\"very\"\"\"\n\
        \"a,b.png\",class 0,class 0,0.75,0.25\nc.png,class 0,\"glad, \"\"very\"\"\",0.25,0.75\n";
    assert_eq!(String::from_utf8(csv).unwrap(), wanted);
    assert!(predictions.write_csv(&["a"], &mut Vec::new()).is_err());

    let mut confusion = Vec::new();
    Evaluation::new(&predictions, 0, 0).unwrap().write_confusion_csv(&mut confusion).unwrap();
    let wanted = "true,class 0,\"glad, \"\"very\"\"\"\nclass 0,1,1\n\"glad, \"\"very\"\"\",0,0\n";
    assert_eq!(String::from_utf8(confusion).unwrap(), wanted);
}

// ---- intervals ----

#[test]
fn intervals_are_the_same_for_the_same_seed_only() {
    let predictions = random_predictions(4, 300, &mut Random::new(5));
    let intervals = |seed| Evaluation::new(&predictions, seed, 500).unwrap().intervals.unwrap();
    assert_eq!(intervals(1), intervals(1));
    assert_ne!(intervals(1), intervals(2));
}

#[test]
fn intervals_lie_around_their_figures() {
    let predictions = random_predictions(5, 400, &mut Random::new(6));
    let evaluation = Evaluation::new(&predictions, 1, 1000).unwrap();
    let intervals = evaluation.intervals.unwrap();
    let around = |[low, high]: [f64; 2], figure: f64| {
        assert!(low < figure && figure < high && high - low < 0.5, "{low} {figure} {high}");
    };
    around(intervals.accuracy, evaluation.accuracy);
    around(intervals.balanced_accuracy, evaluation.balanced_accuracy);
    around(intervals.kappa.unwrap(), evaluation.kappa.unwrap());
    around(intervals.top2, evaluation.top2);
    around(intervals.log_loss, evaluation.log_loss);
    around(intervals.macro_average.f1.unwrap(), evaluation.macro_average.f1.unwrap());
    around(intervals.weighted.precision.unwrap(), evaluation.weighted.precision.unwrap());
    for (class, measures) in &intervals.per_class {
        around(measures.recall.unwrap(), evaluation.per_class[class].measures.recall.unwrap());
        around(measures.jaccard.unwrap(), evaluation.per_class[class].measures.jaccard.unwrap());
    }
    // The normal approximation of a share: ± 1.96 standard errors. Two of its parts in ten cover what 1,000 resamples
    // and its own error make of it.
    let error = (evaluation.accuracy * (1.0 - evaluation.accuracy) / 400.0).sqrt();
    let width = intervals.accuracy[1] - intervals.accuracy[0];
    assert!((width / (2.0 * 1.96 * error) - 1.0).abs() < 0.2, "{width} {error}");
}

#[test]
fn one_image_or_subject_has_no_intervals() {
    assert_eq!(Evaluation::new(&outcomes(&[true]), 0, 100).unwrap().intervals, None);
    let mut predictions = outcomes(&[true, false, true]);
    predictions.subjects = Some(vec!["a".into(); 3]);
    assert_eq!(Evaluation::new(&predictions, 0, 100).unwrap().intervals, None);
}

/// How often the interval of the accuracy holds the true one, over 400 data sets of 30 subjects with 8 images each. The
/// subjects differ in how well they are recognised by as much as `spread`.
fn coverage(spread: f32, with_subjects: bool) -> f64 {
    let (truth, mut random, mut covered) = (0.6f32, Random::new(8), 0);
    for seed in 0..400 {
        let (mut right, mut subjects) = (Vec::new(), Vec::<Arc<str>>::new());
        for subject in 0..30 {
            let skill = truth + spread * (2.0 * random.uniform() - 1.0);
            right.extend((0..8).map(|_| random.uniform() < skill));
            subjects.extend((0..8).map(|_| Arc::from(format!("S{subject}"))));
        }
        let mut predictions = outcomes(&right);
        predictions.subjects = with_subjects.then_some(subjects);
        let intervals = Evaluation::new(&predictions, seed, 400).unwrap().intervals.unwrap();
        assert_eq!(intervals.method.unit, if with_subjects { Unit::Subject } else { Unit::Image });
        assert_eq!(intervals.method.units, if with_subjects { 30 } else { 240 });
        covered += usize::from((intervals.accuracy[0]..=intervals.accuracy[1]).contains(&f64::from(truth)));
    }
    covered as f64 / 400.0
}

/// Three standard errors of a share of 0.95 among 400 are 0.033. Percentile intervals of 30 subjects are a few parts in
/// a hundred too narrow besides (they lack Student's factor), which costs about 0.015 of coverage.
#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let images = coverage(0.0, false);
    assert!((0.917..0.983).contains(&images), "{images}");
    let subjects = coverage(0.4, true);
    assert!((0.90..0.983).contains(&subjects), "{subjects}");
}

#[test]
fn images_of_few_subjects_taken_as_independent_claim_too_much() {
    let coverage = coverage(0.4, false);
    assert!(coverage < 0.9, "{coverage}");
}

#[test]
fn thousands_of_resamples_take_no_time() {
    let predictions = random_predictions(7, 3589, &mut Random::new(9));
    let start = Instant::now();
    Evaluation::new(&predictions, 1, 4000).unwrap();
    let elapsed = start.elapsed();
    // 0.4 s were measured on two busy cores.
    assert!(elapsed < Duration::from_secs(4), "{elapsed:?}");
}

//! The comparison that all other tests rely on: it must fail where it should.

mod compare;

use compare::{Comparison, Golden};
use vultus::Tensor;

fn tensor(values: &[f32]) -> Tensor {
    Tensor::new([values.len()], values.to_vec()).unwrap()
}

/// What a comparison within 1e-3 of the largest magnitude says.
fn failures(found: &Tensor, wanted: &Tensor) -> Vec<String> {
    let mut comparison = Comparison::default();
    comparison.check("case", found, wanted, 1e-3);
    comparison.failures().to_vec()
}

#[test]
fn what_is_within_the_tolerance_passes() {
    let wanted = tensor(&[0.0, -100.0, 1.0]);
    assert!(failures(&wanted, &wanted).is_empty());
    // A thousandth of 100, at any place.
    assert!(failures(&tensor(&[0.0999, -100.0, 1.0]), &wanted).is_empty());
    assert!(failures(&tensor(&[0.0, -100.0999, 1.0]), &wanted).is_empty());
    assert!(failures(&tensor(&[0.0; 3]), &tensor(&[0.0; 3])).is_empty());
}

#[test]
fn every_kind_of_difference_fails() {
    let wanted = tensor(&[0.0, -100.0, 1.0]);
    for (found, reason) in [
        (tensor(&[0.0, -100.0, 2.0]), "2 instead of 1 at place 2"),
        (tensor(&[0.1001, -100.0, 1.0]), "at place 0"),
        (tensor(&[0.0, 100.0, 1.0]), "at place 1"),
        (tensor(&[0.0, -100.0, f32::NAN]), "NaN at place 2 of what was found"),
        (tensor(&[f32::INFINITY, -100.0, 1.0]), "inf at place 0"),
        (tensor(&[0.0, f32::NEG_INFINITY, 1.0]), "-inf at place 1"),
        (tensor(&[0.0, -100.0]), "the shape is [2] instead of [3]"),
        (Tensor::new([1, 3], vec![0.0, -100.0, 1.0]).unwrap(), "the shape is [1, 3]"),
    ] {
        let failures = failures(&found, &wanted);
        assert_eq!(failures.len(), 1, "{reason}");
        assert!(failures[0].contains(reason), "{reason:?} is not in {:?}", failures[0]);
    }
}

#[test]
fn a_reference_that_cannot_be_right_fails() {
    for broken in [f32::NAN, f32::INFINITY] {
        let wanted = tensor(&[broken, 1.0]);
        assert!(failures(&wanted, &wanted)[0].contains("of what was wanted"));
    }
    assert!(failures(&tensor(&[]), &tensor(&[]))[0].contains("nothing"));
    // Nothing is close to 0 if all that is wanted is 0.
    assert_eq!(failures(&tensor(&[1e-30]), &tensor(&[0.0])).len(), 1);
}

#[test]
fn every_failure_is_reported() {
    let mut comparison = Comparison::default();
    comparison.check("first", &tensor(&[1.0]), &tensor(&[2.0]), 0.1);
    comparison.check("second", &tensor(&[2.0]), &tensor(&[2.0]), 0.1);
    comparison.check("third", &tensor(&[f32::NAN]), &tensor(&[2.0]), 0.1);
    let panic = std::panic::catch_unwind(|| comparison.finish()).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("2 failures in 3 comparisons") && text.contains("first") && text.contains("third"), "{text}");
}

#[test]
#[should_panic(expected = "nothing was compared")]
fn a_test_that_compares_nothing_fails() {
    Comparison::default().finish();
}

#[test]
fn golden_files_are_read_whole() {
    let golden = Golden::read("cross_entropy");
    assert_eq!(golden.cases().count(), 6);
    // Whole numbers and f64 become f32.
    assert_eq!(golden.get("n4d7scale200.target").data(), [0.0, 5.0, 3.0, 1.0]);
    assert_eq!(Golden::read("head_training").get("losses").len(), 25);
    assert_eq!(Golden::read("head_training").with_prefix("init.").len(), 4);
}

use super::{adapter, json, messages, number, results, run};

#[test]
fn what_is_found_is_listed_for_each_layer() {
    // Smaller than the tests of the library measure; a layer that no time is left for is not listed.
    let found = run(&["tune", "--device", &adapter(), "--input", "32", "--json"]);
    let found = json(&results(&found, 0));
    let operations = found["operations"].as_object().unwrap();
    assert!(operations.keys().any(|operation| operation.starts_with("conv2d of 1x3x32x32 64x3x3x3 64")), "{found}");
    for tuned in operations.values() {
        assert!(number(&tuned["milliseconds"]) > 0.0);
    }
    let table = run(&["tune", "--device", &adapter(), "--input", "32", "--seconds", "1"]);
    let table = results(&table, 0);
    assert_eq!(table.lines().next().unwrap().split_whitespace().next(), Some("operation"));
    assert!(table.lines().count() > 1);
}

#[test]
fn the_cpu_is_not_tuned() {
    let refused = messages(&run(&["tune", "--device", "cpu"]), 2);
    assert!(refused.contains("only a GPU is tuned") && refused.contains("vultus devices"), "{refused}");
}

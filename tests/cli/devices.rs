//! `vultus devices`.

use crate::{adapter, json, number, results, run, strings};

#[test]
fn devices_are_listed_with_limits_features_and_choice() {
    let listing = json(&results(&run(&["devices", "--json"]), 0));
    let devices = listing["devices"].as_array().unwrap();
    let names = strings(&listing["devices"], "name");
    assert!(names.contains(&listing["chosen"].as_str().unwrap().to_owned()));
    assert_eq!(devices.iter().filter(|device| device["chosen"] == true).count(), 1);
    for device in devices {
        assert!(device["reason"].as_str().unwrap().contains("chosen: "));
        assert!(!device["backend"].as_str().unwrap().is_empty());
        if device["kind"] == "cpu" {
            assert!(number(&device["threads"]) >= 1.0);
            continue;
        }
        for limit in [
            "max_buffer_size",
            "max_storage_buffer_binding_size",
            "max_compute_workgroup_storage_size",
            "max_compute_invocations_per_workgroup",
        ] {
            assert!(number(&device["limits"][limit]) > 0.0, "{limit}");
        }
        let features = strings(&device["features"], "name");
        assert_eq!(features, ["TIMESTAMP_QUERY", "SHADER_F16", "SUBGROUP", "PIPELINE_CACHE", "COOPERATIVE_MATRIX"]);
        for feature in device["features"].as_array().unwrap() {
            assert!(feature["offered"].is_boolean() && feature["used"].is_boolean());
        }
    }
    let people = results(&run(&["devices"]), 0);
    assert!(names.iter().all(|name| people.contains(name.as_str())) && people.contains("\nchosen: "), "{people}");
}

#[test]
fn the_wish_for_a_device_is_the_choice() {
    let listing = json(&results(&run(&["devices", "--json", "--device", &adapter()]), 0));
    assert_eq!(listing["chosen"], adapter());
    let listing = json(&results(&run(&["devices", "--json", "--device", "CPU"]), 0));
    assert_eq!(listing["chosen"], "CPU");
}

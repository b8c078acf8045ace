//! The examples, run as their users run them. `tests/examples.sh` builds them, makes a display that nobody sees, and runs
//! these tests.

mod comic;
mod window;

use std::process::Command;

/// What an example prints.
#[track_caller]
pub fn output(example: &str, arguments: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let output = Command::new(folder.join("examples").join(example))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|error| panic!("{example}: {error}; tests/examples.sh builds it"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{example} {arguments:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The number behind a word.
#[track_caller]
fn number_after(text: &str, before: &str) -> f64 {
    let Some((_, rest)) = text.split_once(before) else { panic!("no {before:?} in {text}") };
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|error| panic!("{error} behind {before:?} in {text}"))
}

#[test]
fn embed_compute_finds_out_how_the_bar_is_turned() {
    for degrees in [0.0, 30.0, 70.0, 90.0, 140.0, 170.0] {
        let text = output("embed_compute", &[&degrees.to_string()]);
        assert_eq!(number_after(&text, "turned by "), degrees, "{text}");
    }
}

#[test]
fn custom_network_learns_its_shapes() {
    let text = output("custom_network", &["cpu"]);
    assert!(number_after(&text, "right (") > 95.0, "{text}");
}

#[test]
fn headless_batch_does_not_block_its_runtime() {
    let text = output("headless_batch", &[]);
    assert!(text.contains(" 192 pictures by 3 plans "), "{text}");
    let (all, pause) = (1e3 * number_after(&text, "plans in "), number_after(&text, "for more than "));
    // A machine that does much else may take a thread away for some time.
    assert!(pause < (all / 2.0).max(100.0), "{text}");
}

#[test]
fn recognize_sees_a_smile() {
    let text = output("recognize", &["tests/photos/astronaut.png"]);
    assert!(text.contains("]: happy ("), "{text}");
}

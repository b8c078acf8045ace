//! How quick the live page is in Chromium: `cargo bench --bench live -- [--model FILE] [--detector mtcnn] [--seconds 30]`, after
//! `tests/browser.sh` has installed what it needs.
//!
//! Said are frames in a second, the time from the moment that a frame is taken to the moment that its answer is drawn, the
//! stages of that, and how evenly the page draws meanwhile.

#[path = "../tests/browser/driver.rs"]
#[expect(dead_code, reason = "shared with the tests of the page, which ask for more of it")]
mod driver;
#[path = "../tests/browser/film.rs"]
#[expect(dead_code, reason = "shared with the tests of the page, which ask for more of it")]
mod film;
#[path = "../tests/serve/harness.rs"]
#[expect(dead_code, reason = "shared with the tests of the server, which ask for more of it")]
mod harness;

use std::path::Path;
use std::time::Duration;

use driver::Browser;
use harness::Server;

/// Counts the pictures that the browser draws, from when it is run.
const COUNT_DRAWN: &str = "(() => { window.drawn = 0; window.drawnSince = performance.now(); \
    const count = () => { window.drawn++; requestAnimationFrame(count); }; requestAnimationFrame(count); })()";

fn main() {
    let after = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let seconds = after("--seconds").and_then(|seconds| seconds.parse().ok()).unwrap_or(30);
    let model = after("--model");
    let detector = after("--detector");
    let given = [("--model", &model), ("--detector", &detector)].into_iter();
    let options: Vec<&str> = given.filter_map(|(name, value)| Some([name, value.as_deref()?])).flatten().collect();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("film.mjpeg");
    film::write(&path);
    let server = Server::start(&options);
    let browser = Browser::start(Some(&path));
    browser.open(&format!("http://{}/", server.address));
    browser.wait_for("document.querySelector('#connection').dataset.state === 'open'");
    browser.click("#start-camera");
    browser.wait_for("window.vultus.frames > 3");
    let before = browser.value("window.vultus.frames").as_f64().unwrap_or(f64::NAN);
    browser.value(COUNT_DRAWN);
    std::thread::sleep(Duration::from_secs(seconds));
    let span = browser.value("(performance.now() - window.drawnSince) / 1000").as_f64().unwrap_or(f64::NAN);
    let frames = browser.value("window.vultus.frames").as_f64().unwrap_or(f64::NAN) - before;
    let drawn = browser.value("window.drawn").as_f64().unwrap_or(f64::NAN);
    let mut latencies: Vec<f64> = serde_json::from_value(browser.value("window.vultus.latencies")).unwrap_or_default();
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| {
        latencies.get((latencies.len().saturating_sub(1) as f64 * part) as usize).copied().unwrap_or(f64::NAN)
    };
    println!("{}: {:.1} frames/s", model.as_deref().unwrap_or("the default model"), frames / span);
    println!("from the frame to its drawn answer: median {:.0} ms, 95 % {:.0} ms", at(0.5), at(0.95));
    println!("the last frame: {}", browser.value("window.vultus.lastResult.milliseconds"));
    println!("the page draws {:.1} times in a second", drawn / span);
}

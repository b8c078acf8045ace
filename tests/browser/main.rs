//! The page in a real browser. `tests/browser.sh` installs what these tests need and runs them.
#![cfg(feature = "serve")]

mod driver;
mod film;
#[expect(dead_code, reason = "shared with the tests of the server, which ask for more of it")]
#[path = "../serve/harness.rs"]
mod harness;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use driver::Browser;
use harness::Server;
use serde_json::Value;

fn page(server: &Server) -> String {
    format!("http://{}/", server.address)
}

fn photo() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/photos/astronaut.png").to_owned()
}

/// A film in a folder of the tests.
fn film() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("film.mjpeg");
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| film::write(&path));
    path
}

/// Whether the page shows what a selector finds.
fn is_shown(browser: &Browser, selector: &str) -> bool {
    browser.value(&format!("document.querySelector('{selector}').checkVisibility()")) == true
}

fn overlap(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let area = |b: &[f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let common = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    common / (area(a) + area(b) - common)
}

/// The box of the only face of a result, in pixels of the film.
fn face(result: &Value) -> Option<[f64; 4]> {
    let scale = f64::from(film::SIZE[0]) / result["width"].as_f64()?;
    let bounds = result["faces"].as_array()?.first()?["box"].as_array()?;
    Some(std::array::from_fn(|edge| scale * bounds[edge].as_f64().unwrap_or(f64::NAN)))
}

#[test]
fn the_camera_shows_where_the_face_is_and_that_it_is_gone() {
    let server = Server::start(&[]);
    let browser = Browser::start(Some(&film()));
    browser.open(&page(&server));
    browser.wait_for("document.querySelector('#connection').dataset.state === 'open'");
    browser.click("#start-camera");
    browser.wait_for("window.vultus.lastResult && window.vultus.lastResult.faces.length === 1");
    // Something is drawn over the video.
    browser.wait_for(
        "(() => { const c = document.querySelector('#overlay'); return c.getContext('2d').getImageData(0, 0, c.width, \
         c.height).data.some(value => value > 0); })()",
    );
    let mut seen = [0; 3];
    let (mut last, start) = (Value::Null, Instant::now());
    while start.elapsed() < Duration::from_secs(20) || seen.contains(&0) {
        assert!(start.elapsed() < Duration::from_secs(60), "seen at the places and gone: {seen:?}");
        std::thread::sleep(Duration::from_millis(50));
        let result = browser.value("window.vultus.lastResult");
        if result["frame"] == last {
            continue;
        }
        last = result["frame"].clone();
        let Some(found) = face(&result) else {
            seen[2] += 1;
            continue;
        };
        assert_eq!(result["faces"][0]["expression"], "happy", "{result}");
        let best = |ways: [f64; 2]| {
            let steps = (0..=20).map(|step| ways[0] + f64::from(step) / 20.0 * (ways[1] - ways[0]));
            steps.map(|way| overlap(&found, &film::face(way))).fold(0.0, f64::max)
        };
        // Anywhere on the way of this film, which the test does not know the moment of.
        assert!(best([0.0, 1.0]) >= 0.6, "{found:?}");
        for (place, way) in [0.0, 1.0].into_iter().enumerate() {
            seen[place] += usize::from(best([way, way]) >= 0.6);
        }
    }
    assert!(seen[0] > 2 && seen[1] > 2 && seen[2] > 2, "{seen:?}");
    assert_eq!(browser.log(), Vec::<String>::new());
}

#[test]
fn photos_become_cards() {
    let server = Server::start(&[]);
    let browser = Browser::start(None);
    browser.open(&page(&server));
    browser.click("a[data-view=photos]");
    let broken = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broken.png");
    std::fs::write(&broken, &std::fs::read(photo()).unwrap()[..5000]).unwrap();
    browser.type_into("#files", &format!("{}\n{}", photo(), broken.display()));
    browser.wait_for("document.querySelectorAll('.card').length === 2");
    browser.wait_for("document.querySelector('.card[data-expression=happy]')");
    browser.wait_for("document.querySelector('#photos').innerText.includes('broken.png')");
    assert!(is_shown(&browser, "#export-json") && is_shown(&browser, "#export-csv"));
}

#[test]
fn the_inside_and_the_model_are_shown() {
    let server = Server::start(&["--model", "vgg16"]);
    let browser = Browser::start(None);
    browser.open(&page(&server));
    browser.click("a[data-view=inside]");
    let is_loaded =
        |selector: &str| format!("[...document.querySelectorAll('{selector}')].some(i => i.naturalWidth > 0)");
    if browser.value(&is_loaded("#explanation")) != true {
        browser.value("document.querySelector('#inside [data-source=example]')?.click()");
    }
    for picture in ["#explanation", "#filters", "#maps", "#stage-strip img"] {
        browser.wait_for(&is_loaded(picture));
    }
    let before = browser.value("document.querySelector('#maps').src");
    browser.value(
        "(() => { const s = document.querySelector('#layer'); s.value = 'block3_conv1'; \
         s.dispatchEvent(new Event('change', { bubbles: true })); })()",
    );
    browser.wait_for(&format!("document.querySelector('#maps').src !== {before}"));
    let before = browser.value("document.querySelector('#explanation').src");
    browser.value(
        "(() => { const s = document.querySelector('#method'); s.value = 'hirescam'; \
         s.dispatchEvent(new Event('change', { bubbles: true })); })()",
    );
    browser.wait_for(&format!("document.querySelector('#explanation').src !== {before}"));
    browser.wait_for("document.querySelector('#explanation-note').innerText.includes('gradients')");
    browser.click("a[data-view=about]");
    browser.wait_for("document.querySelector('#about').innerText.includes('Not to be used to judge')");
    assert!(browser.value("document.querySelector('#about').innerText.includes('CPU')") == true);
    assert_eq!(browser.log(), Vec::<String>::new());
}

#[test]
fn the_page_comes_back_with_the_server() {
    let mut server = Server::start(&[]);
    let browser = Browser::start(Some(&film()));
    browser.open(&page(&server));
    browser.click("#start-camera");
    browser.wait_for("window.vultus.lastResult");
    let port = server.address.port().to_string();
    server.terminate();
    server.wait();
    browser.wait_for("document.querySelector('#connection').dataset.state !== 'open'");
    let frames = browser.value("window.vultus.frames").as_u64().unwrap();
    let _again = Server::start(&["--port", &port]);
    browser.wait_for("document.querySelector('#connection').dataset.state === 'open'");
    browser.wait_for(&format!("window.vultus.frames > {}", frames + 3));
}

#[test]
fn without_a_camera_the_page_says_so() {
    let server = Server::start(&[]);
    let browser = Browser::start(None);
    browser.open(&page(&server));
    browser.click("#start-camera");
    browser.wait_for("/camera/i.test(document.querySelector('#camera-status').innerText)");
    assert_eq!(browser.value("Boolean(window.vultus.lastResult)"), false);
}

#[test]
fn every_view_fits_every_screen_in_both_themes() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    let server = Server::start(&[]);
    let browser = Browser::start(Some(&film()));
    browser.open(&page(&server));
    browser.click("#start-camera");
    browser.wait_for("window.vultus.lastResult && window.vultus.lastResult.faces.length === 1");
    for view in ["camera", "photos", "inside", "about"] {
        browser.click(&format!("nav a[data-view={view}]"));
        match view {
            "photos" => {
                browser.type_into("#files", &photo());
                browser.wait_for("document.querySelector('.card[data-expression=happy]')");
            }
            "inside" => browser.wait_for("document.querySelector('#explanation').naturalWidth > 0"),
            _ => std::thread::sleep(Duration::from_secs(2)),
        }
        for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
            browser.emulate(width, if width == 390 { 844 } else { 900 }, dark);
            std::thread::sleep(Duration::from_millis(700));
            let theme = if dark { "dark" } else { "light" };
            let picture = browser.screenshot();
            std::fs::write(folder.join(format!("{view}-{theme}-{width}.png")), &picture).unwrap();
            let wide = browser.value("document.documentElement.scrollWidth - window.innerWidth");
            assert!(wide.as_f64().unwrap() <= 0.0, "{view} at {width} is {wide} too wide");
            // The theme is that of the reader.
            let picture = image::load_from_memory(&picture).unwrap().into_rgb8();
            let corner = picture.get_pixel(3, picture.height() - 3).0;
            assert_eq!(corner.iter().all(|&channel| channel < 80), dark, "{view}, {theme}: {corner:?}");
        }
    }
}

//! The page's files, who may use them, and how the server begins and ends.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use super::Server;
use super::harness::{Answer, astronaut, png};

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let html = page.text();
    assert!(!html.contains("style=") && !html.contains("<style") && !html.contains(" onclick="), "inline code");
    // Everything that the page and its modules name is there.
    let mut files = vec!["index.html".to_owned()];
    files.extend(quoted(html, &["src=\"", "href=\""]));
    for file in files.iter().filter(|file| !file.starts_with(['#', 'h', 'd']) && *file != "index.html") {
        let path = format!("/{}", file.trim_start_matches(['.', '/']));
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        if path.ends_with(".js") {
            for module in quoted(answer.text(), &["from \"./", "from './"]) {
                assert_eq!(server.get(&format!("/{module}")).status, 200, "{path} imports {module}");
            }
            assert!(!answer.text().contains("innerHTML"), "{path}");
        }
    }
}

/// What stands between one of these beginnings and the next quotation mark.
fn quoted(text: &str, beginnings: &[&str]) -> Vec<String> {
    let parts = beginnings.iter().flat_map(|beginning| text.split(beginning).skip(1));
    parts.filter_map(|part| part.split(['"', '\'']).next().map(str::to_owned)).collect()
}

#[test]
fn foreign_pages_and_names_are_refused() {
    let server = Server::start(&[]);
    let photo = png(&astronaut());
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(server.post_with("/api/predict", &photo, &foreign).status, 403);
    let rebound = [("Host", "evil.example")];
    assert_eq!(server.exchange(server.head("GET", "/", &rebound).as_bytes()).status, 403);
    assert_eq!(server.post_with("/api/predict", &photo, &rebound).status, 403);
    let own = format!("http://{}", server.address);
    assert_eq!(server.post_with("/api/predict", &photo, &[("Origin", &own)]).status, 200);
    let socket = [
        ("Origin", "http://evil.example"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(server.exchange(server.head("GET", "/api/live", &socket).as_bytes()).status, 403);
}

#[test]
fn a_token_opens_the_api() {
    let server = Server::start(&["--token", "secret"]);
    assert_eq!(server.get("/").status, 200);
    assert_eq!(server.get("/api/model").status, 401);
    assert_eq!(server.get("/api/model?token=secret").status, 200);
    let bearer = [("Authorization", "Bearer secret")];
    assert_eq!(server.exchange(server.head("GET", "/api/model", &bearer).as_bytes()).status, 200);
    assert_eq!(server.post("/api/predict", b"").status, 401);
}

#[test]
fn only_this_machine_may_come_without_a_token() {
    let run = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vultus")).arg("serve").args(options).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, message) = run(&["--host", "0.0.0.0", "--port", "0", "--device", "cpu"]);
    assert_eq!(status, Some(2), "{message}");
    assert!(message.contains("--token"), "{message}");
    assert_eq!(run(&["--host", "example.org"]).0, Some(2));
    assert_eq!(run(&["--port", "70000"]).0, Some(2));
    let server = Server::start(&[]);
    let taken = server.address.port().to_string();
    let (status, message) = run(&["--port", &taken, "--device", "cpu", "--quiet"]);
    assert_eq!((status, message.contains("in use")), (Some(1), true), "{message}");
}

#[cfg(unix)]
#[test]
fn a_request_that_was_begun_is_finished_when_the_server_ends() {
    let mut server = Server::start(&[]);
    let photo = png(&astronaut());
    let head = server.head("POST", "/api/predict", &[("Content-Length", &photo.len().to_string())]);
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&photo[..1000]).unwrap();
    // Until the server has seen the beginning.
    std::thread::sleep(Duration::from_millis(300));
    server.terminate();
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(&photo[1000..]).unwrap();
    let answer = Answer::read(stream);
    assert_eq!(answer.json()["faces"].as_array().map(Vec::len), Some(1));
    assert_eq!(server.wait(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_silent_connection_does_not_keep_the_server() {
    let mut server = Server::start(&[]);
    let _idle = server.connect();
    std::thread::sleep(Duration::from_millis(100));
    let start = Instant::now();
    server.terminate();
    assert_eq!(server.wait(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

//! Requests that want to bring the server down: it refuses them, and answers the next good one.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use vultus::Random;

use super::Server;
use super::harness::{Answer, astronaut, jpeg, png};

#[test]
fn bodies_beyond_the_limit_are_not_read() {
    let server = Server::start(&["--max-body", "1"]);
    let large = vec![0; (1 << 20) + 1];
    let refused = server.post("/api/predict", &large);
    assert_eq!((refused.status, refused.header("connection")), (413, Some("close")));
    assert!(refused.json()["error"].as_str().unwrap().contains("1048576 bytes"));
    // One that does not say how large it is.
    let mut stream = server.connect();
    let head = server.head("POST", "/api/predict", &[("Transfer-Encoding", "chunked")]);
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..40 {
        let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
        if stream.write_all(&chunk).is_err() {
            break;
        }
    }
    assert_eq!(Answer::read(stream).status, 413);
    let lie = server.head("POST", "/api/predict", &[("Content-Length", "18446744073709551615")]);
    let refused = server.exchange(lie.as_bytes());
    assert!((400..500).contains(&refused.status), "{refused:?}");
    server.assert_alive();
}

/// A PNG of this size, all of one colour, of a few kilobytes: its rows are never made here.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(::png::ColorType::Grayscale);
    encoder.set_depth(::png::BitDepth::One);
    encoder.set_compression(::png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; width.div_ceil(8) as usize];
    for _ in 0..height {
        stream.write_all(&row).unwrap();
    }
    stream.finish().unwrap();
    drop(writer);
    bytes
}

#[test]
fn a_small_file_of_a_huge_picture_takes_no_memory() {
    let server = Server::start(&[]);
    server.assert_alive();
    let bomb = bomb(30_000, 30_000);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    #[cfg(target_os = "linux")]
    let before = server.memory();
    for _ in 0..20 {
        let refused = server.post("/api/predict", &bomb);
        assert_eq!(refused.status, 413, "{refused:?}");
        assert!(refused.json()["error"].as_str().unwrap().contains("30000×30000 pixels are too many"));
    }
    #[cfg(target_os = "linux")]
    assert!(server.memory() < before + (64 << 20), "{} bytes, {before} before", server.memory());
    server.assert_alive();
}

#[test]
fn slow_clients_are_cut_off() {
    let server = Server::start(&[]);
    let start = Instant::now();
    // A head that never ends, one byte at a time; a connection that says nothing.
    let mut loris = server.connect();
    let silent = server.connect();
    loris.write_all(b"GET /api/health HTTP/1.1\r\nHost: ").unwrap();
    loris.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut buffer = [0; 256];
    let closed = loop {
        if loris.write_all(b"x").is_err() {
            break true;
        }
        match loris.read(&mut buffer) {
            Ok(0) => break true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break true,
        }
        if start.elapsed() > Duration::from_secs(40) {
            break false;
        }
    };
    assert!(closed, "a head may take {:?}", start.elapsed());
    let answer = Answer::read(silent);
    assert!([0, 408].contains(&answer.status), "{answer:?}");
    assert!(start.elapsed() < Duration::from_secs(55), "{:?}", start.elapsed());
    server.assert_alive();
}

#[test]
fn half_open_connections_leave_room_for_others() {
    let server = Server::start(&[]);
    let idle: Vec<_> = (0..200).map(|_| server.connect()).collect();
    server.assert_alive();
    // Beyond the limit a connection is told so at once.
    let more: Vec<_> = (0..100).map(|_| server.connect()).collect();
    let refused = server.get("/api/health");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    drop((idle, more));
    let start = Instant::now();
    while server.get("/api/health").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "places are not given back");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.assert_alive();
}

#[test]
fn heads_that_are_no_http_are_refused() {
    let server = Server::start(&[]);
    for request in [
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
            .to_vec(),
        [b"GET / HTTP/1.1\r\nX: ".as_slice(), &vec![b'a'; 100_000], b"\r\n\r\n"].concat(),
    ] {
        let answer = server.exchange(&request);
        assert!(answer.status == 0 || (400..500).contains(&answer.status), "{answer:?}");
    }
    server.assert_alive();
}

/// 300 bodies, or as many as the environment variable `MUTATIONS` says.
#[test]
fn mutated_pictures_are_answered_or_refused() {
    let bodies = std::env::var("MUTATIONS").map_or(300, |count| count.parse().expect("a number of bodies"));
    let server = Server::start(&[]);
    let small = image::imageops::thumbnail(&astronaut(), 96, 96);
    let originals = [png(&small), jpeg(&small)];
    let mut random = Random::new(7);
    let mut pick = |bound: usize| random.bits() as usize % bound;
    for number in 0..bodies {
        let mut body = originals[number % 2].clone();
        match pick(4) {
            0 => body = (0..pick(500)).map(|_| pick(256) as u8).collect(),
            1 => body.truncate(pick(body.len())),
            _ => {
                for _ in 0..=pick(8) {
                    let place = pick(body.len());
                    body[place] = pick(256) as u8;
                }
            }
        }
        let answer = server.post("/api/predict", &body);
        assert!([200, 413, 422].contains(&answer.status), "{number}: {answer:?}");
    }
    server.assert_alive();
}

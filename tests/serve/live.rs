//! The WebSocket.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::{Message, WebSocket};

use super::Server;
use super::harness::{astronaut, jpeg};

/// A camera's connection.
pub struct Camera(WebSocket<TcpStream>);

impl Camera {
    /// Connects, and takes the greeting.
    pub fn open(server: &Server) -> Self {
        let mut camera = Self::connect(server);
        let hello = camera.next().expect("a greeting");
        assert_eq!((&hello["type"], &hello["device"]), (&"hello".into(), &"CPU".into()));
        assert!(hello["classes"].as_array().is_some_and(|classes| classes.len() >= 2), "{hello}");
        camera
    }

    fn connect(server: &Server) -> Self {
        let url = format!("ws://{}/api/live", server.address);
        Camera(tungstenite::client(url, server.connect()).expect("a WebSocket").0)
    }

    /// Sends a frame with its number.
    pub fn send(&mut self, number: u32, picture: &[u8]) {
        let message = [&number.to_le_bytes(), picture].concat();
        self.0.send(Message::Binary(message.into())).expect("a frame is taken");
    }

    /// The next message; `None` once the connection is closed.
    pub fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

#[test]
fn frames_are_answered_and_faces_keep_their_numbers() {
    let server = Server::start(&[]);
    let mut camera = Camera::open(&server);
    let photo = astronaut();
    for number in 0..4 {
        // The face moves to the right.
        let mut frame = image::RgbImage::from_pixel(560, 512, image::Rgb([90; 3]));
        image::imageops::replace(&mut frame, &photo, 10 * i64::from(number), 0);
        camera.send(100 + number, &jpeg(&frame));
        let result = camera.next().expect("an answer");
        assert_eq!((&result["type"], &result["frame"]), (&"result".into(), &(100 + number).into()), "{result}");
        assert_eq!((&result["width"], &result["height"]), (&560.into(), &512.into()));
        let faces = result["faces"].as_array().unwrap();
        if number < 2 {
            // What is found in a frame or two may not be a face.
            assert!(faces.is_empty(), "{result}");
            continue;
        }
        assert_eq!((faces.len(), &faces[0]["id"], &faces[0]["expression"]), (1, &1.into(), &"happy".into()));
        let left = faces[0]["box"][0].as_f64().unwrap();
        assert!((left - 178.1 - 10.0 * f64::from(number)).abs() < 5.0, "{left}");
        for scores in ["scores", "smoothed"] {
            let sum: f64 = faces[0][scores].as_object().unwrap().values().map(|s| s.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{scores}: {sum}");
        }
    }
    assert!(server.get("/metrics").text().contains("vultus_frames_total 4"));
}

#[test]
fn the_newest_frame_wins_and_every_other_is_told_of() {
    let server = Server::start(&[]);
    let mut camera = Camera::open(&server);
    let photo = jpeg(&astronaut());
    for number in 0..50 {
        camera.send(number, &photo);
    }
    let mut seen = vec![0; 50];
    let mut last = None;
    let start = Instant::now();
    while seen.iter().sum::<i32>() < 50 && start.elapsed() < Duration::from_secs(30) {
        let message = camera.next().expect("the connection stays");
        let frame = message["frame"].as_u64().unwrap();
        seen[frame as usize] += 1;
        if message["type"] == "result" {
            assert!(last.is_none_or(|last| frame > last), "{frame} after {last:?}");
            last = Some(frame);
        }
    }
    // Each is answered once; most are skipped, the queue did not grow.
    assert_eq!(seen, [1; 50]);
    let text = server.get("/metrics").text().to_owned();
    let frames = text.lines().find_map(|line| line.strip_prefix("vultus_frames_total ")).unwrap();
    assert!((1..40).contains(&frames.parse::<u32>().unwrap()), "{frames}");
}

#[test]
fn bad_messages_are_answered_and_the_next_frame_is_looked_at() {
    let server = Server::start(&[]);
    let mut camera = Camera::open(&server);
    let photo = jpeg(&astronaut());
    for text in ["{", "{\"min_face\": 3}", "{\"min_face\": null}", "{\"other\": 1}", ""] {
        camera.0.send(Message::Text(text.into())).unwrap();
        let answer = camera.next().expect("an answer");
        assert_eq!((&answer["type"], &answer["frame"]), (&"error".into(), &Value::Null), "{text}");
    }
    camera.0.send(Message::Binary(vec![1, 2].into())).unwrap();
    assert_eq!(camera.next().expect("an answer")["type"], "error");
    camera.send(5, b"no picture");
    let answer = camera.next().expect("an answer");
    assert_eq!((&answer["type"], &answer["frame"]), (&"error".into(), &5.into()));
    std::thread::sleep(Duration::from_millis(50));
    camera.0.send(Message::Text("{\"min_face\": 400, \"smoothing\": false}".into())).unwrap();
    camera.send(6, &photo);
    let answer = camera.next().expect("an answer");
    assert_eq!((&answer["frame"], answer["faces"].as_array().map(Vec::len)), (&6.into(), Some(0)), "{answer}");
}

#[test]
fn malformed_frames_end_the_connection_and_nothing_else() {
    use std::io::Write;
    let server = Server::start(&[]);
    let photo = jpeg(&astronaut());
    let garbage: [&[u8]; 4] = [
        &[0xff; 64],
        // A frame that says it has 2^63 bytes.
        &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        // Not masked.
        &[0x82, 0x05, 1, 2, 3, 4, 5],
        // A continuation of nothing.
        &[0x80, 0x81, 1, 2, 3, 4, 5],
    ];
    for bytes in garbage {
        let mut camera = Camera::open(&server);
        camera.0.get_mut().write_all(bytes).unwrap();
        assert_eq!(camera.next(), None, "{bytes:?}");
    }
    let mut camera = Camera::open(&server);
    camera.send(1, &photo);
    assert_eq!(camera.next().expect("an answer")["type"], "result");
    drop(camera);
    server.assert_alive();
}

#[test]
fn more_cameras_than_there_is_room_for_are_told_to_come_again() {
    let server = Server::start(&[]);
    let cameras: Vec<_> = (0..32).map(|_| Camera::open(&server)).collect();
    let mut late = Camera::connect(&server);
    assert_eq!(late.next().expect("an answer")["type"], "busy");
    assert_eq!(late.next(), None);
    drop(cameras);
    let start = Instant::now();
    while Camera::connect(&server).next().is_none_or(|first| first["type"] != "hello") {
        assert!(start.elapsed() < Duration::from_secs(10), "places are not given back");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(unix)]
#[test]
fn cameras_are_told_when_the_server_ends() {
    let mut server = Server::start(&[]);
    let mut camera = Camera::open(&server);
    server.terminate();
    assert_eq!(camera.next(), None);
    assert_eq!(server.wait(), Some(0));
}

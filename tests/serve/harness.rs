//! A server of its own for a test, and clients that say exactly what they are told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use image::{ImageFormat, RgbImage, imageops};
use serde_json::Value;

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// `vultus serve` on a port of its own. Ends with the value.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// On the CPU, with these options besides.
    pub fn start(options: &[&str]) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_vultus"), options)
    }

    /// As [`Server::start`], of another build of the program.
    pub fn start_program(program: &str, options: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.env_remove("VULTUS_WEIGHTS").env_remove("VULTUS_TOKEN");
        if cfg!(not(feature = "embed")) {
            command.env("VULTUS_WEIGHTS", concat!(env!("CARGO_MANIFEST_DIR"), "/weights"));
        }
        command.args(["serve", "--device", "cpu", "--quiet"]).args(options);
        if !options.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("the address");
        let address = line.trim().strip_prefix("http://").and_then(|rest| rest.strip_suffix('/'));
        let address =
            address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address: {line:?}"));
        Server { process, address }
    }

    /// A connection whose reads do not wait forever.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends these bytes and reads until the server closes the connection.
    pub fn exchange(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that has seen enough may close before it has read all.
        let _ = stream.write_all(request);
        Answer::read(stream)
    }

    /// The head of a request with the usual headers, these besides.
    pub fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Answer {
        self.exchange(self.head("GET", path, &[]).as_bytes())
    }

    /// A POST of these bytes.
    pub fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.post_with(path, body, &[])
    }

    /// A POST of these bytes with these headers besides.
    pub fn post_with(&self, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let length = body.len().to_string();
        let headers: Vec<_> = headers.iter().copied().chain([("Content-Length", length.as_str())]).collect();
        self.exchange(&[self.head("POST", path, &headers).as_bytes(), body].concat())
    }

    /// Whether it answers, as it should after whatever was done to it.
    pub fn assert_alive(&self) {
        assert_eq!(self.get("/api/health").status, 200);
        let answer = self.post("/api/predict", &png(&astronaut()));
        assert_eq!((answer.status, answer.json()["faces"].as_array().map(Vec::len)), (200, Some(1)));
    }

    /// Bytes of memory that the process has now.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    }

    /// Asks it to end, as a service manager does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        let done = Command::new("kill").arg(self.process.id().to_string()).status().expect("kill");
        assert!(done.success());
    }

    /// Waits until it has ended: its exit status.
    pub fn wait(&mut self) -> Option<i32> {
        self.process.wait().expect("its end").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// 0 where nothing came.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// All behind the head.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer, which ends where it says, or with the connection.
    pub fn read(mut stream: impl Read) -> Self {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 65536]);
        loop {
            let answer = Self::parse(&bytes);
            let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
            if length.is_some_and(|length| answer.body.len() >= length) {
                return answer;
            }
            // What came before a reset counts.
            match stream.read(&mut buffer) {
                Ok(count @ 1..) => bytes.extend_from_slice(&buffer[..count]),
                _ => return answer,
            }
        }
    }

    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        // The last line may not be there as a whole yet.
        let whole = if end < bytes.len() { usize::MAX } else { 0 };
        let header =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let headers = lines.filter_map(header).take(whole).collect();
        Answer { status, headers, body: bytes.get(end + 4..).unwrap_or_default().to_vec() }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The photo of one face.
pub fn astronaut() -> RgbImage {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/photos/astronaut.png");
    image::open(path).expect("the photo").into_rgb8()
}

/// The picture as a PNG.
pub fn png(image: &RgbImage) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

/// The picture as a JPEG.
pub fn jpeg(image: &RgbImage) -> Vec<u8> {
    encoded(image, ImageFormat::Jpeg)
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).expect("an encoded picture");
    bytes.into_inner()
}

/// Pictures of different sizes, each of which has another answer: the photo scaled, mirrored and moved, and one without
/// a face.
pub fn pictures() -> Vec<Vec<u8>> {
    let photo = astronaut();
    let mut pictures: Vec<Vec<u8>> = [400, 340, 300, 260, 220]
        .into_iter()
        .enumerate()
        .map(|(number, side)| {
            let small = imageops::resize(&photo, side, side, imageops::FilterType::Triangle);
            let image = if number % 2 == 0 { small } else { imageops::flip_horizontal(&small) };
            let mut ground = RgbImage::from_pixel(side + 20 * number as u32, side + 12, image::Rgb([90; 3]));
            imageops::replace(&mut ground, &image, 10 * number as i64, 6);
            png(&ground)
        })
        .collect();
    pictures.push(png(&RgbImage::from_fn(240, 180, |x, y| image::Rgb([(x ^ y) as u8; 3]))));
    pictures
}

/// Whether two answers say the same of the same picture; batches of other sizes round otherwise.
pub fn same_answer(a: &Value, b: &Value) -> bool {
    let faces = |value: &Value| value["faces"].as_array().cloned().unwrap_or_default();
    let (a, b) = (faces(a), faces(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_face(a, b))
}

fn same_face(a: &Value, b: &Value) -> bool {
    let near = |a: &Value, b: &Value, by: f64| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= by,
        _ => false,
    };
    let boxes = (0..4).all(|edge| near(&a["box"][edge], &b["box"][edge], 1e-2));
    let Some(scores) = a["scores"].as_object() else { return false };
    boxes
        && a["expression"] == b["expression"]
        && scores.iter().all(|(class, score)| near(score, &b["scores"][class], 1e-4))
}

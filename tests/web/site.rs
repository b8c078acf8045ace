//! A server for the files of a page.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;

/// Serves the files of some folders for as long as the process lives; where.
pub fn serve(folders: Vec<PathBuf>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its number");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folders = folders.clone();
            thread::spawn(move || answer(stream, &folders));
        }
    });
    address
}

/// Answers one request. A browser that goes away meanwhile does not matter.
fn answer(mut stream: TcpStream, folders: &[PathBuf]) {
    let mut line = String::new();
    let mut request = BufReader::new(&stream);
    let _ = request.read_line(&mut line);
    let mut header = String::from("-");
    while !header.trim().is_empty() {
        header.clear();
        let _ = request.read_line(&mut header);
    }
    let path = line.split(' ').nth(1).unwrap_or("/").split('?').next().unwrap_or("/");
    let name = if path == "/" { "index.html" } else { path.trim_start_matches('/') };
    let file = folders.iter().find_map(|folder| std::fs::read(folder.join(name)).ok());
    let status = if file.is_some() { "200 OK" } else { "404 Not Found" };
    let body = file.unwrap_or_default();
    let (kind, length) = (content_type(Path::new(name)), body.len());
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn content_type(name: &Path) -> &'static str {
    match name.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

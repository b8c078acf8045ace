//! Many clients at once, for minutes: `cargo bench --bench serve -- --clients 64 --seconds 120`.
//!
//! Each client sends pictures of its own choice one after the other and checks every answer against the one that the
//! picture got alone. One that is refused (503) comes again after the time that it is told. Said at the end: answers in a
//! second, latencies, wrong and lost answers, and the memory of the server over time.

#[expect(dead_code, reason = "shared with the tests of the server, which ask for more of it")]
#[path = "../tests/serve/harness.rs"]
mod harness;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::{Server, pictures, same_answer};

/// What came back to all clients.
#[derive(Default)]
struct Counts {
    right: AtomicU64,
    wrong: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

fn main() -> ExitCode {
    let number = |name: &str, default: u64| {
        let mut arguments = std::env::args().skip_while(|argument| argument != name).skip(1);
        arguments.next().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (clients, seconds) = (number("--clients", 64), number("--seconds", 120));
    let server = Server::start(&[]);
    let pictures = pictures();
    let known: Vec<_> = pictures.iter().map(|picture| server.post("/api/predict", picture).json()).collect();
    let (counts, start) = (Counts::default(), Instant::now());
    let end = start + Duration::from_secs(seconds);
    let mut latencies: Vec<f64> = std::thread::scope(|scope| {
        let work = |client: u64| {
            let (server, pictures, known, counts) = (&server, &pictures, &known, &counts);
            move || client_work(server, pictures, known, counts, client as usize, end)
        };
        let workers: Vec<_> = (0..clients).map(|client| scope.spawn(work(client))).collect();
        report_memory(&server, start, end);
        workers.into_iter().flat_map(|worker| worker.join().expect("a client")).collect()
    });
    latencies.sort_by(f64::total_cmp);
    let at = |part: f64| latencies.get(((latencies.len() as f64 - 1.0) * part) as usize).copied().unwrap_or(f64::NAN);
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (right, wrong, lost) = (count(&counts.right), count(&counts.wrong), count(&counts.lost));
    println!("{clients} clients, {seconds} s: {:.1} answers/s", right as f64 / start.elapsed().as_secs_f64());
    println!("latency: median {:.2} s, 95 % {:.2} s, 99 % {:.2} s", at(0.5), at(0.95), at(0.99));
    println!("right {right}, wrong {wrong}, lost {lost}, told to come again {}", count(&counts.refused));
    if wrong + lost == 0 && right > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn client_work(
    server: &Server,
    pictures: &[Vec<u8>],
    known: &[serde_json::Value],
    counts: &Counts,
    client: usize,
    end: Instant,
) -> Vec<f64> {
    let mut latencies = Vec::new();
    let mut turn = client;
    while Instant::now() < end {
        let which = turn % pictures.len();
        let start = Instant::now();
        let answer = server.post("/api/predict", &pictures[which]);
        let counter = match answer.status {
            200 if same_answer(&answer.json(), &known[which]) => &counts.right,
            200 => &counts.wrong,
            503 => &counts.refused,
            _ => &counts.lost,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if answer.status == 503 {
            let seconds = answer.header("retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
            std::thread::sleep(Duration::from_secs(seconds));
            continue;
        }
        latencies.push(start.elapsed().as_secs_f64());
        // Another picture each time, in another order for each client.
        turn += 1 + client % 3;
    }
    latencies
}

#[cfg(target_os = "linux")]
fn report_memory(server: &Server, start: Instant, end: Instant) {
    let step = (end - start) / 4;
    for quarter in 0..=4 {
        std::thread::sleep((start + quarter * step).saturating_duration_since(Instant::now()));
        println!("after {:3.0} s: {} MB", start.elapsed().as_secs_f64(), server.memory() >> 20);
    }
}

#[cfg(not(target_os = "linux"))]
fn report_memory(_: &Server, _: Instant, _: Instant) {}

//! Many clients at once: each gets the answer to its own picture.

use std::time::{Duration, Instant};

use super::Server;
use super::harness::{pictures, same_answer};

#[test]
fn answers_of_clients_at_the_same_time_are_never_mixed_up() {
    let server = Server::start(&[]);
    let pictures = pictures();
    let known: Vec<_> = pictures.iter().map(|picture| server.post("/api/predict", picture).json()).collect();
    for (a, b) in (0..known.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
        assert!(!same_answer(&known[a], &known[b]), "pictures {a} and {b} cannot be told apart");
    }
    let end = Instant::now() + Duration::from_secs(5);
    std::thread::scope(|scope| {
        for client in 0..24 {
            let (server, pictures, known) = (&server, &pictures, &known);
            scope.spawn(move || {
                let mut number = client;
                while Instant::now() < end {
                    let which = number % pictures.len();
                    let answer = server.post("/api/predict", &pictures[which]);
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    assert!(same_answer(&answer.json(), &known[which]), "picture {which}: {}", answer.text());
                    number += 7;
                }
            });
        }
    });
    // Pictures that waited together were answered together.
    let text = server.get("/metrics").text().to_owned();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok()).unwrap();
    let (batches, batched) = (value("vultus_batches_total"), value("vultus_batched_pictures_total"));
    assert!(batched > 1.5 * batches, "{batched} pictures in {batches} batches");
}

#[test]
fn what_is_too_much_is_refused_and_nothing_is_lost() {
    let server = Server::start(&[]);
    let picture = &pictures()[0];
    let known = server.post("/api/predict", picture).json();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = || {
            let answer = server.post("/api/predict", picture);
            match answer.status {
                200 => assert!(same_answer(&answer.json(), &known)),
                503 => assert_eq!(answer.header("retry-after"), Some("1")),
                other => panic!("{other}: {answer:?}"),
            }
            answer.status
        };
        let clients: Vec<_> = (0..200).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let answered = statuses.iter().filter(|&&status| status == 200).count();
    assert!(answered >= 20, "{answered} of 200");
    server.assert_alive();
}

//! Connections: taken as far as there is room, cut off when they stall, finished when the server ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;

use super::reply::RETRY_AFTER;
use super::state::Server;

/// The largest head of a request, in bytes.
const HEAD: usize = 32 * 1024;

/// Answers on this listener until the future is ready. Then nothing new is taken, and what was begun is finished.
pub async fn accept(listener: TcpListener, router: Router, server: Server, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let room = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, most often: some connection will end.
                Err(_) => {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let Ok(place) = room.clone().try_acquire_owned() else {
            server.metrics.refused.add(1);
            tokio::spawn(refuse(stream));
            continue;
        };
        let (router, server) = (router.clone(), server.clone());
        tokio::spawn(async move {
            server.metrics.connections.add(1);
            serve(stream, router, &server).await;
            server.metrics.connections.add(-1);
            drop(place);
        });
    }
    drop(listener);
    server.ending.send_replace(true);
    let all = |places: usize| u32::try_from(places).unwrap_or(u32::MAX);
    let finished = async {
        let _ = room.acquire_many(all(server.limits.connections)).await;
        // WebSockets have left their connections.
        let _ = server.live.acquire_many(all(server.limits.live)).await;
    };
    let _ = timeout(server.limits.farewell, finished).await;
}

/// Answers the requests of a connection until it ends: by the client, by its silence, or with the server.
async fn serve(stream: TcpStream, router: Router, server: &Server) {
    let mut ending = server.ending.subscribe();
    let mut connection = pin!(connection(stream, router, server));
    let ended = async {
        let _ = ending.wait_for(|ending| *ending).await;
    };
    // Errors are those of the client: gone, too slow, not HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ended => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

type Service = TowerToHyperService<Router>;
type Stream = TokioIo<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

fn connection(stream: TcpStream, router: Router, server: &Server) -> http1::UpgradeableConnection<Stream, Service> {
    // Small answers should not wait for more.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_read_timeout(Some(server.limits.silence));
    stream.set_write_timeout(Some(server.limits.silence));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(server.limits.head).max_buf_size(HEAD);
    http.serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router)).with_upgrades()
}

/// Says that there is no room.
async fn refuse(mut stream: TcpStream) {
    let body = "{\"error\":\"there are too many connections: come again in a second\"}";
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: {RETRY_AFTER}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = timeout(Duration::from_secs(1), async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

//! `/api/live`: frames of a camera through a WebSocket.
//!
//! Of the frames that arrive while one is being worked on only the newest is kept: what is shown is never older than it
//! must be, and no queue grows. Each of the others is answered with `skipped`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{interval, timeout};
use vultus::face::{Analysis, FaceExpression, FaceSize};
use vultus::track::{Tracker, TrackerOptions};

use super::machine::{Request, Times, since};
use super::picture::{Decoded, UNNAMED, decode};
use super::reply::{RETRY_AFTER, Refusal};
use super::state::Server;
use crate::answer::question::min_face;

/// The side of the smallest face that is looked for unless the page says another.
const MIN_FACE: f32 = 40.0;
/// How often a silent client is asked whether it is still there. It must be below the limit of silence.
const PING: Duration = Duration::from_secs(15);
/// Answers that may wait for a slow client.
const UNSENT: usize = 16;

/// What the page may say between frames.
#[derive(Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Whether probabilities are averaged over time.
    smoothing: bool,
    /// The side of the smallest face, in pixels.
    min_face: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { smoothing: true, min_face: MIN_FACE }
    }
}

/// A frame that has not been looked at.
struct Frame {
    number: u32,
    bytes: Bytes,
    arrived: Instant,
}

/// What reader and worker share.
#[derive(Default)]
struct Mailbox {
    newest: Mutex<Option<Frame>>,
    settings: Mutex<Settings>,
    arrived: Notify,
}

/// What is found in a frame.
#[derive(Serialize)]
struct Answer {
    #[serde(rename = "type")]
    kind: &'static str,
    frame: u32,
    /// Whose expressions are those of the smoothed probabilities, where the page wants it so.
    #[serde(flatten)]
    analysis: Analysis,
    milliseconds: Times,
}

/// Opens the WebSocket.
pub async fn live(State(server): State<Server>, upgrade: WebSocketUpgrade) -> Response {
    let limit = server.limits.body;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .max_write_buffer_size(1 << 20)
        .on_upgrade(move |socket| async move { serve(server, socket).await })
}

async fn serve(server: Server, mut socket: WebSocket) {
    let Ok(_place) = server.live.clone().try_acquire_owned() else {
        let busy = json!({ "type": "busy", "retry_after": RETRY_AFTER }).to_string();
        let frame = CloseFrame { code: close_code::AGAIN, reason: "too many cameras".into() };
        let farewell = async {
            socket.send(Message::Text(busy.into())).await?;
            socket.send(Message::Close(Some(frame))).await
        };
        let _ = timeout(Duration::from_secs(1), farewell).await;
        return;
    };
    server.metrics.live.add(1);
    let (sink, stream) = socket.split();
    let (answers, unsent) = mpsc::channel(UNSENT);
    let mailbox = Arc::new(Mailbox::default());
    let _ = answers.send(Message::Text(hello(&server).into())).await;
    // Whichever ends first ends the others: the client has gone, or takes nothing, or the server ends.
    tokio::select! {
        () = read(&server, stream, &mailbox, answers.clone()) => {}
        () = work(&server, &mailbox, answers) => {}
        () = write(&server, sink, unsent) => {}
    }
    server.metrics.live.add(-1);
}

fn hello(server: &Server) -> String {
    json!({
        "type": "hello",
        "version": env!("CARGO_PKG_VERSION"),
        "device": server.device,
        "classes": server.card.classes,
        "max_bytes": server.limits.body,
        "max_frames_per_second": server.limits.frames_per_second,
    })
    .to_string()
}

/// Takes frames and settings until the client goes away.
async fn read(server: &Server, mut stream: SplitStream<WebSocket>, mailbox: &Mailbox, answers: mpsc::Sender<Message>) {
    let least = Duration::from_secs_f64(1.0 / server.limits.frames_per_second);
    let mut last: Option<Instant> = None;
    while let Some(Ok(message)) = stream.next().await {
        let answer = match message {
            Message::Binary(bytes) if bytes.len() > 4 => {
                let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                let arrived = Instant::now();
                // A little early is in time: frames do not come evenly.
                if last.is_some_and(|last| arrived - last < least / 2) {
                    server.metrics.skipped.add(1);
                    Some(skipped(number))
                } else {
                    last = Some(arrived);
                    let frame = Frame { number, bytes: bytes.slice(4..), arrived };
                    let older = lock(&mailbox.newest).replace(frame);
                    mailbox.arrived.notify_one();
                    older.map(|older| {
                        server.metrics.skipped.add(1);
                        skipped(older.number)
                    })
                }
            }
            Message::Binary(_) => Some(error(None, "a frame is its number in four bytes and then a picture")),
            Message::Text(text) => match serde_json::from_str::<Settings>(&text) {
                Ok(settings) => match min_face(&settings.min_face.to_string()) {
                    Ok(_) => {
                        *lock(&mailbox.settings) = settings;
                        None
                    }
                    Err(reason) => Some(error(None, &format!("min_face: {reason}"))),
                },
                Err(reason) => Some(error(None, &reason.to_string())),
            },
            Message::Ping(_) | Message::Pong(_) => None,
            Message::Close(_) => return,
        };
        if let Some(answer) = answer {
            // While a client takes no answers nothing more is read from it.
            if answers.send(Message::Text(answer.into())).await.is_err() {
                return;
            }
        }
    }
}

/// Looks at the newest frame, again and again.
async fn work(server: &Server, mailbox: &Mailbox, answers: mpsc::Sender<Message>) {
    let start = Instant::now();
    let Ok(mut tracker) = Tracker::new(TrackerOptions::default()) else { return };
    loop {
        mailbox.arrived.notified().await;
        let Some(frame) = lock(&mailbox.newest).take() else { continue };
        let settings = *lock(&mailbox.settings);
        let number = frame.number;
        let answer = match look(server, &mut tracker, frame, settings, start).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.status == StatusCode::SERVICE_UNAVAILABLE => {
                server.metrics.skipped.add(1);
                skipped(number)
            }
            Err(refusal) => error(Some(number), &refusal.reason),
        };
        if answers.send(Message::Text(answer.into())).await.is_err() {
            return;
        }
    }
}

async fn look(
    server: &Server,
    tracker: &mut Tracker,
    frame: Frame,
    settings: Settings,
    start: Instant,
) -> Result<String, Refusal> {
    let Decoded { image, milliseconds, share: _share } =
        decode(server, UNNAMED, frame.bytes, server.limits.frame_pixels).await?;
    let request = Request { picture: image, min_face: Some(FaceSize::Pixels(settings.min_face)) };
    let late = |_| Refusal::busy("the device did not answer in time");
    let seen = timeout(server.limits.answer, server.engine.look(request)).await.map_err(late)??;
    let failed = |error: vultus::Error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
    let time = (frame.arrived - start).as_secs_f64();
    let mut analysis = seen.analysis.follow(time, tracker, &server.card).map_err(failed)?;
    let times = Times { decode: milliseconds, total: since(frame.arrived), ..seen.times };
    server.metrics.seen(analysis.faces.len(), &times);
    server.metrics.frames.add(1);
    if settings.smoothing {
        analysis.faces.iter_mut().for_each(|face| smooth(face, &server.card.classes));
    }
    let answer = Answer { kind: "result", frame: frame.number, analysis, milliseconds: times };
    serde_json::to_string(&answer).map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Lets a face express what its averages say.
fn smooth(face: &mut FaceExpression, classes: &[String]) {
    if let Some(track) = &face.track {
        face.answer = track.answer;
        face.expression = track.answer.name(classes).to_owned();
    }
}

/// Sends what there is, and asks a silent client whether it is there, until it takes nothing more or the server ends.
async fn write(server: &Server, mut sink: SplitSink<WebSocket, Message>, mut unsent: mpsc::Receiver<Message>) {
    let mut ping = interval(PING);
    let mut ending = server.ending.subscribe();
    loop {
        let message = tokio::select! {
            message = unsent.recv() => message,
            _ = ping.tick() => Some(Message::Ping(Bytes::new())),
            () = ended(&mut ending) => {
                let frame = CloseFrame { code: close_code::AWAY, reason: "the server ends".into() };
                let _ = timeout(Duration::from_secs(1), sink.send(Message::Close(Some(frame)))).await;
                return;
            }
        };
        let Some(message) = message else { return };
        if !matches!(timeout(PING, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn ended(ending: &mut watch::Receiver<bool>) {
    let _ = ending.wait_for(|ending| *ending).await;
}

fn skipped(number: u32) -> String {
    json!({ "type": "skipped", "frame": number }).to_string()
}

fn error(number: Option<u32>, reason: &str) -> String {
    json!({ "type": "error", "frame": number, "error": reason }).to_string()
}

/// What a panic left behind is still a whole value.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

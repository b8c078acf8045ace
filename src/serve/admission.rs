//! Memory that strangers' bytes may take: asked for before it is used, given back when it is dropped.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::limits::Limits;
use super::reply::Refusal;

/// The unit in which memory is counted, in bytes: permits are 32-bit numbers.
const UNIT: usize = 1024;

/// Memory for all clients together. Clones share it.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

/// A part of it.
pub struct Share(OwnedSemaphorePermit);

impl Memory {
    /// This many bytes.
    pub fn new(bytes: usize) -> Self {
        Memory(Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS))))
    }

    /// A part of this many bytes.
    ///
    /// # Errors
    /// A refusal if there is not so much left.
    pub fn take(&self, bytes: usize) -> Result<Share, Refusal> {
        let full = |_| Refusal::busy("too many and too large pictures are being worked on: come again in a second");
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        self.0.clone().try_acquire_many_owned(units).map(Share).map_err(full)
    }
}

impl Share {
    fn grow(&mut self, by: Share) {
        self.0.merge(by.0);
    }
}

/// Reads a body, within the limits of size and time.
///
/// # Errors
/// A refusal if it is too large, too slow, breaks off, or there is no memory for it.
pub async fn read_body(
    body: Body,
    headers: &axum::http::HeaderMap,
    memory: &Memory,
    limits: &Limits,
) -> Result<(Bytes, Share), Refusal> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > limits.body) {
        return Err(too_large(limits));
    }
    let mut share = memory.take(said.unwrap_or(0))?;
    let read = collect(body, said.unwrap_or(0), &mut share, memory, limits);
    let slow = |_| {
        let seconds = limits.upload.as_secs();
        Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not arrive within {seconds} seconds"))
    };
    let bytes = timeout(limits.upload, read).await.map_err(slow)??;
    Ok((bytes, share))
}

async fn collect(
    mut body: Body,
    said: usize,
    share: &mut Share,
    memory: &Memory,
    limits: &Limits,
) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::with_capacity(said);
    while let Some(frame) = body.frame().await {
        let broken = |error| Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + data.len() > limits.body {
            return Err(too_large(limits));
        }
        let unsaid = (bytes.len() + data.len()).saturating_sub(said.max(bytes.len()));
        if unsaid > 0 {
            share.grow(memory.take(unsaid)?);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

fn too_large(limits: &Limits) -> Refusal {
    let reason = format!("the body is larger than {} bytes", limits.body);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(body: usize) -> Limits {
        Limits { body, upload: std::time::Duration::from_millis(50), ..Limits::default() }
    }

    #[test]
    fn memory_comes_back() {
        let memory = Memory::new(10 * UNIT);
        let share = memory.take(6 * UNIT).expect("memory");
        assert_eq!(memory.take(5 * UNIT).err().expect("too much").status, StatusCode::SERVICE_UNAVAILABLE);
        drop(share);
        assert!(memory.take(10 * UNIT).is_ok());
    }

    #[tokio::test]
    async fn bodies_are_bounded_whatever_they_say() {
        let memory = Memory::new(1 << 20);
        let none = axum::http::HeaderMap::new();
        let read =
            |length: usize| read_body(Body::from(vec![7; length]), &none, &memory, Box::leak(Box::new(limits(5000))));
        let (bytes, share) = read(5000).await.expect("a body");
        assert_eq!(bytes.len(), 5000);
        assert_eq!(share.0.num_permits(), 5);
        assert_eq!(read(5001).await.err().expect("too large").status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut headers = none.clone();
        headers.insert(header::CONTENT_LENGTH, 5001.into());
        let refused = read_body(Body::empty(), &headers, &memory, &limits(5000)).await.err().expect("too large");
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let (memory, none) = (Memory::new(1 << 20), axum::http::HeaderMap::new());
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let refused = read_body(endless, &none, &memory, &limits(5000)).await.err().expect("too slow");
        assert_eq!(refused.status, StatusCode::REQUEST_TIMEOUT);
    }
}

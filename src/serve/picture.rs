//! From the bytes of a request to a picture.

use std::path::Path;
use std::time::Instant;

use axum::body::Bytes;
use axum::http::StatusCode;
use vultus::image::{RgbImage, decode_bytes_within, stored_size};

use super::admission::Share;
use super::machine::since;
use super::reply::Refusal;
use super::state::Server;

/// What messages call a picture that has no name.
pub const UNNAMED: &str = "picture";

/// A picture with the memory that it may take, and the milliseconds that decoding took.
pub struct Decoded {
    /// The picture.
    pub image: RgbImage,
    /// How long it took.
    pub milliseconds: f64,
    /// Given back when the picture is done with.
    pub share: Share,
}

/// Decodes a picture beside the threads that answer requests.
///
/// # Errors
/// A refusal if it is no picture, is damaged, has too many pixels, or there is no memory for it.
pub async fn decode(server: &Server, name: &str, bytes: Bytes, pixels: u64) -> Result<Decoded, Refusal> {
    let start = Instant::now();
    let bad = |error: vultus::Error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string());
    let path = Path::new(name).to_path_buf();
    let [width, height] = stored_size(&path, &bytes).map_err(bad)?;
    let count = u64::from(width) * u64::from(height);
    if count > pixels {
        let reason = format!("{name}: {width}×{height} pixels are too many, at most {pixels} are read");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    // As decoded, and once more in RGB or turned upright.
    let share = server.memory.take(usize::try_from(6 * count).unwrap_or(usize::MAX))?;
    let _permit = server.decoders.acquire().await.map_err(|_| Refusal::busy("the server ends"))?;
    let work = move || decode_bytes_within(&path, &bytes, pixels);
    let image = tokio::task::spawn_blocking(work).await;
    let image =
        image.map_err(|_| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name}: it cannot be read")))?;
    Ok(Decoded { image: image.map_err(bad)?, milliseconds: since(start), share })
}

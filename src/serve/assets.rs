//! The page's files, within the program.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub struct Asset {
    /// Where it is served.
    pub path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal, $kind:literal, $file:literal;)*) => {
        &[$(Asset { path: $path, kind: $kind, bytes: include_bytes!($file) }),*]
    };
}

/// All of them.
pub const ASSETS: &[Asset] = assets! {
    "/", "text/html; charset=utf-8", "page/index.html";
    "/style.css", "text/css; charset=utf-8", "page/style.css";
    "/about.js", "text/javascript; charset=utf-8", "page/about.js";
    "/announce.js", "text/javascript; charset=utf-8", "page/announce.js";
    "/api.js", "text/javascript; charset=utf-8", "page/api.js";
    "/app.js", "text/javascript; charset=utf-8", "page/app.js";
    "/bars.js", "text/javascript; charset=utf-8", "page/bars.js";
    "/camera.js", "text/javascript; charset=utf-8", "page/camera.js";
    "/capture.js", "text/javascript; charset=utf-8", "page/capture.js";
    "/card.js", "text/javascript; charset=utf-8", "page/card.js";
    "/colors.js", "text/javascript; charset=utf-8", "page/colors.js";
    "/connection.js", "text/javascript; charset=utf-8", "page/connection.js";
    "/devices.js", "text/javascript; charset=utf-8", "page/devices.js";
    "/dom.js", "text/javascript; charset=utf-8", "page/dom.js";
    "/draw.js", "text/javascript; charset=utf-8", "page/draw.js";
    "/encode.js", "text/javascript; charset=utf-8", "page/encode.js";
    "/export.js", "text/javascript; charset=utf-8", "page/export.js";
    "/inside.js", "text/javascript; charset=utf-8", "page/inside.js";
    "/inside_source.js", "text/javascript; charset=utf-8", "page/inside_source.js";
    "/inside_view.js", "text/javascript; charset=utf-8", "page/inside_view.js";
    "/intake.js", "text/javascript; charset=utf-8", "page/intake.js";
    "/live.js", "text/javascript; charset=utf-8", "page/live.js";
    "/overlay.js", "text/javascript; charset=utf-8", "page/overlay.js";
    "/panel.js", "text/javascript; charset=utf-8", "page/panel.js";
    "/photos.js", "text/javascript; charset=utf-8", "page/photos.js";
    "/pictures.js", "text/javascript; charset=utf-8", "page/pictures.js";
    "/settings.js", "text/javascript; charset=utf-8", "page/settings.js";
    "/speed.js", "text/javascript; charset=utf-8", "page/speed.js";
    "/theme.js", "text/javascript; charset=utf-8", "page/theme.js";
    "/timeline.js", "text/javascript; charset=utf-8", "page/timeline.js";
    "/tracks.js", "text/javascript; charset=utf-8", "page/tracks.js";
    "/webcam.js", "text/javascript; charset=utf-8", "page/webcam.js";
    "/favicon.svg", "image/svg+xml", "page/favicon.svg";
    "/openapi.json", "application/json", "openapi.json";
    "/example.png", "image/png", "../../tests/photos/astronaut.png";
};

impl IntoResponse for &'static Asset {
    fn into_response(self) -> Response {
        let mut response = self.bytes.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        // Another version of the program has other files under the same names.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::ASSETS;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/serve/page")).unwrap();
        for name in folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            assert!(ASSETS.iter().any(|asset| asset.path == path), "{path} is not served");
        }
    }
}

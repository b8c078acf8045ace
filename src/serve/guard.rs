//! Who may use the server: requests by this machine's user, and none that a foreign page makes.
//!
//! A page of any site can make its visitor's browser send requests to 127.0.0.1, and can, by having its own name lead
//! there (DNS rebinding), even read the answers. The first is told by the header `Origin`, the second by `Host`.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};

use super::reply::Refusal;

/// The address at which the page is served, and what is asked of those who come from elsewhere.
pub struct Guard {
    address: SocketAddr,
    token: Option<String>,
}

/// Only what comes from this server is loaded by its page, nothing may embed it, and scripts and styles are files.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What every answer says to browsers.
pub const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
];

/// What may be seen without the token: the page itself says nothing of anyone.
fn is_open(path: &str) -> bool {
    path == "/api/health" || !(path.starts_with("/api/") || path == "/metrics")
}

impl Guard {
    /// For a server at this address. With a token every request of data must have it; without one the address must be
    /// one of this machine's own.
    pub fn new(address: SocketAddr, token: Option<String>) -> Self {
        Guard { address, token }
    }

    /// Whether a request is let in.
    ///
    /// # Errors
    /// A refusal that says what was missing.
    pub fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let forbidden = |reason: &str| Err(Refusal::new(StatusCode::FORBIDDEN, reason));
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let Some(host) = text(header::HOST).or(uri.authority().map(|authority| authority.as_str())) else {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "the header Host is missing"));
        };
        if !self.is_own(host) {
            return forbidden("this server has another name: open it by the address that it prints");
        }
        let changes = !matches!(*method, Method::GET | Method::HEAD) || headers.contains_key(header::UPGRADE);
        if let (true, Some(origin)) = (changes, text(header::ORIGIN)) {
            let own = ["http://", "https://"].iter().any(|scheme| origin.strip_prefix(scheme) == Some(host));
            if !own {
                return forbidden("pages of other sites may not use this server");
            }
        }
        if !is_open(uri.path()) && !self.knows(uri, headers) {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong"));
        }
        Ok(())
    }

    /// Whether this is a name of the server. Names of a server that asks for a token are not known to it, and need not
    /// be: a page that does not know the token cannot do anything.
    fn is_own(&self, host: &str) -> bool {
        if self.token.is_some() && !self.address.ip().is_loopback() {
            return true;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let names = ["localhost", "127.0.0.1", "[::1]"];
        port == Some(self.address.port()) && names.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    fn knows(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        // A WebSocket of a browser cannot have headers of its own.
        let query = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("token="));
        bearer.or(query).is_some_and(|given| same(given.as_bytes(), token.as_bytes()))
    }
}

/// Whether both are the same, in a time that does not tell how much of it is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(guard: &Guard, method: Method, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        guard.check(&method, &uri.parse().unwrap(), &map).map_or_else(|refusal| refusal.status.as_u16(), |()| 200)
    }

    fn local() -> Guard {
        Guard::new("127.0.0.1:7860".parse().unwrap(), None)
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["127.0.0.1:7860", "localhost:7860", "LOCALHOST:7860", "[::1]:7860"] {
            assert_eq!(status(&local(), Method::GET, "/", &[("host", host)]), 200, "{host}");
        }
        let foreign =
            ["evil.example:7860", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:7860", "", "[::1]", ":7860"];
        for host in foreign {
            assert_eq!(status(&local(), Method::GET, "/", &[("host", host)]), 403, "{host}");
        }
        assert_eq!(status(&local(), Method::GET, "/", &[]), 400);
    }

    #[test]
    fn pages_of_other_sites_change_nothing_and_open_no_socket() {
        let host = ("host", "127.0.0.1:7860");
        let post = |origin| status(&local(), Method::POST, "/api/predict", &[host, ("origin", origin)]);
        assert_eq!(post("http://127.0.0.1:7860"), 200);
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:8000",
            "null",
            "http://127.0.0.1:7860.evil.example",
            "ftp://127.0.0.1:7860",
        ] {
            assert_eq!(post(origin), 403, "{origin}");
            let socket = [host, ("origin", origin), ("upgrade", "websocket")];
            assert_eq!(status(&local(), Method::GET, "/api/live", &socket), 403, "{origin}");
        }
        // curl and other programs say no origin.
        assert_eq!(status(&local(), Method::POST, "/api/predict", &[host]), 200);
    }

    #[test]
    fn a_token_is_asked_for_data_but_not_for_the_page() {
        let open = Guard::new("0.0.0.0:7860".parse().unwrap(), Some("secret".to_owned()));
        let host = ("host", "camera.example:7860");
        assert_eq!(status(&open, Method::GET, "/", &[host]), 200);
        assert_eq!(status(&open, Method::GET, "/api/health", &[host]), 200);
        for path in ["/api/model", "/metrics", "/api/live?token=wrong", "/api/live?token=", "/api/live?token=secret1"] {
            assert_eq!(status(&open, Method::GET, path, &[host]), 401, "{path}");
        }
        assert_eq!(status(&open, Method::GET, "/api/live?x=1&token=secret", &[host]), 200);
        let bearer = |token| status(&open, Method::GET, "/api/model", &[host, ("authorization", token)]);
        assert_eq!((bearer("Bearer secret"), bearer("Bearer secre"), bearer("secret")), (200, 401, 401));
    }
}

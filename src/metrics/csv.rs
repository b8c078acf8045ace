//! Comma-separated values (RFC 4180).

/// A field: in quotes, and quotes in it doubled, where it holds what separates fields.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

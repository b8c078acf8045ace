//! Text that does nothing to a terminal: names of files, classes and tensors come from strangers.

use std::borrow::Cow;
use std::io::{self, Write};

/// Whether a terminal does something else with it than to show it: control characters, and marks that turn the direction
/// of what follows.
fn is_harmful(letter: char) -> bool {
    let turns =
        matches!(letter, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && !matches!(letter, '\n' | '\t'))
}

/// The text with such characters as JSON escapes them: `\u001b`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let escaped = |letter: char| if is_harmful(letter) { format!("\\u{:04x}", letter as u32) } else { letter.into() };
    text.chars().map(escaped).collect()
}

/// The text on one line.
pub fn on_one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Writes only what is printable. Each piece that is written must be text as a whole, as it is where it is formatted.
pub struct Printable<W>(pub W);

impl<W: Write> Write for Printable<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(printable(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_move_a_cursor_or_turn_a_line_is_escaped() {
        assert_eq!(printable("a\u{1b}]0;title\u{7}b"), "a\\u001b]0;title\\u0007b");
        assert_eq!(printable("\u{202e}gpj.exe\u{9b}31m\u{7f}\r"), "\\u202egpj.exe\\u009b31m\\u007f\\u000d");
        assert!(matches!(printable("радость 😀 é\n\t"), Cow::Borrowed(_)));
        assert_eq!(on_one_line("a\nb\u{1b}"), "a\\nb\\u001b");
    }

    #[test]
    fn json_stays_json_and_keeps_the_name() {
        let mut out = Printable(Vec::new());
        let name = "a\u{202e}b\u{1b}\u{85}";
        serde_json::to_writer(&mut out, name).unwrap();
        let text = String::from_utf8(out.0).unwrap();
        assert!(!text.contains(is_harmful), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), name);
    }
}

//! How much room a text needs. The reader's font is not known: these are the widths of a wide one (DejaVu Sans), so
//! that what fits here fits with the usual ones too.

/// The width of a text at a size, in the same unit.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    size * text.chars().map(width).sum::<f64>()
}

/// In parts of the size.
fn width(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '\u{A0}' => 0.34,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '—' => 1.0,
        'A'..='Z' => 0.74,
        // From Hangul on: scripts of square characters, and symbols.
        '\u{1100}'.. => 1.05,
        _ => 0.63,
    }
}

/// The text, or its beginning and its end around an ellipsis where it does not fit: names often differ in their last
/// characters.
pub(super) fn fitted(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let room = room - text_width("…", size);
    let head = beginning(text.chars(), size, 0.6 * room);
    let left = room - head.iter().map(|&character| size * width(character)).sum::<f64>();
    let tail = beginning(text.chars().rev(), size, left);
    format!("{}…{}", String::from_iter(head).trim_end(), String::from_iter(tail.iter().rev()).trim_start())
}

/// As many characters as fit.
fn beginning(characters: impl Iterator<Item = char>, size: f64, room: f64) -> Vec<char> {
    let mut used = 0.0;
    characters
        .take_while(|&character| {
            used += size * width(character);
            used <= room
        })
        .collect()
}

/// The width of the widest of these.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| text_width(text, size)).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_fit() {
        for text in
            ["happy", "an expression with a very long name indeed", "驚き驚き驚き驚き驚き驚き", "", "mmmmmmmmmmmm"]
        {
            let cut = fitted(text, 12.0, 90.0);
            assert!(text_width(&cut, 12.0) <= 90.0, "{cut}");
            assert_eq!(cut == text, text_width(text, 12.0) <= 90.0);
        }
        assert_eq!(fitted("happy", 12.0, 0.0), "…");
        assert!(fitted("a class with a long name, number 7", 12.0, 90.0).ends_with("7"));
    }
}

//! Comma-separated values (RFC 4180), as lists and results are read and written.
//!
//! ```
//! use vultus::csv::quoted;
//!
//! let row = ["Ann, at home.png", "happy", "0.93"].map(quoted).join(",");
//! assert_eq!(row, "\"Ann, at home.png\",happy,0.93");
//! ```

use std::borrow::Cow;

/// The fields of a line. Quotes are removed; spaces before and after a quoted field do not count. A record is one line: a
/// field with a line break in it is far more likely a quote that was never closed than a name.
///
/// # Errors
/// What is wrong with its quotes.
#[cfg(feature = "train")]
pub(crate) fn fields(line: &str) -> Result<Vec<Cow<'_, str>>, String> {
    separated(line, ',')
}

/// As [`fields`], with another separator than a comma.
///
/// # Errors
/// As [`fields`].
#[cfg(feature = "train")]
pub(crate) fn separated(line: &str, separator: char) -> Result<Vec<Cow<'_, str>>, String> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let (field, behind) = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => quoted_field(quoted, separator)?,
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                (Cow::Borrowed(&rest[..end]), &rest[end..])
            }
        };
        fields.push(field);
        match behind.strip_prefix(separator) {
            Some(more) => rest = more,
            None => return Ok(fields),
        }
    }
}

/// A field whose opening quote is behind us, and what follows it: nothing, or a separator and more.
#[cfg(feature = "train")]
fn quoted_field(text: &str, separator: char) -> Result<(Cow<'_, str>, &str), String> {
    let mut from = 0;
    loop {
        let quote = text[from..].find('"').ok_or("a quote is not closed in its line")? + from;
        if text[quote + 1..].starts_with('"') {
            from = quote + 2;
            continue;
        }
        let behind = text[quote + 1..].trim_start_matches(' ');
        if !behind.is_empty() && !behind.starts_with(separator) {
            return Err("there is text behind a closing quote".to_owned());
        }
        let field = &text[..quote];
        let field = if field.contains('"') { Cow::Owned(field.replace("\"\"", "\"")) } else { Cow::Borrowed(field) };
        return Ok((field, behind));
    }
}

/// A field as it must stand in a line: in quotes, and quotes in it doubled, where it holds what separates fields, or
/// begins or ends with spaces, which some readers drop.
///
/// ```
/// use vultus::csv::quoted;
///
/// assert_eq!(quoted("a b.png"), "a b.png");
/// assert_eq!(quoted("a, b.png"), "\"a, b.png\"");
/// assert_eq!(quoted("say \"cheese\".png"), "\"say \"\"cheese\"\".png\"");
/// ```
pub fn quoted(field: &str) -> Cow<'_, str> {
    let needed = field.contains([',', '"', '\n', '\r']) || field.trim() != field;
    if needed { Cow::Owned(format!("\"{}\"", field.replace('"', "\"\""))) } else { Cow::Borrowed(field) }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart_and_come_back() {
        assert_eq!(fields("a,b c,,d").unwrap(), ["a", "b c", "", "d"]);
        assert_eq!(fields("\"a, b\", \"say \"\"x\"\"\" ,c").unwrap(), ["a, b", "say \"x\"", "c"]);
        assert_eq!(fields("\"\",").unwrap(), ["", ""]);
        assert_eq!(separated("a,b; \"c;d\" ;", ';').unwrap(), ["a,b", "c;d", ""]);
        assert_eq!(separated("a\t\t\"c\td\"", '\t').unwrap(), ["a", "", "c\td"]);
        assert_eq!(fields("").unwrap(), [""]);
        assert_eq!(fields("5\" wide,ß").unwrap(), ["5\" wide", "ß"]);
        let names = ["plain", "a, b", "say \"x\"", "\"", " space ", "", "ß"];
        let line = names.map(|name| quoted(name).into_owned()).join(",");
        assert_eq!(fields(&line).unwrap(), names);
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }

    #[test]
    fn wrong_quotes_are_refused() {
        for open in ["\"a,b", "a,\"b", "\"a\"\"", "\""] {
            assert_eq!(fields(open).unwrap_err(), "a quote is not closed in its line", "{open}");
        }
        assert_eq!(fields("\"a\"b,c").unwrap_err(), "there is text behind a closing quote");
    }
}

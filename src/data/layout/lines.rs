//! A file's lines, read one at a time within a limit: a file without line ends must not fill the memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The longest line that is read, in bytes: a row of FER2013's table has about 9,000, a line of any list far fewer.
pub(super) const MAX_LINE: usize = 1 << 16;

/// The lines of a file.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u32,
    next: u64,
}

/// A line without its end.
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    /// Counted from 1.
    pub number: u32,
    /// The byte at which it begins.
    pub offset: u64,
}

impl Lines {
    pub(super) fn of(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let reader = BufReader::with_capacity(1 << 18, file);
        Ok(Lines { path: path.to_path_buf(), reader, line: Vec::new(), number: 0, next: 0 })
    }

    /// The next line that is not blank; a byte-order mark at the file's start is left out.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        loop {
            let offset = self.next;
            let length = read_line(&mut self.reader, &mut self.line).map_err(|error| Error::io(&self.path, error))?;
            if length == 0 {
                return Ok(None);
            }
            self.number = self.number.checked_add(1).ok_or_else(|| Error::data(&self.path, "has too many lines"))?;
            self.next += length;
            if self.line.len() >= MAX_LINE {
                let reason = format!("is longer than {MAX_LINE} bytes: this is no list of pictures");
                return Err(Error::line(&self.path, self.number.into(), reason));
            }
            if offset == 0 && self.line.starts_with(BYTE_ORDER_MARK) {
                self.line.drain(..BYTE_ORDER_MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                break Ok(Some(Line { bytes: &self.line, number: self.number, offset }));
            }
        }
    }
}

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads a line, [`MAX_LINE`] bytes of it at most, into `line` without its end. How many bytes it has in the file; 0 at
/// the file's end.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    line.clear();
    let length = reader.by_ref().take(MAX_LINE as u64).read_until(b'\n', line)? as u64;
    while line.last().is_some_and(|&byte| byte == b'\n' || byte == b'\r') {
        line.pop();
    }
    Ok(length)
}

/// A field as it stands in a message.
pub(super) fn shortened(field: &str) -> String {
    match field.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}…", &field[..end]),
        None => format!("{field:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Result<Vec<(Vec<u8>, u32, u64)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, bytes).unwrap();
        let (mut lines, mut found) = (Lines::of(&path)?, Vec::new());
        while let Some(line) = lines.next()? {
            found.push((line.bytes.to_vec(), line.number, line.offset));
        }
        Ok(found)
    }

    #[test]
    fn lines_know_their_places() {
        let found = lines(b"\xEF\xBB\xBFone\r\n\n  \ntwo\nthree").unwrap();
        assert_eq!(found, [(b"one".to_vec(), 1, 0), (b"two".to_vec(), 4, 12), (b"three".to_vec(), 5, 16)]);
        assert!(lines(b"").unwrap().is_empty());
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_is_read() {
        let mut bytes = b"short\n".to_vec();
        bytes.resize(3 * MAX_LINE, b'0');
        let refused = lines(&bytes).unwrap_err().to_string();
        assert!(refused.contains("list, line 2: is longer than 65536 bytes"), "{refused}");
    }
}

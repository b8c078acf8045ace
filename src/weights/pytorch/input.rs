//! The bytes of pickles, read from their start to their end.

use std::io::{self, BufRead, BufReader, Read};

/// The longest name of a class or a module.
const LONGEST_LINE: u64 = 256;

/// Bytes with the place of the next one.
pub(super) struct Input<'r> {
    bytes: BufReader<Box<dyn Read + 'r>>,
    at: u64,
}

impl<'r> Input<'r> {
    pub fn new(bytes: Box<dyn Read + 'r>) -> Self {
        Input { bytes: BufReader::new(bytes), at: 0 }
    }

    /// How many bytes have been read.
    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.bytes.read_exact(&mut bytes).map_err(|e| failed(&e))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Appends bytes to others. No memory is taken for bytes that are only announced.
    pub fn append(&mut self, length: u64, out: &mut Vec<u8>) -> Result<(), String> {
        let read = self.bytes.by_ref().take(length).read_to_end(out).map_err(|e| failed(&e))?;
        self.at += read as u64;
        if (read as u64) < length { Err(failed(&io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    pub fn skip(&mut self, length: u64) -> Result<(), String> {
        let skipped = io::copy(&mut self.bytes.by_ref().take(length), &mut io::sink()).map_err(|e| failed(&e))?;
        self.at += skipped;
        if skipped < length { Err(failed(&io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    /// A line of text without its end.
    pub fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        let read = self.bytes.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|e| failed(&e))?;
        self.at += read as u64;
        if line.pop() != Some(b'\n') {
            return Err(format!("the pickle has a name without an end at byte {}", self.at - read as u64));
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Whether nothing follows.
    pub fn is_at_end(&mut self) -> Result<bool, String> {
        self.bytes.fill_buf().map(<[u8]>::is_empty).map_err(|e| failed(&e))
    }
}

fn failed(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the pickle ends early: cut short?".to_owned(),
        _ => format!("the pickle cannot be read: {error}"),
    }
}

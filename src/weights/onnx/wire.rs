//! Protocol buffers as they lie in a file: a message is a list of numbered fields, and what is in a field is read only
//! when it is asked for. Encoding: <https://protobuf.dev/programming-guides/encoding>.

use std::io::{self, Read};

use crate::error::{Error, Result};
use crate::weights::entry::Plain;
use crate::weights::source::Source;

/// Bytes that are read at a time to find the fields of a message.
const WINDOW: u64 = 1 << 12;

/// One field of a message.
pub(super) struct Field {
    /// What it is called in the encoding.
    pub number: u64,
    value: Value,
}

enum Value {
    Number(u64),
    Four([u8; 4]),
    Eight,
    Bytes(Plain),
}

impl Field {
    /// A whole number.
    pub fn number(&self, source: &Source) -> Result<u64> {
        match self.value {
            Value::Number(number) => Ok(number),
            _ => Err(self.mistyped(source)),
        }
    }

    /// A number of type f32.
    pub fn float(&self, source: &Source) -> Result<f32> {
        match self.value {
            Value::Four(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(self.mistyped(source)),
        }
    }

    /// Where the bytes of a text, a message or a packed list are.
    pub fn place(&self, source: &Source) -> Result<Plain> {
        match self.value {
            Value::Bytes(place) => Ok(place),
            _ => Err(self.mistyped(source)),
        }
    }

    fn mistyped(&self, source: &Source) -> Error {
        source.refuse(format!(
            "not an ONNX file, or damaged: a field {} is of another type than it should be",
            self.number
        ))
    }
}

/// Goes through the fields of a message.
pub(super) struct Fields<'s, 'a> {
    source: &'s Source<'a>,
    at: u64,
    end: u64,
    window: Vec<u8>,
    /// Where the window starts.
    start: u64,
}

impl<'s, 'a> Fields<'s, 'a> {
    /// The fields of the message that lies here.
    pub fn of(source: &'s Source<'a>, place: Plain) -> Self {
        // A place is that of a field that was found within the file.
        Fields { source, at: place.offset, end: place.offset + place.length, window: Vec::new(), start: place.offset }
    }

    /// The next field, unless the message ends here.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if this is no field, or if it is longer than the message.
    pub fn next(&mut self) -> Result<Option<Field>> {
        if self.at == self.end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.skip(8)?;
                Value::Eight
            }
            2 => {
                let length = self.varint()?;
                Value::Bytes(Plain { offset: self.skip(length)?, length })
            }
            5 => {
                let mut bytes = [0; 4];
                for byte in &mut bytes {
                    *byte = self.byte()?;
                }
                Value::Four(bytes)
            }
            kind => {
                return Err(self.source.refuse(format!("not an ONNX file, or damaged: a field of the kind {kind}")));
            }
        };
        match tag >> 3 {
            0 => Err(self.source.refuse("not an ONNX file, or damaged: a field without a number")),
            number => Ok(Some(Field { number, value })),
        }
    }

    /// A whole number in groups of seven bits, the lowest first.
    pub fn varint(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.source.refuse("not an ONNX file, or damaged: a number of more than 64 bits"))
    }

    /// Whether nothing follows.
    pub fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    /// Moves on; where it was before.
    fn skip(&mut self, length: u64) -> Result<u64> {
        let left = self.end - self.at;
        if length > left {
            let reason = format!("{length} bytes are announced where {left} follow: cut short, or not an ONNX file");
            return Err(self.source.refuse(reason));
        }
        self.at += length;
        Ok(self.at - length)
    }

    fn byte(&mut self) -> Result<u8> {
        let at = self.skip(1)?;
        let index = at.wrapping_sub(self.start) as usize;
        if let Some(&byte) = self.window.get(index) {
            return Ok(byte);
        }
        self.window = self.source.read(at, (self.end - at).min(WINDOW))?;
        self.start = at;
        Ok(self.window[0])
    }
}

/// Numbers of two bytes, each of which is in the file as a whole number in groups of seven bits.
pub(super) struct Halves<R> {
    pub packed: R,
    /// The second byte of the number of which the first was handed over.
    pub second: Option<u8>,
}

impl<R: Read> Halves<R> {
    /// The next number, unless there is none.
    fn half(&mut self) -> io::Result<Option<u16>> {
        let (mut number, mut shift) = (0u32, 0);
        let mut byte = [0];
        while shift < 70 {
            if self.packed.read(&mut byte)? == 0 {
                let unfinished = "a number of two bytes ends in its midst: the file is damaged";
                return if shift == 0 { Ok(None) } else { Err(io::Error::other(unfinished)) };
            }
            number |= u32::from(byte[0] & 0x7f).checked_shl(shift).unwrap_or(0);
            shift += 7;
            if byte[0] < 0x80 {
                break;
            }
        }
        let half = u16::try_from(number).ok().filter(|_| shift <= 21);
        half.map(Some).ok_or_else(|| io::Error::other("a number does not fit into its two bytes: the file is damaged"))
    }
}

impl<R: Read> Read for Halves<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < out.len() {
            let byte = match self.second.take() {
                Some(byte) => byte,
                None => {
                    let Some(half) = self.half()? else { break };
                    let [first, second] = half.to_le_bytes();
                    self.second = Some(second);
                    first
                }
            };
            out[count] = byte;
            count += 1;
        }
        Ok(count)
    }
}

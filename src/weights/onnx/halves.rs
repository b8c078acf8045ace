//! Numbers of two bytes, each of which is in the file as a whole number in groups of seven bits.

use std::io::{self, Read};

/// Reads such numbers.
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

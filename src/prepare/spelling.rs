//! Parameters as text: a name and numbers, with colons between them.

use crate::error::{Error, Result};

/// What may be written.
pub(super) struct Spelling {
    /// What is described, for messages.
    pub what: &'static str,
    /// The forms it may have, for messages.
    pub forms: &'static str,
}

/// A name and what stands behind it.
pub(super) struct Words<'a> {
    pub name: &'a str,
    numbers: Vec<f32>,
    spelling: &'a Spelling,
}

impl Spelling {
    pub fn read<'a>(&'a self, text: &'a str) -> Result<Words<'a>> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let number = |word: &str| word.parse().map_err(|_| self.refused(format!("{word:?} is not a number")));
        Ok(Words { name, numbers: words.map(number).collect::<Result<_>>()?, spelling: self })
    }

    /// Whether a parameter is in its range.
    pub fn within(&self, name: &str, value: f32, low: f32, high: f32) -> Result<()> {
        if (low..=high).contains(&value) {
            return Ok(());
        }
        Err(self.refused(format!("{name} is {value}, it must be within {low} and {high}")))
    }

    fn refused(&self, reason: String) -> Error {
        Error::invalid(self.what, reason)
    }
}

impl Words<'_> {
    /// The numbers; those that are not written are the defaults.
    pub fn take<const N: usize>(&self, mut defaults: [f32; N]) -> Result<[f32; N]> {
        if self.numbers.len() > N {
            return Err(self.spelling.refused(format!("too many numbers; write {}", self.spelling.forms)));
        }
        defaults.iter_mut().zip(&self.numbers).for_each(|(number, written)| *number = *written);
        Ok(defaults)
    }

    pub fn whole(&self, number: f32) -> Result<u32> {
        if number.fract() == 0.0 && (0.0..=65536.0).contains(&number) {
            return Ok(number as u32);
        }
        Err(self.spelling.refused(format!("{number} is not a whole number from 0 on")))
    }

    pub fn unknown(&self) -> Error {
        self.spelling.refused(format!("{:?} is unknown; write {}", self.name, self.spelling.forms))
    }
}

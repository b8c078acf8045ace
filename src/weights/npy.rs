//! The text before the numbers of an array of NumPy: a dict of Python with three known keys, which is read strictly and
//! never run.

use std::io::{self, Read};

use super::entry::Dtype;
use super::format::NPY;

/// The longest text. NumPy writes less than 200 bytes for numbers.
const LONGEST_TEXT: u32 = 4096;

/// The most bytes before the numbers.
pub(super) const LONGEST_START: u64 = 12 + LONGEST_TEXT as u64;

/// The most dimensions of an array of NumPy.
const LARGEST_RANK: usize = 64;

/// What the text says.
#[derive(Debug, PartialEq)]
pub(super) struct Header {
    pub descr: String,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

/// The text, and how many bytes it takes with what is before it.
pub(super) fn text(reader: &mut dyn Read) -> Result<(String, u64), String> {
    let mut bytes = |count: usize| {
        let mut bytes = vec![0; count];
        reader.read_exact(&mut bytes).map(|()| bytes).map_err(|e| failed(&e))
    };
    if bytes(NPY.len())? != NPY {
        return Err("this is not an array of NumPy".to_owned());
    }
    let version = bytes(2)?;
    let width = match version[..] {
        [1, 0] => 2,
        [2 | 3, 0] => 4,
        _ => return Err(format!("its version is {}.{}, but only 1 to 3 are known", version[0], version[1])),
    };
    let length = bytes(width)?.iter().rev().fold(0, |n: u32, &byte| n << 8 | u32::from(byte));
    if length > LONGEST_TEXT {
        return Err(format!("its description has {length} bytes, at most {LONGEST_TEXT} are read"));
    }
    let text = String::from_utf8(bytes(length as usize)?).map_err(|_| "its description is no text".to_owned())?;
    Ok((text, (NPY.len() + 2 + width) as u64 + u64::from(length)))
}

/// The name of the type, the bytes of a number, and whether the most significant one comes first.
pub(super) fn dtype(descr: &str) -> Result<(Dtype, usize, bool), String> {
    let (order, kind) = descr.split_at_checked(1).unwrap_or_default();
    let (dtype, size) = match kind {
        "f8" => (Dtype::F64, 8),
        "f4" => (Dtype::F32, 4),
        "f2" => (Dtype::F16, 2),
        "i8" => (Dtype::Other("I64"), 8),
        "i4" => (Dtype::Other("I32"), 4),
        "i2" => (Dtype::Other("I16"), 2),
        "i1" => (Dtype::Other("I8"), 1),
        "u8" => (Dtype::Other("U64"), 8),
        "u4" => (Dtype::Other("U32"), 4),
        "u2" => (Dtype::Other("U16"), 2),
        "u1" => (Dtype::Other("U8"), 1),
        "b1" => (Dtype::Other("BOOL"), 1),
        "c8" => (Dtype::Other("C64"), 8),
        "c16" => (Dtype::Other("C128"), 16),
        _ => return Err(format!("its type {descr:?} cannot be read: save numbers, f4 for example")),
    };
    match order {
        "<" => Ok((dtype, size, false)),
        ">" => Ok((dtype, size, true)),
        "|" if size == 1 => Ok((dtype, size, false)),
        _ => Err(format!("its type {descr:?} has no order of bytes")),
    }
}

/// What the text says.
pub(super) fn parse(text: &str) -> Result<Header, String> {
    let wrong = || {
        let short: String = text.chars().take(200).collect();
        format!("its description is not of the form that NumPy writes: {short:?}")
    };
    parse_dict(text).ok_or_else(wrong)
}

fn parse_dict(text: &str) -> Option<Header> {
    let mut rest = Rest(text);
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    rest.expect("{")?;
    while rest.expect("}").is_none() {
        let known = match rest.string()? {
            "descr" => rest.after_colon(Rest::string).map(|text| descr.replace(text.to_owned()).is_some()),
            "fortran_order" => rest.after_colon(Rest::boolean).map(|is| fortran_order.replace(is).is_some()),
            "shape" => rest.after_colon(Rest::tuple).map(|sizes| shape.replace(sizes).is_some()),
            _ => None,
        }?;
        // Without a comma the dict must end.
        if known || (rest.expect(",").is_none() && !rest.0.trim_start().starts_with('}')) {
            return None;
        }
    }
    let header = Header { descr: descr?, fortran_order: fortran_order?, shape: shape? };
    rest.0.trim().is_empty().then_some(header)
}

/// The text that is not yet read.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn expect(&mut self, symbol: &str) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(symbol)?;
        Some(())
    }

    fn after_colon<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.expect(":")?;
        read(self)
    }

    fn string(&mut self) -> Option<&'t str> {
        let quote = if self.expect("'").is_some() { '\'' } else { self.expect("\"").map(|()| '"')? };
        let (string, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        (!string.contains('\\')).then_some(string)
    }

    fn boolean(&mut self) -> Option<bool> {
        if self.expect("True").is_some() { Some(true) } else { self.expect("False").map(|()| false) }
    }

    /// `()`, `(3,)`, `(3, 4)`.
    fn tuple(&mut self) -> Option<Vec<usize>> {
        let mut sizes = Vec::new();
        self.expect("(")?;
        let mut comma = true;
        while self.expect(")").is_none() {
            let digits = self.0.trim_start();
            let end = digits.find(|c: char| !c.is_ascii_digit())?;
            if !comma || sizes.len() == LARGEST_RANK {
                return None;
            }
            sizes.push(digits[..end].parse().ok()?);
            self.0 = &digits[end..];
            comma = self.expect(",").is_some();
        }
        (sizes.len() != 1 || comma).then_some(sizes)
    }
}

/// What stands before the numbers of an array of f32, the last index of which is the fastest: so many bytes that the numbers
/// begin at a multiple of 64.
#[cfg(feature = "files")]
pub(super) fn start(shape: &[usize]) -> Vec<u8> {
    let sizes = match shape {
        [size] => format!("{size},"),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}");
    let before = NPY.len() + 4;
    let end = (before + text.len() + 1).next_multiple_of(64);
    text += &" ".repeat(end - before - text.len() - 1);
    text.push('\n');
    [NPY.as_slice(), &[1, 0], &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
}

/// Why the text cannot be read.
pub(super) fn failed(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "its description is cut short".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<Vec<usize>> {
        let header = parse(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {text}, }}  \n")).ok()?;
        assert_eq!((header.descr.as_str(), header.fortran_order), ("<f4", false));
        Some(header.shape)
    }

    #[test]
    fn the_description_is_read_as_python_writes_it() {
        assert_eq!(shape("()"), Some(vec![]));
        assert_eq!(shape("(3,)"), Some(vec![3]));
        assert_eq!(shape("(8, 3, 3, 3)"), Some(vec![8, 3, 3, 3]));
        assert_eq!(shape("( 8 ,0, )"), Some(vec![8, 0]));
        let header = parse("{\"shape\":(2,),\"fortran_order\":True,\"descr\":\">f2\"}").unwrap();
        assert_eq!(header, Header { descr: ">f2".to_owned(), fortran_order: true, shape: vec![2] });
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["(3)", "3", "(3 4)", "(,)", "(-3,)", "(3L,)", "(3,,4)", "(3", "(18446744073709551616,)", "(3,) + ()"]
        {
            assert_eq!(shape(text), None, "{text}");
        }
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'fortran_order': False}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': ()}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': ()} __import__('os')",
            "{'descr': '<f\\x34', 'fortran_order': False, 'shape': ()}",
        ] {
            assert!(parse(text).unwrap_err().contains("not of the form that NumPy writes"), "{text}");
        }
    }
}

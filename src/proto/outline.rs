//! What there is to know of a file of any size before its numbers are wanted: the messages without them, and where they lie.

use std::io;

use prost::DecodeError;
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use super::extent;
use super::kind::{Field, Kind, MODEL};
use super::{Model, RAW_DATA, Tensor};

/// Bytes that are read at a time to find the fields of a message.
const WINDOW: u64 = 1 << 12;

/// A key and a length take so many bytes at most.
const LONGEST_VARINT: u64 = 10;

/// Where a tensor has numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The tag of the field that they are in.
    pub field: u32,
    /// Their first byte in the file.
    pub offset: u64,
    /// How many bytes they take there.
    pub length: u64,
}

impl Place {
    /// The places that stand in a tensor of an outline instead of its `raw_data`.
    pub fn all(tensor: &Tensor) -> impl Iterator<Item = Place> {
        let bytes = tensor.raw_data.as_deref().unwrap_or_default();
        bytes.as_chunks::<20>().0.iter().map(|bytes| {
            let number = |from: usize| bytes[from..].iter().take(8).rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
            Place { field: number(16) as u32, offset: number(0), length: number(8) }
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.offset.to_le_bytes());
        out.extend(self.length.to_le_bytes());
        out.extend(self.field.to_le_bytes());
    }
}

/// Why there is no outline.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file cannot be read.
    Io(io::Error),
    /// This is no model.
    Damaged(String),
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Self {
        Fault::Damaged(error.to_string())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// The model of a file of so many bytes, which `read` reads from any place. A tensor's numbers are not read: its `raw_data`
/// says where they are ([`Place::all`]). Fields that no message here has are skipped, whatever is in them.
pub(crate) fn outline(length: u64, read: &dyn Fn(u64, &mut [u8]) -> io::Result<()>) -> Result<Model, Fault> {
    let mut bytes = Vec::new();
    Reader { read, length, at: 0, window: Vec::new(), start: 0 }.message(length, &MODEL, &mut bytes)?;
    if !extent::is_fair(&bytes) {
        return Err(Fault::Damaged("it has too many empty messages".to_owned()));
    }
    Ok(Model::decode(bytes.as_slice())?)
}

/// Goes through a file from its start to its end.
struct Reader<'r> {
    read: &'r dyn Fn(u64, &mut [u8]) -> io::Result<()>,
    length: u64,
    at: u64,
    window: Vec<u8>,
    /// Where the window starts.
    start: u64,
}

impl Reader<'_> {
    /// Appends the message that ends here without its numbers.
    fn message(&mut self, end: u64, kind: &Kind, out: &mut Vec<u8>) -> Result<(), Fault> {
        let (mut places, mut has_only) = (Vec::new(), false);
        while self.at < end {
            let (tag, wire) = self.decode(end, |bytes| decode_key(bytes))?;
            let field = kind.field(tag);
            match wire {
                WireType::LengthDelimited => {
                    let length = self.decode(end, |bytes| decode_varint(bytes))?;
                    let offset = self.skip(length, end)?;
                    match field {
                        None => {}
                        Some(Field::Plain) => append(tag, &self.bytes(offset, length)?, out),
                        Some(Field::Numbers) => Place { field: tag, offset, length }.write(&mut places),
                        Some(Field::Message(inner) | Field::Only(inner)) => {
                            if matches!(field, Some(Field::Only(_))) && std::mem::replace(&mut has_only, true) {
                                return Err(Fault::Damaged(format!("the field {tag} is there twice")));
                            }
                            let mut bytes = Vec::new();
                            self.at = offset;
                            self.message(offset + length, inner, &mut bytes)?;
                            append(tag, &bytes, out);
                        }
                    }
                }
                WireType::Varint => {
                    let number = self.decode(end, |bytes| decode_varint(bytes))?;
                    if let Some(field) = field {
                        check_is_plain(tag, field)?;
                        encode_key(tag, wire, out);
                        encode_varint(number, out);
                    }
                }
                WireType::ThirtyTwoBit | WireType::SixtyFourBit => {
                    let length = if wire == WireType::ThirtyTwoBit { 4 } else { 8 };
                    let offset = self.skip(length, end)?;
                    if let Some(field) = field {
                        check_is_plain(tag, field)?;
                        encode_key(tag, wire, out);
                        out.extend(self.bytes(offset, length)?);
                    }
                }
                WireType::StartGroup | WireType::EndGroup => {
                    return Err(Fault::Damaged(format!("the field {tag} is of a kind that no model has")));
                }
            }
        }
        if !places.is_empty() {
            append(RAW_DATA, &places, out);
        }
        Ok(())
    }

    /// Reads a key or a number.
    fn decode<T>(&mut self, end: u64, read: impl Fn(&mut &[u8]) -> Result<T, DecodeError>) -> Result<T, Fault> {
        let length = LONGEST_VARINT.min(end - self.at);
        let bytes = self.ahead(length)?;
        let mut rest = bytes;
        let value = read(&mut rest)?;
        self.at += (bytes.len() - rest.len()) as u64;
        Ok(value)
    }

    /// The next bytes, of which there are so many.
    fn ahead(&mut self, length: u64) -> Result<&[u8], Fault> {
        let is_there = self.start <= self.at && self.at + length <= self.start + self.window.len() as u64;
        if !is_there {
            self.window.resize(WINDOW.min(self.length - self.at) as usize, 0);
            (self.read)(self.at, &mut self.window)?;
            self.start = self.at;
        }
        let first = (self.at - self.start) as usize;
        Ok(&self.window[first..first + length as usize])
    }

    /// Bytes that lie in the file.
    fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length as usize];
        let first = offset.wrapping_sub(self.start) as usize;
        match self.window.get(first..first.saturating_add(bytes.len())) {
            Some(found) if offset >= self.start => bytes.copy_from_slice(found),
            _ => (self.read)(offset, &mut bytes)?,
        }
        Ok(bytes)
    }

    /// Moves on; where it was before.
    fn skip(&mut self, length: u64, end: u64) -> Result<u64, Fault> {
        let left = end - self.at;
        if length > left {
            let reason = format!("{length} bytes are announced where {left} follow: cut short?");
            return Err(Fault::Damaged(reason));
        }
        self.at += length;
        Ok(self.at - length)
    }
}

/// Appends a field.
fn append(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Whether a number may stand in this field.
fn check_is_plain(tag: u32, field: &Field) -> Result<(), Fault> {
    match field {
        Field::Plain => Ok(()),
        _ => Err(Fault::Damaged(format!("the field {tag} is of another type than it should be"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::proto::{
        Attribute, Dimension, Graph, Node, OperatorSet, Presence, Property, TensorShape, TensorType, Type, ValueInfo,
    };

    fn of(bytes: &[u8]) -> Result<Model, Fault> {
        outline(bytes.len() as u64, &|offset, out| (&bytes[offset as usize..]).read_exact(out))
    }

    /// A tensor that has everything but numbers.
    fn tensor(name: &str) -> Tensor {
        Tensor {
            dims: vec![2, 3],
            data_type: 1,
            segment: Some(Presence {}),
            name: name.to_owned(),
            external_data: vec![Property { key: "location".to_owned(), value: "elsewhere".to_owned() }],
            data_location: 1,
            ..Tensor::default()
        }
    }

    /// A model that has everything, with these tensors.
    fn model(initializer: Vec<Tensor>, constant: Tensor) -> Model {
        let text = str::to_owned;
        let attribute = Attribute {
            name: text("value"),
            f: Some(0.5),
            i: Some(-1),
            s: Some(b"word".to_vec()),
            t: Some(Box::new(constant)),
            floats: vec![1.5, 2.5],
            ints: vec![1, -2],
            r#type: 4,
        };
        let node = Node {
            input: vec![text("x"), String::new()],
            output: vec![text("y")],
            name: text("node"),
            op_type: text("Constant"),
            attribute: vec![attribute],
            domain: text("ai.onnx"),
        };
        let sizes = [(Some(3), None), (None, Some(text("N")))];
        let dim = sizes.map(|(dim_value, dim_param)| Dimension { dim_value, dim_param }).to_vec();
        let tensor_type = Some(TensorType { elem_type: 1, shape: Some(TensorShape { dim }) });
        let info = ValueInfo { name: text("x"), r#type: Some(Type { tensor_type }) };
        let graph = Graph {
            node: vec![node],
            name: text("graph"),
            initializer,
            input: vec![info.clone()],
            output: vec![info],
            sparse_initializer: vec![Presence {}],
        };
        Model {
            ir_version: 8,
            producer_name: text("tests"),
            producer_version: text("1"),
            doc_string: text("everything"),
            graph: Some(graph),
            opset_import: vec![OperatorSet { domain: Some(String::new()), version: 17 }],
            metadata_props: vec![Property { key: text("license"), value: text("MIT") }],
        }
    }

    #[test]
    fn an_outline_has_everything_but_numbers() {
        let wanted = model(vec![tensor("a"), tensor("b")], tensor("c"));
        assert_eq!(of(&wanted.encode_to_vec()).unwrap(), wanted);
    }

    #[test]
    fn numbers_stay_where_they_are() {
        let raw = Tensor { raw_data: Some(vec![7; 10_000]), ..tensor("a") };
        let lists = Tensor {
            float_data: vec![1.0; 3],
            int32_data: vec![300],
            int64_data: vec![1],
            double_data: vec![1.0],
            uint64_data: vec![1],
            ..tensor("b")
        };
        let bytes = model(vec![raw, lists], tensor("c")).encode_to_vec();
        let found = of(&bytes).unwrap().graph.unwrap();
        let at = |place: &Place| &bytes[place.offset as usize..][..place.length as usize];
        let places: Vec<Place> = Place::all(&found.initializer[0]).collect();
        assert!(places.len() == 1 && places[0].field == RAW_DATA && at(&places[0]) == [7; 10_000]);
        let places: Vec<Place> = Place::all(&found.initializer[1]).collect();
        let found: Vec<(u32, u64)> = places.iter().map(|place| (place.field, place.length)).collect();
        assert_eq!(found, [(4, 12), (5, 2), (7, 1), (10, 8), (11, 1)]);
        assert_eq!(at(&places[1]), [0xac, 2]);
    }

    #[test]
    fn what_no_message_has_is_left_out_and_what_is_no_message_refused() {
        let whole = model(Vec::new(), tensor("c"));
        let bytes = whole.encode_to_vec();
        // A documentation of a field that models have and nobody reads here, longer than a window.
        let mut more = Vec::new();
        append(20, &[0xff; 5000], &mut more);
        assert_eq!(of(&[more, bytes.clone()].concat()).unwrap(), whole);
        let damaged = |bytes: &[u8]| match of(bytes) {
            Err(Fault::Damaged(reason)) => reason,
            other => panic!("{other:?}"),
        };
        assert!(damaged(&[bytes.as_slice(), &bytes].concat()).contains("the field 7 is there twice"));
        assert!(damaged(&bytes[..bytes.len() - 1]).contains("cut short"));
        assert!(damaged(&[7 << 3, 1]).contains("the field 7 is of another type"));
        assert!(damaged(&[8 << 3 | 3]).contains("of a kind that no model has"));
    }
}

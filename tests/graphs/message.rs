//! The messages of a model as a tree of fields, to be changed where they stay messages.

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Dimension,
    OperatorSet,
}

impl Kind {
    /// What the field of this number holds, where that is a message.
    fn of_field(self, number: u32) -> Option<Kind> {
        Some(match (self, number) {
            (Kind::Model, 7) => Kind::Graph,
            (Kind::Model, 8) => Kind::OperatorSet,
            (Kind::Graph, 1) => Kind::Node,
            (Kind::Graph, 5) => Kind::Tensor,
            (Kind::Graph, 11 | 12) => Kind::ValueInfo,
            (Kind::Node, 5) => Kind::Attribute,
            (Kind::Attribute, 5) => Kind::Tensor,
            (Kind::ValueInfo, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            (Kind::Shape, 1) => Kind::Dimension,
            _ => return None,
        })
    }
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Number(u64),
    /// Four bytes, or eight.
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    Message(Kind, Vec<Field>),
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub number: u32,
    pub content: Content,
}

impl Field {
    pub fn bytes(number: u32, bytes: impl AsRef<[u8]>) -> Self {
        Field { number, content: Content::Bytes(bytes.as_ref().to_vec()) }
    }

    pub fn value(number: u32, value: u64) -> Self {
        Field { number, content: Content::Number(value) }
    }

    pub fn message(number: u32, kind: Kind, fields: Vec<Field>) -> Self {
        Field { number, content: Content::Message(kind, fields) }
    }
}

/// The fields of a message that is not damaged.
pub fn parse(mut bytes: &[u8], kind: Kind) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let number = (key >> 3) as u32;
        let mut take = |length: usize| {
            let (taken, rest) = bytes.split_at(length);
            bytes = rest;
            taken.to_vec()
        };
        let content = match key & 7 {
            0 => Content::Number(varint(&mut bytes)),
            1 => Content::Fixed(take(8)),
            5 => Content::Fixed(take(4)),
            _ => {
                let length = varint(&mut bytes) as usize;
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                match kind.of_field(number) {
                    Some(kind) => Content::Message(kind, parse(inner, kind)),
                    None => Content::Bytes(inner.to_vec()),
                }
            }
        };
        fields.push(Field { number, content });
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("the file is whole");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The bytes of a message.
pub fn encode(fields: &[Field]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Field { number, content } in fields {
        let (wire, inner) = match content {
            Content::Number(value) => {
                put(&mut bytes, u64::from(*number) << 3);
                put(&mut bytes, *value);
                continue;
            }
            Content::Fixed(inner) => (if inner.len() == 8 { 1 } else { 5 }, inner.clone()),
            Content::Bytes(inner) => (2, inner.clone()),
            Content::Message(_, inner) => (2, encode(inner)),
        };
        put(&mut bytes, u64::from(*number) << 3 | wire);
        if wire == 2 {
            put(&mut bytes, inner.len() as u64);
        }
        bytes.extend(inner);
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

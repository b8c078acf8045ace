//! How much memory the messages of a file take, before any is taken: an empty message is two bytes in a file, and hundreds
//! where it is read.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::kind::{Field, Kind, MODEL};

/// How many times as much memory as the file has bytes its messages may take, and how much more than that.
const TIMES: usize = 16;
const SLACK: usize = 1 << 20;

/// Whether a model of these bytes takes no more memory than files of their size should.
pub(crate) fn is_fair(bytes: &[u8]) -> bool {
    let most = bytes.len().saturating_mul(TIMES).saturating_add(SLACK);
    memory(bytes, &MODEL) <= most
}

/// The memory of a message and of those within it, as far as they can be read.
fn memory(mut bytes: &[u8], kind: &Kind) -> usize {
    let mut total = kind.size;
    while let Ok((tag, wire)) = decode_key(&mut bytes) {
        let length = match wire {
            WireType::Varint => match decode_varint(&mut bytes) {
                Ok(_) => 0,
                Err(_) => break,
            },
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => match decode_varint(&mut bytes) {
                Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
                Err(_) => break,
            },
            WireType::StartGroup | WireType::EndGroup => 0,
        };
        let Some((field, rest)) = bytes.split_at_checked(length) else { break };
        bytes = rest;
        if let Some(Field::Message(inner) | Field::Only(inner)) = kind.field(tag)
            && wire == WireType::LengthDelimited
        {
            total = total.saturating_add(memory(field, inner));
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of so many nodes of these bytes.
    fn nodes(count: usize, node: &[u8]) -> Vec<u8> {
        let one = [&[10, node.len() as u8], node].concat();
        let graph = one.repeat(count);
        let mut model = vec![58];
        prost::encoding::encode_varint(graph.len() as u64, &mut model);
        [model, graph].concat()
    }

    #[test]
    fn many_empty_messages_are_unfair() {
        assert!(!is_fair(&nodes(1 << 16, &[])));
        // What a ReLU takes at least: two names of a letter, and its own.
        assert!(is_fair(&nodes(1 << 16, &[10, 1, 97, 18, 1, 98, 34, 4, 82, 101, 108, 117])));
    }
}

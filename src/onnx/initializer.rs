//! Tensors that are written into a model.

use std::borrow::Cow;
use std::io::{self, Write};

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};

use super::export::Precision;
use super::proto::{self, INITIALIZER, RAW_DATA};

/// Numbers that become bytes at a time.
const BLOCK: usize = 1 << 14;

/// One tensor: its numbers are borrowed, and become bytes while they are written.
pub(super) struct Initializer<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Cow<'a, [f32]>,
    /// The type that the numbers are written in.
    pub precision: Precision,
}

impl Initializer<'_> {
    /// How many bytes [`Initializer::write`] writes.
    pub fn encoded_len(&self) -> u64 {
        let (start, length) = self.start();
        start.len() as u64 + length
    }

    /// Writes the tensor as a field of `GraphProto`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.start().0)?;
        let (mut bytes, mut halves) = (Vec::new(), [f16::ZERO; BLOCK]);
        for block in self.values.chunks(BLOCK) {
            bytes.clear();
            if self.precision == Precision::F16 {
                halves[..block.len()].convert_from_f32_slice(block);
                bytes.extend(halves[..block.len()].iter().flat_map(|value| value.to_le_bytes()));
            } else {
                bytes.extend(block.iter().flat_map(|value| value.to_le_bytes()));
            }
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// What comes before the numbers, and how many bytes these take.
    fn start(&self) -> (Vec<u8>, u64) {
        let (data_type, size) = match self.precision {
            Precision::F32 => (proto::FLOAT, 4),
            Precision::F16 => (proto::FLOAT16, 2),
        };
        let dims = self.shape.iter().map(|&size| size as i64).collect();
        let mut tensor =
            proto::Tensor { dims, data_type, name: self.name.clone(), ..proto::Tensor::default() }.encode_to_vec();
        let length = (size * self.values.len()) as u64;
        encode_key(RAW_DATA, WireType::LengthDelimited, &mut tensor);
        encode_varint(length, &mut tensor);
        let mut start = Vec::new();
        encode_key(INITIALIZER, WireType::LengthDelimited, &mut start);
        encode_varint(tensor.len() as u64 + length, &mut start);
        start.append(&mut tensor);
        (start, length)
    }
}

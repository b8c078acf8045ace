//! Tensors that are written into a model.

use std::borrow::Cow;
use std::io::{self, Write};

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::proto::{self, INITIALIZER, RAW_DATA};

/// Numbers that become bytes at a time.
const BLOCK: usize = 1 << 14;

/// One tensor: its numbers are borrowed, and become bytes while they are written.
pub(super) struct Initializer<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub numbers: Numbers<'a>,
}

/// The numbers of a tensor and the type that they are written in.
pub(super) enum Numbers<'a> {
    F32(Cow<'a, [f32]>),
    F16(Cow<'a, [f32]>),
    I64(Vec<i64>),
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
        match &self.numbers {
            Numbers::F32(values) => {
                blocks(values, out, |values, bytes| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())))
            }
            Numbers::F16(values) => blocks(values, out, |values, bytes| {
                let mut halves = [f16::ZERO; BLOCK];
                halves[..values.len()].convert_from_f32_slice(values);
                bytes.extend(halves[..values.len()].iter().flat_map(|v| v.to_le_bytes()));
            }),
            Numbers::I64(values) => {
                blocks(values, out, |values, bytes| bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())))
            }
        }
    }

    /// What comes before the numbers, and how many bytes these take.
    fn start(&self) -> (Vec<u8>, u64) {
        let (data_type, size, count) = match &self.numbers {
            Numbers::F32(values) => (proto::FLOAT, 4, values.len()),
            Numbers::F16(values) => (proto::FLOAT16, 2, values.len()),
            Numbers::I64(values) => (proto::INT64, 8, values.len()),
        };
        let dims = self.shape.iter().map(|&size| size as i64).collect();
        let mut tensor = proto::Tensor { dims, data_type, name: self.name.clone() }.encode_to_vec();
        let length = (size * count) as u64;
        encode_key(RAW_DATA, WireType::LengthDelimited, &mut tensor);
        encode_varint(length, &mut tensor);
        let mut start = Vec::with_capacity(tensor.len() + encoded_len_varint(u64::MAX) + 1);
        encode_key(INITIALIZER, WireType::LengthDelimited, &mut start);
        encode_varint(tensor.len() as u64 + length, &mut start);
        start.append(&mut tensor);
        (start, length)
    }
}

/// Writes numbers block by block.
fn blocks<T>(values: &[T], out: &mut dyn Write, encode: impl Fn(&[T], &mut Vec<u8>)) -> io::Result<()> {
    let mut bytes = Vec::new();
    for block in values.chunks(BLOCK) {
        bytes.clear();
        encode(block, &mut bytes);
        out.write_all(&bytes)?;
    }
    Ok(())
}

//! The types and shapes of datasets and attributes.

use std::io;

use super::fields::{Fields, damaged};
use super::file::File;
use crate::weights::entry::Dtype;

/// What one element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datatype {
    pub kind: Kind,
    /// Bytes of one element.
    pub size: usize,
    pub big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number(Dtype),
    /// Bytes without a meaning. Keras writes bfloat16 like this.
    Opaque,
    /// A text of a fixed length.
    Text,
    /// A text in the global heap.
    TextInHeap,
}

impl Datatype {
    pub fn parse(mut fields: Fields) -> io::Result<Self> {
        let class = fields.u8()? & 15;
        let (bits, size) = (fields.uint(3)?, fields.u32()? as usize);
        if size == 0 {
            return Err(damaged("its elements have no bytes: the HDF5 file is damaged"));
        }
        let other = |name| Kind::Number(Dtype::Other(name));
        let kind = match class {
            0 => other(integer(size, bits & 1 << 3 != 0)),
            1 => Kind::Number(float(&mut fields, bits, size)?),
            2 => other("TIME"),
            3 => Kind::Text,
            4 => other("BITS"),
            5 => Kind::Opaque,
            6 => other("COMPOUND"),
            7 => other("REFERENCE"),
            8 => other("ENUM"),
            9 if bits & 15 == 1 => Kind::TextInHeap,
            9 => other("SEQUENCE"),
            10 => other("ARRAY"),
            11 => other("COMPLEX"),
            _ => return Err(damaged(format!("its elements have the unknown class {class}"))),
        };
        Ok(Datatype { kind, size, big_endian: class == 1 && bits & 1 != 0 })
    }
}

fn integer(size: usize, signed: bool) -> &'static str {
    match (size, signed) {
        (1, true) => "I8",
        (1, false) => "U8",
        (2, true) => "I16",
        (2, false) => "U16",
        (4, true) => "I32",
        (4, false) => "U32",
        (8, true) => "I64",
        (8, false) => "U64",
        _ => "an unusual whole number",
    }
}

/// Which float this is, by the places of its parts: the exponent, the fraction and the sign.
fn float(fields: &mut Fields, bits: u64, size: usize) -> io::Result<Dtype> {
    let (offset, precision) = (fields.u16()?, usize::from(fields.u16()?));
    let (exponent, exponent_size, fraction, fraction_size) = (fields.u8()?, fields.u8()?, fields.u8()?, fields.u8()?);
    let (bias, sign) = (fields.u32()?, bits >> 8 & 255);
    // Bits 4 and 5: the leading one of the fraction is not stored. Bit 6 is set in the byte order of the VAX.
    let usual = offset == 0 && precision == 8 * size && fraction == 0 && bits >> 4 & 7 == 2;
    let parts = (size, sign, exponent, exponent_size, fraction_size, bias);
    Ok(match parts {
        (8, 63, 52, 11, 52, 1023) if usual => Dtype::F64,
        (4, 31, 23, 8, 23, 127) if usual => Dtype::F32,
        (2, 15, 10, 5, 10, 15) if usual => Dtype::F16,
        (2, 15, 7, 8, 7, 127) if usual => Dtype::BF16,
        _ => Dtype::Other("an unusual float"),
    })
}

/// The dimensions of a dataset or an attribute, and none at all where it is empty by its kind.
pub(super) fn dimensions(file: &File, dataspace: &[u8]) -> io::Result<Option<Vec<u64>>> {
    let mut fields = file.fields(dataspace);
    let version = fields.version("dataspace", &[1, 2])?;
    let rank = fields.u8()?;
    fields.skip(1)?;
    let null = fields.u8()? == 2 && version == 2;
    fields.skip(if version == 1 { 4 } else { 0 })?;
    let shape = (0..rank).map(|_| fields.length()).collect::<io::Result<_>>()?;
    Ok((!null).then_some(shape))
}

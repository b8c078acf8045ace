//! How a dataset's bytes lie in the file.

use std::io;

use super::chunks::Chunked;
use super::datatype::Datatype;
use super::fields::{Fields, damaged};
use super::file::File;
use super::filters;
use super::header::{Header, kind};
use super::index::Index;
use crate::weights::entry::{Held, Plain, Storage};

/// Finds a dataset's bytes, which are read later.
pub(super) fn storage(
    file: &File,
    header: &Header,
    shape: &[usize],
    datatype: Datatype,
) -> io::Result<Box<dyn Storage>> {
    let message = header.find(kind::LAYOUT)?.ok_or_else(|| damaged("its place in the file is missing"))?;
    let length = shape.iter().try_fold(datatype.size as u64, |length, &size| length.checked_mul(size as u64));
    let length = length.ok_or_else(|| damaged(format!("its shape {shape:?} is out of any range")))?;
    let mut fields = file.fields(message);
    let version = fields.version("data layout", &[3, 4, 5])?;
    match fields.u8()? {
        0 => compact(fields, length),
        1 => contiguous(file, fields, length),
        2 => {
            let (chunk, index) = if version > 3 { indexed(&mut fields)? } else { tree(&mut fields)? };
            let filters =
                header.find(kind::FILTERS)?.map_or(Ok(Vec::new()), |message| filters::parse(file.fields(message)))?;
            Ok(Box::new(Chunked::new(file.frame, shape, datatype.size, chunk, index, filters)?))
        }
        3 => Err(damaged("it is a view of other datasets, which cannot be read")),
        class => Err(damaged(format!("its layout has the unknown class {class}"))),
    }
}

/// In the header itself.
fn compact(mut fields: Fields, length: u64) -> io::Result<Box<dyn Storage>> {
    let held = fields.u16()?.into();
    let bytes = fields.bytes(held)?;
    if bytes.len() as u64 != length {
        return Err(damaged(format!("it has {held} bytes, but its shape needs {length}")));
    }
    Ok(Box::new(Held(bytes.to_vec())))
}

/// In one piece.
fn contiguous(file: &File, mut fields: Fields, length: u64) -> io::Result<Box<dyn Storage>> {
    let (address, held) = (fields.address()?, fields.length()?);
    if held != length {
        return Err(damaged(format!("it has {held} bytes, but its shape needs {length}")));
    }
    let place = match address {
        Some(address) => Plain { offset: file.frame.base.saturating_add(address), length },
        None if length == 0 => Plain { offset: 0, length },
        None => return Err(damaged("its numbers were never written")),
    };
    Ok(Box::new(place))
}

/// In chunks that a B-tree of version 1 lists.
fn tree(fields: &mut Fields) -> io::Result<(Vec<u64>, Index)> {
    let rank = fields.u8()?;
    let index = Index::Tree(fields.address()?);
    Ok(((0..rank).map(|_| fields.uint(4)).collect::<io::Result<_>>()?, index))
}

/// In chunks that one of the newer indices lists.
fn indexed(fields: &mut Fields) -> io::Result<(Vec<u64>, Index)> {
    let (flags, rank, width) = (fields.u8()?, fields.u8()?, usize::from(fields.u8()?));
    if flags & 1 != 0 {
        return Err(damaged("its chunks at the edge are packed in another way than the rest, which cannot be read"));
    }
    let chunk = (0..rank).map(|_| fields.uint(width)).collect::<io::Result<_>>()?;
    let index = match fields.u8()? {
        1 => {
            let packed = if flags & 2 != 0 { Some((fields.length()?, fields.u32()?)) } else { None };
            Index::Single { packed, address: fields.address()? }
        }
        2 => Index::Implicit(fields.address()?),
        3 => {
            fields.skip(1)?;
            Index::FixedArray(fields.address()?)
        }
        4 => {
            return Err(damaged(
                "it can grow, and its chunks are listed by an extensible array, which cannot be read: \
                 write it with a fixed shape",
            ));
        }
        5 => {
            fields.skip(6)?;
            Index::Records(fields.address()?)
        }
        kind => return Err(damaged(format!("its chunks are listed in the unknown way {kind}"))),
    };
    Ok((chunk, index))
}

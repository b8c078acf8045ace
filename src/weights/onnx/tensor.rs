//! One tensor of an ONNX file: its name, type and shape, and where its numbers are.

use std::io::{self, BufReader, Read};

use super::halves::Halves;
use crate::error::Result;
use crate::proto::{self, DOUBLE_DATA, FLOAT_DATA, INT32_DATA, Place, RAW_DATA, Tensor};
use crate::weights::entry::{Dtype, Entry, Held, Plain, Storage};
use crate::weights::source::Source;

/// More dimensions than a tensor of any network has.
const MOST_DIMENSIONS: usize = 16;

/// Numbers of two bytes that are packed as whole numbers.
#[derive(Debug)]
struct PackedHalves(Plain);

impl Storage for PackedHalves {
    fn open<'s>(&'s self, source: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>> {
        let packed = BufReader::new(source.section(self.0.offset, self.0.length));
        Ok(Box::new(Halves { packed, second: None }))
    }
}

/// A tensor of an outline under this name.
pub(super) fn entry(source: &Source, tensor: &Tensor, name: &str) -> Result<Entry> {
    let refuse = |reason: String| source.refuse_tensor(name, reason);
    // A segment of a larger tensor, a file's name, a place outside of this file.
    if tensor.segment.is_some() || !tensor.external_data.is_empty() || tensor.data_location != 0 {
        let reason = "its numbers are in another file: save the model with all of its data in one file";
        return Err(refuse(reason.to_owned()));
    }
    if tensor.dims.len() > MOST_DIMENSIONS {
        return Err(refuse(format!("it has more than {MOST_DIMENSIONS} dimensions")));
    }
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    let length = shape.as_ref().and_then(|s| s.iter().try_fold(1u64, |n, &size| n.checked_mul(size as u64)));
    let (Some(shape), Some(length)) = (shape, length) else {
        return Err(refuse(format!("its shape {:?} is out of any range", tensor.dims)));
    };
    let dtype = dtype(tensor.data_type);
    let storage = storage(source, tensor, name, dtype, length)?;
    Ok(Entry { name: name.to_owned(), dtype, shape, big_endian: false, storage })
}

/// Where the numbers are, of which there must be as many as the shape says.
fn storage(source: &Source, tensor: &Tensor, name: &str, dtype: Dtype, length: u64) -> Result<Box<dyn Storage>> {
    let refuse = |reason: String| Err(source.refuse_tensor(name, reason));
    let (raw, packed) = (place(source, tensor, name, RAW_DATA)?, list(dtype));
    let packed = place(source, tensor, name, packed)?;
    let Some(size) = dtype.size() else { return Ok(Box::new(Held(Vec::new()))) };
    let Some(bytes) = length.checked_mul(size as u64) else {
        return refuse(format!("its shape {:?} is out of any range", tensor.dims));
    };
    let (storage, found): (Box<dyn Storage>, u64) = match (raw, packed) {
        (Some(_), Some(_)) => return refuse("its numbers are there twice, raw and as a list".to_owned()),
        (None, Some(list)) if size == 2 => {
            let storage = PackedHalves(list);
            let counted = storage.open(source).and_then(|mut reader| io::copy(&mut reader, &mut io::sink()));
            let found = counted.map_err(|e| source.refuse_tensor(name, e.to_string()))?;
            (Box::new(storage), found)
        }
        (Some(place), None) | (None, Some(place)) => (Box::new(place), place.length),
        (None, None) => (Box::new(Held(Vec::new())), 0),
    };
    if found != bytes {
        let shape = &tensor.dims;
        return refuse(format!("{found} bytes of numbers are there, but its shape {shape:?} in {dtype} needs {bytes}"));
    }
    Ok(storage)
}

/// The list that holds the numbers of a type where they are not raw.
fn list(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F32 => FLOAT_DATA,
        Dtype::F64 => DOUBLE_DATA,
        _ => INT32_DATA,
    }
}

/// Where a field of a tensor is in the file. The format asks for packed lists, and nobody writes one in pieces.
fn place(source: &Source, tensor: &Tensor, name: &str, field: u32) -> Result<Option<Plain>> {
    let mut places = Place::all(tensor).filter(|place| place.field == field);
    let first = places.next().map(|Place { offset, length, .. }| Plain { offset, length });
    match places.next() {
        Some(_) => Err(source.refuse_tensor(name, format!("it has its numbers (field {field}) twice"))),
        None => Ok(first),
    }
}

/// Types by their numbers in `TensorProto.DataType`.
fn dtype(number: i32) -> Dtype {
    match number {
        proto::FLOAT => Dtype::F32,
        proto::UINT8 => Dtype::Other("U8"),
        // Its scales are in the graph, not beside it.
        proto::INT8 => Dtype::Other("I8 without scales"),
        proto::UINT16 => Dtype::Other("U16"),
        proto::INT16 => Dtype::Other("I16"),
        proto::INT32 => Dtype::Other("I32"),
        proto::INT64 => Dtype::Other("I64"),
        8 => Dtype::Other("of texts"),
        proto::BOOL => Dtype::Other("BOOL"),
        proto::FLOAT16 => Dtype::F16,
        proto::DOUBLE => Dtype::F64,
        proto::UINT32 => Dtype::Other("U32"),
        proto::UINT64 => Dtype::Other("U64"),
        14 => Dtype::Other("C64"),
        15 => Dtype::Other("C128"),
        proto::BFLOAT16 => Dtype::BF16,
        _ => Dtype::Other("of another kind"),
    }
}

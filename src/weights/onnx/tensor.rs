//! One tensor of an ONNX file: its name, type and shape, and where its numbers are.

use std::io::{self, BufReader, Read};

use super::read::Reader;
use super::wire::{Fields, Halves};
use crate::error::Result;
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

/// The fields of `TensorProto` that matter.
#[derive(Default)]
struct Parts {
    shape: Vec<u64>,
    data_type: u64,
    name: String,
    raw: Option<Plain>,
    float_data: Option<Plain>,
    int32_data: Option<Plain>,
    double_data: Option<Plain>,
    is_elsewhere: bool,
}

impl Reader<'_, '_> {
    /// The tensor that lies here. One of a `Constant` has the name of the node's output.
    pub fn tensor(&mut self, place: Plain, name: Option<&str>) -> Result<Entry> {
        let mut parts = self.parts(place)?;
        if let Some(name) = name {
            name.clone_into(&mut parts.name);
        }
        let refuse = |reason: String| self.source.refuse_tensor(&parts.name, reason);
        if parts.is_elsewhere {
            let reason = "its numbers are in another file: save the model with all of its data in one file";
            return Err(refuse(reason.to_owned()));
        }
        let shape: Option<Vec<usize>> =
            parts.shape.iter().map(|&size| usize::try_from(size.cast_signed()).ok()).collect();
        let length = shape.as_ref().and_then(|s| s.iter().try_fold(1u64, |n, &size| n.checked_mul(size as u64)));
        let (Some(shape), Some(length)) = (shape, length) else {
            let sizes: Vec<i64> = parts.shape.iter().map(|size| size.cast_signed()).collect();
            return Err(refuse(format!("its shape {sizes:?} is out of any range")));
        };
        let dtype = dtype(parts.data_type);
        let storage = self.storage(&parts, dtype, length)?;
        Ok(Entry { name: parts.name, dtype, shape, big_endian: false, storage })
    }

    fn parts(&mut self, place: Plain) -> Result<Parts> {
        let source = self.source;
        let (mut parts, mut fields) = (Parts::default(), Fields::of(source, place));
        while let Some(field) = fields.next()? {
            let target = match field.number {
                1 => {
                    self.integers(&field, &mut parts.shape)?;
                    if parts.shape.len() > MOST_DIMENSIONS {
                        return Err(source.refuse(format!("a tensor of more than {MOST_DIMENSIONS} dimensions")));
                    }
                    continue;
                }
                2 => {
                    parts.data_type = field.number(source)?;
                    continue;
                }
                8 => {
                    parts.name = self.text(field.place(source)?)?;
                    continue;
                }
                // A segment of a larger tensor, a file's name, a place outside of this file.
                3 | 13 => {
                    parts.is_elsewhere = true;
                    continue;
                }
                14 => {
                    parts.is_elsewhere |= field.number(source)? != 0;
                    continue;
                }
                4 => &mut parts.float_data,
                5 => &mut parts.int32_data,
                9 => &mut parts.raw,
                10 => &mut parts.double_data,
                _ => continue,
            };
            // The format asks for packed lists, and nobody writes one in pieces.
            if target.replace(field.place(source)?).is_some() {
                return Err(source.refuse(format!("a tensor has its numbers (field {}) twice", field.number)));
            }
        }
        Ok(parts)
    }

    /// Where the numbers are, of which there must be as many as the shape says.
    fn storage(&self, parts: &Parts, dtype: Dtype, length: u64) -> Result<Box<dyn Storage>> {
        let refuse = |reason: String| Err(self.source.refuse_tensor(&parts.name, reason));
        let Some(size) = dtype.size() else { return Ok(Box::new(Held(Vec::new()))) };
        let Some(bytes) = length.checked_mul(size as u64) else {
            return refuse(format!("its shape {:?} is out of any range", parts.shape));
        };
        let packed = match dtype {
            Dtype::F32 => parts.float_data,
            Dtype::F64 => parts.double_data,
            _ => parts.int32_data,
        };
        let (storage, found): (Box<dyn Storage>, u64) = match (parts.raw, packed) {
            (Some(_), Some(_)) => return refuse("its numbers are there twice, raw and as a list".to_owned()),
            (None, Some(list)) if size == 2 => {
                let storage = PackedHalves(list);
                let counted = storage.open(self.source).and_then(|mut reader| io::copy(&mut reader, &mut io::sink()));
                let found = counted.map_err(|e| self.source.refuse_tensor(&parts.name, e.to_string()))?;
                (Box::new(storage), found)
            }
            (Some(place), None) | (None, Some(place)) => (Box::new(place), place.length),
            (None, None) => (Box::new(Held(Vec::new())), 0),
        };
        if found != bytes {
            let shape = &parts.shape;
            return refuse(format!(
                "{found} bytes of numbers are there, but its shape {shape:?} in {dtype} needs {bytes}"
            ));
        }
        Ok(storage)
    }
}

/// Types by their numbers in `TensorProto.DataType`.
fn dtype(number: u64) -> Dtype {
    match number {
        1 => Dtype::F32,
        2 => Dtype::Other("U8"),
        // Its scales are in the graph, not beside it.
        3 => Dtype::Other("I8 without scales"),
        4 => Dtype::Other("U16"),
        5 => Dtype::Other("I16"),
        6 => Dtype::Other("I32"),
        7 => Dtype::Other("I64"),
        8 => Dtype::Other("of texts"),
        9 => Dtype::Other("BOOL"),
        10 => Dtype::F16,
        11 => Dtype::F64,
        12 => Dtype::Other("U32"),
        13 => Dtype::Other("U64"),
        14 => Dtype::Other("C64"),
        15 => Dtype::Other("C128"),
        16 => Dtype::BF16,
        _ => Dtype::Other("of another kind"),
    }
}

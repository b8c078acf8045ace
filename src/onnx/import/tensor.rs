//! From the tensors of a file to constants: numbers of any type, in the model or in a file beside it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};
use std::sync::Arc;

use half::{bf16, f16};

use super::constant::{Constant, Numbers, elements};
use crate::onnx::proto::{self, Tensor};

/// More dimensions than a tensor of any network has.
const MOST_DIMENSIONS: usize = 16;

/// A tensor of a model, whose numbers it takes out of the message. `folder` is where the model lies. The error says what is
/// wrong with the tensor.
pub(in crate::onnx) fn constant(tensor: &mut Tensor, folder: &Path) -> Result<Constant, String> {
    let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect();
    let known = shape.filter(|shape| shape.len() <= MOST_DIMENSIONS);
    let Some((shape, count)) = known.and_then(|shape| elements(&shape).map(|count| (shape, count))) else {
        return Err(format!("its shape {:?} is out of any range", tensor.dims));
    };
    let bytes = match tensor.data_location {
        proto::EXTERNAL => Some(external(tensor, folder, count)?),
        _ => tensor.raw_data.take(),
    };
    let numbers = match bytes {
        Some(bytes) => from_bytes(tensor.data_type, &bytes)?,
        None => from_fields(tensor)?,
    };
    let constant = Constant { shape, numbers, origin: None };
    if constant.len() != count {
        return Err(format!("it has {} numbers where its shape {:?} takes {count}", constant.len(), constant.shape));
    }
    Ok(constant)
}

/// How many bytes a number of this type takes.
fn width(data_type: i32) -> Result<usize, String> {
    Ok(match data_type {
        proto::BOOL | proto::UINT8 | proto::INT8 => 1,
        proto::FLOAT16 | proto::BFLOAT16 | proto::UINT16 | proto::INT16 => 2,
        proto::FLOAT | proto::UINT32 | proto::INT32 => 4,
        proto::DOUBLE | proto::UINT64 | proto::INT64 => 8,
        other => return Err(format!("numbers of the type {other} are not read")),
    })
}

fn from_bytes(data_type: i32, bytes: &[u8]) -> Result<Numbers, String> {
    /// Numbers of so many bytes each.
    fn read<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Arc<Vec<T>> {
        Arc::new(bytes.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect())
    }
    let width = width(data_type)?;
    if !bytes.len().is_multiple_of(width) {
        return Err(format!("its {} bytes are no whole number of numbers", bytes.len()));
    }
    Ok(match data_type {
        proto::FLOAT => Numbers::Float(read(bytes, f32::from_le_bytes)),
        proto::FLOAT16 => Numbers::Float(read(bytes, |bytes| f16::from_le_bytes(bytes).to_f32())),
        proto::BFLOAT16 => Numbers::Float(read(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32())),
        proto::DOUBLE => Numbers::Float(read(bytes, |bytes| f64::from_le_bytes(bytes) as f32)),
        proto::BOOL => Numbers::Bool(read(bytes, |[byte]| byte != 0)),
        proto::UINT8 => Numbers::Integer(read(bytes, |[byte]| i64::from(byte))),
        proto::INT8 => Numbers::Integer(read(bytes, |bytes| i64::from(i8::from_le_bytes(bytes)))),
        proto::UINT16 => Numbers::Integer(read(bytes, |bytes| i64::from(u16::from_le_bytes(bytes)))),
        proto::INT16 => Numbers::Integer(read(bytes, |bytes| i64::from(i16::from_le_bytes(bytes)))),
        proto::UINT32 => Numbers::Integer(read(bytes, |bytes| i64::from(u32::from_le_bytes(bytes)))),
        proto::INT32 => Numbers::Integer(read(bytes, |bytes| i64::from(i32::from_le_bytes(bytes)))),
        // More than i64 holds means as much as its largest number: the end of a dimension.
        proto::UINT64 => Numbers::Integer(read(bytes, |bytes| u64::from_le_bytes(bytes).min(i64::MAX as u64) as i64)),
        _ => Numbers::Integer(read(bytes, i64::from_le_bytes)),
    })
}

/// Numbers that are in the message as a list.
fn from_fields(tensor: &mut Tensor) -> Result<Numbers, String> {
    width(tensor.data_type)?;
    let small = std::mem::take(&mut tensor.int32_data);
    let bits = |value: i32| value as u16;
    Ok(match tensor.data_type {
        proto::FLOAT => Numbers::Float(Arc::new(std::mem::take(&mut tensor.float_data))),
        proto::DOUBLE => {
            Numbers::Float(Arc::new(std::mem::take(&mut tensor.double_data).into_iter().map(|v| v as f32).collect()))
        }
        proto::FLOAT16 => {
            Numbers::Float(Arc::new(small.into_iter().map(|v| f16::from_bits(bits(v)).to_f32()).collect()))
        }
        proto::BFLOAT16 => {
            Numbers::Float(Arc::new(small.into_iter().map(|v| bf16::from_bits(bits(v)).to_f32()).collect()))
        }
        proto::BOOL => Numbers::Bool(Arc::new(small.into_iter().map(|v| v != 0).collect())),
        proto::INT64 => Numbers::Integer(Arc::new(std::mem::take(&mut tensor.int64_data))),
        proto::UINT32 | proto::UINT64 => {
            let values = std::mem::take(&mut tensor.uint64_data).into_iter();
            Numbers::Integer(Arc::new(values.map(|v| v.min(i64::MAX as u64) as i64).collect()))
        }
        _ => Numbers::Integer(Arc::new(small.into_iter().map(i64::from).collect())),
    })
}

/// The bytes of a tensor that are in another file of the model's folder.
fn external(tensor: &Tensor, folder: &Path, count: usize) -> Result<Vec<u8>, String> {
    let find = |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let Some(location) = find("location") else {
        return Err("its numbers are in another file, which is not named".to_owned());
    };
    let is_inside = !location.is_empty()
        && Path::new(location).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !is_inside {
        return Err(format!("its numbers are in {location:?}, which is not a file within the model's folder"));
    }
    let number = |key: &str| match find(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| format!("{key} {text:?} is not a number of bytes")),
    };
    let (offset, announced) = (number("offset")?.unwrap_or(0), number("length")?);
    let needed = count.checked_mul(width(tensor.data_type)?).ok_or("it is larger than any memory")?;
    if announced.is_some_and(|length| length != needed as u64) {
        return Err(format!("{announced:?} bytes are announced where its shape takes {needed}"));
    }
    let failed = |error: std::io::Error| format!("{location}: {error}");
    let path = folder.join(location);
    // A link could lead out of the folder.
    let (inside, folder) = (path.canonicalize().map_err(failed)?, folder.canonicalize().map_err(failed)?);
    if !inside.starts_with(&folder) || !inside.is_file() {
        return Err(format!("its numbers are in {location:?}, which is not a file within the model's folder"));
    }
    let mut file = File::open(&inside).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if offset.checked_add(needed as u64).is_none_or(|end| end > length) {
        return Err(format!("{needed} bytes from byte {offset} of {location} on are announced, which has {length}"));
    }
    let mut bytes = vec![0; needed];
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

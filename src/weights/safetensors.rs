//! The safetensors format: a JSON header of names, types, shapes and offsets, and then the raw little-endian numbers.
//! Specification: <https://github.com/huggingface/safetensors#format>.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use ::safetensors::tensor::{Dtype, Metadata, TensorInfo};
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use half::{bf16, f16};
use rayon::prelude::*;

use super::WeightFile;
use super::checksums::sha256;
use super::file::read_whole;
use crate::error::{Error, Result};
use crate::file::write_atomically;
use crate::tensor::{Parameters, Tensor};

/// The header's length stands in the first eight bytes.
const LENGTH_BYTES: usize = 8;

/// The type of the numbers in a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes: the values as they are.
    F32,
    /// Two bytes: values rounded to 11 significant bits, up to 65504.
    F16,
}

/// Reads a file. Tensors of the types F32, F16 and BF16 become f32, exactly.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; otherwise as [`from_bytes`].
pub fn read(path: &Path) -> Result<WeightFile> {
    from_bytes(path, &read_whole(path)?)
}

/// Reads the bytes of a file; `path` is only for messages.
///
/// # Errors
/// [`Error::Weights`] if this is not safetensors or not all of it, if a tensor has another type than F32, F16 or BF16,
/// or holds a NaN or an infinity.
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<WeightFile> {
    from_bytes_with_sum(path, bytes, sha256(bytes))
}

/// [`from_bytes`] for who has the file's SHA-256 already.
pub(super) fn from_bytes_with_sum(path: &Path, bytes: &[u8], sha256: String) -> Result<WeightFile> {
    let (header, data) = split(bytes).map_err(|reason| Error::weights(path, None, reason))?;
    let tensors: BTreeMap<String, &TensorInfo> = header.tensors().into_iter().collect();
    // All results first, and then the first error in order of names: the same message at every run.
    let decoded: Vec<Result<(String, Tensor)>> = (tensors.into_par_iter())
        .map(|(name, info)| {
            let tensor = decode(info, data).map_err(|reason| Error::weights(path, Some(&name), reason))?;
            Ok((name, tensor))
        })
        .collect();
    Ok(WeightFile {
        path: path.to_path_buf(),
        parameters: decoded.into_iter().collect::<Result<_>>()?,
        metadata: header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
        sha256,
    })
}

/// The header, with offsets that are known to lie within the data, and the data.
fn split(bytes: &[u8]) -> std::result::Result<(Metadata, &[u8]), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let (length, rest) = bytes
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or_else(|| format!("not a safetensors file, or cut short: it has only {} bytes", bytes.len()))?;
    let length = u64::from_le_bytes(*length);
    let (header, data) = usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or_else(|| {
        let held = rest.len();
        format!("not a safetensors file, or cut short: a header of {length} bytes is announced, {held} bytes follow")
    })?;
    // The crate checks that the tensors lie one behind the other without gaps and that each has its shape's size.
    let header: Metadata =
        serde_json::from_slice(header).map_err(|e| format!("not a safetensors file, its header is invalid: {e}"))?;
    let announced = header.data_len();
    if announced != data.len() {
        let verdict = if data.len() < announced { "cut short" } else { "longer than it should be" };
        return Err(format!(
            "the file is {verdict}: {announced} bytes of numbers are announced, {} follow",
            data.len()
        ));
    }
    Ok((header, data))
}

/// One tensor's numbers as f32.
fn decode(info: &TensorInfo, data: &[u8]) -> std::result::Result<Tensor, String> {
    let (start, end) = info.data_offsets;
    let bytes = data.get(start..end).ok_or_else(|| format!("its bytes {start}..{end} lie outside of the file"))?;
    let mut values = Vec::new();
    let finite = match info.dtype {
        Dtype::F32 => extend::<4>(&mut values, bytes, |bytes, block| {
            bytes.as_chunks().0.iter().zip(block).for_each(|(bytes, value)| *value = f32::from_le_bytes(*bytes));
        }),
        Dtype::F16 => extend::<2>(&mut values, bytes, |bytes, block| {
            half_bits(bytes)[..block.len()].reinterpret_cast::<f16>().convert_to_f32_slice(block);
        }),
        Dtype::BF16 => extend::<2>(&mut values, bytes, |bytes, block| {
            half_bits(bytes)[..block.len()].reinterpret_cast::<bf16>().convert_to_f32_slice(block);
        }),
        other => return Err(format!("its type is {other}, but only F32, F16 and BF16 can be read")),
    };
    if !finite && let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(not_finite(values[at], at, &info.shape));
    }
    Tensor::new(info.shape.clone(), values).map_err(|e| e.to_string())
}

/// Numbers that are decoded at a time: they and their bytes stay in the nearest cache.
const BLOCK: usize = 2048;

/// Decodes a tensor's bytes block by block; whether all values are finite.
fn extend<const N: usize>(values: &mut Vec<f32>, bytes: &[u8], decode: impl Fn(&[u8], &mut [f32])) -> bool {
    values.reserve_exact(bytes.len() / N);
    let (mut block, mut finite) = ([0.0; BLOCK], true);
    for bytes in bytes.chunks(BLOCK * N) {
        let block = &mut block[..bytes.len() / N];
        decode(bytes, block);
        finite &= block.iter().fold(true, |finite, value| finite & value.is_finite());
        values.extend_from_slice(block);
    }
    finite
}

/// Little-endian units of two bytes.
fn half_bits(bytes: &[u8]) -> [u16; BLOCK] {
    let mut bits = [0; BLOCK];
    bits.iter_mut().zip(bytes.as_chunks().0).for_each(|(bits, bytes)| *bits = u16::from_le_bytes(*bytes));
    bits
}

/// Writes a file with these tensors and this metadata, in order of names: the same contents give the same bytes. The
/// file appears complete or not at all; an older one of that name is replaced.
///
/// # Errors
/// [`Error::Weights`] if a value is a NaN or an infinity, or becomes one in f16, or if a tensor has the name
/// `__metadata__`, which the format keeps for itself. [`Error::Io`] if the file cannot be written.
pub fn write(
    path: &Path,
    parameters: &Parameters,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<()> {
    let header = encode_header(path, parameters, metadata, precision)?;
    write_atomically(path, |out| {
        let failed = |e| Error::io(path, e);
        out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        out.write_all(&header).map_err(failed)?;
        for (name, tensor) in parameters {
            let bytes = encode(tensor, precision).map_err(|reason| Error::weights(path, Some(name), reason))?;
            out.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    })
}

/// The header's JSON, padded with spaces so that the numbers start at a multiple of eight bytes. The crate's own
/// writer takes the metadata as a hash map, whose order changes from run to run and with it the file's checksum.
fn encode_header(
    path: &Path,
    parameters: &Parameters,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Header<'a> {
        #[serde(rename = "__metadata__")]
        metadata: &'a BTreeMap<String, String>,
        #[serde(flatten)]
        tensors: BTreeMap<&'a str, TensorInfo>,
    }
    if parameters.contains_key("__metadata__") {
        return Err(Error::weights(path, Some("__metadata__"), "safetensors does not allow this name for a tensor"));
    }
    let (dtype, size) = match precision {
        Precision::F32 => (Dtype::F32, size_of::<f32>()),
        Precision::F16 => (Dtype::F16, size_of::<f16>()),
    };
    let mut end = 0;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in parameters {
        let start = end;
        end += size * tensor.len();
        let info = TensorInfo { dtype, shape: tensor.shape().to_vec(), data_offsets: (start, end) };
        tensors.insert(name.as_str(), info);
    }
    let mut header =
        serde_json::to_vec(&Header { metadata, tensors }).map_err(|e| Error::weights(path, None, e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// One tensor's numbers as bytes.
fn encode(tensor: &Tensor, precision: Precision) -> std::result::Result<Vec<u8>, String> {
    let values = tensor.data();
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(not_finite(values[at], at, tensor.shape()));
    }
    match precision {
        Precision::F32 => Ok(values.iter().flat_map(|v| v.to_le_bytes()).collect()),
        Precision::F16 => {
            let mut halves = vec![f16::ZERO; values.len()];
            halves.convert_from_f32_slice(values);
            if let Some(at) = halves.iter().position(|v| !v.is_finite()) {
                let place = index(at, tensor.shape());
                return Err(format!("{} at index {place:?} is too large for f16 (at most {})", values[at], f16::MAX));
            }
            Ok(halves.iter().flat_map(|v| v.to_le_bytes()).collect())
        }
    }
}

/// What is said of a value that no network can use.
fn not_finite(value: f32, at: usize, shape: &[usize]) -> String {
    let kind = if value.is_nan() { "a NaN" } else { "an infinity" };
    format!("{kind} at index {:?}: the file is damaged or the training diverged", index(at, shape))
}

/// The index along each dimension of the value at a place in row order.
fn index(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut index: Vec<usize> = (shape.iter().rev())
        .map(|&size| {
            let i = rest % size;
            rest /= size;
            i
        })
        .collect();
    index.reverse();
    index
}

//! From a file to tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ::safetensors::tensor::{Dtype, Metadata, TensorInfo};
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use half::{bf16, f16};

use super::{channels, not_finite};
use crate::error::{Error, Result};
use crate::parallel::*;
use crate::tensor::Tensor;
use crate::weights::WeightFile;
#[cfg(feature = "files")]
use crate::weights::file::read_whole;
use crate::weights::sha256::sha256;

/// The header's length stands in the first eight bytes.
const LENGTH_BYTES: usize = 8;

/// Reads a file. Tensors of the types F32, F16 and BF16 become f32, exactly; those of the type I8 are multiplied by their
/// scales, which are then left out.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; otherwise as [`from_bytes`].
#[cfg(feature = "files")]
pub fn read(path: &Path) -> Result<WeightFile> {
    from_bytes(path, &read_whole(path)?)
}

/// Reads the bytes of a file; `path` is only for messages.
///
/// # Errors
/// [`Error::Weights`] if this is not safetensors or not all of it, if a tensor has another type than F32, F16, BF16 or
/// I8, or holds a NaN or an infinity, or if one of the type I8 has no scales that fit to it.
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<WeightFile> {
    from_bytes_with_sum(path, bytes, sha256(bytes))
}

/// [`from_bytes`] for who has the file's SHA-256 already.
pub(in crate::weights) fn from_bytes_with_sum(path: &Path, bytes: &[u8], sha256: String) -> Result<WeightFile> {
    let (header, data) = split(bytes).map_err(|reason| Error::weights(path, None, reason))?;
    let tensors: BTreeMap<String, &TensorInfo> = header.tensors().into_iter().collect();
    let scales: BTreeSet<String> = (tensors.iter().filter(|(_, info)| info.dtype == Dtype::I8))
        .map(|(name, _)| channels::scale_name(name))
        .collect();
    // All results first, and then the first error in order of names: the same message at every run.
    let decoded: Vec<Result<(String, Tensor)>> = (tensors.par_iter().filter(|(name, _)| !scales.contains(*name)))
        .map(|(name, info)| {
            let tensor = match info.dtype {
                Dtype::I8 => decode_i8(name, info, &tensors, data),
                _ => decode(info, data),
            };
            Ok((name.clone(), tensor.map_err(|reason| Error::weights(path, Some(name), reason))?))
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
    let bytes = bytes(info, data)?;
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
        other => return Err(format!("its type is {other}, but only F32, F16, BF16 and I8 can be read")),
    };
    if !finite && let Some(at) = values.iter().position(|v| !v.is_finite()) {
        return Err(not_finite(values[at], at, &info.shape));
    }
    Tensor::new(info.shape.clone(), values).map_err(|e| e.to_string())
}

/// One tensor's bytes.
fn bytes<'a>(info: &TensorInfo, data: &'a [u8]) -> std::result::Result<&'a [u8], String> {
    let (start, end) = info.data_offsets;
    data.get(start..end).ok_or_else(|| format!("its bytes {start}..{end} lie outside of the file"))
}

/// The numbers of a tensor in eight bits, multiplied by the scales of its output channels.
fn decode_i8(
    name: &str,
    info: &TensorInfo,
    tensors: &BTreeMap<String, &TensorInfo>,
    data: &[u8],
) -> std::result::Result<Tensor, String> {
    let scale_name = channels::scale_name(name);
    let Some(&channels) = info.shape.first() else {
        return Err("its type is I8, but it has no dimension to be scaled along".to_owned());
    };
    let Some(scale) = tensors.get(&scale_name) else {
        return Err(format!("its type is I8, but its scales are missing: there is no tensor {scale_name}"));
    };
    if scale.dtype != Dtype::F32 || scale.shape != [channels] {
        let (dtype, shape) = (scale.dtype, &scale.shape);
        return Err(format!(
            "{scale_name} is {dtype} of the shape {shape:?}, but F32 of the shape [{channels}] is needed"
        ));
    }
    let scales = decode(scale, data).map_err(|reason| format!("{scale_name} has {reason}"))?;
    if let Some(at) = scales.data().iter().position(|&scale| scale < 0.0) {
        return Err(format!("{scale_name} has {} at index [{at}]: a scale is at least 0", scales.data()[at]));
    }
    let values = channels::dequantize(bytes(info, data)?, scales.data());
    if let Some(at) = values.iter().position(|v| !v.is_finite()) {
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

//! From a file to the list of its tensors.

use std::path::Path;

use ::safetensors::tensor::{Dtype as Type, Metadata};

use crate::error::Result;
use crate::weights::WeightFile;
use crate::weights::catalog::Catalog;
use crate::weights::entry::{Dtype, Entry, Plain};
use crate::weights::format::Format;
use crate::weights::natural_order::natural_order;
use crate::weights::source::Source;

/// The header's length stands in the first eight bytes.
const LENGTH_BYTES: u64 = 8;

/// Reads a file. Tensors of the types F32, F16 and BF16 become f32, exactly, F64 is rounded to it; those of the type I8 are
/// multiplied by their scales, which are then left out.
///
/// # Errors
/// [`crate::Error::Io`] if it cannot be read; otherwise as [`from_bytes`].
///
/// ```
/// use std::collections::BTreeMap;
/// use vultus::weights::safetensors::{Precision, read, write};
/// use vultus::{Parameters, Tensor};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("fc.safetensors");
/// assert!(matches!(read(&path), Err(vultus::Error::Io { .. })));
/// write(&path, &Parameters::from([("fc.bias".into(), Tensor::zeros([7]))]), &BTreeMap::new(), Precision::F32)?;
/// assert_eq!(read(&path)?.parameters["fc.bias"].shape(), [7]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[cfg(feature = "files")]
pub fn read(path: &Path) -> Result<WeightFile> {
    catalog(Source::open(path)?)?.read()
}

/// Reads the bytes of a file; `path` is only for messages.
///
/// # Errors
/// [`crate::Error::Weights`] if this is not safetensors or not all of it, if a tensor has another type than F32, F16, BF16,
/// F64 or I8, or holds a NaN or an infinity, or if one of the type I8 has no scales that fit to it.
///
/// ```
/// use std::path::Path;
/// use vultus::weights::safetensors::from_bytes;
///
/// // A program can have its weights within it: `include_bytes!("model.safetensors")`.
/// let bytes = b"\x02\0\0\0\0\0\0\0{}";
/// assert!(from_bytes(Path::new("model"), bytes)?.parameters.is_empty());
/// let error = from_bytes(Path::new("model"), &bytes[..9]).unwrap_err();
/// assert!(error.to_string().contains("cut short"));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<WeightFile> {
    catalog(Source::from_bytes(path, bytes))?.read()
}

/// Looks into a file. The crate checks that the tensors lie one behind the other without gaps and that each has its
/// shape's size.
pub(in crate::weights) fn catalog(source: Source<'_>) -> Result<Catalog<'_>> {
    let (header, start) = header(&source)?;
    let mut entries: Vec<Entry> = (header.tensors().into_iter())
        .map(|(name, info)| {
            let (first, end) = info.data_offsets;
            let place = Plain { offset: start + first as u64, length: (end - first) as u64 };
            Entry {
                name,
                dtype: dtype(info.dtype),
                shape: info.shape.clone(),
                big_endian: false,
                storage: Box::new(place),
            }
        })
        .collect();
    // The header is a map, which has no order.
    entries.sort_by(|a, b| natural_order(&a.name, &b.name));
    let metadata = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    Catalog::new(source, Format::Safetensors, entries, metadata)
}

/// The header, with offsets that are known to lie within the numbers, and where these start.
fn header(source: &Source) -> Result<(Metadata, u64)> {
    if source.length() == 0 {
        return Err(source.refuse("the file is empty"));
    }
    let Some(held) = source.length().checked_sub(LENGTH_BYTES) else {
        let reason = format!("not a safetensors file, or cut short: it has only {} bytes", source.length());
        return Err(source.refuse(reason));
    };
    let length = source.read(0, LENGTH_BYTES)?.iter().rev().fold(0, |length, &byte| length << 8 | u64::from(byte));
    if length > held {
        let reason = format!(
            "not a safetensors file, or cut short: a header of {length} bytes is announced, {held} bytes follow"
        );
        return Err(source.refuse(reason));
    }
    let header: Metadata = serde_json::from_slice(&source.read(LENGTH_BYTES, length)?)
        .map_err(|e| source.refuse(format!("not a safetensors file, its header is invalid: {e}")))?;
    let (announced, found) = (header.data_len() as u64, held - length);
    if announced != found {
        let verdict = if found < announced { "cut short" } else { "longer than it should be" };
        let reason = format!("the file is {verdict}: {announced} bytes of numbers are announced, {found} follow");
        return Err(source.refuse(reason));
    }
    Ok((header, LENGTH_BYTES + length))
}

fn dtype(dtype: Type) -> Dtype {
    match dtype {
        Type::F64 => Dtype::F64,
        Type::F32 => Dtype::F32,
        Type::F16 => Dtype::F16,
        Type::BF16 => Dtype::BF16,
        Type::I8 => Dtype::I8,
        Type::BOOL => Dtype::Other("BOOL"),
        Type::U8 => Dtype::Other("U8"),
        Type::I16 => Dtype::Other("I16"),
        Type::U16 => Dtype::Other("U16"),
        Type::I32 => Dtype::Other("I32"),
        Type::U32 => Dtype::Other("U32"),
        Type::I64 => Dtype::Other("I64"),
        Type::U64 => Dtype::Other("U64"),
        Type::F8_E4M3 => Dtype::Other("F8_E4M3"),
        Type::F8_E5M2 => Dtype::Other("F8_E5M2"),
        _ => Dtype::Other("of another kind"),
    }
}

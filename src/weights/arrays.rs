//! Files of arrays: what networks are given, and what they give. NumPy's files are read and written, safetensors are read.
//!
//! ```
//! use vultus::Tensor;
//! use vultus::weights::arrays;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! let path = folder.path().join("answers.npz");
//! let scores = ("scores".to_owned(), Tensor::new([1, 2], vec![0.25, 0.75])?);
//! arrays::write_npz(&path, std::slice::from_ref(&scores))?;
//! assert_eq!(arrays::read(&path)?, [scores].into());
//! # Ok::<(), vultus::Error>(())
//! ```

use std::io::{self, Write};
use std::path::Path;

use rawzip::path::EntryPath;
use rawzip::{ZipArchiveWriter, ZipDataWriter};

use super::catalog::Catalog;
use super::entry::{Dtype, Entry, index};
use super::format::Format;
use super::npy;
use crate::error::Result;
use crate::file;
use crate::tensor::{Parameters, Tensor};

/// Numbers that become bytes at a time.
const BLOCK: usize = 1 << 14;

/// Reads all arrays of a file by their names; the one of an `.npy` is called as the file, without the extension. Numbers of
/// any real type become f32, whole numbers and truth values too.
///
/// # Errors
/// [`crate::Error::Weights`] if this is no file of arrays or damaged, or if a number is a NaN, an infinity, or a whole number
/// that f32 cannot hold; [`crate::Error::Io`] if it cannot be read.
pub fn read(path: &Path) -> Result<Parameters> {
    let catalog = Catalog::open(path)?;
    match catalog.format() {
        Format::Npy | Format::Npz | Format::Safetensors => {}
        other => {
            let reason = format!("this is a file of {other}: arrays are read from .npy, .npz and .safetensors");
            return Err(catalog.source().refuse(reason));
        }
    }
    catalog.entries().iter().map(|entry| Ok((entry.name.clone(), array(&catalog, entry)?))).collect()
}

fn array(catalog: &Catalog, entry: &Entry) -> Result<Tensor> {
    let source = catalog.source();
    let values = match entry.dtype {
        Dtype::I8 => return catalog.tensor(entry),
        Dtype::Other(name) => match whole(name) {
            Some((size, is_signed)) => whole_numbers(catalog, entry, size, is_signed)?,
            None => {
                let reason = format!("its type is {name}: save it as f4, numpy.float32");
                return Err(source.refuse_tensor(&entry.name, reason));
            }
        },
        _ => entry.values(source)?,
    };
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        let reason = format!("{} at index {:?}: numbers must be finite", values[at], index(at, &entry.shape));
        return Err(source.refuse_tensor(&entry.name, reason));
    }
    Tensor::new(entry.shape.clone(), values)
}

/// How many bytes a whole number of a type takes, and whether it may be negative.
fn whole(name: &str) -> Option<(usize, bool)> {
    Some(match name {
        "BOOL" | "U8" => (1, false),
        "U16" => (2, false),
        "U32" => (4, false),
        "U64" => (8, false),
        "I8" => (1, true),
        "I16" => (2, true),
        "I32" => (4, true),
        "I64" => (8, true),
        _ => return None,
    })
}

/// Whole numbers as f32, none of which is rounded.
fn whole_numbers(catalog: &Catalog, entry: &Entry, size: usize, is_signed: bool) -> Result<Vec<f32>> {
    let source = catalog.source();
    let length = entry.len().and_then(|length| length.checked_mul(size));
    let length = length.ok_or_else(|| source.refuse_tensor(&entry.name, "its shape is out of any range"))?;
    let mut bytes = vec![0; length];
    let mut reader = entry.storage.open(source).map_err(|error| entry.broken(source, &error))?;
    reader.read_exact(&mut bytes).map_err(|error| entry.broken(source, &error))?;
    let mut values = Vec::with_capacity(length / size);
    for (at, bytes) in bytes.chunks_exact(size).enumerate() {
        let add = |number: i128, &byte: &u8| number << 8 | i128::from(byte);
        let number = if entry.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
        let is_negative = is_signed && number >> (8 * size - 1) == 1;
        let number = if is_negative { number - (1 << (8 * size)) } else { number };
        let value = number as f32;
        if value as i128 != number {
            let at = index(at, &entry.shape);
            let reason = format!("{number} at index {at:?}: networks compute with f32, which cannot hold it exactly");
            return Err(source.refuse_tensor(&entry.name, reason));
        }
        values.push(value);
    }
    Ok(values)
}

/// Writes arrays of f32 as `numpy.savez` does. The same arrays give the same bytes. The file appears complete or not at all.
///
/// # Errors
/// [`crate::Error::Io`] if it cannot be written.
pub fn write_npz(path: &Path, arrays: &[(String, Tensor)]) -> Result<()> {
    file::write(path, |out| {
        let mut archive = ZipArchiveWriter::new(out);
        for (name, tensor) in arrays {
            let file = format!("{name}.npy");
            // Where names are ASCII they stay as they are, with their slashes.
            let file =
                if file.is_ascii() { EntryPath::verbatim(file.into_bytes()) } else { EntryPath::conformant(file) };
            let (mut entry, config) = archive.new_file(file).start().map_err(io::Error::other)?;
            let mut record: ZipDataWriter<_> = config.wrap(&mut entry);
            write_array(tensor, &mut record)?;
            let (_, sums) = record.finish().map_err(io::Error::other)?;
            entry.finish(sums).map_err(io::Error::other)?;
        }
        archive.finish().map(|_| ()).map_err(io::Error::other)
    })
}

/// Writes one array of f32 as `numpy.save` does. The file appears complete or not at all.
///
/// # Errors
/// [`crate::Error::Io`] if it cannot be written.
///
/// ```
/// use vultus::Tensor;
/// use vultus::weights::arrays;
///
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("scores.npy");
/// arrays::write_npy(&path, &Tensor::zeros([2, 3]))?;
/// assert_eq!(arrays::read(&path)?["scores"].shape(), [2, 3]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<()> {
    file::write(path, |out| write_array(tensor, out))
}

fn write_array(tensor: &Tensor, out: &mut impl Write) -> io::Result<()> {
    out.write_all(&npy::start(tensor.shape()))?;
    let mut bytes = Vec::with_capacity(4 * BLOCK);
    for block in tensor.data().chunks(BLOCK) {
        bytes.clear();
        bytes.extend(block.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

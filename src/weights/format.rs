//! The formats of files of weights, and what their files begin with.

use std::fmt;
use std::io::Read;

use super::source::Source;
use crate::error::Result;

/// A format of files of weights. Reading PyTorch's, NumPy's and Keras's takes the feature `import`, ONNX the feature
/// `onnx`.
///
/// ```
/// use std::path::Path;
/// use vultus::weights::{Catalog, Format};
///
/// assert_eq!(Format::Hdf5.to_string(), "Keras (HDF5)");
/// // What is none of them is refused, whatever its name ends with.
/// let error = Catalog::from_bytes(Path::new("weights.h5"), b"<html>").err().unwrap();
/// assert!(error.to_string().contains("none of the formats that can be read"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// <https://github.com/huggingface/safetensors>.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
    /// What `numpy.savez` writes.
    Npz,
    /// What `numpy.save` writes: one array, which is called as its file.
    Npy,
    /// HDF5, <https://www.hdfgroup.org>, as Keras writes it.
    Hdf5,
    /// <https://onnx.ai>, with all of a model's data in one file.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::Pytorch => "PyTorch",
            Format::Npz => "NumPy npz",
            Format::Npy => "NumPy npy",
            Format::Hdf5 => "Keras (HDF5)",
            Format::Onnx => "ONNX",
        })
    }
}

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Safetensors,
    /// PyTorch's or NumPy's.
    Zip,
    /// One array of NumPy.
    Npy,
    /// PyTorch's before version 1.6.
    OldPytorch,
    Hdf5,
    Onnx,
}

/// As many bytes tell a format.
const LONGEST: u64 = 32;

/// The number that files of PyTorch before 1.6 begin with, as it is pickled, after the protocol.
const OLD_PYTORCH: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// What each array of NumPy begins with.
pub(super) const NPY: &[u8; 6] = b"\x93NUMPY";

const HDF5: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

impl Signature {
    /// What a file is.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if it is none of these, [`crate::Error::Io`] if it cannot be read.
    pub fn of(source: &Source) -> Result<Self> {
        let start = source.read(0, source.length().min(LONGEST))?;
        let is_named = |extension: &str| source.path().extension().is_some_and(|x| x.eq_ignore_ascii_case(extension));
        if start.is_empty() {
            return Err(source.refuse("the file is empty"));
        }
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            return Ok(Signature::Zip);
        }
        if start.starts_with(NPY) {
            return Ok(Signature::Npy);
        }
        if start.windows(OLD_PYTORCH.len()).any(|bytes| bytes == OLD_PYTORCH) {
            return Ok(Signature::OldPytorch);
        }
        if hdf5(source).is_some() {
            return Ok(Signature::Hdf5);
        }
        // The length of a header of JSON, and its first brace.
        if start.get(4..9) == Some(b"\0\0\0\0{") || is_named("safetensors") {
            return Ok(Signature::Safetensors);
        }
        // There is no signature: the version of the format, and then one of the model's other fields.
        if is_named("onnx")
            || matches!(start.as_slice(), [0x08, 1..=0x7f, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
        {
            return Ok(Signature::Onnx);
        }
        let known = "safetensors, PyTorch (.pth), NumPy (.npy, .npz), Keras (HDF5: .h5) or ONNX";
        Err(source.refuse(format!("this is none of the formats that can be read, which are {known}, or it is damaged")))
    }
}

/// Where an HDF5 file starts, if this is one: at once, or after a block of another program's, which has 512 bytes or a
/// power of two times that.
pub(super) fn hdf5(source: &Source) -> Option<u64> {
    let places = std::iter::once(0).chain((9..63).map(|power| 1 << power));
    places.take_while(|&at| at < source.length()).find(|&at| {
        let mut bytes = [0; HDF5.len()];
        source.section(at, HDF5.len() as u64).read_exact(&mut bytes).is_ok() && bytes == *HDF5
    })
}

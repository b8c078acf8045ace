//! Opening a file of weights: its format is told, and the reader of that looks into it.

use std::path::Path;

use super::catalog::Catalog;
use super::format::Signature;
#[cfg(feature = "onnx")]
use super::onnx;
use super::safetensors;
use super::source::Source;
#[cfg(feature = "import")]
use super::{hdf5, npz, pytorch, zip};
use crate::error::Result;

impl<'a> Catalog<'a> {
    /// Looks into a file, whose format is told by its contents; where these do not tell it, by its name (`.safetensors`,
    /// `.onnx`).
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if this is none of the formats, or not all of a file; [`crate::Error::Io`] if it cannot
    /// be read.
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use vultus::weights::Catalog;
    ///
    /// let catalog = Catalog::open(Path::new("vgg16-397923af.pth"))?;
    /// for entry in catalog.entries() {
    ///     println!("{} {} {:?}", entry.name, entry.dtype, entry.shape);
    /// }
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[cfg(feature = "files")]
    pub fn open(path: &'a Path) -> Result<Self> {
        Catalog::of(Source::open(path)?)
    }

    /// Looks into the bytes of a file; `path` is only for messages.
    ///
    /// # Errors
    /// As [`Catalog::open`].
    pub fn from_bytes(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        Catalog::of(Source::from_bytes(path, bytes))
    }

    fn of(source: Source<'a>) -> Result<Self> {
        match Signature::of(&source)? {
            Signature::Safetensors => safetensors::catalog(source),
            #[cfg(feature = "import")]
            Signature::Zip => zipped(source),
            #[cfg(feature = "import")]
            Signature::Npy => npz::single(source),
            #[cfg(feature = "import")]
            Signature::OldPytorch => pytorch::legacy(source),
            #[cfg(feature = "import")]
            Signature::Hdf5 => hdf5::catalog(source),
            #[cfg(not(feature = "import"))]
            Signature::Zip | Signature::Npy | Signature::OldPytorch | Signature::Hdf5 => {
                Err(source.refuse("a file of PyTorch, NumPy or Keras, which this program was built without: it needs the feature `import`"))
            }
            #[cfg(feature = "onnx")]
            Signature::Onnx => onnx::catalog(source),
            #[cfg(not(feature = "onnx"))]
            Signature::Onnx => {
                Err(source.refuse("an ONNX file, which this program was built without: it needs the feature `onnx`"))
            }
        }
    }
}

/// The record of a model of Keras 3 (`.keras`) that holds its weights.
#[cfg(feature = "import")]
const KERAS_WEIGHTS: &str = "model.weights.h5";

/// Looks into a zip file of PyTorch, NumPy or Keras, told apart by the names in it.
#[cfg(feature = "import")]
fn zipped(source: Source<'_>) -> Result<Catalog<'_>> {
    let records = zip::records(&source)?;
    let is_pickle = |name: &String| name.ends_with(pytorch::PICKLE);
    if records.keys().any(is_pickle) {
        return pytorch::zipped(source, &records);
    }
    if records.keys().any(|name| name.ends_with(npz::EXTENSION)) {
        return npz::catalog(source, &records);
    }
    if let Some(record) = records.get(KERAS_WEIGHTS) {
        if record.deflated {
            let reason =
                format!("{KERAS_WEIGHTS} is packed in it, which Keras does not do: unzip it, and give that file");
            return Err(source.refuse(reason));
        }
        // Its tensors are read piece by piece, so that the checksum is compared here or never.
        let whole =
            record.open(&source, 0, record.size).and_then(|mut bytes| std::io::copy(&mut bytes, &mut std::io::sink()));
        whole.map_err(|error| source.refuse(format!("{KERAS_WEIGHTS}: {error}")))?;
        return hdf5::catalog(source.part(record.offset, record.size)?);
    }
    let reason = "a zip file, but neither of PyTorch (no data.pkl is in it) nor of NumPy (no .npy) nor of Keras (no \
                  model.weights.h5)";
    Err(source.refuse(reason))
}

#[cfg(all(test, not(feature = "import")))]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_was_left_out_is_named_with_its_feature() {
        for bytes in [b"PK\x03\x04".as_slice(), b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."] {
            let error = Catalog::from_bytes(Path::new("w"), bytes).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains("built without") && error.contains("`import`"), "{error}");
        }
    }
}

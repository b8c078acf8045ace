//! From tensors to a file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use ::safetensors::tensor::{Dtype, TensorInfo};
use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::{Precision, channels};
use crate::error::{Error, Result};
#[cfg(feature = "files")]
use crate::file::write_atomically;
use crate::tensor::{Parameters, Tensor};
use crate::weights::entry::{self, index};

/// Writes a file with these tensors and this metadata, by the size of their numbers and then in order of names: the same
/// contents give the same bytes. The file appears complete or not at all; an older one of that name is replaced.
///
/// # Errors
/// [`Error::Weights`] if a value is a NaN or an infinity, or becomes one in f16; if a tensor has the name
/// `__metadata__`, which the format keeps for itself, or in eight bits that of another one's scales. [`Error::Io`] if
/// the file cannot be written.
///
/// ```
/// use std::collections::BTreeMap;
/// use vultus::weights::safetensors::{Precision, write};
/// use vultus::{Parameters, Tensor};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// let parameters = Parameters::from([("fc.bias".to_owned(), Tensor::filled([7], f32::NAN))]);
/// // What no network can use is not written, and leaves no file.
/// assert!(write(&path, &parameters, &BTreeMap::new(), Precision::F32).is_err() && !path.exists());
/// ```
#[cfg(feature = "files")]
pub fn write(
    path: &Path,
    parameters: &Parameters,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<()> {
    write_mixed(path, parameters, metadata, |_| precision)
}

/// As [`write`](fn@super::write), with a type for each tensor by its name.
///
/// # Errors
/// As [`write`](fn@super::write).
///
/// ```
/// use std::collections::BTreeMap;
/// use vultus::weights::safetensors::{Precision, write_mixed};
/// use vultus::weights::{Catalog, Dtype};
/// use vultus::{Parameters, Tensor};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("model.safetensors");
/// let parameters = ["first", "last"].map(|name| (format!("{name}.weight"), Tensor::filled([2, 3], 0.5)));
/// let precision = |name: &str| if name.starts_with("last.") { Precision::I8 } else { Precision::F16 };
/// write_mixed(&path, &Parameters::from(parameters), &BTreeMap::new(), precision)?;
/// let catalog = Catalog::open(&path)?;
/// let dtype = |name| catalog.entry(name).map(|entry| entry.dtype);
/// assert_eq!((dtype("first.weight"), dtype("last.weight")), (Some(Dtype::F16), Some(Dtype::I8)));
/// # Ok::<(), vultus::Error>(())
/// ```
#[cfg(feature = "files")]
pub fn write_mixed(
    path: &Path,
    parameters: &Parameters,
    metadata: &BTreeMap<String, String>,
    precision: impl Fn(&str) -> Precision,
) -> Result<()> {
    // Before the file is made.
    let entries = entries(path, parameters, precision)?;
    let header = encode_header(path, &entries, metadata)?;
    write_atomically(path, |out| write_into(out, path, &header, &entries))
}

/// The bytes of the file that [`write`](fn@super::write) makes; `path` is only for messages.
///
/// # Errors
/// [`Error::Weights`] as there.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::nn::light;
/// use vultus::weights::safetensors::{Precision, to_bytes};
///
/// let parameters = light::network(48, 0.0, 7).initialize(1)?;
/// let halves = to_bytes(Path::new(""), &parameters, &BTreeMap::new(), Precision::F16)?;
/// let bytes = to_bytes(Path::new(""), &parameters, &BTreeMap::new(), Precision::I8)?;
/// assert!(bytes.len() < halves.len() && halves.len() < 2 * 850_000);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn to_bytes(
    path: &Path,
    parameters: &Parameters,
    metadata: &BTreeMap<String, String>,
    precision: Precision,
) -> Result<Vec<u8>> {
    let entries = entries(path, parameters, |_| precision)?;
    let header = encode_header(path, &entries, metadata)?;
    let mut bytes = Vec::new();
    write_into(&mut bytes, path, &header, &entries)?;
    Ok(bytes)
}

fn write_into(out: &mut impl Write, path: &Path, header: &[u8], entries: &[Entry]) -> Result<()> {
    let failed = |e| Error::io(path, e);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
    out.write_all(header).map_err(failed)?;
    for entry in entries {
        let bytes = entry.numbers.encode().map_err(|reason| Error::weights(path, Some(&entry.name), reason))?;
        out.write_all(&bytes).map_err(failed)?;
    }
    Ok(())
}

/// One tensor of the file.
struct Entry<'a> {
    name: String,
    shape: Vec<usize>,
    numbers: Numbers<'a>,
}

/// Where a tensor's numbers come from and what they become.
enum Numbers<'a> {
    F32(&'a Tensor),
    F16(&'a Tensor),
    I8(&'a Tensor, Vec<f32>),
    Scales(Vec<f32>),
}

/// The tensors in the order in which they are written. The largest numbers go first, so that every tensor's place is a
/// multiple of the size of its numbers.
fn entries<'a>(
    path: &Path,
    parameters: &'a Parameters,
    precision: impl Fn(&str) -> Precision,
) -> Result<Vec<Entry<'a>>> {
    if parameters.contains_key("__metadata__") {
        return Err(Error::weights(path, Some("__metadata__"), "safetensors does not allow this name for a tensor"));
    }
    let mut entries = Vec::new();
    for (name, tensor) in parameters {
        let numbers = match precision(name) {
            Precision::F16 => Numbers::F16(tensor),
            Precision::I8 if channels::suits(tensor.shape()) => {
                check_finite(tensor).map_err(|reason| Error::weights(path, Some(name), reason))?;
                let (name, shape) = (channels::scale_name(name), vec![tensor.shape()[0]]);
                if parameters.contains_key(&name) {
                    let reason = "this name is needed for the scales of the tensor before it in eight bits";
                    return Err(Error::weights(path, Some(&name), reason));
                }
                let scales = channels::scales(tensor.data(), shape[0]);
                entries.push(Entry { name, shape, numbers: Numbers::Scales(scales.clone()) });
                Numbers::I8(tensor, scales)
            }
            Precision::F32 | Precision::I8 => Numbers::F32(tensor),
        };
        entries.push(Entry { name: name.clone(), shape: tensor.shape().to_vec(), numbers });
    }
    entries.sort_by(|a, b| (b.numbers.size(), &a.name).cmp(&(a.numbers.size(), &b.name)));
    Ok(entries)
}

/// The header's JSON, padded with spaces so that the numbers start at a multiple of eight bytes. The crate's own
/// writer takes the metadata as a hash map, whose order changes from run to run and with it the file's checksum.
fn encode_header(path: &Path, entries: &[Entry], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    #[derive(serde::Serialize)]
    struct Header<'a> {
        #[serde(rename = "__metadata__")]
        metadata: &'a BTreeMap<String, String>,
        #[serde(flatten)]
        tensors: BTreeMap<&'a str, TensorInfo>,
    }
    let mut end = 0;
    let mut tensors = BTreeMap::new();
    for Entry { name, shape, numbers } in entries {
        let start = end;
        end += numbers.size() * shape.iter().product::<usize>();
        let info = TensorInfo { dtype: numbers.dtype(), shape: shape.clone(), data_offsets: (start, end) };
        tensors.insert(name.as_str(), info);
    }
    let mut header =
        serde_json::to_vec(&Header { metadata, tensors }).map_err(|e| Error::weights(path, None, e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

impl Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Numbers::F32(_) | Numbers::Scales(_) => Dtype::F32,
            Numbers::F16(_) => Dtype::F16,
            Numbers::I8(..) => Dtype::I8,
        }
    }

    /// Bytes of one number.
    fn size(&self) -> usize {
        self.dtype().bitsize() / 8
    }

    fn encode(&self) -> std::result::Result<Vec<u8>, String> {
        let little_endian = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        match self {
            Numbers::F32(tensor) => {
                check_finite(tensor)?;
                Ok(little_endian(tensor.data()))
            }
            Numbers::F16(tensor) => {
                check_finite(tensor)?;
                encode_f16(tensor)
            }
            Numbers::I8(tensor, scales) => {
                Ok(channels::quantize(tensor.data(), scales).into_iter().map(i8::cast_unsigned).collect())
            }
            Numbers::Scales(scales) => Ok(little_endian(scales)),
        }
    }
}

fn encode_f16(tensor: &Tensor) -> std::result::Result<Vec<u8>, String> {
    let values = tensor.data();
    let mut halves = vec![f16::ZERO; values.len()];
    halves.convert_from_f32_slice(values);
    if let Some(at) = halves.iter().position(|v| !v.is_finite()) {
        let place = index(at, tensor.shape());
        return Err(format!("{} at index {place:?} is too large for f16 (at most {})", values[at], f16::MAX));
    }
    Ok(halves.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn check_finite(tensor: &Tensor) -> std::result::Result<(), String> {
    entry::check_finite(tensor.data(), tensor.shape())
}

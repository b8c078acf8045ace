//! One tensor as a file describes it, and the reading of its numbers.

use std::fmt;
use std::io::{self, Read};

use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use half::{bf16, f16};

use super::layout::Layout;
use super::source::Source;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// The type of a tensor's numbers in a file.
///
/// ```
/// use vultus::weights::Dtype;
///
/// assert_eq!((Dtype::BF16.to_string(), Dtype::BF16.size()), ("BF16".to_owned(), Some(2)));
/// // What networks are not made of cannot be read.
/// assert_eq!(Dtype::Other("I64").size(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dtype {
    /// Eight bytes.
    F64,
    /// Four bytes.
    F32,
    /// Two bytes, 11 significant bits.
    F16,
    /// Two bytes, 8 significant bits.
    BF16,
    /// Whole numbers of one byte; in safetensors, with a scale for each output channel.
    I8,
    /// A type that networks here are not made of, by its name.
    Other(&'static str),
}

impl Dtype {
    /// Bytes of one number, where it can be read.
    pub fn size(self) -> Option<usize> {
        match self {
            Dtype::F64 => Some(8),
            Dtype::F32 => Some(4),
            Dtype::F16 | Dtype::BF16 => Some(2),
            Dtype::I8 => Some(1),
            Dtype::Other(_) => None,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F64 => "F64",
            Dtype::F32 => "F32",
            Dtype::F16 => "F16",
            Dtype::BF16 => "BF16",
            Dtype::I8 => "I8",
            Dtype::Other(name) => name,
        })
    }
}

/// One tensor as a file describes it. Its numbers are read when they are asked for.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::weights::{Catalog, Dtype, safetensors};
/// use vultus::{Parameters, Tensor};
///
/// let (path, parameters) = (Path::new("fc"), Parameters::from([("fc.weight".to_owned(), Tensor::zeros([2, 3]))]));
/// let bytes = safetensors::to_bytes(path, &parameters, &BTreeMap::new(), safetensors::Precision::I8)?;
/// let catalog = Catalog::from_bytes(path, &bytes)?;
/// let weight = catalog.entries().iter().find(|entry| entry.name == "fc.weight").unwrap();
/// assert_eq!((weight.dtype, weight.shape.as_slice()), (Dtype::I8, &[2, 3][..]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Debug)]
pub struct Entry {
    /// Its name in the file.
    pub name: String,
    /// The type of its numbers.
    pub dtype: Dtype,
    /// Its dimensions in the file.
    pub shape: Vec<usize>,
    /// Whether the most significant byte of a number comes first.
    pub(crate) big_endian: bool,
    /// Where the numbers are.
    pub(crate) storage: Box<dyn Storage>,
}

/// Where a tensor's bytes are in the file, and how they are packed.
pub(crate) trait Storage: fmt::Debug + Send + Sync {
    /// A reader of the tensor's bytes in row order. What is wrong with them it may say at once or while it reads, as
    /// an [`io::Error`] with a text for the user.
    fn open<'s>(&'s self, source: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>>;
}

/// Bytes that lie in the file as they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    /// The first byte.
    pub offset: u64,
    /// How many there are.
    pub length: u64,
}

impl Storage for Plain {
    fn open<'s>(&'s self, source: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>> {
        Ok(Box::new(source.section(self.offset, self.length)))
    }
}

/// Bytes that the file's reader has in memory already.
#[cfg(any(feature = "import", feature = "onnx"))]
#[derive(Debug)]
pub(crate) struct Held(pub Vec<u8>);

#[cfg(any(feature = "import", feature = "onnx"))]
impl Storage for Held {
    fn open<'s>(&'s self, _: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>> {
        Ok(Box::new(self.0.as_slice()))
    }
}

/// Bytes that are read and decoded at a time.
const BLOCK: usize = 1 << 16;

impl Entry {
    /// How many numbers there are, unless the product of the dimensions is out of any range.
    pub(crate) fn len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size))
    }

    /// The tensor as f32.
    ///
    /// # Errors
    /// [`Error::Weights`] if it has a type that cannot be read, not all of its numbers are there, or one of them is a NaN
    /// or an infinity, also by becoming f32.
    pub(crate) fn read(&self, source: &Source) -> Result<Tensor> {
        let values = self.values(source)?;
        self.finished(source, &self.shape, values)
    }

    /// Its numbers as f32, also those that are none or infinite.
    ///
    /// # Errors
    /// [`Error::Weights`] if it has a type that cannot be read, or not all of its numbers are there.
    pub(crate) fn values(&self, source: &Source) -> Result<Vec<f32>> {
        let mut values = self.zeros(source)?;
        let mut reader = self.storage.open(source).map_err(|e| self.broken(source, &e))?;
        if self.dtype == Dtype::F32 {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
            reader.read_exact(bytes).map_err(|e| self.broken(source, &e))?;
            let swap = self.big_endian != cfg!(target_endian = "big");
            values.iter_mut().filter(|_| swap).for_each(|v| *v = f32::from_bits(v.to_bits().swap_bytes()));
        } else {
            self.decode(source, reader.as_mut(), |at, block| values[at..at + block.len()].copy_from_slice(block))?;
        }
        Ok(values)
    }

    /// The tensor as f32 with its numbers in other places: read and put there block by block, so that it is in memory
    /// only once.
    ///
    /// # Errors
    /// As [`Entry::read`]; and [`Error::Weights`] if the layout is for another number of values.
    pub(crate) fn read_into(&self, source: &Source, layout: &Layout) -> Result<Tensor> {
        let mut values = self.zeros(source)?;
        if layout.len() != values.len() {
            return Err(
                source.refuse_tensor(&self.name, format!("{:?} does not become {:?}", self.shape, layout.shape))
            );
        }
        let mut reader = self.storage.open(source).map_err(|e| self.broken(source, &e))?;
        let mut places = layout.places();
        self.decode(source, reader.as_mut(), |_, block| places.scatter(block, &mut values))?;
        self.finished(source, &layout.shape, values)
    }

    /// The bytes of the tensor as they are in the file.
    ///
    /// # Errors
    /// [`Error::Weights`] if not all of them are there.
    pub(crate) fn read_bytes(&self, source: &Source) -> Result<Vec<u8>> {
        let size = self.dtype.size().and_then(|size| self.len()?.checked_mul(size));
        let mut bytes = vec![0; size.ok_or_else(|| self.unreadable(source))?];
        let mut reader = self.storage.open(source).map_err(|e| self.broken(source, &e))?;
        reader.read_exact(&mut bytes).map_err(|e| self.broken(source, &e))?;
        Ok(bytes)
    }

    fn zeros(&self, source: &Source) -> Result<Vec<f32>> {
        let length = self.len().filter(|_| self.dtype.size().is_some() && self.dtype != Dtype::I8);
        Ok(vec![0.0; length.ok_or_else(|| self.unreadable(source))?])
    }

    /// Hands over all numbers in row order, block by block, with the place of the block's first.
    fn decode(&self, source: &Source, reader: &mut dyn Read, mut sink: impl FnMut(usize, &[f32])) -> Result<()> {
        let (Some(size), Some(length)) = (self.dtype.size(), self.len()) else { return Err(self.unreadable(source)) };
        let mut bytes = vec![0; BLOCK];
        let mut values = vec![0.0; BLOCK / size];
        let mut at = 0;
        while at < length {
            let count = (length - at).min(BLOCK / size);
            let (bytes, values) = (&mut bytes[..count * size], &mut values[..count]);
            reader.read_exact(bytes).map_err(|e| self.broken(source, &e))?;
            if self.big_endian {
                bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            self.convert(bytes, values);
            sink(at, values);
            at += count;
        }
        Ok(())
    }

    /// Little-endian numbers of this tensor's type as f32.
    fn convert(&self, bytes: &[u8], values: &mut [f32]) {
        let halves = || bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect::<Vec<u16>>();
        match self.dtype {
            Dtype::F64 => {
                let doubles = bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes));
                values.iter_mut().zip(doubles).for_each(|(value, double)| *value = double as f32);
            }
            Dtype::F32 => {
                let singles = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                values.iter_mut().zip(singles).for_each(|(value, single)| *value = single);
            }
            Dtype::F16 => halves().reinterpret_cast::<f16>().convert_to_f32_slice(values),
            Dtype::BF16 => halves().reinterpret_cast::<bf16>().convert_to_f32_slice(values),
            Dtype::I8 | Dtype::Other(_) => values.fill(f32::NAN),
        }
    }

    fn finished(&self, source: &Source, shape: &[usize], values: Vec<f32>) -> Result<Tensor> {
        check_finite(&values, shape).map_err(|reason| source.refuse_tensor(&self.name, reason))?;
        Tensor::new(shape, values)
    }

    fn unreadable(&self, source: &Source) -> Error {
        let reason = match self.dtype {
            Dtype::I8 | Dtype::Other(_) => {
                format!("its type is {}, but only F32, F16, BF16, F64 and scaled I8 can be read", self.dtype)
            }
            _ => format!("its shape {:?} is out of any range", self.shape),
        };
        source.refuse_tensor(&self.name, reason)
    }

    pub(crate) fn broken(&self, source: &Source, error: &io::Error) -> Error {
        let reason = match error.kind() {
            io::ErrorKind::UnexpectedEof => "not all of its numbers are in the file: it was cut short".to_owned(),
            _ => error.to_string(),
        };
        source.refuse_tensor(&self.name, reason)
    }
}

/// What is wrong with the first value that no network can use.
pub(crate) fn check_finite(values: &[f32], shape: &[usize]) -> std::result::Result<(), String> {
    // Without an early end the loop runs in the processor's vectors; bad values are rare.
    if values.iter().fold(true, |finite, value| finite & value.is_finite()) {
        return Ok(());
    }
    let Some(at) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let kind = if values[at].is_nan() { "a NaN" } else { "an infinity" };
    Err(format!("{kind} at index {:?}: the file is damaged or the training diverged", index(at, shape)))
}

/// The index along each dimension of the value at a place in row order.
pub(crate) fn index(at: usize, shape: &[usize]) -> Vec<usize> {
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

//! What the frozen part of a network makes of every example: computed once, kept in a file, read back row by row.

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::Examples;
use super::stream::{Pass, Stream};
use crate::engine::{Device, Options, Plan};
use crate::error::{Error, Result};
use crate::file::write_atomically;
use crate::nn::Network;
use crate::random::Random;
use crate::tensor::Parameters;

/// Examples that are computed at once.
const BATCH: usize = 32;
/// What a file of features begins with.
const MAGIC: &[u8; 8] = b"vultusF1";

/// The frozen part of a network, with its parameters.
///
/// ```
/// use vultus::Device;
/// use vultus::nn::Network;
/// use vultus::ops::Conv2d;
/// use vultus::train::{Examples, Frozen};
///
/// # struct Halves;
/// # impl Examples for Halves {
/// #     fn shape(&self) -> [usize; 3] {
/// #         [1, 4, 4]
/// #     }
/// #     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
/// #         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
/// #         Ok(())
/// #     }
/// # }
/// # let folder = tempfile::tempdir()?;
/// let network = Network::new("base", [1, 4, 4]).conv2d("conv", "conv", 2, Conv2d::square(3, 1, 1)).relu();
/// let frozen = Frozen { device: &Device::Cpu, network: &network, parameters: &network.initialize(1)? };
/// let features = frozen.features(&Halves, 16, "halves", folder.path(), |done| println!("{done} of 16"))?;
/// assert_eq!(features.shape(), [2, 4, 4]);
/// // They are there now and only read.
/// frozen.features(&Halves, 16, "halves", folder.path(), |done| assert_eq!(done, 16))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Frozen<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// Its layers.
    pub network: &'a Network,
    /// Their parameters.
    pub parameters: &'a Parameters,
}

/// Features of all examples, in a file: memory does not grow with their number.
///
/// The file holds a row of f32 for every example, then a byte for each that is 1 if it could be read.
///
/// ```
/// use vultus::Device;
/// use vultus::nn::Network;
/// use vultus::ops::Conv2d;
/// use vultus::train::{Examples, Frozen};
///
/// # struct Halves;
/// # impl Examples for Halves {
/// #     fn shape(&self) -> [usize; 3] {
/// #         [1, 4, 4]
/// #     }
/// #     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
/// #         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
/// #         Ok(())
/// #     }
/// # }
/// # let folder = tempfile::tempdir()?;
/// let network = Network::new("base", [1, 4, 4]).conv2d("conv", "conv", 2, Conv2d::square(3, 1, 1));
/// let frozen = Frozen { device: &Device::Cpu, network: &network, parameters: &network.initialize(1)? };
/// let mut features = frozen.features(&Halves, 2, "halves", folder.path(), |_| ())?;
/// features.normalize(&[0, 1])?;
/// let mut rows = [[0.0; 32]; 2];
/// for (index, row) in rows.iter_mut().enumerate() {
///     assert!(features.is_readable(index));
///     features.write(index, None, row)?;
/// }
/// let square: f32 = rows.iter().flatten().map(|value| value * value).sum();
/// assert!((square / 64.0 - 1.0).abs() < 1e-4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Features {
    path: PathBuf,
    file: Mutex<BufReader<File>>,
    shape: [usize; 3],
    readable: Vec<bool>,
    /// A factor for all features, so that layers behind them start from numbers around 1.
    scale: f32,
}

impl Frozen<'_> {
    /// The features of all examples, from a file in `folder` if it is there, else computed and put into one. `source`
    /// says what the examples are: features of others are not used. `progress` hears how many are done.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; [`Error::Shape`] if the network does not give feature maps;
    /// [`Error::InvalidArgument`] if no example can be read; the device's own errors.
    pub fn features(
        &self,
        examples: &dyn Examples,
        count: usize,
        source: &str,
        folder: &Path,
        mut progress: impl FnMut(usize),
    ) -> Result<Features> {
        let file = folder.join(format!("features-{}.bin", &self.key(source)[..24]));
        let shapes = self.network.output_shapes()?;
        let &[channels, height, width] = shapes[0].as_slice() else {
            return Err(Error::shape(self.network.name(), format!("gives {:?}, not feature maps", shapes[0])));
        };
        let shape = [channels, height, width];
        if let Some(found) = Features::open(&file, shape, count) {
            progress(count);
            return Ok(found);
        }
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let mut plan = self.device.load(self.network, self.parameters)?.compile(BATCH, &Options::default())?;
        self.write(&mut plan, &file, examples, count, &mut progress)?;
        Features::open(&file, shape, count)
            .ok_or_else(|| Error::io(&file, std::io::Error::other("it was changed while it was written")))
    }

    fn write(
        &self,
        plan: &mut Plan,
        file: &Path,
        examples: &dyn Examples,
        count: usize,
        progress: &mut impl FnMut(usize),
    ) -> Result<()> {
        let order: Vec<usize> = (0..count).collect();
        let pass = Pass { examples, order: &order, size: BATCH, seed: None };
        let mut readable = Vec::with_capacity(count);
        let mut first = None;
        write_atomically(file, |out| {
            let failed = |error| Error::io(file, error);
            out.write_all(MAGIC).map_err(failed)?;
            Stream::new()?.run(pass, |mut batch| {
                let features = plan.run(&batch.input)?.swap_remove(0);
                let mine = BATCH.min(count - readable.len());
                let length = features.len() / BATCH;
                out.write_all(bytemuck::cast_slice(&features.data()[..mine * length])).map_err(failed)?;
                readable.extend(batch.examples[..mine].iter().map(|example| u8::from(example.is_some())));
                first = first.take().or(batch.unreadable.pop());
                progress(readable.len());
                Ok(())
            })?;
            if !readable.contains(&1) {
                let reason = first.map_or("there are none".to_owned(), |(_, error)| error.to_string());
                return Err(Error::invalid("examples", format!("none can be read; the first: {reason}")));
            }
            out.write_all(&readable).map_err(failed)
        })
    }

    /// What the features depend on.
    fn key(&self, source: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {} {source}\n", self.network, self.device));
        for (name, tensor) in self.parameters {
            hash.update(name);
            hash.update(bytemuck::cast_slice(tensor.data()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Features {
    /// `None` if the file is not whole or holds something else, so that the features are computed again.
    fn open(path: &Path, shape: [usize; 3], count: usize) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let rows = MAGIC.len() + count * shape.iter().product::<usize>() * size_of::<f32>();
        if file.metadata().ok()?.len() != (rows + count) as u64 {
            return None;
        }
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic).ok()?;
        let mut readable = vec![0; count];
        file.seek(SeekFrom::Start(rows as u64)).ok()?;
        file.read_exact(&mut readable).ok()?;
        let readable = readable.into_iter().map(|byte| byte == 1).collect();
        let file = Mutex::new(BufReader::new(file));
        (magic == *MAGIC).then_some(Features { path: path.to_path_buf(), file, shape, readable, scale: 1.0 })
    }

    /// Scales the features so that the mean square over these examples is 1: the factor. Layers behind them then start
    /// from the same point whatever the magnitude of the features.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn normalize(&mut self, over: &[usize]) -> Result<f32> {
        self.scale = 1.0;
        let mut row = vec![0.0; self.shape.iter().product()];
        let (mut squares, mut count) = (0.0, 0);
        for &index in over.iter().filter(|&&index| self.is_readable(index)) {
            self.write(index, None, &mut row)?;
            squares += row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
            count += row.len();
        }
        let magnitude = (squares / count.max(1) as f64).sqrt() as f32;
        self.scale = if magnitude > 0.0 { magnitude.recip() } else { 1.0 };
        Ok(self.scale)
    }

    /// Whether the example could be read when its features were computed.
    pub fn is_readable(&self, index: usize) -> bool {
        self.readable[index]
    }
}

impl Examples for Features {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The file's name, which says what the features depend on.
    fn settings(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn write(&self, index: usize, _: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        let failed = |error| Error::io(&self.path, error);
        if !self.is_readable(index) {
            return Err(failed(std::io::Error::other(format!("example {index} could not be read"))));
        }
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(out);
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start((MAGIC.len() + index * bytes.len()) as u64)).map_err(failed)?;
            file.read_exact(bytes).map_err(failed)?;
        }
        if !out.iter().all(|value| value.is_finite()) {
            return Err(failed(std::io::Error::other(format!("the features of example {index} are not finite"))));
        }
        out.iter_mut().for_each(|value| *value *= self.scale);
        Ok(())
    }
}

//! Everything that can go wrong, as one type that says what was wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// A `Result` with the library's [`Error`].
///
/// ```
/// use vultus::{Result, Tensor};
///
/// fn gray(image: &[f32], side: usize) -> Result<Tensor> {
///     Tensor::new([1, 1, side, side], image.to_vec())
/// }
/// assert!(gray(&[0.5; 4], 2).is_ok() && gray(&[0.5; 5], 2).is_err());
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// The library's error. Its text is meant for the user: one or two lines.
///
/// ```
/// use vultus::{Error, Tensor};
///
/// let error = Tensor::new([2, 3], vec![0.0; 5]).unwrap_err();
/// assert_eq!(error.to_string(), "tensor: 5 values do not fill the shape [2, 3]");
/// assert!(matches!(error, Error::Shape { what, .. } if what == "tensor"));
/// ```
///
/// The kinds tell a program what it can do: offer other names, say, where one is unknown.
///
/// ```
/// use vultus::Error;
/// use vultus::nn::Network;
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 8);
/// match network.add("sum", "fc1") {
///     Err(Error::UnknownName { known, .. }) => assert_eq!(known, ["fc"]),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes only: shapes, ranks, sizes or numbers of inputs that do not fit each other, or that an operation or a
    /// network does not accept.
    #[error("{what}: {reason}")]
    Shape {
        /// The operation, layer or network.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A value, an option, a combination of them or an order of calls that is not accepted.
    #[error("{what}: {reason}")]
    InvalidArgument {
        /// What does not accept it.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that nothing has: of a layer, a kernel, a parameter, a value.
    #[error("{what}: there is no {name}{}", there_are(known))]
    UnknownName {
        /// Where it was looked for.
        what: String,
        /// What it is to be the name of, and the name in quotes: `layer "conv9"`.
        name: String,
        /// The names that there are; empty where they are too many to be read, or not known.
        known: Vec<String>,
    },
    /// A training whose loss or parameters are no longer finite.
    #[error("training: {what}: take a smaller learning rate")]
    Diverged {
        /// What is infinite or not a number.
        what: String,
    },
    /// Something larger than the device can hold or address.
    #[error("{what} needs {needed}, but {limit} is {available}: {advice}")]
    Limit {
        /// What was asked for.
        what: String,
        /// How much it needs.
        needed: u64,
        /// The name of the limit, as in `wgpu::Limits` where it is one of those.
        limit: &'static str,
        /// How much there is.
        available: u64,
        /// What to do about it.
        advice: &'static str,
    },
    /// No device answers to the wish.
    #[error("no device {wish:?}: {reason}")]
    NoDevice {
        /// What was asked for.
        wish: String,
        /// What there is instead.
        reason: String,
    },
    /// The device was lost: driver reset, unplugged, destroyed. Nothing on it survives.
    #[error("the device {device} was lost ({reason}): make a new one and start again from the last saved state")]
    DeviceLost {
        /// The device's name.
        device: String,
        /// What the driver says.
        reason: String,
    },
    /// The driver refused something that the engine asked for.
    #[error("the device {device} refused a request: {reason}")]
    Device {
        /// The device's name.
        device: String,
        /// What the driver says.
        reason: String,
    },
    /// A precision that the device does not compute in, or not with these parameters.
    #[error("{device} does not compute in the precision {precision}: {reason}; choose f32 or f16-weights")]
    Precision {
        /// The device's name.
        device: String,
        /// The precision's.
        precision: &'static str,
        /// What is missing, or what is wrong.
        reason: String,
    },
    /// A checked run found the memory around a buffer changed.
    #[error("{step} wrote outside of its output {value}")]
    OutOfBounds {
        /// The step that ran, or the plan.
        step: String,
        /// The value beside which memory was changed.
        value: String,
    },
    /// A file of weights that cannot be used.
    #[error("{}{}: {reason}", file.display(), tensor.as_ref().map(|t| format!(", tensor {t}")).unwrap_or_default())]
    Weights {
        /// The file.
        file: PathBuf,
        /// The tensor, where it is one tensor's fault.
        tensor: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// A model in a file that is damaged, contradicts itself, or lacks something.
    #[error("{}: {reason}", file.display())]
    Model {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model in a file that uses operators which are not supported.
    #[error("{}: {}", file.display(), not_supported(operators))]
    Unsupported {
        /// The file.
        file: PathBuf,
        /// Each operator, with what it asks for that there is not, and how many nodes do so.
        operators: Vec<(String, usize)>,
    },
    /// A picture that cannot be read.
    #[error("{}: {reason}", file.display())]
    Image {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A video that cannot be read.
    #[error("{}: {reason}", file.display())]
    Video {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A data set that cannot be used.
    #[error("{}: {reason}", folder.display())]
    Data {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Predictions that cannot be evaluated.
    #[error("predictions: {reason}")]
    Predictions {
        /// What is wrong with them.
        reason: String,
    },
    /// A line of a list that cannot be used.
    #[error("{}, line {line}: {reason}", file.display())]
    Line {
        /// The list.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Names of classes that do not fit together.
    #[error("{names}: {reason}")]
    Classes {
        /// The names as they were given.
        names: String,
        /// What is wrong with them.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// The names that there are, as the end of a sentence.
fn there_are(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there are {}", known.join(", ")) }
}

/// What is not supported, as a sentence.
fn not_supported(operators: &[(String, usize)]) -> String {
    let count = |(operator, count): &(String, usize)| match count {
        1 => format!("{operator} (1 node)"),
        count => format!("{operator} ({count} nodes)"),
    };
    let list = operators.iter().map(count).collect::<Vec<_>>().join(", ");
    match operators.len() {
        1 => format!("1 operator is not supported: {list}"),
        kinds => format!("{kinds} operators are not supported: {list}"),
    }
}

impl Error {
    pub(crate) fn shape(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Shape { what: what.into(), reason: reason.into() }
    }

    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::InvalidArgument { what: what.into(), reason: reason.into() }
    }

    /// `name` is the kind and the quoted name: `layer "conv9"`.
    pub(crate) fn unknown(
        what: impl Into<String>,
        name: impl Into<String>,
        known: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let known = known.into_iter().map(Into::into).collect();
        Error::UnknownName { what: what.into(), name: name.into(), known }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_path_buf(), source }
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn model(file: &Path, reason: impl Into<String>) -> Self {
        Error::Model { file: file.to_path_buf(), reason: reason.into() }
    }

    #[cfg(feature = "train")]
    pub(crate) fn data(folder: &Path, reason: impl Into<String>) -> Self {
        Error::Data { folder: folder.to_path_buf(), reason: reason.into() }
    }

    #[cfg(feature = "train")]
    pub(crate) fn line(file: &Path, line: u64, reason: impl Into<String>) -> Self {
        Error::Line { file: file.to_path_buf(), line, reason: reason.into() }
    }

    pub(crate) fn weights(file: &Path, tensor: Option<&str>, reason: impl Into<String>) -> Self {
        Error::Weights { file: file.to_path_buf(), tensor: tensor.map(str::to_owned), reason: reason.into() }
    }
}

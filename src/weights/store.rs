//! Where the program's own weights come from: a folder, or the binary itself.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::checksums::{self, Checksums};
use super::source::Source;
use super::{WeightFile, safetensors};
use crate::error::{Error, Result};

/// The environment variable that names a folder of weights.
const VARIABLE: &str = "VULTUS_WEIGHTS";

/// The files that the program needs.
///
/// ```
/// use vultus::weights::DefaultFile;
///
/// let names = DefaultFile::ALL.map(DefaultFile::file_name);
/// assert!(names.contains(&"expression_model.safetensors") && names.contains(&"yunet.safetensors"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefaultFile {
    /// `vgg16_base.safetensors`: VGG16's convolutional layers.
    Vgg16Base,
    /// `yunet.safetensors`: the network of the face detector.
    Yunet,
    /// `mtcnn.safetensors`: the three networks of the other face detector.
    Mtcnn,
    /// `expression_model.safetensors`: the model that recognises expressions unless another one is named.
    ExpressionModel,
    /// `light_model.safetensors`: a smaller and quicker one.
    LightModel,
    /// `vgg16_model.safetensors`: one made of VGG16, as far as it differs from the base.
    Vgg16Model,
}

impl DefaultFile {
    /// All of them.
    pub const ALL: [DefaultFile; 6] = [
        DefaultFile::Vgg16Base,
        DefaultFile::Yunet,
        DefaultFile::Mtcnn,
        DefaultFile::ExpressionModel,
        DefaultFile::LightModel,
        DefaultFile::Vgg16Model,
    ];

    /// Its name in a folder of weights.
    pub fn file_name(self) -> &'static str {
        match self {
            DefaultFile::Vgg16Base => "vgg16_base.safetensors",
            DefaultFile::Yunet => "yunet.safetensors",
            DefaultFile::Mtcnn => "mtcnn.safetensors",
            DefaultFile::ExpressionModel => "expression_model.safetensors",
            DefaultFile::LightModel => "light_model.safetensors",
            DefaultFile::Vgg16Model => "vgg16_model.safetensors",
        }
    }
}

/// The place that the program's weights are taken from.
///
/// A folder may hold only some of the files; the others then come from the embedded ones. If it has a `SHA256SUMS`
/// (the format of `sha256sum`), each file listed there must be in the folder and must have that sum; files that are
/// not listed are accepted as they are. The embedded files are checked against a list of their own.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::weights::{DefaultFile, Store};
///
/// let store = Store::open(Some(Path::new("my_weights")))?;
/// println!("weights: {}", store.describe());
/// for which in DefaultFile::ALL {
///     println!("{} {}", store.load(which)?.sha256, which.file_name());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Debug)]
pub struct Store {
    folder: Option<Folder>,
}

/// A folder as it was when the store was opened.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    files: Vec<DefaultFile>,
    sums: Checksums,
}

impl Store {
    /// The store of this folder; without one, that of the folder that the environment variable `VULTUS_WEIGHTS` names;
    /// without that (unset or empty), the files embedded in the binary.
    ///
    /// # Errors
    /// [`Error::Weights`] if the folder does not exist, holds none of the files, lacks one that its `SHA256SUMS`
    /// lists, or if that list is malformed; and if the embedded files are asked for in a build without the feature
    /// `embed`. [`Error::Io`] if the folder cannot be looked at.
    pub fn open(folder: Option<&Path>) -> Result<Self> {
        Self::choose(folder, std::env::var_os(VARIABLE))
    }

    /// [`Store::open`] with the environment variable's value.
    fn choose(folder: Option<&Path>, variable: Option<OsString>) -> Result<Self> {
        let named = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = match (folder, named) {
            (Some(path), _) => Some(Folder::open(path, "")?),
            (None, Some(path)) => Some(Folder::open(&path, " (named by the environment variable VULTUS_WEIGHTS)")?),
            (None, None) if embedded::PRESENT => None,
            (None, None) => return Err(absent(Path::new("no weights"), "name the folder that holds them")),
        };
        Ok(Store { folder })
    }

    /// Reads one of the files. Its checksum is compared before anything in it is looked at.
    ///
    /// # Errors
    /// [`Error::Weights`] if the checksum is wrong, if the contents are not what [`safetensors::from_bytes`] reads, or
    /// if the file is neither in the folder nor embedded. [`Error::Io`] if it cannot be read.
    pub fn load(&self, which: DefaultFile) -> Result<WeightFile> {
        let name = which.file_name();
        if let Some(folder) = &self.folder
            && folder.files.contains(&which)
        {
            let path = folder.path.join(name);
            return read_verified(name, Source::open(&path)?, &folder.sums);
        }
        match (embedded::bytes(which), &self.folder) {
            (Some(bytes), _) => {
                let sums = Checksums::parse(&Path::new(embedded::FOLDER).join(checksums::FILE_NAME), embedded::SUMS)?;
                let path = Path::new(embedded::FOLDER).join(name);
                read_verified(name, Source::from_bytes(&path, bytes), &sums)
            }
            (None, Some(folder)) => Err(absent(&folder.path.join(name), "put this file there or name another folder")),
            (None, None) => Err(absent(Path::new(name), "name the folder that holds this file")),
        }
    }

    /// Where the weights come from, for messages: `embedded`, or the folder and which files it lacks.
    pub fn describe(&self) -> String {
        let Some(folder) = &self.folder else { return "embedded".to_owned() };
        let lacking: Vec<&str> = (DefaultFile::ALL.into_iter())
            .filter(|which| !folder.files.contains(which))
            .map(DefaultFile::file_name)
            .collect();
        match (lacking.as_slice(), embedded::PRESENT) {
            ([], _) => folder.path.display().to_string(),
            (names, true) => format!("{} (embedded: {})", folder.path.display(), names.join(", ")),
            (names, false) => format!("{} (without {})", folder.path.display(), names.join(", ")),
        }
    }
}

impl Folder {
    /// Looks at what is in the folder. `origin` says in messages who named it, where that was not the caller.
    fn open(path: &Path, origin: &str) -> Result<Self> {
        let refuse = |reason: String| Err(Error::weights(path, None, reason));
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return refuse(format!("this is not a folder{origin}: name the folder that holds the weights")),
            Err(e) if e.kind() == ErrorKind::NotFound => return refuse(format!("there is no such folder{origin}")),
            Err(e) => return Err(Error::io(path, e)),
        }
        let mut files = Vec::new();
        for which in DefaultFile::ALL {
            if is_there(&path.join(which.file_name()))? {
                files.push(which);
            }
        }
        if files.is_empty() {
            let names = DefaultFile::ALL.map(DefaultFile::file_name).join(", ");
            return refuse(format!("this folder{origin} holds none of {names}"));
        }
        let list = path.join(checksums::FILE_NAME);
        let sums = if is_there(&list)? {
            let source = Source::open(&list)?;
            Checksums::parse(&list, &source.read(0, source.length())?)?
        } else {
            Checksums::none(&list)
        };
        for which in DefaultFile::ALL {
            if sums.lists(which.file_name()) && !files.contains(&which) {
                let reason = format!("lists {}, which is not in the folder: restore the file", which.file_name());
                return Err(Error::weights(&list, None, format!("{reason} or delete its line")));
            }
        }
        Ok(Folder { path: path.to_path_buf(), files, sums })
    }
}

/// Whether a folder has an entry of this name. A link to nowhere counts: it fails when it is read, and is not silently
/// replaced by the embedded file.
fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(path, e)),
    }
}

/// Compares the checksum, then reads.
fn read_verified(name: &str, source: Source, sums: &Checksums) -> Result<WeightFile> {
    sums.verify(name, source.path(), source.sha256()?)?;
    safetensors::catalog(source)?.read()
}

/// What a build without embedded weights says.
fn absent(path: &Path, advice: &str) -> Error {
    let reason = format!("this build has no embedded weights: {advice} (--weights, or the variable {VARIABLE})");
    Error::weights(path, None, reason)
}

/// The files inside the binary.
mod embedded {
    use super::DefaultFile;

    pub(super) const PRESENT: bool = cfg!(all(feature = "embed", has_weights));
    /// The folder that messages show for them.
    pub(super) const FOLDER: &str = "embedded";
    pub(super) const SUMS: &[u8] = include_bytes!("../../weights/SHA256SUMS");

    #[cfg(all(feature = "embed", has_weights))]
    pub(super) fn bytes(which: DefaultFile) -> Option<&'static [u8]> {
        Some(match which {
            DefaultFile::Vgg16Base => include_bytes!("../../weights/vgg16_base.safetensors"),
            DefaultFile::Yunet => include_bytes!("../../weights/yunet.safetensors"),
            DefaultFile::Mtcnn => include_bytes!("../../weights/mtcnn.safetensors"),
            DefaultFile::ExpressionModel => include_bytes!("../../weights/expression_model.safetensors"),
            DefaultFile::LightModel => include_bytes!("../../weights/light_model.safetensors"),
            DefaultFile::Vgg16Model => include_bytes!("../../weights/vgg16_model.safetensors"),
        })
    }

    #[cfg(not(all(feature = "embed", has_weights)))]
    pub(super) fn bytes(_: DefaultFile) -> Option<&'static [u8]> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with an MTCNN file and nothing else. Opening a store does not look into the file.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mtcnn.safetensors"), "not looked at").unwrap();
        folder
    }

    #[test]
    fn the_argument_goes_before_the_variable() {
        let (argument, variable) = (folder(), folder());
        let named = Some(variable.path().into());
        let store = Store::choose(Some(argument.path()), named.clone()).unwrap();
        assert_eq!(store.folder.unwrap().path, argument.path());
        assert_eq!(Store::choose(None, named).unwrap().folder.unwrap().path, variable.path());
    }

    #[test]
    fn a_folder_from_the_variable_that_is_not_there_is_named_with_it() {
        let error = Store::choose(None, Some("no/such/folder".into())).unwrap_err().to_string();
        let wanted = "no/such/folder: there is no such folder (named by the environment variable VULTUS_WEIGHTS)";
        assert_eq!(error, wanted);
    }

    #[cfg(all(feature = "embed", has_weights))]
    #[test]
    fn without_a_folder_the_weights_are_embedded() {
        for variable in [None, Some(OsString::new())] {
            assert_eq!(Store::choose(None, variable).unwrap().describe(), "embedded");
        }
        let sums = Checksums::parse(Path::new("SHA256SUMS"), embedded::SUMS).unwrap();
        assert!(DefaultFile::ALL.into_iter().all(|which| sums.lists(which.file_name())));
    }

    #[cfg(not(all(feature = "embed", has_weights)))]
    #[test]
    fn without_a_folder_and_embedded_files_the_message_says_what_to_do() {
        for variable in [None, Some(OsString::new())] {
            let error = Store::choose(None, variable).unwrap_err().to_string();
            assert!(error.contains("--weights, or the variable VULTUS_WEIGHTS"), "{error}");
        }
        let folder = folder();
        let store = Store::open(Some(folder.path())).unwrap();
        let others = DefaultFile::ALL.into_iter().filter(|&which| which != DefaultFile::Mtcnn);
        let lacking = others.map(DefaultFile::file_name).collect::<Vec<_>>().join(", ");
        assert!(store.describe().ends_with(&format!("(without {lacking})")));
        let error = store.load(DefaultFile::Vgg16Base).unwrap_err().to_string();
        assert!(error.contains("vgg16_base.safetensors: ") && error.contains("put this file there"), "{error}");
    }
}

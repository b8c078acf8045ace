//! Files that appear complete or not at all.
//!
//! ```
//! use std::io::{Error, Write};
//!
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("answers.txt");
//! vultus::file::write(&path, |out| writeln!(out, "all of it"))?;
//! // What fails on the way leaves the older file as it was.
//! assert!(vultus::file::write(&path, |out| out.write_all(b"a part").and(Err(Error::other("the end")))).is_err());
//! assert_eq!(std::fs::read_to_string(&path)?, "all of it\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes a file under a temporary name in the same folder, syncs it to the disk and gives it its name.
///
/// # Errors
/// [`Error::Io`] if it cannot be written. An older file of that name then stays as it was, and nothing else is left
/// behind.
pub fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<()> {
    write_atomically(path, |out| write(out).map_err(|error| Error::io(path, error)))
}

/// As [`write`], for what can fail for other reasons than that the file cannot be written.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> Result<()>) -> Result<()> {
    let mut pending = Pending::new(path)?;
    let mut out = BufWriter::new(pending.file.as_file_mut());
    write(&mut out)?;
    out.flush().map_err(|error| Error::io(path, error))?;
    drop(out);
    pending.keep()
}

/// Fills a buffer from a place in a file; several threads may do so at once.
pub(crate) fn read_exact_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, out, offset);
    #[cfg(windows)]
    {
        let (mut out, mut offset) = (out, offset);
        while !out.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(file, out, offset)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (out, offset) = (&mut out[read..], offset + read as u64);
        }
        Ok(())
    }
    #[cfg(not(any(unix, windows)))]
    {
        let _ = (file, offset, out);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A file that is being written under a temporary name, and is removed if it is not kept.
///
/// ```
/// use vultus::file::Pending;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("clip.mp4");
/// let pending = Pending::new(&path)?;
/// // Another program may write it: the name says what it is to be.
/// std::fs::write(pending.temporary(), "frames")?;
/// assert!(!path.exists() && pending.temporary().extension() == path.extension());
/// pending.keep()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "frames");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    file: NamedTempFile,
}

impl Pending {
    /// An empty file in the same folder, with the same extension. Its permissions are those of any new file (0666 less
    /// the process's umask), not the 0600 of a temporary one.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made, or if there is a folder of that name.
    pub fn new(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Err(Error::io(path, io::ErrorKind::IsADirectory.into()));
        }
        let mut suffix = OsString::from(".part");
        if let Some(extension) = path.extension() {
            suffix.push(".");
            suffix.push(extension);
        }
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".").suffix(&suffix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|error| Error::io(path, error))?;
        Ok(Pending { path: path.to_path_buf(), file })
    }

    /// The name that the file gets in the end.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name that the file has now.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// The file to write to, once more.
    ///
    /// # Errors
    /// [`Error::Io`] if the operating system refuses.
    pub fn writer(&self) -> Result<BufWriter<File>> {
        let file = self.file.as_file().try_clone().map_err(|error| Error::io(&self.path, error))?;
        Ok(BufWriter::new(file))
    }

    /// Syncs the file to the disk and gives it its name, when everything is in it.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be; an older file of that name is then still there.
    pub fn keep(self) -> Result<()> {
        self.file.as_file().sync_all().map_err(|error| Error::io(&self.path, error))?;
        self.file.persist(&self.path).map_err(|error| Error::io(&self.path, error.error))?;
        Ok(())
    }
}

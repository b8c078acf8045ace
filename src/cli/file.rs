//! Files that a command writes: there as a whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};
use tempfile::NamedTempFile;
use vultus::Error;

/// Writes a file under a temporary name beside its place, and then gives it its name.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; an older file of that name is then still there.
pub fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<(), Error> {
    let failed = |source| Error::Io { path: path.to_path_buf(), source };
    let mut pending = Pending::new(path)?;
    let mut out = BufWriter::new(pending.file.as_file_mut());
    write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    pending.keep()
}

/// A file that is being written under a temporary name, and goes if it is not kept.
pub struct Pending {
    path: PathBuf,
    file: NamedTempFile,
}

impl Pending {
    /// An empty file in the same folder, with the same extension.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no place for it.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Io { path: path.to_path_buf(), source };
        if path.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
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
        Ok(Pending { path: path.to_path_buf(), file: builder.tempfile_in(folder).map_err(failed)? })
    }

    /// The file as it is called at last.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file as it is called now.
    pub fn temporary(&self) -> &Path {
        self.file.path()
    }

    /// The file to write to, once more.
    ///
    /// # Errors
    /// [`Error::Io`] if the operating system refuses.
    pub fn writer(&self) -> Result<BufWriter<File>, Error> {
        let file = self.file.as_file().try_clone();
        Ok(BufWriter::new(file.map_err(|source| Error::Io { path: self.path.clone(), source })?))
    }

    /// Gives the file its name, when everything is in it.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be; an older file of that name is then still there.
    pub fn keep(self) -> Result<(), Error> {
        let failed = |source| Error::Io { path: self.path.clone(), source };
        self.file.as_file().sync_all().map_err(failed)?;
        self.file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Writes a picture as PNG, as [`write`] does.
///
/// # Errors
/// As [`write`].
pub fn write_png(path: &Path, image: &RgbImage) -> Result<(), Error> {
    write(path, |out| image.write_to(out, ImageFormat::Png).map_err(io::Error::other))
}

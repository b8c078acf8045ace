//! Files that a command writes: there as a whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use image::{ImageFormat, RgbImage};
use vultus::Error;

/// Writes a file under a temporary name beside its place, and then gives it its name.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; an older file of that name is then still there.
pub fn write(path: &Path, write: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>) -> Result<(), Error> {
    let failed = |source| Error::Io { path: path.to_path_buf(), source };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    let mut out = BufWriter::new(file.as_file_mut());
    write(&mut out).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Writes a picture as PNG, as [`write`] does.
///
/// # Errors
/// As [`write`].
pub fn write_png(path: &Path, image: &RgbImage) -> Result<(), Error> {
    write(path, |out| image.write_to(out, ImageFormat::Png).map_err(io::Error::other))
}

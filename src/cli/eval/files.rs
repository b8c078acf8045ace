//! The files that an evaluation writes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use vultus::Error;
use vultus::file;
use vultus::metrics::Predictions;

use super::page::page;
use super::results::Results;

/// Where the files go, which was found out before any work.
pub struct Files {
    csv: Option<PathBuf>,
    folder: Option<PathBuf>,
}

impl Files {
    /// Plans a file of predictions and a folder of all files, which is made if only itself is missing.
    ///
    /// # Errors
    /// [`Error::Io`] if there is no place for them.
    pub fn plan(csv: Option<&Path>, folder: Option<&Path>) -> Result<Self, Error> {
        let failed = |path: &Path, source| Error::Io { path: path.to_path_buf(), source };
        if let Some(csv) = csv {
            if csv.is_dir() {
                return Err(failed(csv, io::ErrorKind::IsADirectory.into()));
            }
            let parent = csv.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            tempfile::tempfile_in(parent).map_err(|error| failed(parent, error))?;
        }
        if let Some(folder) = folder {
            if !folder.is_dir() {
                fs::create_dir(folder).map_err(|error| failed(folder, error))?;
            }
            tempfile::tempfile_in(folder).map_err(|error| failed(folder, error))?;
        }
        Ok(Files { csv: csv.map(Path::to_path_buf), folder: folder.map(Path::to_path_buf) })
    }

    /// Writes the files that were asked for.
    pub fn write(&self, results: &Results, predictions: &Predictions, names: &[String]) -> Result<(), Error> {
        if let Some(csv) = &self.csv {
            file::write(csv, |out| predictions.write_csv(names, out))?;
        }
        let Some(folder) = &self.folder else { return Ok(()) };
        file::write(&folder.join("predictions.csv"), |out| predictions.write_csv(names, out))?;
        file::write(&folder.join("confusion.csv"), |out| results.evaluation.write_confusion_csv(out))?;
        file::write(&folder.join("results.json"), |out| Ok(serde_json::to_writer_pretty(out, results)?))?;
        page(results).save(&folder.join("report.html"))
    }
}

//! What is kept in a folder from process to process: compiled pipelines, and the kernels that the tuner has chosen. One
//! file each for every adapter, driver and version of the engine.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::tuning::Table;
use crate::error::{Error, Result};
use crate::file::write_atomically;

/// Larger files are not read: they are not ours.
const MAX_BYTES: u64 = 64 << 20;

const CHECKSUM: usize = 32;

pub(super) struct Cache {
    pipelines_file: PathBuf,
    tuning_file: PathBuf,
    pipelines: Option<wgpu::PipelineCache>,
}

impl Cache {
    /// Opens the cache of these shaders in this folder, which is made if it is not there.
    pub fn open(
        device: &wgpu::Device,
        info: &wgpu::AdapterInfo,
        folder: &Path,
        shaders: impl Iterator<Item = &'static str>,
    ) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let key = key(info, shaders);
        let pipelines_file = folder.join(format!("pipelines-{key}.bin"));
        let offered = device.features().contains(wgpu::Features::PIPELINE_CACHE);
        let pipelines = offered.then(|| {
            let data = read_checked(&pipelines_file);
            let descriptor =
                wgpu::PipelineCacheDescriptor { label: Some("vultus"), data: data.as_deref(), fallback: true };
            // SAFETY: the data is what the same adapter, driver and version of the engine have given out before (the
            // file's name holds a hash of them), whole and unchanged by its checksum; or there is none.
            unsafe { device.create_pipeline_cache(&descriptor) }
        });
        Ok(Cache { pipelines_file, tuning_file: folder.join(format!("tuning-{key}.json")), pipelines })
    }

    /// What pipelines are made with; `None` where the device has no pipeline cache.
    pub fn pipelines(&self) -> Option<&wgpu::PipelineCache> {
        self.pipelines.as_ref()
    }

    /// Keeps what has been compiled. A cache that cannot be written only costs time in the next process.
    pub fn save_pipelines(&self) {
        if let Some(data) = self.pipelines().and_then(wgpu::PipelineCache::get_data) {
            let _ = write(&self.pipelines_file, &[Sha256::digest(&data).as_slice(), &data]);
        }
    }

    /// The choices of earlier processes; none if the file is missing or damaged.
    pub fn load_tuning(&self) -> Table {
        let bytes = read(&self.tuning_file);
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps the choices.
    pub fn save_tuning(&self, table: &Table) {
        if let Ok(json) = serde_json::to_vec_pretty(table) {
            let _ = write(&self.tuning_file, &[&json]);
        }
    }
}

/// Names the adapter, its driver and this version of the engine with all of its shaders.
fn key(info: &wgpu::AdapterInfo, shaders: impl Iterator<Item = &'static str>) -> String {
    let mut hash = Sha256::new();
    let numbers = format!("{:?} {} {}", info.backend, info.vendor, info.device);
    for part in [&info.name, &info.driver, &info.driver_info, &numbers, env!("CARGO_PKG_VERSION")] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    shaders.for_each(|source| hash.update(source.as_bytes()));
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_file() && metadata.len() <= MAX_BYTES { fs::read(path).ok() } else { None }
}

/// What follows the checksum in a file, if it is right.
fn read_checked(path: &Path) -> Option<Vec<u8>> {
    let bytes = read(path)?;
    let (checksum, data) = bytes.split_at_checked(CHECKSUM)?;
    (Sha256::digest(data).as_slice() == checksum).then(|| data.to_vec())
}

fn write(path: &Path, parts: &[&[u8]]) -> Result<()> {
    write_atomically(path, |out| parts.iter().try_for_each(|part| out.write_all(part)).map_err(|e| Error::io(path, e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipelines.bin");
        assert_eq!(read_checked(&path), None);
        let data = b"compiled".as_slice();
        write(&path, &[Sha256::digest(data).as_slice(), data]).unwrap();
        assert_eq!(read_checked(&path).as_deref(), Some(data));
        let mut bytes = fs::read(&path).unwrap();
        bytes[CHECKSUM] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read_checked(&path), None);
        fs::write(&path, &bytes[..CHECKSUM - 1]).unwrap();
        assert_eq!(read_checked(&path), None);
    }
}

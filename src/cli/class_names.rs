//! Data sets that call a model's classes by other names.

use std::path::Path;

use vultus::Error;
use vultus::data::{ClassMap, Dataset};

/// Opens a data set, with the model's names for its classes where a map says which is which.
pub fn open_renamed(path: &Path, map: Option<&ClassMap>) -> Result<Dataset, Error> {
    let data = Dataset::open(path)?;
    match map {
        Some(map) => data.map_classes(map),
        None => Ok(data),
    }
}

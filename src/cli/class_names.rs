//! Data sets that call a model's classes by other names.

use std::path::Path;

use vultus::Error;
use vultus::data::{ClassMap, Dataset};

use super::global::Global;

/// Opens a data set, with the model's names for its classes where a map says which is which. Classes of the set that
/// mean the same become one, which is said.
pub fn open_renamed(path: &Path, map: Option<&ClassMap>, global: &Global) -> Result<Dataset, Error> {
    let data = Dataset::open(path)?;
    match map {
        Some(map) => data.map_classes(map),
        None => unified(data, global),
    }
}

/// The data set with one name for all of its classes that mean the same, such as `Happy` and `happy`.
pub fn unified(data: Dataset, global: &Global) -> Result<Dataset, Error> {
    let map = ClassMap::unifying(&data.classes);
    if map.is_empty() {
        return Ok(data);
    }
    let mut classes = data.classes.clone();
    let merged = data.map_classes(&map)?;
    classes.retain(|class| !merged.classes.contains(class));
    let (path, gone, left) = (merged.path.display(), classes.join(", "), merged.classes.join(", "));
    global.note(&format!("classes: {path}: {gone} merged with classes that mean the same, which leaves {left}"));
    Ok(merged)
}

/// The data set with the model's names for its classes that mean the same, which is said.
pub fn matched(data: Dataset, model: &[String], global: &Global) -> Result<Dataset, Error> {
    let map = ClassMap::matching(&data.classes, model);
    if map.is_empty() {
        return Ok(data);
    }
    global.note(&format!("classes: {map}"));
    data.map_classes(&map)
}

//! The models that come with the program, by their names.

use std::io::ErrorKind;
use std::path::Path;

use vultus::Error;
use vultus::weights::{DefaultFile, WeightFile, safetensors};

use super::global::Global;

/// What the options that name a model take.
pub const VALUE: &str = "default|light|vgg16|FILE";

const NAMES: [(&str, DefaultFile); 3] =
    [("default", DefaultFile::ExpressionModel), ("light", DefaultFile::LightModel), ("vgg16", DefaultFile::Vgg16Model)];

/// The model of this name that comes with the program; none for any other name, which is that of a file. A file that is
/// called as one of them is meant by a path: `./light`.
pub fn named(name: &Path, global: &Global) -> Result<Option<WeightFile>, Error> {
    own(name).map(|which| global.store()?.load(which)).transpose()
}

/// The model of this name, or in the file of this name; the default one where there is none.
pub fn load(name: Option<&Path>, global: &Global) -> Result<WeightFile, Error> {
    let Some(name) = name else { return global.store()?.load(DefaultFile::ExpressionModel) };
    if let Some(model) = named(name, global)? {
        return Ok(model);
    }
    safetensors::read(name).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            let names = NAMES.map(|(name, _)| name).join(", ");
            let reason = format!("there is no such file, and the program's own models are {names}");
            Error::Weights { file: name.to_path_buf(), tensor: None, reason }
        }
        error => error,
    })
}

/// What a report calls the model of this name.
pub fn title(name: Option<&Path>) -> String {
    match name {
        None => "the default model".to_owned(),
        Some(name) if own(name).is_some() => format!("the {} model", name.display()),
        Some(path) => path.display().to_string(),
    }
}

/// Whether a model of this name comes with the program.
pub fn is_own(name: &Path) -> bool {
    own(name).is_some()
}

fn own(name: &Path) -> Option<DefaultFile> {
    NAMES.iter().find(|(known, _)| name.as_os_str() == *known).map(|(_, which)| *which)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_models_and_a_path_a_files() {
        for (name, which) in NAMES {
            assert_eq!(own(Path::new(name)), Some(which));
            assert_eq!(own(&Path::new(".").join(name)), None);
        }
        assert_eq!(own(Path::new("Light")), None);
        assert_eq!(
            [None, Some("vgg16"), Some("./vgg16")].map(|name| title(name.map(Path::new))),
            ["the default model", "the vgg16 model", "./vgg16"]
        );
    }
}

//! Where pictures come from: files, folders, standard input.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vultus::Error;
use vultus::image::{self, Decoded, MAX_FILE_BYTES};

use crate::cli::failure::Failure;

/// One picture, not yet read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input, as `-`.
    Stdin,
}

impl Source {
    /// The pictures that the arguments name: `-`, files, and the pictures in folders.
    pub fn all(arguments: &[PathBuf]) -> Result<Vec<Source>, Failure> {
        let mut sources = Vec::new();
        for argument in arguments {
            if argument == Path::new("-") {
                if sources.contains(&Source::Stdin) {
                    return Err(Failure::Usage("standard input (-) can be read only once".to_owned()));
                }
                sources.push(Source::Stdin);
            } else if let Some((scheme @ ("http" | "https"), _)) =
                argument.to_str().and_then(|text| text.split_once("://"))
            {
                let reason =
                    format!("pictures are not fetched from {scheme} addresses: curl -s ADDRESS | vultus predict -");
                return Err(Failure::Usage(format!("{}: {reason}", argument.display())));
            } else if argument.is_dir() {
                let pictures = image::pictures_in(argument)?;
                if pictures.is_empty() {
                    let reason = "there are no pictures in this folder (folders in it are not searched)".to_owned();
                    return Err(Error::Image { file: argument.clone(), reason }.into());
                }
                sources.extend(pictures.into_iter().map(Source::File));
            } else {
                sources.push(Source::File(argument.clone()));
            }
        }
        Ok(sources)
    }

    /// Reads the picture, and says what is odd about it.
    pub fn read(&self) -> Result<Decoded, Error> {
        let stdin = Path::new("standard input");
        match self {
            Source::File(path) => image::read_file(path),
            Source::Stdin => {
                let mut bytes = Vec::new();
                // One byte more than may be: what is too large is then refused by its size.
                let mut limited = io::stdin().lock().take(MAX_FILE_BYTES + 1);
                let failed = |source| Error::Io { path: stdin.to_path_buf(), source };
                limited.read_to_end(&mut bytes).map_err(failed)?;
                image::decode_with_warnings(stdin, &bytes, image::MAX_PIXELS)
            }
        }
    }

    /// What the picture's copy with boxes is called in a folder: the file's name with the extension `png`.
    pub fn annotated_name(&self) -> PathBuf {
        match self {
            Source::File(path) => Path::new(path.file_name().unwrap_or_default()).with_extension("png"),
            Source::Stdin => "stdin.png".into(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Stdin => f.write_str("-"),
        }
    }
}

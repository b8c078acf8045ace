//! Splits in files: which sample was in which part, by name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Protocol, Split, SplitPart};
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};
use crate::file::write;

/// The file's JSON.
#[derive(Serialize, Deserialize)]
struct SplitFile {
    /// The data set's path, for who reads it.
    dataset: String,
    seed: u64,
    protocol: Protocol,
    parts: Vec<NamedPart>,
}

#[derive(Serialize, Deserialize)]
struct NamedPart {
    name: String,
    samples: Vec<String>,
}

impl Split {
    /// Writes the split as JSON: data set, seed, protocol, and the names of each part's samples
    /// ([`Dataset::names`]). It appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Data`] if two samples have the same name, or the split has
    /// samples that the data set has not.
    pub fn write(&self, dataset: &Dataset, path: &Path) -> Result<()> {
        let names = dataset.names();
        by_name(dataset, &names)?;
        let named = |part: &SplitPart| {
            let samples = part.samples.iter().map(|&index| names.get(index).cloned());
            let samples = samples.collect::<Option<Vec<_>>>();
            let foreign =
                || Error::data(&dataset.path, format!("has fewer samples than the split's part {}", part.name));
            Ok(NamedPart { name: part.name.clone(), samples: samples.ok_or_else(foreign)? })
        };
        let parts = self.parts.iter().map(named).collect::<Result<Vec<_>>>()?;
        let dataset = dataset.path.display().to_string();
        let file = SplitFile { dataset, seed: self.seed, protocol: self.protocol, parts };
        write(path, |out| {
            serde_json::to_writer_pretty(&mut *out, &file)?;
            writeln!(out)
        })
    }

    /// Reads a split of this data set.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Line`] if it is no such file; [`Error::Data`] if it names a sample
    /// that the data set does not have, or one twice, or two parts have the same name, or one is empty.
    pub fn read(path: &Path, dataset: &Dataset) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let file: SplitFile = serde_json::from_reader(BufReader::new(file)).map_err(|error| wrong(path, &error))?;
        let names = dataset.names();
        let by_name = by_name(dataset, &names)?;
        let mut part_of = vec![None; names.len()];
        let mut parts: Vec<SplitPart> = Vec::new();
        for NamedPart { name, samples } in &file.parts {
            if parts.iter().any(|part| part.name == *name) {
                return Err(Error::data(path, format!("has two parts called {name:?}")));
            }
            if samples.is_empty() {
                return Err(Error::data(path, format!("the part {name:?} has no samples")));
            }
            let mut indices = Vec::with_capacity(samples.len());
            for sample in samples {
                let index = *by_name.get(sample.as_str()).ok_or_else(|| {
                    let set = dataset.path.display();
                    Error::data(path, format!("{sample:?} of the part {name:?} is not in {set}"))
                })?;
                if let Some(earlier) = part_of[index].replace(name) {
                    return Err(Error::data(path, format!("{sample:?} is in {earlier:?} and again in {name:?}")));
                }
                indices.push(index);
            }
            indices.sort_unstable();
            parts.push(SplitPart { name: name.clone(), samples: indices });
        }
        Ok(Split { protocol: file.protocol, seed: file.seed, parts })
    }
}

fn by_name<'a>(dataset: &Dataset, names: &'a [String]) -> Result<HashMap<&'a str, usize>> {
    let mut by_name = HashMap::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        if by_name.insert(name.as_str(), index).is_some() {
            return Err(Error::data(&dataset.path, format!("has two samples called {name:?}")));
        }
    }
    Ok(by_name)
}

fn wrong(path: &Path, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    match error.io_error_kind() {
        Some(kind) => Error::io(path, kind.into()),
        None => Error::line(path, error.line() as u64, format!("is no split of a data set: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::tests::dataset;
    use crate::data::split::SHARES;

    #[test]
    fn a_split_comes_back_from_its_file() {
        let set = dataset(&["happy", "sad"], &[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.json");
        let split = Split::shares(&set, Protocol::Random, &SHARES, u64::MAX).unwrap();
        split.write(&set, &path).unwrap();
        assert_eq!(Split::read(&path, &set).unwrap(), split);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        // Names are what counts: in another order of samples it is the same split.
        let turned = set.subset(&(0..10).rev().collect::<Vec<_>>());
        let read = Split::read(&path, &turned).unwrap();
        let names = |set: &Dataset, split: &Split| {
            let mut names = set.subset(split.part("test").unwrap()).names();
            names.sort();
            names
        };
        assert_eq!(names(&turned, &read), names(&set, &split));
        // One without a sample of the split is another data set, which is not overwritten either.
        let dropped = set.without(&split.part("test").unwrap()[..1]);
        assert!(Split::read(&path, &dropped).unwrap_err().to_string().contains("of the part \"test\" is not in set"));
        assert!(split.write(&dropped, &path).is_err());
        assert_eq!(Split::read(&path, &set).unwrap(), split);
    }

    #[test]
    fn files_that_are_no_split_of_the_data_set_are_refused() {
        let set = dataset(&["happy", "sad"], &[0, 1, 0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("split.json");
        let refused = |parts: &str| {
            let text = format!("{{\"dataset\": \"set\", \"seed\": 1, \"protocol\": \"random\",\n\"parts\": {parts}}}");
            std::fs::write(&path, text).unwrap();
            Split::read(&path, &set).unwrap_err().to_string()
        };
        let cases = [
            (r#"[{"name": "train", "samples": ["0.png", "7.png"]}]"#, "\"7.png\" of the part \"train\" is not in set"),
            (
                r#"[{"name": "a", "samples": ["0.png"]}, {"name": "b", "samples": ["1.png", "0.png"]}]"#,
                "\"0.png\" is in \"a\" and again in \"b\"",
            ),
            (r#"[{"name": "a", "samples": ["0.png", "0.png"]}]"#, "\"0.png\" is in \"a\" and again in \"a\""),
            (
                r#"[{"name": "a", "samples": ["0.png"]}, {"name": "a", "samples": ["1.png"]}]"#,
                "has two parts called \"a\"",
            ),
            (r#"[{"name": "a", "samples": []}]"#, "the part \"a\" has no samples"),
            (r#"[{"name": "a"}]"#, "line 2: is no split of a data set: missing field `samples`"),
            ("[", "line 2: is no split of a data set"),
        ];
        for (parts, said) in cases {
            assert!(refused(parts).contains(said), "{}", refused(parts));
        }
        assert!(Split::read(&folder.path().join("none.json"), &set).unwrap_err().to_string().contains("none.json: "));
        let twice = set.subset(&[0, 0]);
        assert!(Split::read(&path, &twice).is_err());
        let split = Split { protocol: Protocol::Random, seed: 0, parts: Vec::new() };
        assert!(split.write(&twice, &path).unwrap_err().to_string().contains("has two samples called \"0.png\""));
    }
}

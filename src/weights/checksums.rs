//! Lists of SHA-256 sums of files, as `sha256sum` writes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The name of a list of sums, in the folder of the files that it lists.
pub(crate) const FILE_NAME: &str = "SHA256SUMS";

/// What a `SHA256SUMS` says: a sum for each file name.
#[derive(Debug)]
pub(crate) struct Checksums {
    list: PathBuf,
    sums: BTreeMap<String, String>,
}

impl Checksums {
    /// The sums of no file: everything is accepted.
    pub(crate) fn none(list: &Path) -> Self {
        Checksums { list: list.to_path_buf(), sums: BTreeMap::new() }
    }

    /// Reads the format of `sha256sum`: 64 hexadecimal digits, a space, a space or `*`, the name. Empty lines and lines
    /// that start with `#` say nothing; a leading `./` of a name is dropped.
    ///
    /// # Errors
    /// [`Error::Weights`] for any other line, and for a second line about a file that contradicts the first.
    pub(crate) fn parse(list: &Path, bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::weights(list, None, "this is not UTF-8 text"))?;
        let mut sums = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| Error::weights(list, None, format!("line {}: {what}: {line:?}", number + 1));
            let (name, sum) = parse_line(line)
                .ok_or_else(|| wrong("this is not a SHA-256 of 64 hexadecimal digits, two spaces and a file name"))?;
            if sums.insert(name.to_owned(), sum.clone()).is_some_and(|earlier| earlier != sum) {
                return Err(wrong("an earlier line has another sum for this file"));
            }
        }
        Ok(Checksums { list: list.to_path_buf(), sums })
    }

    /// Whether the list has a sum for this name.
    pub(crate) fn lists(&self, name: &str) -> bool {
        self.sums.contains_key(name)
    }

    /// Compares the sum of the file `name`, which lies at `path`, with the listed one, if there is one.
    ///
    /// # Errors
    /// [`Error::Weights`] if they differ.
    pub(crate) fn verify(&self, name: &str, path: &Path, found: &str) -> Result<()> {
        match self.sums.get(name) {
            Some(wanted) if wanted != found => Err(Error::weights(
                path,
                None,
                format!(
                    "its SHA-256 is {found}, but {} says {wanted}: the file is damaged or another one. \
                     Get it again, or correct that line if the file was changed on purpose",
                    self.list.display()
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The name and the sum, in lower case, of one line.
fn parse_line(line: &str) -> Option<(&str, String)> {
    let (sum, rest) = line.split_once(' ')?;
    let name = rest.strip_prefix([' ', '*'])?;
    let name = name.strip_prefix("./").unwrap_or(name);
    let is_sum = sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
    (is_sum && !name.is_empty()).then(|| (name, sum.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_sha256sum_writes_is_read() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let text = format!("# made by hand\r\n{a}  text.bin\r\n\n{b} *./binary file.bin\n{a}  text.bin\n");
        let sums = Checksums::parse(Path::new("SHA256SUMS"), text.as_bytes()).unwrap();
        assert!(sums.lists("text.bin") && sums.lists("binary file.bin") && !sums.lists("other"));
        sums.verify("binary file.bin", Path::new("x"), &"b".repeat(64)).unwrap();
        sums.verify("other", Path::new("x"), "anything").unwrap();
        let error = sums.verify("text.bin", Path::new("folder/text.bin"), &"b".repeat(64)).unwrap_err().to_string();
        for part in ["folder/text.bin: ", &a, &"b".repeat(64), "SHA256SUMS says", "Get it again"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_malformed_line_is_named() {
        let sum = "0".repeat(64);
        let malformed = [
            sum.clone(),
            format!("{sum} name"),
            format!("{sum}  "),
            format!("{sum}  ./"),
            format!("{}  name", &sum[1..]),
            format!("{}g  name", &sum[1..]),
            format!("SHA256 (name) = {sum}"),
            "<html>".to_owned(),
        ];
        for line in malformed {
            let text = format!("{sum}  fine\n{line}\n");
            let error = Checksums::parse(Path::new("w/SHA256SUMS"), text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("w/SHA256SUMS: line 2: this is not a SHA-256 of 64"), "{error}");
        }
    }

    #[test]
    fn contradicting_lines_and_bytes_that_are_not_text_are_refused() {
        let text = format!("{}  name\n{} *name\n", "0".repeat(64), "1".repeat(64));
        let error = Checksums::parse(Path::new("S"), text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("S: line 2: an earlier line has another sum"), "{error}");
        let error = Checksums::parse(Path::new("S"), &[0xff, 0xfe, 0]).unwrap_err().to_string();
        assert_eq!(error, "S: this is not UTF-8 text");
    }
}

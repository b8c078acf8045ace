//! FER2013 as one table (Goodfellow et al., "Challenges in representation learning", 2013): `fer2013.csv` with the
//! columns `emotion,pixels,Usage` and `icml_face_data.csv` with `emotion, Usage, pixels`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::lines::{Line, Lines, shortened};
use super::pixel_row::{fields, row};
use crate::data::dataset::Dataset;
use crate::data::sample::{Part, Sample, Source};
use crate::error::{Error, Result};

/// The classes by their numbers in the table.
const CLASSES: [&str; 7] = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/// Where the columns are.
#[derive(Clone, Copy)]
struct Columns {
    emotion: usize,
    pixels: u8,
    usage: Option<usize>,
}

impl Columns {
    fn of(header: &[u8]) -> Option<Self> {
        let names: Vec<String> =
            fields(header).map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
        let column = |wanted: &str| names.iter().position(|name| name == wanted);
        Some(Columns {
            emotion: column("emotion")?,
            pixels: column("pixels")?.try_into().ok()?,
            usage: column("usage"),
        })
    }
}

/// Whether a file that begins with this line is such a table.
pub(super) fn is_header(line: &[u8]) -> bool {
    Columns::of(line).is_some()
}

/// Lists the rows of a table. Labels and parts are checked here, pixels when they are decoded.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    let mut lines = Lines::of(path)?;
    let columns = lines.next()?.and_then(|header| Columns::of(header.bytes));
    let columns = columns.ok_or_else(|| Error::line(path, 1, "has no columns emotion and pixels"))?;
    let (file, mut samples): (Arc<Path>, _) = (path.into(), Vec::new());
    while let Some(Line { bytes, number, offset }) = lines.next()? {
        let found = label_and_part(bytes, columns);
        let (label, part) = found.map_err(|reason| Error::line(path, number.into(), reason))?;
        let source = Source::Row { file: file.clone(), offset, line: number, column: columns.pixels };
        samples.push(Sample { source, label, subject: None, part, face: None, detected: None, votes: None });
    }
    if samples.is_empty() {
        return Err(Error::data(path, "has no rows below its header"));
    }
    Ok(Dataset { path: path.to_path_buf(), classes: CLASSES.map(str::to_owned).to_vec(), samples })
}

fn label_and_part(row: &[u8], columns: Columns) -> std::result::Result<(usize, Option<Part>), String> {
    let fields: Vec<&[u8]> = fields(row).collect();
    let text = |column: usize| fields.get(column).map(|field| String::from_utf8_lossy(field));
    let emotion = text(columns.emotion).ok_or("the field emotion is missing")?;
    let label = emotion.parse().ok().filter(|&number: &usize| number < CLASSES.len());
    let label = label.ok_or_else(|| format!("the emotion {} is not a number from 0 to 6", shortened(&emotion)))?;
    if fields.len() <= usize::from(columns.pixels) {
        return Err("the field pixels is missing".to_owned());
    }
    let Some(usage) = columns.usage else { return Ok((label, None)) };
    let usage = text(usage).ok_or("the field Usage is missing")?;
    let part = Part::named(&usage);
    let unknown = || format!("the usage {} is none of Training, PublicTest and PrivateTest", shortened(&usage));
    Ok((label, Some(part.ok_or_else(unknown)?)))
}

/// Writes samples of such a table as another one, pixels as they stand there.
pub(super) fn write(dataset: &Dataset, out: &mut impl Write) -> Result<()> {
    let failed = |error| Error::io(&dataset.path, error);
    writeln!(out, "emotion,Usage,pixels").map_err(failed)?;
    for sample in &dataset.samples {
        let Source::Row { file, offset, column, .. } = &sample.source else {
            return Err(Error::data(sample.file(), "is a file, and the others are rows of a table"));
        };
        let class = &dataset.classes[sample.label];
        let emotion = CLASSES.iter().position(|name| name == class);
        let emotion = emotion.ok_or_else(|| Error::data(&dataset.path, format!("FER2013 has no class {class:?}")))?;
        let usage = match sample.part {
            Some(Part::Train) => "Training",
            Some(Part::Validation) => "PublicTest",
            Some(Part::Test) => "PrivateTest",
            None => return Err(Error::data(&dataset.path, "has no column Usage, which a table is written with")),
        };
        let row = row(file, *offset)?;
        let pixels = fields(&row).nth((*column).into()).unwrap_or_default();
        write!(out, "{emotion},{usage},").and_then(|()| out.write_all(pixels)).map_err(failed)?;
        writeln!(out).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row's pixels: all of this value but the first.
    fn pixels(first: u8, rest: u8) -> String {
        format!("{first}{}", format!(" {rest}").repeat(48 * 48 - 1))
    }

    fn table(text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fer2013.csv");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn rows_are_listed_and_decoded_by_their_place() {
        let rows = |text: String| {
            let (_folder, path) = table(text);
            let set = open(&path).unwrap();
            let parts: Vec<_> = set.samples.iter().map(|sample| sample.part).collect();
            assert_eq!(parts, [Some(Part::Train), Some(Part::Validation), Some(Part::Test)]);
            assert_eq!(set.labels(), [0, 6, 3]);
            assert_eq!((set.classes[0].as_str(), set.classes[6].as_str()), ("angry", "neutral"));
            for (sample, first) in set.samples.iter().zip([1, 2, 3]) {
                let picture = sample.decode().unwrap();
                assert_eq!(picture.dimensions(), (48, 48));
                assert_eq!((picture.get_pixel(0, 0).0, picture.get_pixel(47, 47).0), ([first; 3], [9; 3]));
            }
            set.names()
        };
        let [a, b, c] = [1, 2, 3].map(|first| pixels(first, 9));
        let one = format!("emotion,pixels,Usage\n0,{a},Training\n6,{b},PublicTest\n3,{c},PrivateTest\n");
        assert_eq!(rows(one), ["fer2013.csv:2", "fer2013.csv:3", "fer2013.csv:4"]);
        // The challenge's table; a byte-order mark, other line ends, quotes, an empty line and no last line end.
        let other = format!(
            "\u{FEFF}emotion, Usage, pixels\r\n0,Training,\"{a}\"\r\n\r\n6, PublicTest, {b}\r\n3,PrivateTest,{c}"
        );
        assert_eq!(rows(other), ["fer2013.csv:2", "fer2013.csv:4", "fer2013.csv:5"]);
    }

    #[test]
    fn damaged_rows_are_refused_with_their_line() {
        let good = format!("emotion,pixels,Usage\n0,{},Training\n", pixels(0, 0));
        let long = format!("0,{},Training", "0 ".repeat(40_000));
        let cases: [(&[u8], &str); 9] = [
            (b"7,0 0,Training", "line 3: the emotion \"7\" is not a number from 0 to 6"),
            (b"99999999999999999999999999,0 0,Training", "is not a number from 0 to 6"),
            (b"-1,0 0,Training", "the emotion \"-1\""),
            (b"\xFF,0 0,Training", "line 3: the emotion"),
            (b"1", "line 3: the field pixels is missing"),
            (b"1,0 0 0", "line 3: the field Usage is missing"),
            (b"1,0 0 0,Tra", "line 3: the usage \"Tra\" is none of"),
            (long.as_bytes(), "line 3: is longer than 65536 bytes: this is no list"),
            (
                b"0123456789012345678901234567890123456789012345,0,Training",
                "\"0123456789012345678901234567890123456789\"…",
            ),
        ];
        for (row, said) in cases {
            let (_folder, path) = table([good.as_bytes(), row, b"\n"].concat());
            let refused = open(&path).unwrap_err().to_string();
            assert!(refused.contains("fer2013.csv, line 3: ") && refused.contains(said), "{refused}");
        }
        let (_folder, path) = table("emotion,pixels,Usage\n\n");
        assert!(open(&path).unwrap_err().to_string().contains("has no rows"));
    }

    #[test]
    fn wrong_pixels_are_found_when_they_are_decoded() {
        let full = pixels(0, 0);
        let cases = [
            (full[..full.len() - 2].to_owned(), "line 2: has 2303 pixels, 48 · 48 = 2304 are needed"),
            (format!("{full} 0"), "line 2: has 2305 pixels"),
            (String::new(), "line 2: has 0 pixels"),
            (full.replacen('0', "256", 1), "line 2: pixel 1 is \"256\", not a number from 0 to 255"),
            (full.replacen(" 0", " -1", 1), "pixel 2 is \"-1\""),
            (full.replacen(" 0", " 0.5", 1), "pixel 2 is \"0.5\""),
            (full.replacen(" 0", " 99999999999999999999", 1), "pixel 2 is \"99999999999999999999\""),
        ];
        for (pixels, said) in cases {
            let (_folder, path) = table(format!("emotion,pixels,Usage\n0,{pixels},Training\n"));
            let set = open(&path).unwrap();
            let refused = set.samples[0].decode().unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }
}

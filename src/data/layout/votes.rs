//! Tables of votes: what several people said of each picture, beside the pictures themselves. FER+'s `fer2013new.csv`
//! (Barsoum et al. 2016) is one, and so are the predictions that `vultus eval --csv` writes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use super::lines::{Lines, shortened};
use crate::csv;
use crate::data::class_map::usual_name;
use crate::data::dataset::Dataset;
use crate::data::sample::Source;
use crate::data::votes::Votes;
use crate::error::{Error, Result};

/// Columns that name the picture.
const NAMES: [&str; 5] = ["file", "path", "name", "image name", "image"];
/// Columns of votes for no class.
pub(super) const OTHERS: [&str; 4] = ["unknown", "nf", "not_a_face", "other"];
/// Columns that are no votes.
const IGNORED: [&str; 6] = ["usage", "identical", "label", "true", "predicted", "split"];

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Column {
    Name,
    /// The number of the picture's row in FER2013's table, from 0.
    Row,
    /// Votes for a class of the data set.
    Class(usize),
    Others,
    Ignored,
}

/// A row of the table.
struct Row {
    name: String,
    /// The row of FER2013's table that it is about.
    of: usize,
    votes: Option<Votes>,
}

impl Dataset {
    /// Adds to each picture what people said of it, from a table with a row for each picture and a column of votes, or of
    /// probabilities, for each class.
    ///
    /// The picture is named by the column `file`, `path`, `name` or `Image name`: the end of its path, of which the
    /// file's own name must be a part. For a table of pixels such as `fer2013.csv` rows belong together by the column
    /// `row` (from 0), or else by their order. Columns `unknown` and `NF` count votes for no class. Classes that only the
    /// table knows, such as FER+'s contempt, become classes of the data set. Pictures that are not in the table have no
    /// votes.
    ///
    /// ```
    /// use vultus::data::Dataset;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let [list, votes] = ["faces.csv", "votes.csv"].map(|name| folder.path().join(name));
    /// std::fs::write(&list, "path,label\na.png,happy\nb.png,sad\n")?;
    /// std::fs::write(&votes, "file,happy,sad,contempt,unknown\na.png,7,0,3,0\nb.png,1,6,2,1\n")?;
    /// let faces = Dataset::open(&list)?.with_votes(&votes)?;
    /// assert_eq!(faces.classes, ["happy", "sad", "contempt"]);
    /// assert_eq!(faces.samples[1].votes.as_ref().unwrap().majority(), Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if the table cannot be read; [`Error::Line`] for a row that is not as its header says;
    /// [`Error::Data`] if it has votes for none of the pictures, or for classes all of which are unknown.
    pub fn with_votes(mut self, table: &Path) -> Result<Self> {
        let rows = read(table, &mut self.classes)?;
        let is_table = self.samples.iter().all(|sample| matches!(sample.source, Source::Row { .. }));
        let mut found = 0;
        if is_table {
            let by_row: HashMap<usize, &Row> = rows.iter().map(|row| (row.of, row)).collect();
            for sample in &mut self.samples {
                let Source::Row { line, .. } = sample.source else { continue };
                // The header is line 1.
                sample.votes = by_row.get(&(line as usize).saturating_sub(2)).and_then(|row| row.votes.clone());
                found += usize::from(sample.votes.is_some());
            }
        } else {
            let mut by_file: HashMap<&str, Vec<&Row>> = HashMap::new();
            rows.iter().for_each(|row| by_file.entry(file_name(&row.name)).or_default().push(row));
            for sample in &mut self.samples {
                let path = sample.file().to_string_lossy().replace('\\', "/");
                let rows = by_file.get(file_name(&path)).map(Vec::as_slice).unwrap_or_default();
                // Where several pictures have that name, the longest path that fits is meant.
                let fitting = rows.iter().filter(|row| is_end(&row.name, &path)).max_by_key(|row| row.name.len());
                sample.votes = fitting.and_then(|row| row.votes.clone());
                found += usize::from(sample.votes.is_some());
            }
        }
        if found == 0 {
            let reason = format!("has votes for none of the pictures of {}", self.path.display());
            return Err(Error::data(table, reason));
        }
        Ok(self)
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a path ends with these components, or is their end itself.
fn is_end(name: &str, path: &str) -> bool {
    let (mut names, mut parts) = (name.rsplit('/'), path.rsplit('/'));
    loop {
        match (names.next(), parts.next()) {
            (Some(name), Some(part)) if name == part => {}
            (Some(_), Some(_)) => return false,
            _ => return true,
        }
    }
}

/// A number of votes.
pub(super) fn parse_votes(text: &str) -> std::result::Result<f32, String> {
    let number = text.trim().parse().ok().filter(|number| (0.0..f32::INFINITY).contains(number));
    number.ok_or_else(|| format!("{} is no number of votes", shortened(text.trim())))
}

/// The rows of a table. Classes that only it knows are added to these.
fn read(path: &Path, classes: &mut Vec<String>) -> Result<Vec<Row>> {
    let mut lines = Lines::of(path)?;
    let header = lines.next()?.ok_or_else(|| Error::data(path, "the table is empty"))?;
    let columns = record(header.bytes).and_then(|names| columns(&names, classes));
    let columns = columns.map_err(|reason| Error::line(path, 1, reason))?;
    let mut rows = Vec::new();
    while let Some(line) = lines.next()? {
        let row = record(line.bytes).and_then(|fields| row(&fields, &columns, classes.len(), rows.len()));
        rows.push(row.map_err(|reason| Error::line(path, line.number.into(), reason))?);
    }
    Ok(rows)
}

fn record(line: &[u8]) -> std::result::Result<Vec<Cow<'_, str>>, String> {
    csv::fields(str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?)
}

/// Whether a file that begins with this line is such a table, as FER+ writes it.
pub(super) fn is_header(line: &[u8]) -> bool {
    let names: Vec<String> = record(line).unwrap_or_default().iter().map(|name| name.trim().to_lowercase()).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    NAMES.iter().any(|name| has(name)) && ["happiness", "sadness", "anger"].into_iter().all(has)
}

/// What the columns of a header hold.
fn columns(names: &[Cow<str>], classes: &mut Vec<String>) -> std::result::Result<Vec<Column>, String> {
    let before = classes.len();
    let (mut columns, mut known) = (Vec::new(), 0);
    for name in names {
        let name = name.trim().to_lowercase();
        let column = match name.as_str() {
            "row" => Column::Row,
            "" => Column::Ignored,
            name if NAMES.contains(&name) => Column::Name,
            name if OTHERS.contains(&name) => Column::Others,
            name if IGNORED.contains(&name) => Column::Ignored,
            name => Column::Class(class(name, classes)),
        };
        if let Column::Class(number) = column {
            if columns.contains(&column) {
                return Err(format!("has two columns for {}", classes[number]));
            }
            known += usize::from(number < before);
        }
        columns.push(column);
    }
    if !columns.contains(&Column::Name) && !columns.contains(&Column::Row) {
        return Err(format!("has no column that names the picture: {}", NAMES.join(", ")));
    }
    if known == 0 {
        return Err(format!("has no column for a class of the data set: {}", classes[..before].join(", ")));
    }
    Ok(columns)
}

/// The number of the class with this name in lower case, or else of one that means the same; it is added where it is new.
fn class(name: &str, classes: &mut Vec<String>) -> usize {
    let named = classes.iter().position(|class| class.to_lowercase() == name);
    let alike = || classes.iter().position(|class| usual_name(class) == usual_name(name));
    named.or_else(alike).unwrap_or_else(|| {
        classes.push(name.to_owned());
        classes.len() - 1
    })
}

fn row(fields: &[Cow<str>], columns: &[Column], classes: usize, number: usize) -> std::result::Result<Row, String> {
    if fields.len() != columns.len() {
        return Err(format!("has {} fields, the header has {}", fields.len(), columns.len()));
    }
    let (mut name, mut of, mut votes, mut others) = (String::new(), number, vec![0.0; classes], 0.0);
    for (field, column) in fields.iter().zip(columns) {
        let field = field.trim();
        match column {
            Column::Name => name = field.replace('\\', "/"),
            Column::Row => of = field.parse().map_err(|_| format!("{} is no number of a row", shortened(field)))?,
            Column::Class(class) => votes[*class] = parse_votes(field)?,
            Column::Others => others += parse_votes(field)?,
            Column::Ignored => {}
        }
    }
    // FER+ has rows that nobody voted on.
    Ok(Row { name, of, votes: Votes::new(votes, others).ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voted(list: &str, table: &str) -> Result<Dataset> {
        let folder = tempfile::tempdir().unwrap();
        let [list_file, table_file] = ["faces.csv", "votes.csv"].map(|name| folder.path().join(name));
        std::fs::write(&list_file, list).unwrap();
        std::fs::write(&table_file, table).unwrap();
        Dataset::open(&list_file)?.with_votes(&table_file)
    }

    fn votes(data: &Dataset) -> Vec<Option<Vec<f32>>> {
        data.samples.iter().map(|sample| sample.votes.as_ref().map(|votes| votes.for_classes().to_vec())).collect()
    }

    #[test]
    fn rows_find_their_pictures_by_the_end_of_the_path() {
        let list = "path,label\nx/a.png,happy\ny/a.png,sad\nc.png,sad\nlone.png,sad\n";
        let table =
            "file,Happiness,SADNESS,contempt,unknown,NF\ny/a.png,1,2,3,4,5\nx/a.png,6,0,0,0,0\nc.png,0,1,0,0,0\n";
        let data = voted(list, table).unwrap();
        assert_eq!(data.classes, ["happy", "sad", "contempt"]);
        let wanted = [Some(vec![6.0, 0.0, 0.0]), Some(vec![1.0, 2.0, 3.0]), Some(vec![0.0, 1.0, 0.0]), None];
        let named: HashMap<String, _> = data.names().into_iter().zip(votes(&data)).collect();
        assert_eq!(["x/a.png", "y/a.png", "c.png", "lone.png"].map(|name| named[name].clone()), wanted);
        let others = |name: &str| {
            let sample = data.samples.iter().find(|sample| sample.name(&data.path) == name).unwrap();
            sample.votes.as_ref().map(Votes::for_others)
        };
        assert_eq!(others("y/a.png"), Some(9.0));
    }

    #[test]
    fn rows_of_pixels_are_joined_by_their_number_or_their_order() {
        let pixels = vec!["7"; 48 * 48].join(" ");
        let list: String = [0, 3, 6].map(|label| format!("{label},{pixels},Training\n")).concat();
        let list = format!("emotion,pixels,Usage\n{list}");
        let by_order = "Usage,Image name,neutral,happiness,contempt,NF\nTraining,fer0.png,0,0,4,0\nTraining,,0,0,0,0\nTraining,fer2.png,9,1,0,0\n";
        let data = voted(&list, by_order).unwrap();
        let contempt = data.classes.iter().position(|class| class == "contempt").unwrap();
        let found = votes(&data);
        assert_eq!((found[0].as_ref().unwrap()[contempt], &found[1], found[2].as_ref().unwrap()[6]), (4.0, &None, 9.0));
        let by_row = "file,row,neutral,happy\nx.jpg,2,1,2\n";
        assert_eq!(votes(&voted(&list, by_row).unwrap())[..2], [None, None]);
    }

    #[test]
    fn tables_that_do_not_fit_are_refused() {
        let list = "path,label\na.png,happy\nb.png,sad\n";
        let cases = [
            ("", "the table is empty"),
            ("happy,sad\n1,2\n", "line 1: has no column that names the picture"),
            ("file,joyful\na.png,1\n", "line 1: has no column for a class of the data set: happy, sad"),
            ("file,happy,Happy\na.png,1,1\n", "line 1: has two columns for happy"),
            ("file,happy\na.png,many\n", "line 2: \"many\" is no number of votes"),
            ("file,happy\na.png,-1\n", "line 2: \"-1\" is no number of votes"),
            ("file,happy\na.png,NaN\n", "is no number of votes"),
            ("file,happy\na.png\n", "line 2: has 1 fields, the header has 2"),
            ("file,happy\nz.png,3\n", "has votes for none of the pictures"),
        ];
        for (table, said) in cases {
            let refused = voted(list, table).unwrap_err().to_string();
            assert!(refused.contains(said), "{table:?}: {refused}");
        }
    }
}

//! Zip files: which records they hold. PyTorch and NumPy keep their tensors in them.
//!
//! The format: <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>.

use std::collections::BTreeMap;
use std::io::{self, Read};

use rawzip::{CompressionMethod, ReaderAt, ZipArchive, ZipFileHeaderRecord, ZipLocator};

use super::catalog;
use super::record::Record;
use super::source::Source;
use crate::error::Result;

/// The longest a name with its extra field and comment may be.
const LONGEST_HEADER: usize = 1 << 17;

/// The end of the directory is looked for in as many bytes: its own and those of a comment.
const LONGEST_END: u64 = 22 + u16::MAX as u64;

/// The records of a zip file by their names.
pub(super) type Records = BTreeMap<String, Record>;

impl ReaderAt for Source<'_> {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        self.section(offset, out.len() as u64).read(out)
    }
}

/// What the directory at the end of the file lists, compared with what stands before each record.
///
/// # Errors
/// [`crate::Error::Weights`] if this is not all of a zip file, if two records share a name or bytes, if one is encrypted,
/// packed in another way than by deflate, or if all of them are far larger than the file.
pub(super) fn records(source: &Source) -> Result<Records> {
    let failed = |e: rawzip::Error| source.refuse(format!("not a zip file, damaged or cut short: {e}"));
    let (mut buffer, mut local) = (vec![0; LONGEST_HEADER], vec![0; LONGEST_HEADER]);
    let locator = ZipLocator::new().max_search_space(LONGEST_END);
    let archive = locator.locate_in_reader(source, &mut buffer, source.length()).map_err(|(_, error)| failed(error))?;
    if archive.end_offset() != source.length() {
        return Err(source.refuse("the zip file is damaged: its end is not where the file ends"));
    }
    let (mut records, mut places) = (Records::new(), Vec::new());
    let mut entries = archive.entries(&mut buffer);
    while let Some(header) = entries.next_entry().map_err(failed)? {
        let name = String::from_utf8_lossy(header.file_path().as_ref()).into_owned();
        let record = record(source, &archive, &header, &name, &mut local)?;
        places.push((header.local_header_offset(), record.offset.saturating_add(record.packed)));
        if records.insert(name.clone(), record).is_some() {
            return Err(source.refuse(format!("the zip file has two records named {name:?}")));
        }
    }
    if records.len() as u64 != archive.entries_hint() {
        let (found, announced) = (records.len(), archive.entries_hint());
        return Err(source.refuse(format!("the zip file announces {announced} records, but lists {found}")));
    }
    check_places(source, places, archive.directory_offset())?;
    let size = records.values().fold(0, |sum: u64, record| sum.saturating_add(record.size));
    if size > catalog::largest(source) {
        let length = source.length();
        return Err(source.refuse(format!("{size} bytes are packed into {length}: made to exhaust memory")));
    }
    Ok(records)
}

/// One record, if it is of a kind that can be read.
fn record(
    source: &Source,
    archive: &ZipArchive<&Source>,
    header: &ZipFileHeaderRecord,
    name: &str,
    buffer: &mut [u8],
) -> Result<Record> {
    let refuse = |reason: &str| Err(source.refuse(format!("the record {name:?} of the zip file {reason}")));
    let failed = |e: rawzip::Error| source.refuse(format!("the record {name:?} of the zip file is damaged: {e}"));
    let entry = archive.get_entry(header.wayfinder()).map_err(failed)?;
    let local = entry.local_header(buffer).map_err(failed)?;
    let method = header.compression_method();
    if local.file_path().as_ref() != header.file_path().as_ref() || local.compression_method() != method {
        return refuse("is described in two ways: damaged");
    }
    if header.flags().is_encrypted() {
        return refuse("is encrypted");
    }
    if ![CompressionMethod::STORE, CompressionMethod::DEFLATE].contains(&method) {
        return refuse("is packed in another way than by deflate");
    }
    let (offset, end) = entry.compressed_data_range();
    let (packed, size) = (end - offset, header.uncompressed_size_hint());
    let deflated = method == CompressionMethod::DEFLATE;
    if !deflated && packed != size {
        return refuse("is not packed, but announces another size: damaged");
    }
    Ok(Record { offset, packed, size, deflated, crc: Some(header.crc32()) })
}

/// Records that overlap would let a small file hold any number of bytes.
fn check_places(source: &Source, mut places: Vec<(u64, u64)>, directory: u64) -> Result<()> {
    places.sort_unstable();
    places.push((directory, directory));
    match places.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        Some(pair) => Err(source.refuse(format!("two records of the zip file overlap at byte {}", pair[1].0))),
        None => Ok(()),
    }
}

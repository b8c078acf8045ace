//! A row of FER2013's table: its fields, and the picture in one of them.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use ::image::RgbImage;

use super::lines::{BYTE_ORDER_MARK, read_line, shortened};
use crate::error::{Error, Result};

/// Height and width of every picture.
const SIDE: u32 = 48;

/// The picture of the row that begins at this byte.
pub(in crate::data) fn decode(path: &Path, offset: u64, line: u32, column: u8) -> Result<RgbImage> {
    let row = row(path, offset)?;
    let pixels = fields(&row).nth(column.into()).unwrap_or_default();
    picture(pixels).map_err(|reason| Error::line(path, line.into(), reason))
}

/// The row that begins at this byte.
pub(super) fn row(path: &Path, offset: u64) -> Result<Vec<u8>> {
    let failed = |error| Error::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut row = Vec::new();
    read_line(&mut BufReader::with_capacity(1 << 14, file), &mut row).map_err(failed)?;
    Ok(row)
}

fn picture(pixels: &[u8]) -> std::result::Result<RgbImage, String> {
    let needed = (SIDE * SIDE) as usize;
    let mut values = Vec::with_capacity(3 * needed);
    let mut count = 0;
    for number in pixels.split(u8::is_ascii_whitespace).filter(|number| !number.is_empty()) {
        count += 1;
        let value: Option<u8> = str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        let wrong = || {
            let number = String::from_utf8_lossy(number);
            format!("pixel {count} is {}, not a number from 0 to 255", shortened(&number))
        };
        let value = value.ok_or_else(wrong)?;
        if count <= needed {
            values.extend([value; 3]);
        }
    }
    let complete = if count == needed { RgbImage::from_raw(SIDE, SIDE, values) } else { None };
    complete.ok_or_else(|| format!("has {count} pixels, 48 · 48 = {needed} are needed"))
}

/// The fields of a row without the spaces and quotes around them. None holds a comma.
pub(super) fn fields(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let row = row.strip_prefix(BYTE_ORDER_MARK).unwrap_or(row);
    row.split(|&byte| byte == b',').map(|field| {
        let field = field.trim_ascii();
        field.strip_prefix(b"\"").and_then(|field| field.strip_suffix(b"\"")).unwrap_or(field).trim_ascii()
    })
}

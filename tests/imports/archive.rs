//! Zip files, also such as no program writes.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// A record of a zip file. What its headers say can be changed before it is written.
#[derive(Clone)]
pub struct Record {
    pub name: String,
    pub packed: Vec<u8>,
    /// 0: as it is, 8: deflated.
    pub method: u16,
    pub flags: u16,
    pub size: u32,
    pub crc: u32,
    /// The offset of the local header in place of the right one.
    pub offset: Option<u32>,
}

pub fn stored(name: &str, bytes: &[u8]) -> Record {
    let mut crc = Crc::new();
    crc.update(bytes);
    let (name, packed) = (name.to_owned(), bytes.to_vec());
    Record { name, packed, method: 0, flags: 0, size: bytes.len() as u32, crc: crc.sum(), offset: None }
}

pub fn deflated(name: &str, bytes: &[u8]) -> Record {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    Record { packed: encoder.finish().unwrap(), method: 8, ..stored(name, bytes) }
}

/// The record with sizes and checksum behind its bytes.
pub fn streamed(record: Record) -> Record {
    Record { flags: 0x8, ..record }
}

pub fn zip(records: &[Record]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for record in records {
        let offset = record.offset.unwrap_or(file.len() as u32);
        let sums = [record.crc, record.packed.len() as u32, record.size].map(u32::to_le_bytes).concat();
        let streamed = record.flags & 0x8 != 0;
        let header = |sums: &[u8]| {
            let words = [20, record.flags, record.method, 0, 0].map(u16::to_le_bytes).concat();
            [&words, sums, &(record.name.len() as u16).to_le_bytes(), &[0, 0]].concat()
        };
        let local = header(if streamed { &[0; 12] } else { &sums });
        file.extend([b"PK\x03\x04", local.as_slice(), record.name.as_bytes(), &record.packed].concat());
        if streamed {
            file.extend([b"PK\x07\x08", sums.as_slice()].concat());
        }
        let place = [&[0; 10], offset.to_le_bytes().as_slice()].concat();
        directory.extend([b"PK\x01\x02\x14\0", header(&sums).as_slice(), &place, record.name.as_bytes()].concat());
    }
    let count = (records.len() as u16).to_le_bytes();
    let (start, size) = ((file.len() as u32).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    file.extend(directory);
    file.extend([b"PK\x05\x06\0\0\0\0", count.as_slice(), &count, &size, &start, &[0, 0]].concat());
    file
}

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
    /// Whether the sizes stand in fields of eight bytes, as those beyond 4 GB must.
    pub zip64: bool,
    /// The offset of the local header in place of the right one.
    pub offset: Option<u32>,
}

pub fn stored(name: &str, bytes: &[u8]) -> Record {
    let mut crc = Crc::new();
    crc.update(bytes);
    let (name, packed) = (name.to_owned(), bytes.to_vec());
    Record { name, packed, method: 0, flags: 0, size: bytes.len() as u32, crc: crc.sum(), zip64: false, offset: None }
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
        let (sums, extra) = (record.sums(), record.extra());
        let streamed = record.flags & 0x8 != 0;
        let header = |sums: &[u8]| {
            let words = [20, record.flags, record.method, 0, 0].map(u16::to_le_bytes).concat();
            let lengths = [record.name.len() as u16, extra.len() as u16].map(u16::to_le_bytes).concat();
            [&words, sums, &lengths].concat()
        };
        let local = header(if streamed { &[0; 12] } else { &sums });
        file.extend([b"PK\x03\x04", local.as_slice(), record.name.as_bytes(), &extra, &record.packed].concat());
        if streamed {
            file.extend([b"PK\x07\x08", sums.as_slice()].concat());
        }
        let place = [&[0; 10], offset.to_le_bytes().as_slice()].concat();
        let central = header(&sums);
        let name = record.name.as_bytes();
        directory.extend([b"PK\x01\x02\x14\0", central.as_slice(), &place, name, &extra].concat());
    }
    let (start, size, count) = (file.len() as u64, directory.len() as u64, records.len() as u64);
    file.extend(directory);
    let end = if records.iter().any(|record| record.zip64) {
        let place = (file.len() as u64).to_le_bytes();
        let numbers = [count, count, size, start].map(u64::to_le_bytes).concat();
        let wide = [b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0".as_slice(), &numbers];
        file.extend([wide.concat().as_slice(), b"PK\x06\x07\0\0\0\0", &place, &[1, 0, 0, 0]].concat());
        vec![0xff; 12]
    } else {
        let count = (count as u16).to_le_bytes();
        [&count, count.as_slice(), &(size as u32).to_le_bytes(), &(start as u32).to_le_bytes()].concat()
    };
    file.extend([b"PK\x05\x06\0\0\0\0", end.as_slice(), &[0, 0]].concat());
    file
}

impl Record {
    /// The checksum and the sizes.
    fn sums(&self) -> Vec<u8> {
        let sizes = if self.zip64 { [u32::MAX; 2] } else { [self.packed.len() as u32, self.size] };
        [self.crc, sizes[0], sizes[1]].map(u32::to_le_bytes).concat()
    }

    /// The sizes in fields of eight bytes.
    fn extra(&self) -> Vec<u8> {
        let sizes = [u64::from(self.size), self.packed.len() as u64].map(u64::to_le_bytes).concat();
        if self.zip64 { [&[1, 0, 16, 0], sizes.as_slice()].concat() } else { Vec::new() }
    }
}

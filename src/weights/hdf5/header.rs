//! Object headers: the messages that describe a group or a dataset.

use std::io;

use super::fields::damaged;
use super::file::File;

/// Numbers of kinds of messages.
pub(super) mod kind {
    pub const DATASPACE: u16 = 0x01;
    pub const LINK_INFO: u16 = 0x02;
    pub const DATATYPE: u16 = 0x03;
    pub const LINK: u16 = 0x06;
    pub const LAYOUT: u16 = 0x08;
    pub const FILTERS: u16 = 0x0b;
    pub const ATTRIBUTE: u16 = 0x0c;
    pub const CONTINUATION: u16 = 0x10;
    pub const SYMBOL_TABLE: u16 = 0x11;
    pub const ATTRIBUTE_INFO: u16 = 0x15;
}

/// Kinds that are kept.
const KEPT: [u16; 9] = [
    kind::DATASPACE,
    kind::LINK_INFO,
    kind::DATATYPE,
    kind::LINK,
    kind::LAYOUT,
    kind::FILTERS,
    kind::ATTRIBUTE,
    kind::SYMBOL_TABLE,
    kind::ATTRIBUTE_INFO,
];

/// Set if a message is only a reference to one in another place.
const SHARED: u8 = 1 << 1;

struct Message {
    kind: u16,
    shared: bool,
    body: Vec<u8>,
}

/// The messages of an object.
pub(super) struct Header(Vec<Message>);

impl Header {
    pub fn read(file: &File, address: u64) -> io::Result<Self> {
        let prefix = file.read_up_to(address, 40)?;
        if prefix.starts_with(b"OHDR") {
            Header::version_2(file, address, &prefix)
        } else {
            Header::version_1(file, address, &prefix)
        }
    }

    /// The only message of a kind, or the first.
    pub fn find(&self, kind: u16) -> io::Result<Option<&[u8]>> {
        match self.0.iter().find(|message| message.kind == kind) {
            Some(message) if message.shared => Err(damaged(
                "it shares a part of its description with others, which cannot be read: copy it to a new file",
            )),
            found => Ok(found.map(|message| message.body.as_slice())),
        }
    }

    /// All messages of a kind that stand here themselves.
    pub fn all(&self, kind: u16) -> impl Iterator<Item = &[u8]> {
        (self.0.iter())
            .filter(move |message| message.kind == kind && !message.shared)
            .map(|message| message.body.as_slice())
    }

    /// Whether there is a message of a kind.
    pub fn has(&self, kind: u16) -> bool {
        self.0.iter().any(|message| message.kind == kind)
    }

    fn version_1(file: &File, address: u64, prefix: &[u8]) -> io::Result<Self> {
        let mut fields = file.fields(prefix);
        fields.version("object header", &[1])?;
        fields.skip(7)?;
        let length = fields.u32()?.into();
        let (mut header, mut blocks) = (Header(Vec::new()), vec![(address.saturating_add(16), length)]);
        while let Some((address, length)) = blocks.pop() {
            let block = file.read(address, length)?;
            let mut fields = file.fields(&block);
            while fields.len() >= 8 {
                let (kind, length, flags) = (fields.u16()?, fields.u16()?, fields.u8()?);
                fields.skip(3)?;
                header.add(file, &mut blocks, kind, flags, fields.bytes(length.into())?)?;
            }
        }
        Ok(header)
    }

    fn version_2(file: &File, address: u64, prefix: &[u8]) -> io::Result<Self> {
        let mut fields = file.fields(prefix);
        fields.begin(b"OHDR", 2)?;
        let flags = fields.u8()?;
        fields.skip(if flags & 1 << 5 != 0 { 16 } else { 0 } + if flags & 1 << 4 != 0 { 4 } else { 0 })?;
        let length = fields.uint(1 << (flags & 3))?;
        let (start, ordered) = (prefix.len() - fields.len(), flags & 1 << 2 != 0);
        let (mut header, mut blocks) = (Header(Vec::new()), Vec::new());
        let first = file.read(address.saturating_add(start as u64), length)?;
        header.messages(file, &mut blocks, &first, ordered)?;
        while let Some((address, length)) = blocks.pop() {
            let block = file.read(address, length)?;
            let mut fields = file.fields(&block);
            if fields.bytes(4)? != b"OCHK" {
                return Err(damaged("an object header of the HDF5 file breaks off: the file is damaged"));
            }
            let messages = fields.bytes(fields.len().saturating_sub(4))?;
            header.messages(file, &mut blocks, messages, ordered)?;
        }
        Ok(header)
    }

    /// The messages of one block of version 2.
    fn messages(&mut self, file: &File, blocks: &mut Vec<(u64, u64)>, block: &[u8], ordered: bool) -> io::Result<()> {
        let mut fields = file.fields(block);
        let head = if ordered { 6 } else { 4 };
        while fields.len() >= head {
            let (kind, length, flags) = (fields.u8()?, fields.u16()?, fields.u8()?);
            fields.skip(head - 4)?;
            self.add(file, blocks, kind.into(), flags, fields.bytes(length.into())?)?;
        }
        Ok(())
    }

    /// Keeps a message, or notes the place of the block where the header goes on.
    fn add(&mut self, file: &File, blocks: &mut Vec<(u64, u64)>, kind: u16, flags: u8, body: &[u8]) -> io::Result<()> {
        if kind == kind::CONTINUATION {
            let mut fields = file.fields(body);
            blocks.push((fields.defined()?, fields.length()?));
        } else if KEPT.contains(&kind) {
            file.spend(size_of::<Message>() as u64)?;
            self.0.push(Message { kind, shared: flags & SHARED != 0, body: body.to_vec() });
        }
        Ok(())
    }
}

//! Whether the pixels of a JPEG are all there: its codes are counted, not decoded (ITU-T T.81, F.2). Only sequential
//! pictures in Huffman codes can be told, which is what cameras make.

use super::jpeg_markers::{next_marker, segment};

/// A table of Huffman codes: for each length the first code, how many there are, and where their symbols begin.
#[derive(Clone, Default)]
struct Codes {
    lengths: [u16; 17],
    symbols: Vec<u8>,
}

/// A component of the picture: its name and its blocks in a unit, across and down.
struct Component {
    name: u8,
    blocks: [usize; 2],
}

/// What stands before the scans.
#[derive(Default)]
struct Frame {
    size: [usize; 2],
    components: Vec<Component>,
    dc: [Option<Codes>; 4],
    ac: [Option<Codes>; 4],
    restart: usize,
}

/// Where the last pixel of a JPEG ends among its bytes; `None` if pixels are missing, or it cannot be told.
pub(super) fn end_of_pixels(bytes: &[u8]) -> Option<usize> {
    let mut frame = Frame::default();
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    let mut scanned = 0;
    loop {
        let (marker, after) = next_marker(rest)?;
        let (content, after) = segment(after)?;
        rest = after;
        match marker {
            0xC0 | 0xC1 => frame.begin(content)?,
            // Progressive, lossless, arithmetic.
            0xC2 | 0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return None,
            0xC4 => frame.tables(content)?,
            0xDD => frame.restart = usize::from(u16::from_be_bytes([*content.first()?, *content.get(1)?])),
            0xDA => {
                let (components, length) = frame.scan(content, rest)?;
                rest = rest.get(length..)?;
                scanned += components;
                if scanned >= frame.components.len() {
                    return Some(bytes.len() - rest.len());
                }
            }
            _ => {}
        }
    }
}

impl Frame {
    /// Reads precision, height, width and the components.
    fn begin(&mut self, content: &[u8]) -> Option<()> {
        let [_, high, low, wide_high, wide_low, count, components @ ..] = content else { return None };
        self.size = [[*wide_high, *wide_low], [*high, *low]].map(|side| usize::from(u16::from_be_bytes(side)));
        let component = |bytes: &[u8]| Component {
            name: bytes[0],
            blocks: [usize::from(bytes[1] >> 4), usize::from(bytes[1] & 15)],
        };
        self.components = components.chunks_exact(3).take(usize::from(*count)).map(component).collect();
        let is_right = |component: &Component| component.blocks.iter().all(|blocks| (1..=4).contains(blocks));
        let is_whole = self.components.len() == usize::from(*count) && !self.size.contains(&0);
        (is_whole && !self.components.is_empty() && self.components.iter().all(is_right)).then_some(())
    }

    /// Reads Huffman tables: each class and place, the number of codes of each length, and their symbols.
    fn tables(&mut self, mut content: &[u8]) -> Option<()> {
        while let Some((&place, rest)) = content.split_first() {
            let (counts, rest) = rest.split_at_checked(16)?;
            let mut codes = Codes::default();
            for (length, &count) in codes.lengths[1..].iter_mut().zip(counts) {
                *length = u16::from(count);
            }
            let (symbols, rest) = rest.split_at_checked(counts.iter().map(|&count| usize::from(count)).sum())?;
            codes.symbols = symbols.to_vec();
            let tables = if place >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(place & 15))? = Some(codes);
            content = rest;
        }
        Some(())
    }

    /// Counts through a scan: its components, and its length.
    fn scan(&self, head: &[u8], data: &[u8]) -> Option<(usize, usize)> {
        let (&count, rest) = head.split_first()?;
        let mut parts = Vec::new();
        for chosen in rest.chunks_exact(2).take(usize::from(count)) {
            let component = self.components.iter().find(|component| component.name == chosen[0])?;
            let dc = self.dc.get(usize::from(chosen[1] >> 4))?.as_ref()?;
            let ac = self.ac.get(usize::from(chosen[1] & 15))?.as_ref()?;
            parts.push((component, dc, ac));
        }
        let most = |axis: usize| self.components.iter().map(|component| component.blocks[axis]).max();
        let most = [most(0)?, most(1)?];
        let units = |axis: usize| match parts.as_slice() {
            // A component by itself comes block by block, only as many as it has pixels for.
            [(component, ..)] => Some((self.size[axis] * component.blocks[axis]).div_ceil(most[axis]).div_ceil(8)),
            [] => None,
            _ => Some(self.size[axis].div_ceil(8 * most[axis])),
        };
        let mut bits = Bits { data, at: 0, left: 0, byte: 0 };
        for unit in 0..units(0)? * units(1)? {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                bits.restart()?;
            }
            for (component, dc, ac) in &parts {
                let blocks = if parts.len() == 1 { 1 } else { component.blocks[0] * component.blocks[1] };
                (0..blocks).try_for_each(|_| bits.block(dc, ac))?;
            }
        }
        Some((parts.len(), bits.at))
    }
}

/// The bits of a scan, in which a zero follows each byte of ones.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    left: u32,
    byte: u8,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u16> {
        if self.left == 0 {
            self.byte = *self.data.get(self.at)?;
            self.at += 1;
            if self.byte == 0xFF {
                // Anything else is a marker: the data end here.
                (self.data.get(self.at) == Some(&0)).then(|| self.at += 1).or_else(|| {
                    self.at -= 1;
                    None
                })?;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u16::from(self.byte >> self.left & 1))
    }

    /// The next symbol (T.81, F.2.2.3).
    fn symbol(&mut self, codes: &Codes) -> Option<u8> {
        let (mut code, mut first, mut place) = (0u32, 0u32, 0usize);
        for &count in &codes.lengths[1..] {
            code = code << 1 | u32::from(self.bit()?);
            first <<= 1;
            if code < first + u32::from(count) {
                return codes.symbols.get(place + (code - first) as usize).copied();
            }
            first += u32::from(count);
            place += usize::from(count);
        }
        None
    }

    /// Passes over a block: the size of its mean's difference, and runs of zeros with the sizes of what follows them.
    fn block(&mut self, dc: &Codes, ac: &Codes) -> Option<()> {
        let size = self.symbol(dc)?;
        self.skip(size)?;
        let mut place = 1;
        while place < 64 {
            let symbol = self.symbol(ac)?;
            match (symbol >> 4, symbol & 15) {
                (15, 0) => place += 16,
                (_, 0) => break,
                (run, size) => {
                    place += usize::from(run) + 1;
                    self.skip(size)?;
                }
            }
        }
        (place <= 64).then_some(())
    }

    fn skip(&mut self, count: u8) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(drop))
    }

    /// Passes over a restart marker.
    fn restart(&mut self) -> Option<()> {
        self.left = 0;
        let (marker, after) = next_marker(self.data.get(self.at..)?)?;
        self.at = self.data.len() - after.len();
        (0xD0..=0xD7).contains(&marker).then_some(())
    }
}

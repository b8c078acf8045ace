//! TIFF pictures whose values are places in a table of colours (TIFF 6.0, section 5), which the decoder of `image`
//! refuses.

use std::io::Cursor;

use ::image::error::{DecodingError, ImageError, ImageFormatHint, ImageResult};
use ::image::metadata::Orientation;
use ::image::{ColorType, ImageDecoder, ImageFormat};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;

/// Values of the tag PhotometricInterpretation.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// A TIFF with a palette, of which only the head and the palette have been read.
pub(super) struct PaletteTiff {
    /// Reads the places in the palette as gray values.
    decoder: Decoder<Cursor<Vec<u8>>>,
    dimensions: (u32, u32),
    /// Bits of a pixel: 1, 2, 4 or 8.
    bits: usize,
    /// The colours, 2 to the power of the bits.
    colors: Vec<[u8; 3]>,
}

impl PaletteTiff {
    /// The picture, if these bytes are a TIFF with a palette. Decoding takes no more than this much memory.
    pub fn open(bytes: &[u8], max_bytes: u64) -> Result<Option<Self>, String> {
        let said = |error: tiff::TiffError| error.to_string();
        // What is wrong with other files, the usual decoder says.
        let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return Ok(None) };
        let photometric = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation).ok().flatten();
        let start = decoder.ifd_pointer().and_then(|pointer| usize::try_from(pointer.0).ok());
        let Some(start) = start.filter(|_| photometric == Some(PALETTE)) else { return Ok(None) };
        let values = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u16>(tag).map_err(said);
        let bits = usize::from(values(&mut decoder, Tag::BitsPerSample)?.unwrap_or(1));
        let samples = values(&mut decoder, Tag::SamplesPerPixel)?.unwrap_or(1);
        if !matches!(bits, 1 | 2 | 4 | 8) || samples != 1 {
            return Err(format!(
                "a TIFF with a palette has one value of 1, 2, 4 or 8 bits for each pixel, not {samples} of {bits}"
            ));
        }
        let colors = colors(&decoder.get_tag_u16_vec(Tag::ColorMap).map_err(said)?, bits)?;
        let gray = as_gray(bytes, start).ok_or("the entry PhotometricInterpretation is damaged")?;
        let mut limits = Limits::unlimited();
        limits.decoding_buffer_size = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        limits.ifd_value_size = limits.decoding_buffer_size;
        let mut decoder = Decoder::new(Cursor::new(gray)).map_err(said)?.with_limits(limits);
        let dimensions = decoder.dimensions().map_err(said)?;
        Ok(Some(PaletteTiff { decoder, dimensions, bits, colors }))
    }
}

/// The file with gray values in place of a palette: what the entry of its first directory says, changed.
fn as_gray(bytes: &[u8], start: usize) -> Option<Vec<u8>> {
    let number: fn(&[u8]) -> u64 = match bytes.starts_with(b"MM") {
        true => |bytes| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)),
        false => |bytes| bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)),
    };
    let is_big = number(bytes.get(2..4)?) == 43;
    // The sizes of the number of entries, of an entry, and where the value is in it.
    let [count, entry, value] = if is_big { [8, 20, 12] } else { [2, 12, 8] };
    let directory = bytes.get(start..)?;
    let entries = usize::try_from(number(directory.get(..count)?)).ok()?;
    let tag = u64::from(Tag::PhotometricInterpretation.to_u16());
    let place = directory[count..].chunks_exact(entry).take(entries).position(|entry| number(&entry[..2]) == tag)?;
    let place = start + count + place * entry + value;
    let mut gray = bytes.to_vec();
    let black_is_zero =
        if bytes.starts_with(b"MM") { BLACK_IS_ZERO.to_be_bytes() } else { BLACK_IS_ZERO.to_le_bytes() };
    gray.get_mut(place..place + 2)?.copy_from_slice(&black_is_zero);
    Some(gray)
}

/// The colours of a table that has all red values, then all green ones, then all blue ones, of 16 bits each. Programs
/// write 8 bits as 257 or 256 times the value: the upper byte gives both back. Where no value is above 255, 8 bits were
/// written as they are, which libtiff assumes too.
fn colors(map: &[u16], bits: usize) -> Result<Vec<[u8; 3]>, String> {
    let count = 1 << bits;
    if map.len() != 3 * count {
        return Err(format!("its palette has {} numbers, not three for each of {count} colours", map.len()));
    }
    let is_small = map.iter().all(|&value| value < 256);
    let byte = |value: u16| if is_small { value as u8 } else { (value >> 8) as u8 };
    Ok((0..count).map(|place| [0, 1, 2].map(|channel| byte(map[channel * count + place]))).collect())
}

impl ImageDecoder for PaletteTiff {
    fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    fn color_type(&self) -> ColorType {
        ColorType::Rgb8
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        let said = self.decoder.find_tag_unsigned::<u8>(Tag::Orientation).map_err(failed)?;
        Ok(said.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms))
    }

    fn read_image(mut self, pixels: &mut [u8]) -> ImageResult<()> {
        let DecodingResult::U8(places) = self.decoder.read_image().map_err(failed)? else {
            return Err(failed("its values are not bytes"));
        };
        let (width, per_byte) = (self.dimensions.0 as usize, 8 / self.bits);
        let rows = pixels.chunks_exact_mut(3 * width).zip(places.chunks(width.div_ceil(per_byte)));
        for (row, places) in rows {
            for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let byte = *places.get(x / per_byte).ok_or_else(|| failed("it has too few values"))?;
                // The first pixel is in the highest bits.
                let place = byte >> (8 - self.bits * (x % per_byte + 1)) & (0xFF >> (8 - self.bits));
                *pixel = self.colors[usize::from(place)];
            }
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}

fn failed(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormatHint::Exact(ImageFormat::Tiff), reason))
}

//! TIFFs whose samples are no bytes: 32 bits, numbers with a sign, floats (TIFF 6.0, section 19), which the decoder of
//! `image` refuses or takes for others.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{GrayImage, RgbImage};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{SampleFormat, Tag};

/// Gray or coloured samples of other kinds than 8 and 16 bits.
pub(super) struct WideTiff {
    decoder: Decoder<Cursor<Vec<u8>>>,
    dimensions: (u32, u32),
    is_gray: bool,
}

impl WideTiff {
    /// The picture, if these bytes are such a TIFF. Decoding takes no more than this much memory.
    pub fn open(bytes: &[u8], max_bytes: u64) -> Result<Option<Self>, String> {
        // What is wrong with other files, the usual decoder says.
        let Ok(mut decoder) = Decoder::new(Cursor::new(bytes)) else { return Ok(None) };
        let (Ok(dimensions), Ok(color)) = (decoder.dimensions(), decoder.colortype()) else { return Ok(None) };
        let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten().unwrap_or_default();
        let is_unsigned = formats.iter().all(|&format| format == SampleFormat::Uint.to_u16());
        let is_gray = match color {
            ColorType::Gray(bits) if bits > 16 || !is_unsigned => true,
            ColorType::RGB(bits) if bits > 16 || !is_unsigned => false,
            _ => return Ok(None),
        };
        let mut limits = Limits::unlimited();
        limits.decoding_buffer_size = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        limits.intermediate_buffer_size = limits.decoding_buffer_size;
        limits.ifd_value_size = limits.decoding_buffer_size;
        let decoder = Decoder::new(Cursor::new(bytes.to_vec())).map_err(|error| error.to_string())?.with_limits(limits);
        Ok(Some(WideTiff { decoder, dimensions, is_gray }))
    }

    pub fn dimensions(&self) -> (u32, u32) {
        self.dimensions
    }

    /// How the picture is to be turned.
    pub fn orientation(&mut self) -> Orientation {
        let said = self.decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
        said.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
    }

    /// The picture in bytes, and how they were made where the file does not say it.
    pub fn read(mut self) -> Result<(RgbImage, Option<String>), String> {
        let samples = self.decoder.read_image().map_err(|error| error.to_string())?;
        let whole = |low: f64, high: f64| move |value: f64| 255.0 * (value - low) / (high - low);
        let (bytes, said) = match samples {
            DecodingResult::U8(bytes) => (bytes, None),
            DecodingResult::U16(values) => (scaled(values, whole(0.0, u16::MAX.into())), None),
            DecodingResult::U32(values) => (scaled(values, whole(0.0, u32::MAX.into())), None),
            DecodingResult::U64(values) => {
                (scaled(values.iter().map(|&v| v as f64), whole(0.0, u64::MAX as f64)), None)
            }
            DecodingResult::I8(values) => (scaled(values, whole(i8::MIN.into(), i8::MAX.into())), None),
            DecodingResult::I16(values) => (scaled(values, whole(i16::MIN.into(), i16::MAX.into())), None),
            DecodingResult::I32(values) => (scaled(values, whole(i32::MIN.into(), i32::MAX.into())), None),
            DecodingResult::I64(values) => {
                (scaled(values.iter().map(|&v| v as f64), whole(i64::MIN as f64, i64::MAX as f64)), None)
            }
            DecodingResult::F16(values) => floats(&values.iter().map(|value| value.to_f32()).collect::<Vec<_>>()),
            DecodingResult::F32(values) => floats(&values),
            DecodingResult::F64(values) => floats(&values.iter().map(|&value| value as f32).collect::<Vec<_>>()),
        };
        let (width, height) = self.dimensions;
        let image = match self.is_gray {
            true => GrayImage::from_raw(width, height, bytes).map(|gray| ::image::DynamicImage::from(gray).into_rgb8()),
            false => RgbImage::from_raw(width, height, bytes),
        };
        Ok((image.ok_or("its samples are not as many as its pixels ask for")?, said))
    }
}

/// Values as bytes.
fn scaled<T: Into<f64>>(values: impl IntoIterator<Item = T>, byte: impl Fn(f64) -> f64) -> Vec<u8> {
    // A cast saturates; what is no number becomes black.
    values.into_iter().map(|value| byte(value.into()).round() as u8).collect()
}

/// Floats as bytes. Programs write 0 to 1, bytes or other counts: the largest value tells.
fn floats(values: &[f32]) -> (Vec<u8>, Option<String>) {
    let largest = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
    let white = if largest <= 1.0 { 1.0 } else { largest.max(255.0) };
    let said = (white > 255.0).then(|| format!("its largest value, {largest}, is taken for white"));
    (scaled(values.iter().copied(), |value| 255.0 * value / f64::from(white)), said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_float_says_what_is_white() {
        assert_eq!(floats(&[0.0, 0.5, 1.0, f32::NAN, -3.0]), (vec![0, 128, 255, 0, 0], None));
        assert_eq!(floats(&[0.0, 100.0, 255.0]), (vec![0, 100, 255], None));
        assert_eq!(floats(&[0.0, 2.0, f32::INFINITY]).0, [0, 2, 255]);
        let (bytes, said) = floats(&[0.0, 2048.0, 4096.0]);
        assert_eq!((bytes, said.unwrap().contains("4096")), (vec![0, 128, 255], true));
    }
}

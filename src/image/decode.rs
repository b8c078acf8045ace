//! From a file's bytes to upright 8-bit RGB, within limits that are checked before anything is decoded.

#[cfg(feature = "files")]
use std::fs;
use std::io::Cursor;
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::jpeg;
use super::palette::PaletteTiff;
use crate::error::{Error, Result};

/// The most pixels that a picture may have: 100 megapixels.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The largest file that is read: 1 GiB, more than the largest picture needs at 16 bits for each of four channels.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The most memory that a decoder may take for the picture and for itself, each, for each pixel that the picture may
/// have: a little more than 16 bits for each of four channels.
const DECODER_BYTES_PER_PIXEL: u64 = 10;

/// Reads a picture and decodes it as [`decode_bytes`] does, whatever the file's name says.
///
/// ```no_run
/// use std::path::Path;
///
/// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
/// println!("{}×{} pixels", photo.width(), photo.height());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Image`] if it is not an ordinary file, or as [`decode_bytes`].
#[cfg(feature = "files")]
pub fn decode_file(path: &Path) -> Result<RgbImage> {
    let metadata = fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if metadata.is_dir() {
        return Err(refused(path, "this is a folder, a picture is needed"));
    }
    if !metadata.is_file() {
        return Err(refused(path, "this is not an ordinary file"));
    }
    check_file_size(path, metadata.len())?;
    decode_bytes(path, &fs::read(path).map_err(|e| Error::io(path, e))?)
}

/// Decodes a picture's bytes: JPEG (also CMYK), PNG, BMP, GIF, TIFF, WebP or PNM, told apart by their contents. It is
/// turned upright as its EXIF orientation says. 16 bits are rounded to 8, gray is put into all three channels, alpha is
/// dropped. Of an animation this is the first frame. `path` is only for messages.
///
/// ```
/// use std::path::Path;
///
/// // A PNM of two pixels: red and blue.
/// let picture = vultus::image::decode_bytes(Path::new("upload"), b"P6 2 1 255\n\xFF\0\0\0\0\xFF")?;
/// assert_eq!(picture.get_pixel(1, 0).0, [0, 0, 255]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Image`] if this is not a picture, is damaged or cut short, has no pixels, or is larger than [`MAX_PIXELS`]
/// or [`MAX_FILE_BYTES`] allow.
pub fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<RgbImage> {
    decode_bytes_within(path, bytes, MAX_PIXELS)
}

/// As [`decode_bytes`], for pictures of at most this many pixels ([`MAX_PIXELS`] holds too): for bytes of strangers.
/// The decoder gets no more memory than such a picture needs.
///
/// ```
/// use std::path::Path;
/// use vultus::image::decode_bytes_within;
///
/// let (name, upload) = (Path::new("upload"), b"P5 3 2 255\n......");
/// assert_eq!(decode_bytes_within(name, upload, 6)?.dimensions(), (3, 2));
/// assert!(decode_bytes_within(name, upload, 5).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// As [`decode_bytes`].
pub fn decode_bytes_within(path: &Path, bytes: &[u8], max_pixels: u64) -> Result<RgbImage> {
    check_file_size(path, bytes.len() as u64)?;
    decode(bytes, max_pixels.min(MAX_PIXELS)).map_err(|reason| refused(path, reason))
}

/// Width and height that a picture's file says, before it is turned upright. Nothing is decoded.
///
/// ```
/// use std::path::Path;
///
/// // The head is enough: this file has no pixels in it.
/// assert_eq!(vultus::image::stored_size(Path::new("upload"), b"P6 640 480 255\n")?, [640, 480]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Image`] if this is not a picture, or its head is damaged.
pub fn stored_size(path: &Path, bytes: &[u8]) -> Result<[u32; 2]> {
    let open = || {
        let (_, decoder) = decoder(bytes, DECODER_BYTES_PER_PIXEL * MAX_PIXELS)?;
        Ok(<[u32; 2]>::from(decoder.dimensions()))
    };
    open().map_err(|reason: String| refused(path, reason))
}

fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Image { file: path.to_path_buf(), reason: reason.into() }
}

fn check_file_size(path: &Path, bytes: u64) -> Result<()> {
    if bytes > MAX_FILE_BYTES {
        return Err(refused(path, format!("the file has {bytes} bytes, at most {MAX_FILE_BYTES} are read")));
    }
    Ok(())
}

fn decode(bytes: &[u8], max_pixels: u64) -> std::result::Result<RgbImage, String> {
    let max_bytes = DECODER_BYTES_PER_PIXEL * max_pixels;
    let (format, mut decoder) = decoder(bytes, max_bytes)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, max_pixels)?;
    if decoder.total_bytes() > max_bytes {
        return Err(format!("decoded it has {} bytes, at most {max_bytes} are read", decoder.total_bytes()));
    }
    if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
        return Err("the picture is cut short: its end is missing".to_owned());
    }
    // EXIF data that cannot be understood say nothing: the picture stays as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
    let mut picture = DynamicImage::ImageRgb8(picture.into_rgb8());
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

/// The format of these bytes and what reads them, with as much memory as it may take.
fn decoder(bytes: &[u8], max_bytes: u64) -> std::result::Result<(ImageFormat, Box<dyn ImageDecoder + '_>), String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    let format = ::image::guess_format(bytes).ok().filter(ImageFormat::reading_enabled);
    let format = format.ok_or("this is not a JPEG, PNG, BMP, GIF, TIFF, WebP or PNM picture")?;
    if format == ImageFormat::Tiff
        && let Some(palette) = PaletteTiff::open(bytes, max_bytes)?
    {
        return Ok((format, Box::new(palette)));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_bytes);
    reader.limits(limits);
    Ok((format, Box::new(reader.into_decoder().map_err(|e| e.to_string())?)))
}

/// Whether the picture is worth decoding and may be.
fn check_size(width: u32, height: u32, max_pixels: u64) -> std::result::Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(format!("the picture has no pixels: its size is {width}×{height}"));
    }
    if pixels > max_pixels {
        let (megapixels, limit) = (pixels as f64 / 1e6, max_pixels as f64 / 1e6);
        return Err(format!("{width}×{height} pixels are {megapixels:.1} megapixels, at most {limit} are read"));
    }
    Ok(())
}

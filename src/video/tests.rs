//! Videos as they are read and written, with what is in them worked out by hand.

use std::io::Cursor;
use std::path::Path;

use ::image::{Rgb, RgbImage};

use super::{FrameRate, MjpegWriter, VideoReader, Y4mWriter};
use crate::error::{Error, Result};
use crate::random::Random;

fn rate() -> FrameRate {
    FrameRate::new(25, 1).unwrap()
}

fn open(bytes: &[u8]) -> Result<VideoReader<Cursor<Vec<u8>>>> {
    VideoReader::open(Path::new("clip"), Cursor::new(bytes.to_vec()), rate())
}

/// All frames up to the end or the first error.
fn frames(bytes: &[u8]) -> (Vec<RgbImage>, Option<String>) {
    let mut frames = Vec::new();
    let mut read = || -> Result<()> {
        let mut reader = open(bytes)?;
        while reader.advance()? {
            frames.push(reader.image()?);
        }
        Ok(())
    };
    let error = read().err().map(|error| error.to_string());
    (frames, error)
}

/// A Y4M video of frames of these bytes.
fn y4m(line: &str, frames: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("YUV4MPEG2 {line}\n").into_bytes();
    for frame in frames {
        bytes.extend(b"FRAME\n");
        bytes.extend(*frame);
    }
    bytes
}

fn pixels(image: &RgbImage) -> Vec<[u8; 3]> {
    image.pixels().map(|pixel| pixel.0).collect()
}

#[test]
fn planes_become_pixels() {
    // Luma 16 is black, 126 in the middle is 110 × 255 / 219 = 128.08, 235 is white.
    let gray = frames(&y4m("W3 H1 F25:1 Cmono", &[&[16, 126, 235]])).0;
    assert_eq!(pixels(&gray[0]), [[0; 3], [128; 3], [255; 3]]);
    // With all values in use they are what they are.
    let full = frames(&y4m("W3 H1 Cmono XCOLORRANGE=FULL", &[&[16, 126, 235]])).0;
    assert_eq!(pixels(&full[0]), [[16; 3], [126; 3], [235; 3]]);

    // Red is 81, 90, 240 and blue is 41, 240, 110 (rounded, so that one more or less comes out).
    let (red, blue) = ([254, 0, 0], [0, 0, 255]);
    let pixel = |yuv: [u8; 3]| crate::image::yuv::ToRgb::new(crate::image::yuv::Range::Limited).pixel(yuv);
    assert_eq!([pixel([81, 90, 240]), pixel([41, 240, 110])], [red, blue]);
    // 3 × 3 pixels in 4:2:0 have 2 × 2 chroma values: the last column and row have their own.
    let planes = [[81; 9].as_slice(), &[90, 90, 90, 240], &[240, 240, 240, 110]].concat();
    let image = &frames(&y4m("W3 H3 C420mpeg2", &[&planes])).0[0];
    for (x, y, rgb) in image.enumerate_pixels() {
        // Luma of red with chroma of blue is a lighter blue.
        let wanted = if (x, y) == (2, 2) { pixel([81, 240, 110]) } else { red };
        assert_eq!(rgb.0, wanted, "{x}, {y}");
    }
    // 4:2:2 has chroma for every row, 4:4:4 for every pixel.
    let rows = [[81, 81, 41, 41].as_slice(), &[90, 240], &[240, 110]].concat();
    assert_eq!(pixels(&frames(&y4m("W2 H2 C422", &[&rows])).0[0]), [red, red, blue, blue]);
    let columns = [[81, 41], [90, 240], [240, 110]].concat();
    assert_eq!(pixels(&frames(&y4m("W2 H1 C444", &[&columns])).0[0]), [red, blue]);
}

#[test]
fn frames_are_numbered_and_timed() {
    let bytes = y4m("W1 H1 F30000:1001 Cmono", &[&[16], &[126], &[235]]);
    let mut reader = open(&bytes).unwrap();
    assert_eq!((reader.number(), reader.image().is_err()), (None, true));
    for number in 0..3 {
        assert!(reader.advance().unwrap());
        assert_eq!(reader.number(), Some(number));
    }
    assert_eq!(pixels(&reader.image().unwrap()), [[255; 3]]);
    assert!(!reader.advance().unwrap() && !reader.advance().unwrap());
    assert_eq!((reader.number(), reader.rate()), (Some(2), FrameRate::new(30000, 1001).unwrap()));
    assert!(reader.image().is_err());
    assert_eq!(open(&y4m("W1 H1 F0:0 Cmono", &[])).unwrap().rate(), rate());
}

/// A picture of colours that change slowly, so that chroma of 2 × 2 pixels and JPEG lose little.
fn smooth(width: u32, height: u32, shift: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(40 + 2 * x + shift) as u8, (200 - 2 * y) as u8, (90 + x + y) as u8]))
}

/// A video of one picture.
fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut writer = MjpegWriter::new(Vec::new(), 90);
    writer.write(picture).unwrap();
    writer.finish().unwrap()
}

fn largest_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn what_is_written_is_read_again() {
    let pictures: Vec<RgbImage> = (0..3).map(|shift| smooth(33, 21, 4 * shift)).collect();
    let mut y4m = Y4mWriter::new(Vec::new(), 33, 21, FrameRate::new(10, 3).unwrap()).unwrap();
    let mut mjpeg = MjpegWriter::new(Vec::new(), 95);
    for picture in &pictures {
        y4m.write(picture).unwrap();
        mjpeg.write(picture).unwrap();
    }
    let (y4m, mjpeg) = (y4m.finish().unwrap(), mjpeg.finish().unwrap());
    assert!(y4m.starts_with(b"YUV4MPEG2 W33 H21 F10:3 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED\nFRAME\n"));
    assert_eq!(y4m.len(), 61 + 3 * (6 + 33 * 21 + 2 * 17 * 11));
    for bytes in [&y4m, &mjpeg] {
        let (read, error) = frames(bytes);
        assert_eq!((read.len(), error), (3, None));
        for (read, picture) in read.iter().zip(&pictures) {
            let difference = largest_difference(read, picture);
            assert!(difference <= 6, "{difference}");
        }
    }
}

#[test]
fn exact_colours_are_written() {
    let mut writer = Y4mWriter::new(Vec::new(), 2, 2, rate()).unwrap();
    let mut image = RgbImage::from_pixel(2, 2, Rgb([255, 0, 0]));
    image.put_pixel(1, 1, Rgb([0, 0, 255]));
    writer.write(&image).unwrap();
    let bytes = writer.finish().unwrap();
    // The mean of three red pixels and a blue one is 191.25, 0, 63.75, with the light 64.45: chroma
    // 128 + (63.75 − 64.45) / 1.772 × 224 / 255 = 127.65 and 128 + (191.25 − 64.45) / 1.402 × 224 / 255 = 207.45.
    assert_eq!(bytes[bytes.len() - 6..], [81, 81, 81, 41, 128, 207]);
    let other = Y4mWriter::new(Vec::new(), 3, 2, rate()).unwrap().write(&image);
    assert!(other.unwrap_err().to_string().contains("2×2 pixels, the video 3×2"));
}

#[test]
fn a_video_that_is_cut_short_says_so_after_its_frames() {
    let bytes = y4m("W2 H1 Cmono", &[&[16, 235], &[16, 235]]);
    let first = y4m("W2 H1 Cmono", &[&[16, 235]]).len();
    for length in first + 1..bytes.len() {
        let (read, error) = frames(&bytes[..length]);
        let wanted = "clip: the video is cut short: it ends within frame 1";
        assert_eq!((read.len(), error.as_deref()), (1, Some(wanted)), "{length}");
    }
    assert_eq!(frames(&bytes[..first]), (vec![frames(&bytes).0[0].clone()], None));

    let (first, second) = (jpeg(&smooth(20, 20, 0)), jpeg(&smooth(20, 20, 9)));
    let (first, bytes) = (first.len(), [first, second].concat());
    for length in (first + 2..bytes.len()).step_by(7) {
        let (read, error) = frames(&bytes[..length]);
        assert!(read.len() == 1 && error.is_some_and(|error| error.contains("cut short")), "{length}");
    }
}

#[test]
fn what_is_no_video_is_refused() {
    let sizes = [jpeg(&smooth(20, 20, 0)), jpeg(&smooth(24, 20, 0))].concat();
    // A start of frame that promises more pixels than are read.
    let huge = [&[0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3][..], &[0; 20]].concat();
    let cases: [(&[u8], &str); 9] = [
        (b"", "the video is empty"),
        (b"this is text, and not a video", "neither Y4M nor Motion JPEG"),
        (b"YUV4MPEG2 W2 H2\n", "no frame"),
        (b"YUV4MPEG2 W2 H2", "no first line"),
        (b"YUV4MPEG2 W99999 H99999\nFRAME\n", "99999"),
        (b"YUV4MPEG2 W2 H2 Cmono\nFRAME\n0000HELLO\n0000", "does not begin with FRAME"),
        (b"YUV4MPEG2 W8192 H4320\nFRAME\n", "cut short"),
        (&sizes, "frame 1 has 24×20 pixels, the first one 20×20"),
        (&huge, "65535×65535 pixels"),
    ];
    for (bytes, reason) in cases {
        let (_, error) = frames(bytes);
        assert!(error.as_ref().is_some_and(|error| error.starts_with("clip: ") && error.contains(reason)), "{error:?}");
    }
    assert!(matches!(open(b"text"), Err(Error::Video { .. })));
    // A first line without an end does not fill the memory.
    let endless = [b"YUV4MPEG2 ".as_slice(), &[b'W'; 100_000]].concat();
    assert!(frames(&endless).1.is_some_and(|error| error.contains("1024 bytes")));
}

#[test]
fn pictures_may_have_thumbnails_fill_bytes_and_lines_between_them() {
    let jpeg = jpeg(&smooth(20, 20, 0));
    // A segment APP1 with a whole picture in it after the start, and a fill byte before its marker.
    let mut with_thumbnail = [&[0xFF, 0xD8, 0xFF, 0xFF, 0xE1][..], &(jpeg.len() as u16 + 2).to_be_bytes()].concat();
    with_thumbnail.extend(&jpeg);
    with_thumbnail.extend(&jpeg[2..]);
    let bytes = [&with_thumbnail[..], b"\r\n--boundary\r\n\xFF\0", &jpeg, &[0; 7]].concat();
    let (read, error) = frames(&bytes);
    assert_eq!((read.len(), error), (2, None));
    assert_eq!(read[0], read[1]);
}

#[test]
fn mutated_videos_never_panic() {
    let picture = smooth(12, 10, 0);
    let mut writer = Y4mWriter::new(Vec::new(), 12, 10, rate()).unwrap();
    let mut mjpeg = MjpegWriter::new(Vec::new(), 80);
    for _ in 0..2 {
        writer.write(&picture).unwrap();
        mjpeg.write(&picture).unwrap();
    }
    let mut random = Random::new(7);
    for original in [writer.finish().unwrap(), mjpeg.finish().unwrap()] {
        for round in 0..600 {
            let mut bytes = original.clone();
            for _ in 0..1 + round % 4 {
                // Two thirds of them in the first line or the JPEG's headers.
                let reach = if round % 3 == 0 { bytes.len() } else { bytes.len().min(80) };
                let place = random.below(reach);
                bytes[place] = random.below(256) as u8;
            }
            bytes.truncate(if round % 5 == 0 { random.below(bytes.len()) } else { bytes.len() });
            frames(&bytes);
        }
    }
}

#[test]
fn a_picture_that_has_lost_its_end_costs_one_frame() {
    let large =
        |shift: u32| RgbImage::from_fn(320, 240, |x, y| Rgb([(x / 2 + shift) as u8, y as u8, ((x + y) / 4) as u8]));
    let pictures: Vec<Vec<u8>> = (0..5).map(|shift| jpeg(&large(9 * shift))).collect();
    let half = &pictures[1][..pictures[1].len() / 2];
    // The third has lost nothing but the mark of its end, which shows all of it.
    let marked = &pictures[3][..pictures[3].len() - 2];
    let bytes = [&pictures[0], half, &pictures[2], marked, &pictures[4]].concat();
    let mut reader = open(&bytes).unwrap();
    let mut read = Vec::new();
    while reader.advance().unwrap() {
        read.push((reader.number().unwrap(), reader.image()));
    }
    assert_eq!(read.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    let error = read[1].1.as_ref().unwrap_err().to_string();
    assert!(error.contains("frame 1: the picture is cut short"), "{error}");
    for number in [0, 2, 3, 4] {
        let alone = frames(&pictures[number]).0.remove(0);
        assert_eq!(*read[number].1.as_ref().unwrap(), alone, "frame {number}");
    }
}

#[test]
fn pixels_that_are_not_square_become_so() {
    let bytes = y4m("W2 H1 A2:1 Cmono", &[&[16, 235]]);
    let (read, error) = frames(&bytes);
    assert_eq!((read[0].dimensions(), error), ((4, 1), None));
    let row = pixels(&read[0]);
    assert!(row[0] == [0; 3] && row[3] == [255; 3] && row[1][0] < row[2][0], "{row:?}");
    assert_eq!(frames(&y4m("W2 H1 A1:3 Cmono", &[&[16, 235]])).0[0].dimensions(), (2, 3));
}

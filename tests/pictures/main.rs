//! Reading pictures: every kind of file becomes upright 8-bit RGB, and what cannot be read is refused with a message
//! that helps.
#![cfg(feature = "files")]

mod odd;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba};
use vultus::image::{decode_bytes, decode_file, pictures_in};
use vultus::{Error, Result};

/// Formats that keep every pixel, with an extension.
const LOSSLESS: [(ImageFormat, &str); 6] = [
    (ImageFormat::Png, "png"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::Gif, "gif"),
    (ImageFormat::Tiff, "tiff"),
    (ImageFormat::WebP, "webp"),
    (ImageFormat::Pnm, "ppm"),
];

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn decode(bytes: &[u8]) -> Result<RgbImage> {
    decode_bytes(Path::new("picture"), bytes)
}

/// Four quarters: red, green, blue and white.
fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (2 * x < width, 2 * y < height) {
        (true, true) => Rgb([255, 0, 0]),
        (false, true) => Rgb([0, 255, 0]),
        (true, false) => Rgb([0, 0, 255]),
        (false, false) => Rgb([255, 255, 255]),
    })
}

/// A picture that does not become small in any format.
fn noise(side: u32) -> RgbImage {
    let mut random = vultus::Random::new(1);
    RgbImage::from_fn(side, side, |_, _| Rgb([(); 3].map(|()| random.below(256) as u8)))
}

/// Asserts that the picture is refused with a text that contains all of these parts.
#[track_caller]
fn assert_refused(result: Result<RgbImage>, parts: &[&str]) {
    let error = result.expect_err("this should not be read");
    assert!(matches!(error, Error::Image { .. }), "{error:?}");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[track_caller]
fn assert_near(pixel: &Rgb<u8>, wanted: [u8; 3], tolerance: u8) {
    let near = pixel.0.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= tolerance);
    assert!(near, "{pixel:?} is not {wanted:?} to {tolerance}");
}

#[test]
fn lossless_formats_give_their_pixels() {
    let folder = tempfile::tempdir().unwrap();
    for (format, extension) in LOSSLESS {
        let path = folder.path().join(format!("picture.{extension}"));
        fs::write(&path, encode(quarters(7, 5), format)).unwrap();
        assert_eq!(decode_file(&path).unwrap(), quarters(7, 5), "{format:?}");
    }
}

#[test]
fn the_contents_count_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["picture.jpg", "picture.txt", "picture"] {
        let path = folder.path().join(name);
        fs::write(&path, encode(quarters(4, 4), ImageFormat::Png)).unwrap();
        assert_eq!(decode_file(&path).unwrap(), quarters(4, 4), "{name}");
    }
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    // 257 steps of 16 bits are one of 8.
    let values = [0u16, 128, 129, 257, 32_768, 65_535];
    let wanted = [0u8, 0, 1, 1, 128, 255];
    let gray: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_raw(6, 1, values.to_vec()).unwrap();
    let rgb: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_fn(6, 1, |x, _| Rgb([values[x as usize]; 3]));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        for picture in [DynamicImage::from(gray.clone()), DynamicImage::from(rgb.clone())] {
            let read = decode(&encode(picture, format)).unwrap();
            assert_eq!(read.pixels().map(|p| p.0).collect::<Vec<_>>(), wanted.map(|v| [v; 3]), "{format:?}");
        }
    }
}

#[test]
fn gray_goes_into_all_three_channels_and_alpha_is_dropped() {
    let gray: ImageBuffer<Luma<u8>, _> = ImageBuffer::from_raw(2, 1, vec![10, 200]).unwrap();
    let gray_alpha: ImageBuffer<LumaA<u8>, _> = ImageBuffer::from_raw(2, 1, vec![10, 0, 200, 128]).unwrap();
    let rgba: ImageBuffer<Rgba<u8>, _> = ImageBuffer::from_raw(2, 1, vec![1, 2, 3, 0, 4, 5, 6, 128]).unwrap();
    let pixels = |bytes: Vec<u8>| decode(&bytes).unwrap().into_raw();
    assert_eq!(pixels(encode(gray, ImageFormat::Png)), [10, 10, 10, 200, 200, 200]);
    assert_eq!(pixels(encode(gray_alpha, ImageFormat::Png)), [10, 10, 10, 200, 200, 200]);
    assert_eq!(pixels(encode(rgba, ImageFormat::Png)), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_palette_is_looked_up() {
    // A GIF has nothing but palettes; a BMP of one bit per pixel has two colours.
    assert_eq!(decode(&encode(quarters(6, 6), ImageFormat::Gif)).unwrap(), quarters(6, 6));
    let mut bmp = b"BM\x42\0\0\0\0\0\0\0\x3e\0\0\0\x28\0\0\0\x02\0\0\0\x01\0\0\0\x01\0\x01\0".to_vec();
    bmp.extend([0; 8 + 8]);
    bmp.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    // Blue, green, red and nothing of both colours, then the row 0b01.
    bmp.extend([30, 20, 10, 0, 60, 50, 40, 0]);
    bmp.extend([0b0100_0000, 0, 0, 0]);
    assert_eq!(decode(&bmp).unwrap().into_raw(), [10, 20, 30, 40, 50, 60]);
}

/// A TIFF of these rows of bits and this table of red, green and blue, with numbers of either byte order.
fn palette_tiff(size: [u32; 2], bits: u32, rows: &[u8], map: &[u16], big_endian: bool) -> Vec<u8> {
    let short = |value: u16| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let long = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let data = 8u32;
    let table = data + rows.len().next_multiple_of(2) as u32;
    let directory = table + 2 * map.len() as u32;
    let mut file = if big_endian { b"MM".to_vec() } else { b"II".to_vec() };
    file.extend(short(42));
    file.extend(long(directory));
    file.extend(rows);
    file.resize(table as usize, 0);
    map.iter().for_each(|&value| file.extend(short(value)));
    // Tag, type (3: 16 bits, 4: 32 bits), count, value or place.
    let entries = [
        (256, 4, 1, size[0]),
        (257, 4, 1, size[1]),
        (258, 3, 1, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 3),
        (273, 4, 1, data),
        (277, 3, 1, 1),
        (278, 4, 1, size[1]),
        (279, 4, 1, rows.len() as u32),
        (320, 3, map.len() as u32, table),
    ];
    file.extend(short(entries.len() as u16));
    for (tag, kind, count, value) in entries {
        file.extend([short(tag), short(kind)].concat());
        file.extend(long(count));
        match (kind, count) {
            (3, 1) => file.extend([short(value as u16), [0; 2]].concat()),
            _ => file.extend(long(value)),
        }
    }
    file.extend(long(0));
    file
}

/// Red rises with the place, green falls, blue is the same everywhere.
fn color_map(bits: u32) -> Vec<u16> {
    let steps = (1u32 << bits) - 1;
    let rising = (0..=steps).map(|place| (65_535 * place / steps) as u16);
    rising.clone().chain(rising.map(|value| 65_535 - value)).chain((0..=steps).map(|_| 257 * 77)).collect()
}

#[test]
fn a_tiff_with_a_palette_is_looked_up_at_every_depth_and_in_both_byte_orders() {
    for (bits, big_endian) in [1, 2, 4, 8].into_iter().flat_map(|bits| [(bits, false), (bits, true)]) {
        // Rows of an odd width end within a byte at each depth but one.
        let (width, height, colors) = (11, 5, 1 << bits);
        let place = |x: u32, y: u32| (7 * x + 3 * y) % colors;
        let mut rows = Vec::new();
        for y in 0..height {
            let row: Vec<u32> = (0..width).map(|x| place(x, y)).collect();
            rows.extend(row.chunks(8 / bits as usize).map(|part| {
                let places = part.iter().enumerate();
                places.fold(0, |byte, (i, place)| byte | (place << (8 - bits * (i as u32 + 1))) as u8)
            }));
        }
        let map = color_map(bits);
        let read = decode(&palette_tiff([width, height], bits, &rows, &map, big_endian)).unwrap();
        let byte = |channel: u32, place: u32| (map[(channel * colors + place) as usize] >> 8) as u8;
        let wanted = RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|channel| byte(channel, place(x, y)))));
        assert_eq!(read, wanted, "{bits} bits, {big_endian}");
    }
}

#[test]
fn a_gray_palette_of_a_tiff_gives_its_gray_values_in_whatever_way_they_are_written() {
    let rows: Vec<u8> = (0..=255).collect();
    let gray: Vec<[u8; 3]> = rows.iter().map(|&value| [value; 3]).collect();
    // As TIFF says, as Pillow does, and as 8 bits.
    for factor in [257, 256, 1] {
        let map: Vec<u16> = (0..3 * 256).map(|place| factor * (place % 256)).collect();
        let read = decode(&palette_tiff([16, 16], 8, &rows, &map, false)).unwrap();
        assert_eq!(read.into_raw().as_chunks::<3>().0, gray, "{factor}");
    }
}

#[test]
fn a_tiff_whose_palette_is_wrong_is_refused_and_changed_bytes_of_one_do_no_harm() {
    let rows: Vec<u8> = (0..64).collect();
    let whole = palette_tiff([8, 8], 8, &rows, &color_map(8), false);
    assert_refused(decode(&palette_tiff([8, 8], 8, &rows, &color_map(4), false)), &["its palette has 48 numbers"]);
    let wide = palette_tiff([4, 8], 16, &rows, &color_map(8), false);
    assert_refused(decode(&wide), &["picture: ", "1, 2, 4 or 8 bits for each pixel, not 1 of 16"]);
    let ends = whole.len() - 126;
    for at in (0..8).chain(ends..whole.len()) {
        for value in [0, 1, 2, 4, 0x7F, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Err(error) = decode(&bytes) {
                assert!(matches!(error, Error::Image { .. }), "{error:?}");
            }
        }
    }
    for length in [9, 70, 600, whole.len() - 1] {
        assert!(decode(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_jpeg_gives_nearly_its_pixels() {
    let read = decode(&encode(quarters(32, 16), ImageFormat::Jpeg)).unwrap();
    assert_eq!(read.dimensions(), (32, 16));
    // Blocks of one colour; what is left is the rounding of colours to YCbCr and coefficients to quality 75.
    assert_near(read.get_pixel(0, 0), [255, 0, 0], 6);
    assert_near(read.get_pixel(31, 15), [255, 255, 255], 6);
}

#[test]
fn a_cmyk_jpeg_becomes_rgb() {
    let read = decode_file(Path::new("tests/photos/cmyk.jpg")).unwrap();
    assert_eq!(read.dimensions(), (16, 16));
    // Cyan grows by 17 from left to right and magenta from top to bottom; 6 for the compression.
    for (x, y) in [(0, 0), (15, 0), (0, 15), (15, 15), (8, 4)] {
        assert_near(read.get_pixel(x, y), [255 - 17 * x as u8, 255 - 17 * y as u8, 255], 6);
    }
}

/// A JPEG with an APP1 segment behind its start that holds this EXIF orientation and nothing else.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut segment = b"\xFF\xE1\x00\x22Exif\0\0".to_vec();
    // Big-endian TIFF: one directory at 8, of one entry: tag 0x0112, type SHORT, one value; no next directory.
    segment.extend(b"MM\x00\x2A\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00");
    segment.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

#[test]
fn pictures_are_turned_upright_as_exif_says() {
    let jpeg = encode(quarters(32, 16), ImageFormat::Jpeg);
    // What the upright picture has in its upper left, upper right, lower left and lower right corner, as EXIF 2.3
    // defines where the file's first row and column are to be seen.
    let upright =
        [(1, "RGBW"), (2, "GRWB"), (3, "WBGR"), (4, "BWRG"), (5, "RBGW"), (6, "BRWG"), (7, "WGBR"), (8, "GWRB")];
    for (orientation, corners) in upright {
        let read = decode(&with_orientation(&jpeg, orientation)).unwrap();
        let turned = orientation >= 5;
        assert_eq!(read.dimensions(), if turned { (16, 32) } else { (32, 16) }, "orientation {orientation}");
        let (right, bottom) = (read.width() - 1, read.height() - 1);
        let places = [(0, 0), (right, 0), (0, bottom), (right, bottom)];
        for (corner, (x, y)) in corners.chars().zip(places) {
            let colour = match corner {
                'R' => [255, 0, 0],
                'G' => [0, 255, 0],
                'B' => [0, 0, 255],
                _ => [255; 3],
            };
            assert_near(read.get_pixel(x, y), colour, 6);
        }
    }
}

#[test]
fn an_orientation_that_does_not_exist_changes_nothing() {
    let jpeg = encode(quarters(32, 16), ImageFormat::Jpeg);
    for orientation in [0, 9, 255] {
        assert_eq!(decode(&with_orientation(&jpeg, orientation)).unwrap(), decode(&jpeg).unwrap());
    }
}

#[test]
fn files_that_are_cut_short_are_refused() {
    for format in LOSSLESS.map(|(format, _)| format).into_iter().chain([ImageFormat::Jpeg]) {
        let whole = encode(noise(40), format);
        assert!(decode(&whole).is_ok(), "{format:?}");
        for percent in [5, 30, 60, 95] {
            let cut = &whole[..whole.len() * percent / 100];
            let result = decode(cut);
            assert!(matches!(result, Err(Error::Image { .. })), "{format:?} of {percent} %: {result:?}");
        }
    }
}

#[test]
fn a_jpeg_without_its_end_is_refused_by_name() {
    let jpeg = encode(noise(40), ImageFormat::Jpeg);
    assert_refused(decode(&jpeg[..jpeg.len() / 2]), &["picture: ", "cut short: its end is missing"]);
}

#[test]
fn changed_bytes_do_no_harm() {
    // Each byte of small files in turn takes other values: any result is fine but a panic.
    for format in LOSSLESS.map(|(format, _)| format).into_iter().chain([ImageFormat::Jpeg]) {
        let whole = encode(quarters(6, 6), format);
        for at in 0..whole.len().min(400) {
            for value in [0, 1, 0x7F, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Err(error) = decode(&bytes) {
                    assert!(matches!(error, Error::Image { .. }), "{error:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_picture_is_refused() {
    assert_refused(decode(b""), &["the file is empty"]);
    for text in ["no picture", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "\0\0\0\x1cftyp????"] {
        assert_refused(decode(text.as_bytes()), &["picture: this is not a JPEG, PNG"]);
    }
}

#[test]
fn pictures_without_pixels_are_refused() {
    assert_refused(decode(b"P6 0 5 255\n"), &["picture: "]);
    let mut png = encode(quarters(3, 3), ImageFormat::Png);
    png[16..20].fill(0);
    assert_refused(decode(&png), &["picture: "]);
    let mut gif = encode(quarters(3, 3), ImageFormat::Gif);
    gif[6..10].fill(0);
    assert_refused(decode(&gif), &["picture: "]);
}

#[test]
fn pictures_that_are_too_large_are_refused_before_they_are_decoded() {
    let parts = ["20000×20000 pixels are 400.0 megapixels", "at most 200"];
    assert_refused(decode(b"P6 20000 20000 255\n"), &parts);
    // The size of a JPEG stands in its frame header, behind the marker 0xFFC0, the length and the precision.
    let mut jpeg = encode(quarters(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
    assert_refused(decode(&jpeg), &parts);
    // One that is just small enough is not refused for its size.
    let text = decode(b"P6 10000 10000 255\n").unwrap_err().to_string();
    assert!(!text.contains("megapixels"), "{text}");
}

#[test]
fn folders_and_missing_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused(decode_file(folder.path()), &["this is a folder", folder.path().to_str().unwrap()]);
    let missing = folder.path().join("missing.png");
    let error = decode_file(&missing).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == missing), "{error:?}");
}

#[cfg(unix)]
#[test]
fn devices_are_refused() {
    assert_refused(decode_file(Path::new("/dev/zero")), &["/dev/zero: this is not an ordinary file"]);
}

#[test]
fn the_pictures_of_a_folder_are_listed_in_order() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.JPG", "a.png", "c.webp", "notes.txt", "none", ".hidden.jpg", "d.ico", "e.tif"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("more/f.png"), "").unwrap();
    let found = pictures_in(folder.path()).unwrap();
    let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.png", "b.JPG", "c.webp", "e.tif"]);
    assert!(matches!(pictures_in(&folder.path().join("missing")), Err(Error::Io { .. })));
}

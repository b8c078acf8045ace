//! Pictures as cameras, phones and other programs write them, which are not quite what the formats ask for.

use std::io::Cursor;
use std::path::Path;

use image::{GenericImageView, ImageFormat, RgbImage};
use tiff::encoder::{TiffEncoder, colortype};
use vultus::image::{Decoded, decode_bytes_within, decode_with_warnings};
use vultus::{Error, Result};

use crate::{assert_refused, decode, encode, noise, quarters};

fn astronaut() -> RgbImage {
    vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap().view(150, 40, 160, 160).to_image()
}

fn decoded(bytes: &[u8]) -> Result<Decoded> {
    decode_with_warnings(Path::new("picture"), bytes, 1 << 24)
}

/// The astronaut as a JPEG, whose last two bytes are its end.
fn jpeg() -> Vec<u8> {
    let jpeg = encode(astronaut(), ImageFormat::Jpeg);
    assert!(jpeg.ends_with(&[0xFF, 0xD9]));
    jpeg
}

#[test]
fn a_jpeg_that_lacks_only_the_mark_of_its_end_is_read_and_said_to() {
    let whole = jpeg();
    let wanted = decode(&whole).unwrap();
    assert!(decoded(&whole).unwrap().warnings.is_empty());
    let without = &whole[..whole.len() - 2];
    let trailer = b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1450000000000\x01\x02SEFH\x6a\0\0\0SEFT";
    for after in [&b""[..], &[0xFF], &[0; 4], trailer] {
        let found = decoded(&[without, after].concat()).unwrap();
        assert_eq!(found.image, wanted, "{after:?}");
        assert!(found.warnings.len() == 1 && found.warnings[0].contains("end is missing"), "{:?}", found.warnings);
    }
}

#[test]
fn a_jpeg_that_lost_pixels_is_refused_however_few_they_are() {
    for whole in [jpeg(), encode(noise(64), ImageFormat::Jpeg), encode(quarters(200, 40), ImageFormat::Jpeg)] {
        let scan = whole.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        // The last byte may hold nothing but padding.
        for lost in [2, 20, whole.len() / 8, whole.len() / 3] {
            let cut = &whole[..(whole.len() - 2 - lost).max(scan + 20)];
            assert_refused(decode(cut), &["cut short: its end is missing"]);
            assert_refused(decode(&[cut, &[0xFF, 0xD8]].concat()), &["cut short: its end is missing"]);
        }
        for length in (0..scan + 14).step_by(7) {
            assert!(decode(&whole[..length]).is_err(), "{length} bytes are only a head");
        }
    }
}

#[test]
fn a_jpeg_without_huffman_tables_has_the_usual_ones() {
    let whole = jpeg();
    let mut without = Vec::new();
    let mut at = 2;
    without.extend(&whole[..2]);
    while whole[at + 1] != 0xDA {
        let end = at + 2 + usize::from(u16::from_be_bytes([whole[at + 2], whole[at + 3]]));
        if whole[at + 1] != 0xC4 {
            without.extend(&whole[at..end]);
        }
        at = end;
    }
    without.extend(&whole[at..]);
    assert!(without.len() + 100 < whole.len(), "there were no tables");
    assert_eq!(decode(&without).unwrap(), decode(&whole).unwrap());
}

#[test]
fn codings_that_are_not_read_are_called_by_their_names() {
    let mut arithmetic = jpeg();
    let frame = arithmetic.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    arithmetic[frame + 1] = 0xC9;
    assert_refused(decode(&arithmetic), &["arithmetic coding", "jpegtran"]);
    let mut thirds = jpeg();
    // The sampling factors of the first component.
    thirds[frame + 11] = 0x31;
    assert_refused(decode(&thirds), &["three pixels at a time"]);
    for (brand, name) in [("heic", "HEIC"), ("mif1\0\0\0\0mif1heic", "HEIC"), ("avif", "AVIF"), ("mp42", "video")] {
        let bytes = [b"\0\0\0\x20ftyp", brand.as_bytes(), &[0; 40]].concat();
        assert_refused(decode(&bytes), &["this is a", name]);
    }
}

#[test]
fn a_profile_is_not_unpacked() {
    // A million bytes that are a thousand in the file.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &vec![0; 1 << 20]).unwrap();
    let data = [b"x\0\0".to_vec(), packed.finish().unwrap()].concat();
    let checked = [b"iCCP".to_vec(), data.clone()].concat();
    let checksum = crc32fast::hash(&checked);
    let chunk = [&(data.len() as u32).to_be_bytes()[..], &checked, &checksum.to_be_bytes()].concat();
    let png = encode(quarters(8, 8), ImageFormat::Png);
    // After the signature and the head.
    let bomb = [&png[..33], &chunk, &png[33..]].concat();
    // The decoder may take ten bytes for each of these pixels.
    let found = decode_bytes_within(Path::new("picture"), &bomb, 64).unwrap();
    assert_eq!(found, quarters(8, 8));
}

/// A TIFF by the encoder of the crate `tiff`.
fn tiff<C: colortype::ColorType>(is_big: bool, [width, height]: [u32; 2], samples: &[C::Inner]) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut bytes = Cursor::new(Vec::new());
    if is_big {
        TiffEncoder::new_big(&mut bytes).unwrap().write_image::<C>(width, height, samples).unwrap();
    } else {
        TiffEncoder::new(&mut bytes).unwrap().write_image::<C>(width, height, samples).unwrap();
    }
    bytes.into_inner()
}

#[test]
fn tiffs_of_every_width_give_their_pixels() {
    let size = [3, 1];
    let gray = |bytes: &[u8]| {
        let found = decoded(bytes).unwrap();
        (found.image.pixels().map(|p| p.0[0]).collect::<Vec<_>>(), found.warnings)
    };
    let wanted = (vec![0, 128, 255], vec![]);
    assert_eq!(gray(&tiff::<colortype::Gray8>(true, size, &[0, 128, 255])), wanted, "BigTIFF");
    assert_eq!(gray(&tiff::<colortype::Gray32>(false, size, &[0, 128 * 0x0101_0101, u32::MAX])), wanted);
    assert_eq!(gray(&tiff::<colortype::Gray32>(true, size, &[0, 128 * 0x0101_0101, u32::MAX])), wanted);
    assert_eq!(gray(&tiff::<colortype::GrayI16>(false, size, &[i16::MIN, 128, i16::MAX])).0, [0, 128, 255]);
    assert_eq!(gray(&tiff::<colortype::Gray32Float>(false, size, &[0.0, 0.5, 1.0])), wanted);
    assert_eq!(gray(&tiff::<colortype::Gray64Float>(false, size, &[0.0, 128.0, 255.0])), wanted);
    let (found, warnings) = gray(&tiff::<colortype::Gray32Float>(false, size, &[0.0, 2048.0, 4080.0]));
    assert!(found == [0, 128, 255] && warnings[0].contains("4080"), "{found:?} {warnings:?}");
    let color = decoded(&tiff::<colortype::RGB32Float>(true, [1, 1], &[1.0, 0.5, 0.0])).unwrap();
    assert_eq!(color.image.pixels().next().unwrap().0, [255, 128, 0]);
    // 12 bits in 16 are what they are, which is said.
    let (found, warnings) = gray(&tiff::<colortype::Gray16>(false, size, &[0, 2048, 4095]));
    assert!(found == [0, 8, 16] && warnings[0].contains("nearly black"), "{found:?} {warnings:?}");
    assert!(gray(&tiff::<colortype::Gray16>(false, size, &[0, 2048, 4096])).1.is_empty());
}

#[test]
fn changed_bytes_of_such_tiffs_do_no_harm() {
    let good = tiff::<colortype::Gray32Float>(true, [4, 3], &[0.25; 12]);
    for at in 0..good.len() {
        for value in [0, 1, 0x7F, 0xFF] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if let Err(error) = decode(&bytes) {
                assert!(matches!(error, Error::Image { .. }), "{error:?}");
            }
        }
    }
    assert!(decode_bytes_within(Path::new("picture"), &good, 11).is_err(), "12 pixels are more than 11");
    for length in 0..good.len() {
        assert!(decode(&good[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_folder_names_pictures_that_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.jpg", "b.HEIC", "c.avif", "d.jpe", "e.mpo", "f.txt", "Thumbs.db", ".hidden.heic"] {
        std::fs::write(folder.path().join(name), b"").unwrap();
    }
    let names = vultus::image::pictures_in(folder.path()).unwrap();
    let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.jpg", "b.HEIC", "c.avif", "d.jpe", "e.mpo"]);
}

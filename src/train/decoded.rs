//! Pictures that are decoded once: what comes before their variation is kept in files of the cache folder.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use image::RgbImage;
use sha2::{Digest, Sha256};

use super::examples::{PLAIN, normalize, scale, write_varied};
use super::rows::Rows;
use super::{Examples, Pictures, Varied};
use crate::error::Result;
use crate::image::bytes::Bytes;
use crate::image::resample::normalized;
use crate::ops::{Normalization, Variation};
use crate::random::Random;

/// The pictures of a data set, those that the network is trained on and judged by from files where they can be. A row
/// of a file begins with what it holds; where a picture cannot be read it is empty.
pub(super) struct Decoded<'a> {
    pictures: &'a Pictures<'a>,
    /// As they are before they are varied: of the network's size, in bytes.
    varied: Option<Rows>,
    /// As the network takes them where they are not varied, before they are normalised, as far as `varied` does not
    /// have them.
    fixed: Option<Rows>,
}

/// What a row begins with: a sum of these.
const COLOURED: u8 = 1;
/// Numbers in f32 of one channel after the other, and not bytes, pixel by pixel.
const FLOATS: u8 = 2;
/// Nothing was rounded.
const EXACT: u8 = 4;

/// What hears how far the files are, and what is wrong with them.
pub(super) struct Hearer<'a> {
    pub progress: &'a mut dyn FnMut(usize),
    pub warn: &'a mut dyn FnMut(&str),
}

impl<'a> Decoded<'a> {
    /// The pictures with these numbers, from files in `folder`, which are made where they are not there. Without a
    /// folder, or if they cannot be written there, each picture is decoded whenever it is needed.
    pub fn new(
        pictures: &'a Pictures<'a>,
        [training, validation]: [&[usize]; 2],
        folder: Option<&Path>,
        mut hearer: Hearer,
    ) -> Self {
        let mut decoded = Decoded { pictures, varied: None, fixed: None };
        let Some(folder) = folder else { return decoded };
        let mut rows = |kind: &str, indices: BTreeSet<usize>, make: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
            let indices: Vec<usize> = indices.into_iter().collect();
            let name = format!("pictures-{}.bin", &pictures.key(kind, &indices)[..24]);
            if indices.is_empty() { None } else { open(&folder.join(name), &indices, make, &mut hearer) }
        };
        let all: BTreeSet<usize> = training.iter().chain(validation).copied().collect();
        if pictures.is_fixed() {
            decoded.fixed = rows("fixed", all, &|index| decoded.fixed_row(index));
            return decoded;
        }
        decoded.varied = rows("varied", all, &|index| decoded.varied_row(index));
        let mut row = Vec::new();
        let lacks = |&index: &usize| !decoded.read(decoded.varied.as_ref(), index, &mut row) || row[0] & EXACT == 0;
        let validation = validation.iter().copied().filter(lacks).collect();
        decoded.fixed = rows("fixed", validation, &|index| decoded.fixed_row(index));
        decoded
    }

    /// A picture scaled to the network's size.
    fn varied_row(&self, index: usize) -> Vec<u8> {
        let Ok(face) = self.pictures.face(index) else { return Vec::new() };
        let exact = if self.has_size(&face) { EXACT } else { 0 };
        of_bytes(&scale(&face, self.pictures.input), exact)
    }

    /// A picture as it goes into the network.
    fn fixed_row(&self, index: usize) -> Vec<u8> {
        let Ok(face) = self.pictures.face(index) else { return Vec::new() };
        if self.has_size(&face) {
            return of_bytes(&face, EXACT);
        }
        let side = self.pictures.input;
        let mut values = vec![0.0; 3 * side * side];
        normalize(&face, side, &PLAIN, &mut values);
        let (first, others) = values.split_at(side * side);
        let is_gray = others.chunks(side * side).all(|channel| channel == first);
        let kept = if is_gray { first } else { &values };
        let mut row = vec![EXACT | FLOATS | if is_gray { 0 } else { COLOURED }];
        row.extend_from_slice(bytemuck::cast_slice(kept));
        row
    }

    fn has_size(&self, picture: &RgbImage) -> bool {
        picture.dimensions() == (self.pictures.input as u32, self.pictures.input as u32)
    }

    /// Reads a row of a picture that could be read.
    fn read(&self, rows: Option<&Rows>, index: usize, row: &mut Vec<u8>) -> bool {
        rows.is_some_and(|rows| rows.read(index, row)) && !row.is_empty()
    }

    /// Normalises what a row holds.
    fn write_row(&self, row: &[u8], out: &mut [f32]) {
        let Pictures { input, normalization, .. } = self.pictures;
        let plane = input * input;
        let (form, held) = (row[0], &row[1..]);
        if form & FLOATS == 0 {
            return normalize(&image(*input, form, held), *input, normalization, out);
        }
        let value = |place: usize| bytemuck::pod_read_unaligned::<f32>(&held[4 * place..4 * place + 4]);
        let stride = if form & COLOURED == 0 { 0 } else { plane };
        for place in 0..plane {
            let rgb = [0, 1, 2].map(|channel| value(place + channel * stride));
            for (channel, value) in normalized(rgb, normalization).into_iter().enumerate() {
                out[channel * plane + place] = value;
            }
        }
    }
}

impl Examples for Decoded<'_> {
    fn shape(&self) -> [usize; 3] {
        self.pictures.shape()
    }

    fn settings(&self) -> String {
        self.pictures.settings()
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        let mut row = Vec::new();
        match random.filter(|_| !self.pictures.is_fixed()) {
            Some(random) => write_varied(self, self.pictures.input, (index, random), out)?,
            None if self.read(self.fixed.as_ref(), index, &mut row) => self.write_row(&row, out),
            None if self.read(self.varied.as_ref(), index, &mut row) && row[0] & EXACT != 0 => {
                self.write_row(&row, out);
            }
            None => self.pictures.write(index, None, out)?,
        }
        Ok(())
    }

    fn varied(&self) -> Option<&dyn Varied> {
        if self.pictures.is_fixed() { None } else { Some(self) }
    }
}

impl Varied for Decoded<'_> {
    fn normalization(&self) -> Normalization {
        self.pictures.normalization
    }

    fn draw(&self, index: usize, random: &mut Random) -> Result<(Vec<u8>, Variation)> {
        let Pictures { input, augmentation, .. } = self.pictures;
        let mut row = Vec::new();
        if self.read(self.varied.as_ref(), index, &mut row) {
            // Behind what the row begins with lie one byte for each pixel, or three.
            row.remove(0);
            if let Some(picture) = Bytes::new(&row, *input, *input) {
                let variation = augmentation.draw_for(&picture, random);
                return Ok((row, variation));
            }
        }
        // What is not there, or has been damaged since, is decoded.
        self.pictures.draw(index, random)
    }
}

impl Pictures<'_> {
    /// A text that is another one for other files, or if they are treated otherwise before they are varied.
    fn key(&self, kind: &str, indices: &[usize]) -> String {
        let Pictures { input, preparation, alignment, margin, .. } = self;
        let mut hash = Sha256::new();
        hash.update(format!("{} {kind} {input} {preparation:?} {alignment:?} {margin}\n", env!("CARGO_PKG_VERSION")));
        for &index in indices {
            hash.update(format!("{index} {}", self.stamp(index)));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Opens a file of rows for these pictures, or makes it where it is not there or is damaged.
fn open(path: &Path, indices: &[usize], make: &(dyn Fn(usize) -> Vec<u8> + Sync), hearer: &mut Hearer) -> Option<Rows> {
    match Rows::open(path) {
        Ok(rows) if rows.are_of(indices) => return Some(rows),
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {}
        Ok(_) | Err(_) => (hearer.warn)(&format!("{}: is damaged and is made anew", path.display())),
    }
    match Rows::make(path, indices, make, hearer.progress) {
        Ok(rows) => Some(rows),
        Err(error) => {
            (hearer.warn)(&format!("decoded pictures are not kept: {error}"));
            None
        }
    }
}

/// A row of bytes, of one channel where the picture is gray.
fn of_bytes(picture: &RgbImage, form: u8) -> Vec<u8> {
    if picture.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        return std::iter::once(form).chain(picture.pixels().map(|pixel| pixel[0])).collect();
    }
    [&[form | COLOURED], picture.as_raw().as_slice()].concat()
}

/// The picture in a row of bytes.
fn image(side: usize, form: u8, bytes: &[u8]) -> RgbImage {
    let side = side as u32;
    if form & COLOURED == 0 {
        return RgbImage::from_fn(side, side, |x, y| image::Rgb([bytes[(y * side + x) as usize]; 3]));
    }
    RgbImage::from_raw(side, side, bytes.to_vec()).unwrap_or_else(|| RgbImage::new(side, side))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;
    use crate::data::Dataset;
    use crate::face::{Architecture, ModelCard};
    use crate::ops::Normalization;
    use crate::prepare::{Augmentation, Preparation};

    const SIDE: usize = 16;

    /// Pictures in colour and gray, of the network's size, smaller and larger; the last is none.
    fn data(folder: &Path) -> Dataset {
        for (number, side) in [16, 16, 12, 50, 33].into_iter().enumerate() {
            let colour = (number % 2) as u32;
            let pixel = |x, y| image::Rgb([(7 * x + y) as u8, (7 * x + y * (1 + 4 * colour)) as u8, (7 * x + y) as u8]);
            let class = folder.join(format!("faces/{}", ["happy", "sad"][number % 2]));
            fs::create_dir_all(&class).unwrap();
            RgbImage::from_fn(side, side + number as u32 / 3, pixel).save(class.join(format!("{number}.png"))).unwrap();
        }
        fs::write(folder.join("faces/sad/5.png"), "none").unwrap();
        Dataset::open(&folder.join("faces")).unwrap()
    }

    fn pictures(data: &Dataset, augmentation: Augmentation) -> Pictures<'_> {
        let card = ModelCard::new(Architecture::Light, data.classes.clone(), SIDE, Normalization::CAFFE);
        Pictures { preparation: Preparation::NONE, ..Pictures::new(data, &card, augmentation) }
    }

    /// The pictures from a cache: all are trained on and judged by. How many were made ready, and what was said.
    fn decoded<'a>(pictures: &'a Pictures, folder: &Path) -> (Decoded<'a>, usize, String) {
        let (mut made, mut said) = (0, String::new());
        let all: Vec<usize> = (0..pictures.data.samples.len()).collect();
        let hearer = Hearer { progress: &mut |done| made += done, warn: &mut |text| said += text };
        let decoded = Decoded::new(pictures, [&all, &all], Some(folder), hearer);
        (decoded, made, said)
    }

    /// What each picture gives, as it is and varied.
    fn values(examples: &dyn Examples) -> Vec<Option<Vec<u32>>> {
        let read = |index: usize, mut random: Option<Random>| {
            let mut out = vec![0.0; 3 * SIDE * SIDE];
            let written = examples.write(index, random.as_mut(), &mut out);
            written.ok().map(|()| out.into_iter().map(f32::to_bits).collect())
        };
        (0..6).flat_map(|index| [read(index, None), read(index, Some(Random::new(index as u64)))]).collect()
    }

    #[test]
    fn what_was_decoded_once_gives_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let data = data(folder.path());
        for augmentation in [Augmentation::standard(), Augmentation::none()] {
            let pictures = pictures(&data, augmentation);
            let wanted = values(&pictures);
            assert_eq!(wanted.iter().filter(|values| values.is_none()).count(), 2);
            for cache in ["new", "new", "faces/happy/0.png"] {
                let (decoded, _, said) = decoded(&pictures, &folder.path().join(cache));
                assert_eq!(values(&decoded), wanted, "{cache}");
                assert_eq!(said.is_empty(), cache == "new", "{said}");
            }
        }
    }

    #[test]
    fn a_second_training_decodes_nothing_and_changed_pictures_are_decoded_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (data, cache) = (data(folder.path()), folder.path().join("cache"));
        let pictures = pictures(&data, Augmentation::standard());
        let (wanted, (_, made, _)) = (values(&pictures), decoded(&pictures, &cache));
        assert_eq!(made, 6 + 4, "all to be varied, and those of other sizes to judge by");
        // The same length and time, but no picture.
        let file = data.samples[0].file();
        let (whole, time) = (fs::read(file).unwrap(), file.metadata().unwrap().modified().unwrap());
        fs::write(file, vec![0; whole.len()]).unwrap();
        File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
        let (found, made, _) = decoded(&pictures, &cache);
        assert_eq!((values(&found), made), (wanted.clone(), 0));
        // Another way to prepare them, and another time.
        let gray = Pictures { preparation: Preparation::default(), ..pictures.clone() };
        assert!(decoded(&gray, &cache).1 > 0);
        let later = time + std::time::Duration::from_secs(1);
        File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
        let (found, made, _) = decoded(&pictures, &cache);
        assert!(made > 0);
        assert_eq!(values(&found)[0], None);
        assert_eq!(values(&found)[2..], wanted[2..]);
    }

    #[test]
    fn a_damaged_file_is_made_anew_and_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (data, cache) = (data(folder.path()), folder.path().join("cache"));
        let pictures = pictures(&data, Augmentation::light());
        let (wanted, _) = (values(&pictures), decoded(&pictures, &cache));
        let files: Vec<_> = fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
        for file in files {
            let whole = fs::read(&file).unwrap();
            let (before, ..) = decoded(&pictures, &cache);
            let mut bytes = whole.clone();
            bytes[whole.len() / 2] ^= 4;
            bytes[20] ^= 4;
            fs::write(&file, bytes).unwrap();
            assert_eq!(values(&before), wanted, "what is damaged while it is used is decoded");
            let (after, made, said) = decoded(&pictures, &cache);
            assert!(made > 0 && said.ends_with("is damaged and is made anew"), "{made} {said}");
            assert_eq!((values(&after), fs::read(&file).unwrap()), (wanted.clone(), whole));
        }
    }
}

//! `vultus prepare`: each step from a photo to what the network sees.

mod sheet;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use vultus::Error;
use vultus::face::{Face, ModelCard};
use vultus::image::{RgbImage, decode_file, write_png};
use vultus::ops::Normalization;
use vultus::prepare::{Denoise, Illumination, Preparation};

use super::detector::SearchArguments;
use super::failure::Failure;
use super::global::Global;
use super::recognizer::ModelArguments;
use super::table::{Align, Table, widest};
use crate::answer::stages::{self, Framing, Recipe, Stage};

/// Show each step from a photo to what the network sees
///
/// Finds the face, cuts it out and prepares, scales and normalises it as the model's card asks for. Every stage is written as
/// a PNG, and all of them side by side as sheet.png. Options try out other steps than the model's own.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus prepare photo.jpg --out stages
  vultus prepare photo.jpg --out stages --model vgg16
  vultus prepare photo.jpg --out stages --align --denoise nlm:5:15:8 --illumination clahe:8:2 --regions
  vultus prepare group.jpg --out stages --face 2 --size 48
  vultus prepare cropped-face.png --out stages --faces

Stages, in this order: 01_input (upright), 02_detected, 03_cropped (03_aligned where faces are turned by the eyes), 04_gray,
05_denoised, 06_illumination, 07_resized, 08_gray (where the network itself is fed gray), 09_normalised (its range of values
shown as black to white); with --regions also 10_regions, 11_eyes, 12_nose, 13_mouth. What is not done has no file.")]
pub struct Arguments {
    /// The picture
    #[arg(value_name = "IMAGE")]
    picture: PathBuf,
    /// Output folder (created; its parent must exist)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The picture is a face already: all of it is taken
    #[arg(long, conflicts_with_all = ["face", "align", "no_align"])]
    faces: bool,
    /// Which face, counted from 1 by size as `vultus predict` does [default: the most probable]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    face: Option<u32>,
    /// Turn and scale the face by its eyes, whatever the model wants
    #[arg(long, conflicts_with = "no_align")]
    align: bool,
    /// Cut out the square around the face's box, whatever the model wants
    #[arg(long)]
    no_align: bool,
    /// How noise is taken out: none, median[:RADIUS], bilateral[:RADIUS:SIGMA_SPACE:SIGMA_VALUE] or
    /// nlm[:PATCH:WINDOW:STRENGTH] [default: the model's way]
    #[arg(long, value_name = "FILTER")]
    denoise: Option<Denoise>,
    /// How light is evened out: none, equalize, clahe[:TILES:CLIP] or gamma[:GAMMA] [default: the model's way]
    #[arg(long, value_name = "METHOD")]
    illumination: Option<Illumination>,
    /// Keep the colour, whatever the model wants
    #[arg(long)]
    color: bool,
    /// The side of what the network sees, in pixels [default: the model's]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(8..=2048))]
    size: Option<u32>,
    /// Also write the parts of the face that its landmarks tell: eyes, nose and mouth
    #[arg(long)]
    regions: bool,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    search: SearchArguments,
}

/// Makes all stages, and then writes them.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    check_place(&arguments.out)?;
    arguments.model.check()?;
    let recipe = arguments.recipe(&arguments.model.load(global)?.0);
    let image = decode_file(&arguments.picture)?;
    let faces = detect(arguments, global, &image)?;
    let chosen = choose(arguments, &faces)?;
    if chosen.is_none() && arguments.regions {
        global.note("no face was found in it: there are no regions of eyes, nose and mouth");
    }
    let stages = stages::all(image, &faces, chosen, &recipe)?;
    write(&arguments.out, &stages)?;
    report(&arguments.out, &stages, out)?;
    Ok(())
}

impl Arguments {
    /// What is done, as the model's card asks unless something else is asked for.
    fn recipe(&self, card: &ModelCard) -> Recipe {
        let own = Recipe::of(card);
        let framing = match (self.faces, self.align, self.no_align) {
            (true, ..) => Framing::Whole,
            (_, true, _) => Framing::Eyes(card.alignment.unwrap_or_default()),
            (.., true) => Framing::Box(card.margin),
            _ => own.framing,
        };
        let preparation = Preparation {
            gray: own.preparation.gray && !self.color,
            denoise: self.denoise.unwrap_or(own.preparation.denoise),
            illumination: self.illumination.unwrap_or(own.preparation.illumination),
        };
        let normalization = Normalization { gray: own.normalization.gray && !self.color, ..own.normalization };
        Recipe { framing, preparation, size: self.size.unwrap_or(own.size), normalization, regions: self.regions }
    }
}

fn detect(arguments: &Arguments, global: &Global, image: &RgbImage) -> Result<Vec<Face>, Error> {
    let device = global.device()?;
    let mut detector = arguments.search.load(image.dimensions().into(), &device, global)?;
    detector.detect(&device.upload(image.as_raw(), image.width(), image.height())?)
}

/// The number of the face that is asked for; none where the picture is a face and the detector sees none in it.
fn choose(arguments: &Arguments, faces: &[Face]) -> Result<Option<usize>, Failure> {
    let failed = |reason: String| Err(Failure::Failed(format!("{}: {reason}", arguments.picture.display())));
    let most_probable = (0..faces.len()).max_by(|&a, &b| faces[a].probability.total_cmp(&faces[b].probability));
    match (arguments.face, most_probable) {
        (None, None) if arguments.faces => Ok(None),
        (_, None) => failed("no face was found: try a smaller --min-face, or --faces if the picture is one".to_owned()),
        (None, found) => Ok(found),
        (Some(number), _) if number as usize > faces.len() => {
            failed(format!("there is no face {number}, the number of faces found is {}", faces.len()))
        }
        (Some(number), _) => Ok(Some(number as usize - 1)),
    }
}

/// Finds out before any work whether there is a place for the files.
fn check_place(folder: &Path) -> Result<(), Failure> {
    if folder.is_dir() {
        return Ok(());
    }
    if folder.exists() {
        return Err(Failure::Usage(format!("{}: this is a file, --out needs a folder", folder.display())));
    }
    let parent = parent(folder);
    fs::read_dir(parent).map(drop).map_err(|source| Error::Io { path: parent.to_path_buf(), source })?;
    Ok(())
}

fn parent(folder: &Path) -> &Path {
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes all files into a folder beside the one they are for, and then moves them there.
fn write(folder: &Path, stages: &[Stage]) -> Result<(), Error> {
    let failed = |path: &Path, source: io::Error| Error::Io { path: path.to_path_buf(), source };
    let place = parent(folder);
    let beside = tempfile::Builder::new().prefix(".prepare-").tempdir_in(place).map_err(|e| failed(place, e))?;
    let mut names: Vec<String> = stages.iter().map(Stage::file).collect();
    for (name, stage) in names.iter().zip(stages) {
        write_png(&beside.path().join(name), &stage.image)?;
    }
    write_png(&beside.path().join(sheet::FILE), &sheet::draw(stages))?;
    names.push(sheet::FILE.to_owned());
    if !folder.is_dir() {
        fs::create_dir(folder).map_err(|e| failed(folder, e))?;
    }
    for name in names {
        let path = folder.join(&name);
        fs::rename(beside.path().join(&name), &path).map_err(|e| failed(&path, e))?;
    }
    Ok(())
}

/// Lists the files.
fn report(folder: &Path, stages: &[Stage], out: &mut dyn Write) -> io::Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let size = |image: &RgbImage| format!("{}×{}", image.width(), image.height());
    let paths: Vec<String> = stages.iter().map(|stage| path(&stage.file())).collect();
    let sizes: Vec<String> = stages.iter().map(|stage| size(&stage.image)).collect();
    let table = Table::new([
        ("FILE", Align::Left, widest(paths.iter().map(String::as_str))),
        ("SIZE", Align::Right, widest(sizes.iter().map(String::as_str))),
        ("STAGE", Align::Left, 0),
    ]);
    table.head(out)?;
    for ((stage, path), size) in stages.iter().zip(paths).zip(sizes) {
        table.row(out, [path, size, stage.description()])?;
    }
    table.row(out, [path(sheet::FILE), String::new(), "all of them".to_owned()])
}

//! `vultus train`: a model from labelled faces.

mod arguments;
pub mod progress;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use vultus::data::{Dataset, stratified_split};
use vultus::face::{ModelCard, assemble, without_base};
use vultus::prepare::augmentation_sheet;
use vultus::train::{Course, Pictures, Trained, adapt, start};
use vultus::weights::{WeightFile, safetensors};
use vultus::{Parameters, Random};

use super::failure::Failure;
use super::file;
use super::global::Global;
use arguments::NetworkName;
pub use arguments::{Arguments, augmentation};
use progress::Progress;

/// Trains, saves and tests a model.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    arguments.check()?;
    check_place(&arguments.out)?;
    let checkpoint = checkpoint(&arguments.out);
    if checkpoint.exists() && !arguments.resume {
        let file = checkpoint.display();
        return Err(Failure::Usage(format!(
            "{file} is the state of an earlier training: go on with it by --resume, or remove it to start anew"
        )));
    }
    let data = Dataset::open(&arguments.data)?;
    let base = global.vgg16_base()?;
    let card = arguments.card(data.classes.clone(), base.sha256.clone());
    let mut metadata = card.to_metadata().map_err(|error| Failure::Usage(error.to_string()))?;
    check_layer(arguments, &card)?;
    let tests: Vec<Dataset> =
        arguments.test.iter().map(|path| test::open(path, &data.classes, global)).collect::<Result<_, _>>()?;
    let used = used(arguments, &data, global)?;
    let (validation, training) = split(arguments, &data, &used);
    let pictures = pictures(arguments, &data, &card);
    if let Some(file) = &arguments.sheet {
        write_sheet(file, &pictures, &training, arguments.seed)?;
    }
    let device = global.device()?;
    let known = known(arguments, &base, &data.classes)?;
    let parameters = start(&device, &card, &known, &pictures, &training, arguments.seed)?;

    let cache = arguments.cache.clone().or_else(super::global::cache_folder);
    let recipe = arguments.recipe();
    let course = Course {
        device: &device,
        card: &card,
        dropout: arguments.dropout,
        start: parameters.clone(),
        trainable: arguments.trainable(),
        pictures: &pictures,
        training: &training,
        validation: &validation,
        recipe: &recipe,
        cache: cache.as_deref(),
        checkpoint: Some(checkpoint.clone()),
    };
    let trained = train(course, arguments, global, data.samples.len(), out)?;
    let mut unreadable = trained.unreadable.len();
    trained.unreadable.values().for_each(|error| global.note(&format!("vultus: {error}")));

    let mut all = parameters;
    all.extend(trained.parameters.clone());
    let own = without_base(&card, &base.parameters, all)?;
    metadata.insert("trained_on".to_owned(), format!("{} pictures", training.len()));
    metadata.insert("recipe".to_owned(), serde_json::to_string(&recipe)?);
    metadata.insert("augmentation".to_owned(), serde_json::to_string(&arguments.augment)?);
    safetensors::write(&arguments.out, &own, &metadata, arguments.precision())?;
    writeln!(out, "saved epoch {} in {}", trained.best, arguments.out.display())?;
    if let Err(error) = std::fs::remove_file(&checkpoint) {
        global.note(&format!("vultus: {}: {error}", checkpoint.display()));
    }
    for data in &tests {
        unreadable += test::run(&arguments.out, &base, &device, arguments.batch, data, out)?;
    }
    match unreadable {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} pictures could not be read; the others were used"))),
    }
}

/// The file that keeps the state of the training whose model will be this file.
fn checkpoint(model: &Path) -> PathBuf {
    let mut name = model.file_name().unwrap_or_default().to_os_string();
    name.push(".checkpoint");
    model.with_file_name(name)
}

/// Whether a file can be written there: that should not turn out after the training.
fn check_place(file: &Path) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(Failure::Failed(format!("{}: this is a folder, the model needs a file", file.display())));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| vultus::Error::Io { path: folder.to_path_buf(), source };
    Ok(tempfile::tempfile_in(folder).map(drop).map_err(failed)?)
}

/// Whether the network has the layer that the training is to begin with.
fn check_layer(arguments: &Arguments, card: &ModelCard) -> Result<(), Failure> {
    let network = card.network().map_err(|error| Failure::Usage(error.to_string()))?;
    network
        .parameters_from(&arguments.trainable())
        .map(drop)
        .map_err(|error| Failure::Usage(format!("--train-from: {error}, or head, or all")))
}

/// The numbers of the pictures that are not in a data set that they must not be in.
fn used(arguments: &Arguments, data: &Dataset, global: &Global) -> Result<Vec<usize>, Failure> {
    let mut used: Vec<usize> = (0..data.samples.len()).collect();
    for path in &arguments.dedup {
        let other = Dataset::open(path)?;
        let leaking: Vec<usize> = todo_leakage(data, &other)?;
        let before = used.len();
        used.retain(|index| !leaking.contains(index));
        let count = before - used.len();
        global.note(&format!("{count} pictures are left out: they are in {} too", path.display()));
    }
    Ok(used)
}

/// The pictures to validate with and those to train on.
fn split(arguments: &Arguments, data: &Dataset, used: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let labels: Vec<usize> = used.iter().map(|&index| data.samples[index].label).collect();
    let (validation, training) = stratified_split(&labels, arguments.validation, arguments.seed);
    let number = |indices: Vec<usize>| indices.into_iter().map(|index| used[index]).collect();
    (number(validation), number(training))
}

fn pictures<'a>(arguments: &Arguments, data: &'a Dataset, card: &ModelCard) -> Pictures<'a> {
    Pictures {
        data,
        input: card.input,
        normalization: card.preprocessing,
        preparation: card.preparation,
        augmentation: arguments.augment,
        margin: card.margin,
    }
}

/// What the training can start from.
fn known(arguments: &Arguments, base: &WeightFile, classes: &[String]) -> Result<Parameters, Failure> {
    match &arguments.start {
        Some(file) => {
            let (card, parameters) = assemble(Some(base.clone()), safetensors::read(file)?)?;
            Ok(adapt(&card, parameters, classes)?)
        }
        None if arguments.network == NetworkName::Vgg16 => Ok(base.parameters.clone()),
        None => Ok(Parameters::new()),
    }
}

fn train(
    course: Course,
    arguments: &Arguments,
    global: &Global,
    pictures: usize,
    out: &mut dyn Write,
) -> Result<Trained, Failure> {
    let bar = progress::bar(global.quiet, "features", pictures);
    let mut progress = Progress::new(global.quiet, arguments.batch, out)?;
    let trained = course.run(&mut |done| bar.set_position(done as u64), |event| progress.hear(event))?;
    bar.finish_and_clear();
    let written = progress.finish();
    if let Some(path) = &arguments.log {
        file::write(path, |out| out.write_all(progress::log(&trained.epochs).as_bytes()))?;
    }
    // Only now: that nobody reads the rows any more must not cost the model.
    written?;
    Ok(trained)
}

/// Writes how the first pictures of the training are varied.
fn write_sheet(path: &Path, pictures: &Pictures, training: &[usize], seed: u64) -> Result<(), Failure> {
    let faces = training.iter().take(6).filter_map(|&index| pictures.picture(index, None).ok()).collect::<Vec<_>>();
    let sheet = augmentation_sheet(&faces, &pictures.augmentation, 8, &mut Random::new(seed));
    Ok(file::write_png(path, &sheet)?)
}

fn todo_leakage(a: &Dataset, b: &Dataset) -> Result<Vec<usize>, Failure> {
    use rayon::prelude::*;
    let key = |s: &vultus::data::Sample| s.decode().ok().map(|p| (p.dimensions(), p.into_raw()));
    let there: std::collections::HashSet<_> = b.samples.par_iter().filter_map(key).collect();
    Ok((0..a.samples.len())
        .into_par_iter()
        .filter(|&i| key(&a.samples[i]).is_some_and(|k| there.contains(&k)))
        .collect())
}

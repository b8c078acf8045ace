//! `vultus train`: a model from labelled faces.

mod arguments;
pub mod progress;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use vultus::data::{Dataset, Part, Protocol, Split, inspect};
use vultus::face::{ModelCard, assemble, without_base};
use vultus::image::write_png;
use vultus::prepare::augmentation_sheet;
use vultus::train::{Course, Labels, Pictures, Trained, adapt, start};
use vultus::weights::{Catalog, WeightFile, safetensors};
use vultus::{Parameters, Random};

use super::failure::Failure;
use super::global::Global;
use super::models;
use super::network::{NetworkName, parameters_of};
pub use arguments::{Arguments, augmentation};
use progress::Progress;

/// Trains, saves and tests a model.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    arguments.check()?;
    [Some(&arguments.out), arguments.log.as_ref()].into_iter().flatten().try_for_each(|file| check_place(file))?;
    let checkpoint = checkpoint(&arguments.out);
    if checkpoint.exists() && !arguments.resume {
        let file = checkpoint.display();
        return Err(Failure::Usage(format!(
            "{file} is the state of an earlier training: go on with it by --resume, or remove it to start anew"
        )));
    }
    let mut data = Dataset::open(&arguments.data)?;
    if let Some(table) = &arguments.votes {
        data = data.with_votes(table)?;
    }
    let labels = labels(arguments, &data, global)?;
    let base = global.vgg16_base()?;
    let card = arguments.card(data.classes.clone(), &base)?;
    let mut metadata = card.to_metadata().map_err(|error| Failure::Usage(error.to_string()))?;
    check_layer(arguments, &card)?;
    let tests = arguments.test.iter().map(|path| test::open(path, &data.classes, global));
    let mut tests: Vec<Dataset> = tests.collect::<Result<_, _>>()?;
    let (mut training, mut validation) = parts(arguments, &data, global)?;
    let device = global.device()?;
    if let Some(mut finder) = arguments.faces.finder(|| Ok(device.clone()), global)? {
        let without = finder.locate(&mut data, global)?;
        training.retain(|index| without.binary_search(index).is_err());
        validation.retain(|index| without.binary_search(index).is_err());
        tests = tests.into_iter().map(|data| finder.located(data, global)).collect::<Result<_, _>>()?;
    }
    training.retain(|&index| labels.is_known(index));
    validation.retain(|&index| labels.majority(index).is_some());
    check_classes(&data, &labels, &training)?;
    let pictures = Pictures::new(&data, &card, arguments.augment);
    if let Some(file) = &arguments.sheet {
        write_sheet(file, &pictures, &training, arguments.seed)?;
    }
    let known = known(arguments, &base, &card, global)?;
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
        labels: &labels,
        training: &training,
        validation: &validation,
        recipe: &recipe,
        cache: cache.as_deref(),
        checkpoint: Some(checkpoint.clone()),
    };
    let (trained, written) = train(course, arguments, global, data.samples.len(), out)?;
    let mut unreadable = trained.unreadable.len();
    trained.unreadable.values().for_each(|error| global.note(&format!("vultus: {error}")));

    let mut all = parameters;
    all.extend(trained.parameters.clone());
    let read = training.iter().filter(|index| !trained.unreadable.contains_key(index)).count();
    let own = without_base(&card, &base.parameters, all)?;
    metadata.insert("trained_on".to_owned(), format!("{read} pictures"));
    if arguments.faces.detect {
        metadata.insert("detector".to_owned(), arguments.faces.detector.detector.name().to_owned());
    }
    metadata.insert("recipe".to_owned(), serde_json::to_string(&recipe)?);
    metadata.insert("augmentation".to_owned(), serde_json::to_string(&arguments.augment)?);
    safetensors::write(&arguments.out, &own, &metadata, arguments.precision.into())?;
    // Only now: that nobody reads the rows any more, or a disk is full, must not cost the model.
    written?;
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
        return Err(Failure::Failed(format!("{}: this is a folder, a file is to be written there", file.display())));
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

/// What is to be learned of each picture.
fn labels(arguments: &Arguments, data: &Dataset, global: &Global) -> Result<Labels, Failure> {
    let labels = Labels::of(data, arguments.truth(data))?;
    let all = data.samples.len();
    let count = |holds: &dyn Fn(usize) -> bool| (0..all).filter(|&index| holds(index)).count();
    let voted = count(&|index| data.samples[index].votes.is_some());
    if voted > 0 {
        let (unknown, judged) =
            (all - count(&|index| labels.is_known(index)), count(&|i| labels.majority(i).is_some()));
        global.note(&format!(
            "votes: for {voted} of {all} pictures; {unknown} are left out, since most saw none of the classes in them or \
             there is no majority; {judged} can be judged by"
        ));
    }
    Ok(labels)
}

/// Whether there is something to learn of every class.
fn check_classes(data: &Dataset, labels: &Labels, training: &[usize]) -> Result<(), Failure> {
    match (0..data.classes.len()).find(|&class| training.iter().all(|&index| labels.classes()[index] != class)) {
        None => Ok(()),
        Some(class) => {
            let (path, name) = (data.path.display(), &data.classes[class]);
            Err(Failure::Failed(format!("{path}: there is no picture of the class {name:?} to train on")))
        }
    }
}

/// The numbers of the pictures to train on, and of those to validate with.
fn parts(arguments: &Arguments, data: &Dataset, global: &Global) -> Result<(Vec<usize>, Vec<usize>), Failure> {
    let (training, validation) = match &arguments.split {
        Some(file) => {
            let split = Split::read(file, data)?;
            let part = |name| split.part(name).unwrap_or_default().to_vec();
            (part(Part::Train.name()), part(Part::Validation.name()))
        }
        // What its authors keep for tests is left alone.
        None if !data.part(Part::Train).is_empty() => (data.part(Part::Train), data.part(Part::Validation)),
        None => ((0..data.samples.len()).collect(), Vec::new()),
    };
    let repeated = repeated(arguments, data, global)?;
    let keep = |part: Vec<usize>| part.into_iter().filter(|index| repeated.binary_search(index).is_err()).collect();
    let (training, validation): (Vec<usize>, Vec<usize>) = (keep(training), keep(validation));
    if !validation.is_empty() || arguments.split.is_some() {
        return Ok((training, validation));
    }
    let protocol = if arguments.by_subject { Protocol::Subject } else { Protocol::Random };
    if let Some(people) = data.subjects().filter(|_| !arguments.by_subject) {
        let reason = "the same people are in training and validation (--by-subject keeps them apart)";
        global.note(&format!("{} people are known: {reason}", people));
    }
    Ok(Split::hold_out(data, &training, protocol, arguments.validation, arguments.seed)?)
}

/// The numbers of the pictures that are in a data set that they must not be in, sorted.
fn repeated(arguments: &Arguments, data: &Dataset, global: &Global) -> Result<Vec<usize>, Failure> {
    if arguments.dedup.is_empty() {
        return Ok(Vec::new());
    }
    let here = inspect(data, |_| {});
    let mut repeated = Vec::new();
    for path in &arguments.dedup {
        let there = here.repeated_in(&inspect(&Dataset::open(path)?, |_| {}));
        global.note(&format!("{} pictures are left out: they are in {} too", there.len(), path.display()));
        repeated.extend(there);
    }
    repeated.sort_unstable();
    repeated.dedup();
    Ok(repeated)
}

/// What the training can start from.
fn known(arguments: &Arguments, base: &WeightFile, card: &ModelCard, global: &Global) -> Result<Parameters, Failure> {
    match &arguments.start {
        Some(name) => {
            let file = match models::named(name, global)? {
                Some(file) => file,
                None => {
                    let catalog = Catalog::open(name)?;
                    if !catalog.metadata().contains_key("classes") {
                        return parameters_of(&card.network()?, &catalog, name);
                    }
                    catalog.read()?
                }
            };
            let (model, parameters) = assemble(Some(base.clone()), file)?;
            Ok(adapt(&model, parameters, &card.classes)?)
        }
        None if arguments.network == NetworkName::Vgg16 => Ok(base.parameters.clone()),
        None => Ok(Parameters::new()),
    }
}

/// Trains; also whether all rows could be printed and logged.
fn train(
    course: Course,
    arguments: &Arguments,
    global: &Global,
    pictures: usize,
    out: &mut dyn Write,
) -> Result<(Trained, Result<(), Failure>), Failure> {
    let bar = global.progress("features", pictures);
    let mut progress = Progress::new(global, arguments.batch, arguments.log.as_deref(), out);
    let trained = course.run(&mut |done| bar.set_position(done as u64), |event| progress.hear(event))?;
    bar.finish_and_clear();
    Ok((trained, progress.finish()))
}

/// Writes how the first pictures of the training are varied.
fn write_sheet(path: &Path, pictures: &Pictures, training: &[usize], seed: u64) -> Result<(), Failure> {
    let faces = training.iter().take(6).filter_map(|&index| pictures.picture(index, None).ok()).collect::<Vec<_>>();
    let sheet = augmentation_sheet(&faces, &pictures.augmentation, 8, &mut Random::new(seed));
    Ok(write_png(path, &sheet)?)
}

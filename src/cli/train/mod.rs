//! `vultus train`: a model from labelled faces.

mod arguments;
mod beginning;
mod closing;
mod photos;
pub mod progress;
mod test;

use std::io::Write;
use std::path::{Path, PathBuf};

use vultus::Random;
use vultus::data::{Dataset, Part, Protocol, Split, inspect};
use vultus::face::{ModelCard, TestTimeAugmentation, without_base};
use vultus::image::write_png;
use vultus::nn::Trainable;
use vultus::prepare::{Augmentation, augmentation_sheet};
use vultus::train::{Balance, Calibration, Course, Event, Labels, Pictures, Predictor, Trained, start};
use vultus::weights::safetensors;
use vultus::{Device, Parameters};

use super::class_names::{matched, unified};
use super::existing::{refuse_existing, refuse_input};
use super::failure::Failure;
use super::global::Global;
pub use arguments::{Arguments, augmentation, fine_tuning_rate};
use beginning::Beginning;
pub use beginning::successor;
use closing::Closing;
use progress::Progress;

/// Trains, saves and tests a model.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    arguments.check()?;
    for file in [Some(&arguments.out), arguments.log.as_ref()].into_iter().flatten() {
        check_place(file)?;
        refuse_input(file, arguments.reads())?;
    }
    let checkpoint = checkpoint(&arguments.out);
    if checkpoint.exists() && !arguments.resume {
        let file = checkpoint.display();
        return Err(Failure::Usage(format!(
            "{file} is the state of an earlier training: go on with it by --resume, or remove it to start anew"
        )));
    }
    let goes_on = arguments.resume && checkpoint.exists();
    if arguments.resume && !goes_on {
        let file = checkpoint.display();
        if arguments.out.exists() && !arguments.force {
            let reason = "there is nothing to go on with, and the model is there: the training has ended";
            return Err(Failure::Usage(format!("{file}: {reason}; --force trains anew, or give another --out")));
        }
        global.note(&format!("{file}: there is no earlier state, so that the training begins anew"));
    }
    refuse_existing(&arguments.out, arguments.force || goes_on, "--force overwrites it")?;
    let data = Dataset::open(&arguments.data)?;
    let data = match &arguments.votes {
        Some(table) => data.with_votes(table)?,
        None => data,
    };
    let data = unified(data, global)?;
    let beginning = Beginning::load(arguments, global)?;
    let mut data = match beginning.model() {
        Some(model) => matched(data, &model.classes, global)?,
        None => data,
    };
    let labels = labels(arguments, &data, global)?;
    let card = arguments.card(data.classes.clone(), &beginning)?;
    let mut metadata = card.to_metadata().map_err(|error| Failure::Usage(error.to_string()))?;
    let trainable = arguments.trainable(&card, &beginning);
    check_layer(&trainable, &card)?;
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
    global.note(&format!("starting from {}, training {}", beginning.name, trained_part(&trainable, &card)));
    photos::warn(arguments, &data, &training, &device, global);
    let pictures = Pictures::new(&data, &card, arguments.augment);
    if let Some(file) = &arguments.sheet {
        write_sheet(file, &pictures, &training, arguments.seed)?;
    }
    let known = beginning.parameters(&card)?;
    let parameters = start(&device, &card, &known, &pictures, &training, arguments.seed)?;

    let cache = arguments.cache.clone().or_else(super::global::cache_folder);
    let recipe = arguments.recipe(&card, &beginning);
    let course = Course {
        device: &device,
        card: &card,
        dropout: arguments.dropout,
        start: parameters.clone(),
        trainable,
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
    if let Some(found) = calibrate(&card, &mut all, arguments, &device, &pictures, &labels, &validation)? {
        global.note(&format!(
            "calibrated on the validation part: logits are divided by {:.3}, with a bias for each class",
            found.temperature
        ));
        metadata.insert("temperature".to_owned(), found.temperature.to_string());
        metadata.insert("priors".to_owned(), serde_json::to_string(&found.priors)?);
        metadata.insert("biases".to_owned(), serde_json::to_string(&found.biases)?);
    }
    let read = training.iter().filter(|index| !trained.unreadable.contains_key(index)).count();
    let base = beginning.base.as_ref();
    let own = match base {
        Some(base) => without_base(&card, &base.parameters, all)?,
        None => all,
    };
    metadata.insert("start".to_owned(), beginning.name.clone());
    metadata.insert("trained_on".to_owned(), format!("{read} pictures"));
    if arguments.faces.detect {
        metadata.insert("detector".to_owned(), arguments.faces.detector.detector.name().to_owned());
    }
    metadata.insert("recipe".to_owned(), serde_json::to_string(&recipe)?);
    metadata.insert("augmentation".to_owned(), serde_json::to_string(&arguments.augment)?);
    safetensors::write(&arguments.out, &own, &metadata, arguments.precision.into())?;
    // Only now: that nobody reads the rows any more, or a disk is full, must not cost the model.
    written?;
    let closing = Closing {
        arguments,
        data: &data,
        labels: &labels,
        training: &training,
        validation: &validation,
        trained: &trained,
    };
    closing.say(out)?;
    if let Err(error) = std::fs::remove_file(&checkpoint) {
        global.note(&format!("vultus: {}: {error}", checkpoint.display()));
    }
    for data in &tests {
        unreadable += test::run(&arguments.out, base, &device, arguments.batch, data, out)?;
    }
    match unreadable {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} pictures could not be read; the others were used"))),
    }
}

/// The fewest pictures by which probabilities are calibrated: with fewer the temperature is little more than chance.
const FEWEST_TO_CALIBRATE: usize = 100;

/// Makes the probabilities mean what they say on the validation part.
fn calibrate(
    card: &ModelCard,
    parameters: &mut Parameters,
    arguments: &Arguments,
    device: &Device,
    pictures: &Pictures,
    labels: &Labels,
    validation: &[usize],
) -> Result<Option<Calibration>, Failure> {
    if validation.len() < FEWEST_TO_CALIBRATE {
        return Ok(None);
    }
    let network = card.network()?;
    let flip = card.tta == TestTimeAugmentation::Flip;
    let pictures = Pictures { augmentation: Augmentation::none(), ..pictures.clone() };
    let predictor = Predictor { device, network: &network, parameters, batch: arguments.batch, flip };
    let answers = predictor.predict(&pictures, validation)?;
    // What the training made of them, unless something else is asked for.
    let alike = arguments.calibrate.unwrap_or(match arguments.balance {
        Balance::None => 0.0,
        Balance::Under | Balance::Over => 1.0,
        Balance::Weights(power) => power.min(1.0),
    });
    let found = Calibration::of(&answers, |index| labels.majority(index), alike);
    if let Some(found) = &found {
        card.calibrate(parameters, found.temperature, &found.biases)?;
    }
    Ok(found)
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
fn check_layer(trainable: &Trainable, card: &ModelCard) -> Result<(), Failure> {
    let network = card.network().map_err(|error| Failure::Usage(error.to_string()))?;
    network
        .parameters_from(trainable)
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
             there is no majority; {judged} have a majority to judge by"
        ));
    }
    Ok(labels)
}

/// Which layers are trained, in words.
fn trained_part(trainable: &Trainable, card: &ModelCard) -> String {
    match trainable {
        Trainable::All => "all layers".to_owned(),
        Trainable::From(layer) if layer == card.architecture.head() => {
            format!("the head ({layer} and the layers after it)")
        }
        Trainable::From(layer) => format!("all layers from {layer} on"),
    }
}

/// A class with no picture to train on.
fn missing_class(data: &Dataset, labels: &Labels, training: &[usize]) -> Option<usize> {
    (0..data.classes.len()).find(|&class| training.iter().all(|&index| labels.classes()[index] != class))
}

/// Whether there is something to learn of every class.
fn check_classes(data: &Dataset, labels: &Labels, training: &[usize]) -> Result<(), Failure> {
    match missing_class(data, labels, training) {
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
    hold_out(arguments, data, &training, global)
}

/// Keeps some pictures for validation: of people who are in no other, where they are known.
fn hold_out(
    arguments: &Arguments,
    data: &Dataset,
    training: &[usize],
    global: &Global,
) -> Result<(Vec<usize>, Vec<usize>), Failure> {
    let hold_out = |protocol| Split::hold_out(data, training, protocol, arguments.validation, arguments.seed);
    let people = data.subset(training).subjects().filter(|&people| people > 1);
    if arguments.by_subject {
        return Ok(hold_out(Protocol::Subject)?);
    }
    let Some(people) = people.filter(|_| arguments.validation > 0.0) else { return Ok(hold_out(Protocol::Random)?) };
    if arguments.at_random {
        global.note(&format!("{people} people are known, who may be in both training and validation"));
        return Ok(hold_out(Protocol::Random)?);
    }
    let (rest, kept) = hold_out(Protocol::Subject)?;
    // Where only these people show a class, the others teach nothing of it.
    let own = Labels::own(data);
    if kept.is_empty() || missing_class(data, &own, &rest) != missing_class(data, &own, training) {
        global.note(&format!(
            "{people} people are known, too few to keep some for validation: they may be in both parts"
        ));
        return Ok(hold_out(Protocol::Random)?);
    }
    global.note(&format!(
        "{people} people are known: nobody is in both training and validation (--at-random mixes them)"
    ));
    Ok((rest, kept))
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

/// Trains; also whether all rows could be printed and logged.
fn train(
    course: Course,
    arguments: &Arguments,
    global: &Global,
    pictures: usize,
    out: &mut dyn Write,
) -> Result<(Trained, Result<(), Failure>), Failure> {
    let bar = global.progress("pictures", pictures);
    let mut progress = Progress::new(global, arguments.batch, arguments.log.as_deref(), out);
    let hear = |event: Event| {
        if !bar.is_finished() {
            bar.finish_and_clear();
        }
        progress.hear(event);
    };
    let trained = course.run(&mut |done| bar.set_position(done as u64), hear)?;
    Ok((trained, progress.finish()))
}

/// Writes how the first pictures of the training are varied.
fn write_sheet(path: &Path, pictures: &Pictures, training: &[usize], seed: u64) -> Result<(), Failure> {
    let faces = training.iter().take(6).filter_map(|&index| pictures.picture(index, None).ok()).collect::<Vec<_>>();
    let sheet = augmentation_sheet(&faces, &pictures.augmentation, 8, &mut Random::new(seed));
    Ok(write_png(path, &sheet)?)
}

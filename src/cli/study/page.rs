//! The report of a study.

use std::path::Path;

use vultus::data::Dataset;
use vultus::face::Occlusion;
use vultus::metrics::Evaluation;
use vultus::prepare::Augmentation;
use vultus::report::{
    Card, Cell, Chart, Gallery, GalleryItem, LineChart, Method, Page, Section, Series, Table, Unit, evaluation_cards,
    evaluation_sections, filters_picture, heat_overlay, methods_section,
};
use vultus::train::Pictures;

use super::Failure;
use super::networks::Networks;
use super::outcome::Outcome;
use super::results::{Found, Results};

/// Faces of a gallery.
const SHOWN: usize = 12;

/// The side of faces with heat maps, in pixels of the page.
const LARGE: u32 = 112;

pub fn page(
    results: &Results,
    networks: &Networks,
    data: &Dataset,
    outcomes: &[(Outcome, Evaluation)],
) -> Result<Page, Failure> {
    let methods: Vec<Method> = outcomes.iter().zip(&results.methods).map(method).collect();
    let name = Path::new(&results.data).file_name().map_or(results.data.as_str().into(), |name| name.to_string_lossy());
    let mut page = Page::new(format!("Expressions in {name}"))
        .lead(lead(results))
        .section(data_section(results))
        .section(methods_section(&methods));
    let best = outcomes.iter().max_by(|a, b| a.1.accuracy.total_cmp(&b.1.accuracy));
    if let Some((outcome, evaluation)) = best {
        let about = Section::new(format!("The best method: {}", outcome.name))
            .text("The following sections are about this method's answers on all test pictures.");
        page = page
            .card(Card::new("best method", outcome.name.clone()))
            .cards(evaluation_cards(evaluation))
            .section(about)
            .sections(evaluation_sections(evaluation))
            .section(surest(networks, data, outcome));
    }
    let trained = || outcomes.iter().map(|(outcome, _)| outcome).filter(|outcome| !outcome.epochs.is_empty());
    if trained().next().is_some() {
        page = page.section(courses(trained()));
    }
    let looked = outcomes.iter().filter(|(outcome, _)| outcome.model.is_some());
    if let Some((outcome, _)) = looked.max_by(|a, b| a.1.accuracy.total_cmp(&b.1.accuracy)) {
        page = page.section(inside(networks, data, outcome)?);
    }
    Ok(page.section(settings(outcomes)))
}

fn method<'a>(((outcome, evaluation), found): (&'a (Outcome, Evaluation), &Found)) -> Method<'a> {
    let Outcome { name, milliseconds, parameters, .. } = outcome;
    let (name, against_best) = (name.clone(), found.against_best.copied());
    Method { name, evaluation, milliseconds: *milliseconds, parameters: *parameters, against_best }
}

fn lead(results: &Results) -> String {
    let Results { pictures, protocol, seed, device, version, .. } = results;
    let protocol = match *protocol {
        "subject" => "in folds of whole people",
        "people" => "split at random by person",
        "parts" => "on the parts that the data set comes with",
        _ => "split at random by image",
    };
    format!("{pictures} pictures, {protocol}, seed {seed}, computed on {device} by vultus {version}.")
}

fn data_section(results: &Results) -> Section {
    let table = Table::new(["class", "pictures", "share"]).rows(results.classes.iter().zip(&results.counts).map(
        |(class, &count)| {
            let share = count as f64 / results.pictures.max(1) as f64;
            [Cell::text(class.clone()), Cell::count(count as u64), Cell::percent(share)]
        },
    ));
    let [training, test] = [0, 1].map(|part| results.splits.iter().map(|split| split[part]).sum::<usize>());
    let mut facts = vec![
        ("data set", results.data.clone()),
        ("pictures", results.pictures.to_string()),
        ("people", results.subjects.map_or("unknown".to_owned(), |people| people.to_string())),
        ("protocol", results.protocol.to_owned()),
        ("splits", results.splits.len().to_string()),
    ];
    facts.push(match results.splits.len() {
        1 => ("trained on, tested", format!("{training}, {test}")),
        _ => ("tested in all splits", test.to_string()),
    });
    let section = Section::new("Data").facts(facts).table(table);
    let section = match (results.protocol, results.subjects) {
        ("random", Some(_)) => section.note(
            "The same people are in the training and the test part. Figures for people whom a method has never seen are \
             lower: see --protocol people and --protocol subject.",
        ),
        _ => section,
    };
    match results.unreadable.as_slice() {
        [] => section,
        some => section.heading("Could not be read").list(some.iter().cloned()),
    }
}

/// The faces of which the method was most sure, where it was right and where it was wrong.
fn surest(networks: &Networks, data: &Dataset, outcome: &Outcome) -> Section {
    let pictures = networks.pictures(&Augmentation::none());
    let predicted = outcome.predictions.predicted();
    let sure = |answer: &usize| f64::from(outcome.predictions.probabilities[*answer][predicted[*answer]]);
    let gallery = |title: &str, right: bool| {
        let is_right = |answer: &usize| (predicted[*answer] == outcome.predictions.labels[*answer]) == right;
        let mut answers: Vec<usize> = (0..predicted.len()).filter(is_right).collect();
        answers.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
        let item = |answer: usize| {
            let index = outcome.tested[answer];
            let picture = pictures.picture(index, None).ok()?;
            let [truth, answered] = [outcome.predictions.labels[answer], predicted[answer]].map(|c| &data.classes[c]);
            Some(GalleryItem::face(picture, truth, answered, sure(&answer), &data.samples[index].name(&data.path)))
        };
        Gallery::new(title).items(answers.into_iter().filter_map(item).take(SHOWN))
    };
    Section::new("Most confident predictions").gallery(gallery("Incorrect", false)).gallery(gallery("Correct", true))
}

/// Loss and accuracy of the trainings.
fn courses<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Section {
    let chart = |label: &str, unit, value: fn(&vultus::train::Epoch) -> Option<f64>| {
        outcomes.clone().fold(LineChart::new("epoch", label, unit), |chart, outcome| {
            let points = outcome.epochs.iter().filter_map(|epoch| Some([epoch.number as f64, value(epoch)?]));
            chart.series(Series::new(outcome.name.clone(), points))
        })
    };
    let training = chart("loss", Unit::Number, |epoch| Some(f64::from(epoch.loss)));
    let validation = chart("loss", Unit::Number, |epoch| epoch.validation.map(|validation| validation.loss));
    let accuracy = chart("accuracy", Unit::Percent, |epoch| epoch.validation.map(|validation| validation.accuracy));
    Section::new("Training curves")
        .text(
            "Of the first split. A tenth of its training part is kept for validation and chooses the epoch that is \
             tested; the test part has no say.",
        )
        .chart("Loss in training", Chart::Line(training), "With label smoothing and variation where they are used.")
        .chart("Loss on the validation part", Chart::Line(validation), "")
        .chart("Accuracy on the validation part", Chart::Line(accuracy), "")
}

/// The first layer's filters, and where a network looks for each class.
fn inside(networks: &Networks, data: &Dataset, outcome: &Outcome) -> Result<Section, Failure> {
    let Some((card, parameters)) = &outcome.model else { return Ok(Section::new("Inside")) };
    let mut section = Section::new(format!("Inside the network: {}", outcome.name));
    if let Some(weight) = parameters.get("features.0.weight") {
        let filters = filters_picture(weight, card.preprocessing.order)?;
        let item = GalleryItem::new(filters, "The filters of the first convolution");
        section = section.gallery(Gallery::new("Filters of the first convolution").side(360).item(item));
    }
    let pictures = Pictures::new(data, card, Augmentation::none());
    let mut occlusion = Occlusion::new(&networks.device.load(&card.network()?, parameters)?)?;
    let predicted = outcome.predictions.predicted();
    let mut gallery = Gallery::new("Where it looks")
        .note(
            "What counts for the class on the face of it that is recognised most surely: each place was covered in turn, and \
             the brighter it is, the less probable the class became (occlusion).",
        )
        .side(LARGE)
        .color_bar("no weight", "most");
    for (class, name) in data.classes.iter().enumerate() {
        let right = |answer: &usize| predicted[*answer] == class && outcome.predictions.labels[*answer] == class;
        let sure = |answer: &usize| outcome.predictions.probabilities[*answer][class];
        let best = (0..predicted.len()).filter(right).max_by(|a, b| sure(a).total_cmp(&sure(b)));
        let Some(answer) = best else { continue };
        let index = outcome.tested[answer];
        let face = pictures.picture(index, None)?;
        let (map, size) = occlusion.map_picture(&face, &card.preprocessing, class)?;
        let overlay = heat_overlay(&face, &map, size)?;
        gallery = gallery.item(GalleryItem::new(overlay, format!("Where the network sees {name}")).heading(name));
    }
    Ok(section.gallery(gallery))
}

fn settings(outcomes: &[(Outcome, Evaluation)]) -> Section {
    outcomes.iter().fold(Section::new("Settings"), |section, (outcome, _)| {
        let mut facts = outcome.settings.clone();
        facts.push(("seconds for all trainings and tests".to_owned(), format!("{:.0}", outcome.seconds)));
        section.heading(outcome.name.clone()).facts(facts)
    })
}

//! Which pictures are trained on and which are tested.

use clap::ValueEnum;
use vultus::data::{self, Dataset, Part, Split};

use crate::cli::failure::Failure;
use crate::cli::global::Global;

/// How a data set is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// The parts that the data set comes with
    Parts,
    /// At random, image by image, with the same shares of the classes in both parts
    Random,
    /// At random, person by person: nobody is in both parts
    People,
    /// Folds of whole people: each fold is tested once, on what was learned of the others
    Subject,
}

/// Reads the share of a data set to train on.
pub fn ratio(text: &str) -> Result<f64, String> {
    let ratio: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if ratio > 0.0 && ratio < 1.0 { Ok(ratio) } else { Err("it is not between 0 and 1".to_owned()) }
}

/// Indices to train on and to test.
pub struct Trial {
    pub training: Vec<usize>,
    pub test: Vec<usize>,
}

impl Protocol {
    /// The protocol that is used where none is asked for.
    pub fn of(data: &Dataset) -> Self {
        let both = [Part::Train, Part::Test].into_iter().all(|part| !data.part(part).is_empty());
        match data.subjects() {
            _ if both => Protocol::Parts,
            Some(people) if people > 1 => Protocol::People,
            _ => Protocol::Random,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Parts => "parts",
            Protocol::Random => "random",
            Protocol::People => "people",
            Protocol::Subject => "subject",
        }
    }

    /// How to keep a part of the training pictures aside: with all pictures of a person on one side, where people are
    /// known and nothing else is asked for.
    pub fn aside(self, data: &Dataset, training: &[usize]) -> data::Protocol {
        match data.subset(training).subjects() {
            Some(people) if people > 1 && self != Protocol::Random => data::Protocol::Subject,
            _ => data::Protocol::Random,
        }
    }

    /// The split: two parts, or folds. Says where people are.
    pub fn split(self, data: &Dataset, ratio: f64, folds: usize, seed: u64, global: &Global) -> Result<Split, Failure> {
        let path = data.path.display();
        match (self, data.subjects()) {
            (Protocol::Random, Some(people)) => global.note(&format!(
                "{path}: {people} people are known, each of whom may be in both parts, which flatters every method: \
                 --protocol people keeps them apart"
            )),
            (Protocol::People, Some(people)) => global.note(&format!(
                "{path}: {people} people are known: nobody is in both parts (--protocol random mixes them)"
            )),
            _ => {}
        }
        let split = match self {
            Protocol::Parts => Split::given(data),
            Protocol::Random => Split::shares(data, data::Protocol::Random, &[ratio, 1.0 - ratio], seed),
            Protocol::People => Split::shares(data, data::Protocol::Subject, &[ratio, 1.0 - ratio], seed),
            Protocol::Subject => Split::folds(data, data::Protocol::Subject, folds, seed),
        };
        // What the data set does not allow, another command line does.
        split.map_err(|error| Failure::Usage(error.to_string()))
    }
}

/// What is trained on and tested in a split: once, or as often as there are folds.
pub fn trials(split: &Split) -> Vec<Trial> {
    let part = |part: Part| split.part(part.name()).unwrap_or_default().to_vec();
    match split.part(Part::Test.name()) {
        Some(test) => vec![Trial { training: part(Part::Train), test: test.to_vec() }],
        None => {
            let fold =
                |place: usize| Trial { training: split.all_but(place), test: split.parts[place].samples.clone() };
            (0..split.parts.len()).map(fold).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use vultus::data::{Sample, Source};

    use super::*;

    /// Twenty people with one to five pictures each.
    fn people() -> Dataset {
        let sample = |person: usize, label| Sample {
            source: Source::File(std::path::Path::new("a.png").into()),
            label,
            subject: Some(format!("S{person}").into()),
            part: None,
            face: None,
            detected: None,
            votes: None,
        };
        let samples = (0..20).flat_map(|person| (0..=person % 5).map(move |picture| sample(person, picture % 2)));
        Dataset { path: "faces".into(), classes: vec!["a".into(), "b".into()], samples: samples.collect() }
    }

    #[test]
    fn people_stay_on_one_side_unless_pictures_are_drawn_one_by_one() {
        let data = people();
        let all: Vec<usize> = (0..data.samples.len()).collect();
        assert_eq!(Protocol::Parts.aside(&data, &all), data::Protocol::Subject);
        assert_eq!(Protocol::Random.aside(&data, &all), data::Protocol::Random);
        // Of one person nobody can be kept aside.
        assert_eq!(Protocol::People.aside(&data, &all[..1]), data::Protocol::Random);
    }

    #[test]
    fn a_ratio_leaves_something_on_both_sides() {
        assert_eq!(ratio("0.7"), Ok(0.7));
        for wrong in ["0", "1", "-0.5", "1.5", "nan", "inf", "70%", ""] {
            assert!(ratio(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn folds_hold_every_picture_once_and_parts_are_one_trial() {
        let mut data = people();
        let folds = trials(&Split::folds(&data, data::Protocol::Subject, 6, 3).unwrap());
        let mut tested: Vec<usize> = Vec::new();
        for Trial { training, test } in &folds {
            assert_eq!(training.len() + test.len(), 60);
            let person = |index: &usize| data.samples[*index].subject.clone();
            assert!(test.iter().all(|index| training.iter().all(|other| person(index) != person(other))));
            tested.extend(test);
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..60).collect::<Vec<_>>());
        assert_eq!(Protocol::of(&data), Protocol::People);
        data.samples[7].subject = None;
        assert_eq!(Protocol::of(&data), Protocol::Random);
        for (index, sample) in data.samples.iter_mut().enumerate() {
            sample.part = Some(if index % 3 == 0 { Part::Test } else { Part::Train });
        }
        assert_eq!(Protocol::of(&data), Protocol::Parts);
        let given = trials(&Split::given(&data).unwrap());
        assert_eq!((given.len(), given[0].training.len(), given[0].test.len()), (1, 40, 20));
    }
}

//! Which pictures are trained on and which are tested.

use std::collections::BTreeMap;

use clap::ValueEnum;
use vultus::Random;
use vultus::data::{Dataset, Part, stratified_split};

use crate::cli::failure::Failure;
use crate::cli::global::Global;

/// How a data set is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// The parts that the data set comes with
    Parts,
    /// At random, image by image, with the same shares of the classes in both parts
    Random,
    /// Folds of whole people: each fold is tested once, on what was learned of the others
    Subject,
}

/// Indices to train on and to test.
pub struct Split {
    pub training: Vec<usize>,
    pub test: Vec<usize>,
}

impl Protocol {
    /// The protocol that is used where none is asked for.
    pub fn of(data: &Dataset) -> Self {
        let both = [Part::Train, Part::Test].into_iter().all(|part| !data.part(part).is_empty());
        if both { Protocol::Parts } else { Protocol::Random }
    }

    pub fn name(self) -> &'static str {
        match self {
            Protocol::Parts => "parts",
            Protocol::Random => "random",
            Protocol::Subject => "subject",
        }
    }

    /// One split, or one for each fold. Says where people are on both sides.
    pub fn splits(
        self,
        data: &Dataset,
        ratio: f64,
        folds: usize,
        seed: u64,
        global: &Global,
    ) -> Result<Vec<Split>, Failure> {
        let path = data.path.display();
        match self {
            Protocol::Parts => {
                let (training, test) = (data.part(Part::Train), data.part(Part::Test));
                if training.is_empty() || test.is_empty() {
                    return Err(Failure::Usage(format!("{path}: has no parts train and test: use --protocol random")));
                }
                Ok(vec![Split { training, test }])
            }
            Protocol::Random => {
                if let Some(people) = data.subjects() {
                    global.note(&format!(
                        "{path}: shows {people} people, each of whom may be in both parts, which flatters every \
                         method: --protocol subject keeps them apart"
                    ));
                }
                let (training, test) = stratified_split(&data.labels(), ratio, seed);
                Ok(vec![Split { training, test }])
            }
            Protocol::Subject => by_subject(data, folds, seed),
        }
    }
}

/// As many folds of whole people, of about the same size.
fn by_subject(data: &Dataset, folds: usize, seed: u64) -> Result<Vec<Split>, Failure> {
    let path = data.path.display();
    let Some(people) = data.subjects() else {
        return Err(Failure::Usage(format!("{path}: it is not known whom each picture shows: use --protocol random")));
    };
    if people < folds {
        return Err(Failure::Usage(format!("{path}: {people} people cannot be cut into {folds} folds: use --folds")));
    }
    let mut members: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, sample) in data.samples.iter().enumerate() {
        members.entry(sample.subject.as_deref().unwrap_or_default()).or_default().push(index);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    Random::new(seed).shuffle(&mut members);
    // The largest first, each into the fold that is the smallest so far.
    members.sort_by_key(|pictures| std::cmp::Reverse(pictures.len()));
    let mut tests = vec![Vec::new(); folds];
    for pictures in members {
        if let Some(smallest) = tests.iter_mut().min_by_key(|test| test.len()) {
            smallest.extend(pictures);
        }
    }
    let split = |mut test: Vec<usize>| {
        test.sort_unstable();
        let training = (0..data.samples.len()).filter(|index| test.binary_search(index).is_err()).collect();
        Split { training, test }
    };
    Ok(tests.into_iter().map(split).collect())
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
        };
        let samples = (0..20).flat_map(|person| (0..=person % 5).map(move |picture| sample(person, picture % 2)));
        Dataset { path: "faces".into(), classes: vec!["a".into(), "b".into()], samples: samples.collect() }
    }

    #[test]
    fn folds_keep_people_together_and_hold_every_picture_once() {
        let data = people();
        let splits = by_subject(&data, 6, 3).ok().unwrap();
        let mut tested = Vec::new();
        for Split { training, test } in &splits {
            assert_eq!(training.len() + test.len(), 60);
            assert!((8..=12).contains(&test.len()), "{}", test.len());
            let person = |index: &usize| data.samples[*index].subject.clone();
            assert!(test.iter().all(|index| training.iter().all(|other| person(index) != person(other))));
            tested.extend(test);
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..60).collect::<Vec<_>>());
        assert!(by_subject(&data, 21, 3).is_err());
        assert_ne!(by_subject(&data, 6, 4).ok().unwrap()[0].test, splits[0].test);
    }

    #[test]
    fn unknown_people_cannot_be_kept_apart() {
        let mut data = people();
        data.samples[7].subject = None;
        assert!(matches!(by_subject(&data, 5, 3), Err(Failure::Usage(_))));
        assert_eq!(Protocol::of(&data), Protocol::Random);
        data.samples[0].part = Some(Part::Train);
        data.samples[1].part = Some(Part::Test);
        assert_eq!(Protocol::of(&data), Protocol::Parts);
    }
}

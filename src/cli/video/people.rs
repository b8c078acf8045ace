//! What is kept of each face over the whole video. It takes the same memory for an hour as for a minute.

use vultus::face::{Answer, FaceExpression, ModelCard, Track, cut_square};
use vultus::image::RgbImage;

use super::timeline::{Scale, Sums};

/// The most faces that are kept. Of more, those that were seen the least go: mostly what was taken for a face once.
const MOST: usize = 100;
/// How long a face must be gone until it can go, in seconds: it could still return.
const GONE: f64 = 2.0;
/// The most moments of a face that are kept.
const MOMENTS: usize = 4;
/// The side of a moment's picture in pixels.
const SIDE: u32 = 128;
/// How much of the picture a moment shows, in boxes.
const MARGIN: f32 = 1.3;

/// All faces of a video.
pub struct People {
    card: ModelCard,
    scale: Scale,
    /// Whether pictures are kept.
    pictures: bool,
    people: Vec<Person>,
    /// How many were dropped.
    dropped: u64,
    /// How many frames were looked at.
    looks: u64,
}

/// One face.
pub struct Person {
    pub id: u64,
    /// When it was seen first and last, in seconds.
    pub seen: [f64; 2],
    /// In how many frames it was seen.
    pub looks: u64,
    /// In how many of them each class was the answer, smoothed.
    pub counts: Vec<u64>,
    /// The sum of its smoothed probability in these.
    pub certainty: Vec<f64>,
    /// In how many of them there was no answer.
    pub uncertain: u64,
    /// The surest moments: at most one for each class, the surest first.
    pub moments: Vec<Moment>,
    /// Sums of the smoothed probabilities for parts of the time.
    pub sums: Sums,
}

/// How much of the time a class was the answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The class; none for the time without an answer.
    pub class: Option<usize>,
    /// The part of the time in which the face was seen.
    pub of_time: f64,
    /// The mean of its smoothed probability in that time.
    pub probability: f64,
}

/// A moment of a face.
pub struct Moment {
    pub time: f64,
    pub class: usize,
    pub probability: f32,
    pub picture: RgbImage,
}

impl People {
    /// Nobody yet, to be judged by this model. Frames are looked at from a time on, so many seconds apart.
    pub fn new(card: &ModelCard, start: f64, apart: f64, pictures: bool) -> Self {
        let scale = Scale::new(start, apart);
        People { card: card.clone(), scale, pictures, people: Vec::new(), dropped: 0, looks: 0 }
    }

    /// Takes note of the faces of a frame.
    pub fn see(&mut self, time: f64, image: &RgbImage, faces: &[FaceExpression]) {
        self.looks += 1;
        for _ in 0..self.scale.reach(time) {
            self.people.iter_mut().for_each(|person| person.sums.halve());
        }
        let tracked = faces.iter().filter_map(|face| Some((face.bounds, face.track.as_ref()?)));
        for (bounds, track) in tracked {
            let place = match self.people.iter().position(|person| person.id == track.id) {
                Some(place) => place,
                None if self.has_room(time) => {
                    self.people.push(Person::new(track.id, time - track.since, self.card.classes.len()));
                    self.people.len() - 1
                }
                None => continue,
            };
            let part = self.scale.part(time);
            let picture = self.pictures.then_some((image, bounds));
            self.people[place].see(time, part, track, picture);
        }
    }

    /// Whether there is room for one more, made if need be.
    fn has_room(&mut self, time: f64) -> bool {
        if self.people.len() < MOST {
            return true;
        }
        let gone = self.people.iter().enumerate().filter(|(_, person)| time - person.seen[1] > GONE);
        let Some((least, _)) = gone.min_by_key(|(_, person)| person.looks) else { return false };
        self.people.remove(least);
        self.dropped += 1;
        true
    }

    /// The faces in the order in which they appeared.
    pub fn all(&self) -> &[Person] {
        &self.people
    }

    /// How many are not among them, since they were seen less than any.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many frames were looked at.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// How the time is divided.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }
}

impl Person {
    fn new(id: u64, time: f64, classes: usize) -> Self {
        let (counts, certainty, sums) = (vec![0; classes], vec![0.0; classes], Sums::new(classes));
        Person { id, seen: [time; 2], looks: 0, counts, certainty, uncertain: 0, moments: Vec::new(), sums }
    }

    fn see(&mut self, time: f64, part: usize, track: &Track, image: Option<(&RgbImage, [f32; 4])>) {
        self.seen[1] = time;
        self.looks += 1;
        let scores: Vec<f32> = track.smoothed.iter().map(|(_, score)| *score).collect();
        self.sums.add(part, &scores);
        let Answer { class: Some(class), probability, .. } = track.answer else {
            self.uncertain += 1;
            return;
        };
        self.counts[class] += 1;
        self.certainty[class] += f64::from(probability);
        if let Some((image, bounds)) = image.filter(|_| self.is_surer(class, probability)) {
            self.moments.retain(|moment| moment.class != class);
            let picture = picture(image, bounds);
            self.moments.push(Moment { time, class, probability, picture });
            self.moments.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            self.moments.truncate(MOMENTS);
        }
    }

    /// Whether it is worth keeping: surer than the one of its class, or than the least sure of all.
    fn is_surer(&self, class: usize, probability: f32) -> bool {
        match self.moments.iter().find(|moment| moment.class == class) {
            Some(moment) => probability > moment.probability,
            None if self.moments.len() < MOMENTS => true,
            None => self.moments.last().is_some_and(|moment| probability > moment.probability),
        }
    }

    /// The classes with their parts of the time, the largest first; none that never was the answer.
    pub fn shares(&self) -> Vec<Share> {
        let share = |count: u64| count as f64 / self.looks.max(1) as f64;
        let classes = self.counts.iter().zip(&self.certainty).enumerate().map(|(class, (&count, sum))| Share {
            class: Some(class),
            of_time: share(count),
            probability: sum / count.max(1) as f64,
        });
        let uncertain = Share { class: None, of_time: share(self.uncertain), probability: 0.0 };
        let mut shares: Vec<_> = classes.chain([uncertain]).filter(|share| share.of_time > 0.0).collect();
        shares.sort_by(|a, b| b.of_time.total_cmp(&a.of_time));
        shares
    }
}

/// A small picture of a face.
fn picture(image: &RgbImage, bounds: [f32; 4]) -> RgbImage {
    let face = cut_square(image, bounds, MARGIN);
    if face.width() <= SIDE {
        return face;
    }
    image::imageops::resize(&face, SIDE, SIDE, image::imageops::FilterType::Triangle)
}

#[cfg(test)]
mod tests {
    use vultus::face::{Architecture, Face, Place};
    use vultus::ops::Normalization;

    use super::*;

    fn card() -> ModelCard {
        let classes = ["calm", "wild"].map(str::to_owned).to_vec();
        ModelCard::new(Architecture::Light, classes, 48, Normalization::CAFFE)
    }

    fn judged(card: &ModelCard, id: u64, smoothed: [f32; 2]) -> FaceExpression {
        let face = Face { bounds: [2.0, 2.0, 12.0, 12.0], probability: 1.0, landmarks: [[0.0; 2]; 5] };
        let face = FaceExpression::new(Place::Found(face), [20, 20], card, smoothed.to_vec());
        let track = Track { id, since: 0.0, answer: face.answer, smoothed: face.scores.clone() };
        FaceExpression { track: Some(track), ..face }
    }

    fn face(id: u64, smoothed: [f32; 2]) -> FaceExpression {
        judged(&card(), id, smoothed)
    }

    #[test]
    fn shares_and_surest_moments_are_kept() {
        let (mut people, image) = (People::new(&card(), 10.0, 0.5, true), RgbImage::new(20, 20));
        for (i, score) in [0.6, 0.9, 0.7, 0.2].into_iter().enumerate() {
            people.see(10.0 + i as f64 / 2.0, &image, &[face(3, [score, 1.0 - score])]);
        }
        let [person] = people.all() else { panic!("not one") };
        assert_eq!((person.id, person.seen, person.looks), (3, [10.0, 11.5], 4));
        let shares: Vec<_> = person.shares().iter().map(|share| (share.class, share.of_time)).collect();
        assert_eq!(shares, [(Some(0), 0.75), (Some(1), 0.25)]);
        let means = [(0.6 + 0.9 + 0.7) / 3.0, 0.8];
        assert!(person.shares().iter().zip(means).all(|(share, mean)| (share.probability - mean).abs() < 1e-6));
        let moments: Vec<_> = person.moments.iter().map(|moment| (moment.time, moment.class)).collect();
        assert_eq!(moments, [(10.5, 0), (11.5, 1)]);
        assert_eq!(person.moments[0].picture.dimensions(), (13, 13));
    }

    #[test]
    fn time_without_an_answer_is_told_and_has_no_moment() {
        let card = ModelCard { uncertain_below: Some(0.65), ..card() };
        let (mut people, image) = (People::new(&card, 0.0, 0.5, true), RgbImage::new(20, 20));
        for (i, score) in [0.6, 0.9, 0.5, 0.45].into_iter().enumerate() {
            people.see(i as f64 / 2.0, &image, &[judged(&card, 1, [score, 1.0 - score])]);
        }
        let [person] = people.all() else { panic!("not one") };
        let shares: Vec<_> = person.shares().iter().map(|share| (share.class, share.of_time)).collect();
        assert_eq!(shares, [(None, 0.75), (Some(0), 0.25)]);
        assert_eq!(person.moments.iter().map(|moment| moment.class).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn those_that_were_seen_the_least_make_room() {
        let (mut people, image) = (People::new(&card(), 0.0, 0.1, false), RgbImage::new(20, 20));
        // One that stays, and a new one in every second.
        for second in 0..300u32 {
            people.see(f64::from(second), &image, &[face(1, [1.0, 0.0]), face(2 + u64::from(second), [0.0, 1.0])]);
        }
        assert_eq!((people.all().len(), people.dropped(), people.looks()), (MOST, 201, 300));
        assert_eq!((people.all()[0].id, people.all()[0].looks), (1, 300));
        // A crowd at one time is cut off.
        let mut people = People::new(&card(), 0.0, 0.1, false);
        people.see(0.0, &image, &(0..150).map(|id| face(id, [1.0, 0.0])).collect::<Vec<_>>());
        assert_eq!((people.all().len(), people.dropped()), (MOST, 0));
    }
}

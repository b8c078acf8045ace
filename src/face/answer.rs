//! What a model says of a face.

/// What a model says of a face: one of its classes, or that it is uncertain ([`super::ModelCard::answer`]).
///
/// ```
/// use vultus::face::{Answer, Architecture, ModelCard};
/// use vultus::ops::Normalization;
///
/// let classes = ["happy", "neutral", "sad"].map(str::to_owned).to_vec();
/// let mut card = ModelCard::new(Architecture::Light, classes, 48, Normalization::TORCHVISION);
/// card.uncertain_below = Some(0.5);
/// let (sure, unsure) = (card.answer(&[0.1, 0.2, 0.7]), card.answer(&[0.4, 0.3, 0.3]));
/// assert_eq!((sure.class, sure.name(&card.classes)), (Some(2), "sad"));
/// assert_eq!((unsure.class, unsure.name(&card.classes)), (None, Answer::UNCERTAIN));
/// assert_eq!((unsure.best, unsure.probability), (0, 0.4));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The number of the class; none where the model is uncertain.
    pub class: Option<usize>,
    /// The number of the most probable class, also where it is not probable enough to be the answer.
    pub best: usize,
    /// The probability of that class.
    pub probability: f32,
}

impl Answer {
    /// What stands in the place of a class's name where the model is uncertain.
    pub const UNCERTAIN: &str = "uncertain";

    /// The name of the class, or [`Answer::UNCERTAIN`].
    pub fn name<'a>(&self, classes: &'a [String]) -> &'a str {
        self.class.and_then(|class| classes.get(class)).map_or(Self::UNCERTAIN, String::as_str)
    }

    /// The answer that probabilities give: the most probable class, if its probability is not below a bound.
    pub(super) fn of(scores: &[f32], uncertain_below: Option<f32>) -> Self {
        let best = scores.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        let (best, probability) = best.unwrap_or((0, 0.0));
        // A NaN is not below anything, and no answer.
        let is_answer = !scores.is_empty() && uncertain_below.is_none_or(|bound| probability >= bound);
        Answer { class: is_answer.then_some(best), best, probability }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_bound_there_is_no_class() {
        let scores = [0.2, 0.45, 0.35];
        for (bound, class) in [(None, Some(1)), (Some(0.0), Some(1)), (Some(0.45), Some(1)), (Some(0.46), None)] {
            assert_eq!(Answer::of(&scores, bound), Answer { class, best: 1, probability: 0.45 });
        }
        assert_eq!(Answer::of(&[0.5, f32::NAN], Some(0.3)).class, None);
        assert_eq!(Answer::of(&[], None), Answer { class: None, best: 0, probability: 0.0 });
    }

    #[test]
    fn the_name_is_the_classs_or_says_that_there_is_none() {
        let classes = ["calm", "wild"].map(str::to_owned);
        let name = |class| Answer { class, best: 0, probability: 0.5 }.name(&classes);
        assert_eq!([Some(1), None, Some(2)].map(name), ["wild", "uncertain", "uncertain"]);
    }
}

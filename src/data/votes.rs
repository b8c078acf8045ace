//! What several people said of one picture.

use std::sync::Arc;

use crate::error::{Error, Result};

/// How many people saw which class in a picture, or with what probability each class is there.
///
/// ```
/// use vultus::data::Votes;
///
/// // Five of ten said happy, three neutral, one sad, and one saw no expression at all.
/// let votes = Votes::new(vec![5.0, 3.0, 1.0], 1.0)?;
/// assert_eq!((votes.total(), votes.majority()), (10.0, None));
/// // FER+ leaves out what a single person said: then five of eight are the majority.
/// let votes = votes.without_outliers();
/// assert_eq!((votes.majority(), votes.distribution()), (Some(0), Some(vec![0.625, 0.375, 0.0])));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Votes {
    classes: Arc<[f32]>,
    others: f32,
}

/// Above this sum votes are counts of people, up to it they are probabilities.
const LARGEST_SUM_OF_PROBABILITIES: f32 = 1.5;

impl Votes {
    /// The votes for each class of a data set, and those for none of them: unknown, or not a face.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a number is negative or not finite, or if there are no votes.
    pub fn new(classes: Vec<f32>, others: f32) -> Result<Self> {
        let all = || classes.iter().copied().chain([others]);
        if let Some(wrong) = all().find(|&votes| !(0.0..f32::INFINITY).contains(&votes)) {
            return Err(Error::invalid("votes", format!("{wrong} is no number of votes")));
        }
        let total: f32 = all().sum();
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::invalid("votes", "nobody has voted"));
        }
        Ok(Votes { classes: classes.into(), others })
    }

    /// The votes for each class, in the data set's order.
    pub fn for_classes(&self) -> &[f32] {
        &self.classes
    }

    /// The votes for none of the classes.
    pub fn for_others(&self) -> f32 {
        self.others
    }

    /// All votes.
    pub fn total(&self) -> f32 {
        self.classes.iter().sum::<f32>() + self.others
    }

    /// The class that more than half of all votes are for.
    pub fn majority(&self) -> Option<usize> {
        self.classes.iter().position(|&votes| 2.0 * votes > self.total())
    }

    /// Without classes that a single person voted for, as FER+ does it (Barsoum, Zhang, Canton Ferrer, Zhang, "Training
    /// deep networks for facial expression recognition with crowd-sourced label distribution", 2016). Probabilities
    /// stay as they are, and so do votes of which nothing would be left.
    pub fn without_outliers(&self) -> Self {
        let keep = |votes: f32| if votes > 1.0 { votes } else { 0.0 };
        let kept = Votes { classes: self.classes.iter().copied().map(keep).collect(), others: keep(self.others) };
        if self.total() > LARGEST_SUM_OF_PROBABILITIES && kept.total() > 0.0 { kept } else { self.clone() }
    }

    /// The share of each class in the votes for classes; `None` where no class has more votes than there are for none.
    pub fn distribution(&self) -> Option<Vec<f32>> {
        let most = self.classes.iter().copied().fold(0.0, f32::max);
        let sum: f32 = self.classes.iter().sum();
        (most > self.others).then(|| self.classes.iter().map(|votes| votes / sum).collect())
    }

    /// The same with other numbers of the classes; what is `None` becomes a vote for none.
    pub(super) fn renumbered(&self, numbers: &[Option<usize>], classes: usize) -> Self {
        let (mut renumbered, mut others) = (vec![0.0; classes], self.others);
        for (&votes, number) in self.classes.iter().zip(numbers) {
            match number {
                Some(number) => renumbered[*number] += votes,
                None => others += votes,
            }
        }
        Votes { classes: renumbered.into(), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn votes(classes: &[f32], others: f32) -> Votes {
        Votes::new(classes.to_vec(), others).unwrap()
    }

    #[test]
    fn a_majority_is_more_than_half_of_all() {
        assert_eq!(votes(&[5.0, 5.0], 0.0).majority(), None);
        assert_eq!(votes(&[4.0, 6.0], 0.0).majority(), Some(1));
        assert_eq!(votes(&[6.0, 0.0], 6.0).majority(), None);
        assert_eq!(votes(&[0.2, 0.7], 0.1).majority(), Some(1));
    }

    #[test]
    fn single_votes_are_left_out_of_counts_only() {
        assert_eq!(votes(&[5.0, 1.0, 2.0], 1.0).without_outliers(), votes(&[5.0, 0.0, 2.0], 0.0));
        let probabilities = votes(&[0.9, 0.1], 0.0);
        assert_eq!(probabilities.without_outliers(), probabilities);
        let scattered = votes(&[1.0, 1.0], 1.0);
        assert_eq!(scattered.without_outliers(), scattered);
    }

    #[test]
    fn where_most_see_no_class_there_is_no_distribution() {
        assert_eq!(votes(&[2.0, 3.0], 5.0).distribution(), None);
        assert_eq!(votes(&[0.0, 3.0], 2.0).distribution(), Some(vec![0.0, 1.0]));
        assert_eq!(votes(&[0.0, 0.0], 2.0).distribution(), None);
    }

    #[test]
    fn votes_follow_their_classes() {
        let moved = votes(&[1.0, 2.0, 3.0], 4.0).renumbered(&[Some(1), None, Some(0)], 3);
        assert_eq!(moved, votes(&[3.0, 1.0, 0.0], 6.0));
    }

    #[test]
    fn what_are_no_votes_is_refused() {
        for (classes, others) in
            [(vec![-1.0, 2.0], 0.0), (vec![f32::NAN], 0.0), (vec![0.0], 0.0), (vec![], f32::INFINITY)]
        {
            assert!(Votes::new(classes, others).is_err());
        }
    }
}

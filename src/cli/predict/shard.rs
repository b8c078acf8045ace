//! A part of the pictures, for one of many jobs.

use std::str::FromStr;

/// One of a number of parts that together are the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1 on.
    number: usize,
    /// Of how many.
    count: usize,
}

impl Shard {
    /// Every so many of a list, from the place of this part on: parts differ by one item at most.
    pub fn part<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().skip(self.number - 1).step_by(self.count).collect()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((number, count)) if (1..=count).contains(&number) => Ok(Shard { number, count }),
            Some((number, count)) => Err(format!("there is no part {number} of {count}: I goes from 1 to N")),
            None => Err("this is not I/N, such as 2/8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_together_are_the_whole_without_overlap() {
        for length in 0..12 {
            for count in 1..15 {
                let mut all: Vec<usize> = Vec::new();
                for number in 1..=count {
                    let part = Shard { number, count }.part((0..length).collect());
                    assert!(part.len().abs_diff(length / count) <= 1, "{number}/{count} of {length}: {part:?}");
                    all.extend(part);
                }
                all.sort_unstable();
                assert_eq!(all, (0..length).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn parts_that_there_are_not_are_refused() {
        assert_eq!("2/8".parse(), Ok(Shard { number: 2, count: 8 }));
        for text in ["0/2", "3/2", "0/0", "1/0", "1", "/", "1/", "-1/2", "1/2/3", "a/b", "1/99999999999999999999"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}

//! Walks over the elements of several values at once, by strides: what broadcasting, sums, slices and permutations share.
//! Nothing here allocates, since plans on the processor walk in every run.

use std::ops::Deref;

use crate::error::{Error, Result};

/// The most dimensions of a walk: as many as the kernels' parameters hold.
pub(crate) const MOST_DIMENSIONS: usize = 8;

/// A number for each of at most [`MOST_DIMENSIONS`] dimensions: sizes or strides.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    sizes: [usize; MOST_DIMENSIONS],
    rank: usize,
}

impl FromIterator<usize> for Sizes {
    fn from_iter<I: IntoIterator<Item = usize>>(sizes: I) -> Self {
        sizes.into_iter().fold(Sizes::default(), |mut found, size| {
            found.sizes[found.rank] = size;
            found.rank += 1;
            found
        })
    }
}

impl Deref for Sizes {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.sizes[..self.rank]
    }
}

/// One dimension of a walk: its size, and how far apart neighbours lie in each of three values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Dimension {
    pub size: usize,
    pub strides: [usize; 3],
}

/// The order in which elements are visited: row order over some dimensions, the outermost first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Walk {
    dimensions: [Dimension; MOST_DIMENSIONS],
    count: usize,
}

impl Walk {
    /// A walk over dimensions of these sizes, with the strides of three values in them.
    pub fn new(sizes: &[usize], strides: [&[usize]; 3]) -> Self {
        let dimensions = sizes.iter().enumerate().map(|(d, &size)| Dimension { size, strides: strides.map(|s| s[d]) });
        dimensions.collect()
    }

    /// Its dimensions, the outermost first.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions[..self.count]
    }

    /// How many elements it visits.
    pub fn len(&self) -> usize {
        self.dimensions().iter().map(|dimension| dimension.size).product()
    }

    /// Where the element of this number lies in each value.
    pub fn places(&self, index: usize) -> [usize; 3] {
        let (mut rest, mut places) = (index, [0; 3]);
        for dimension in self.dimensions().iter().rev() {
            let at = rest % dimension.size;
            rest /= dimension.size;
            (0..3).for_each(|value| places[value] += at * dimension.strides[value]);
        }
        places
    }

    /// The walk over rows, and the dimension within a row.
    pub fn rows(mut self) -> (Walk, Dimension) {
        let Some(last) = self.count.checked_sub(1) else { return (self, Dimension { size: 1, strides: [1; 3] }) };
        self.count = last;
        (self, self.dimensions[last])
    }
}

/// Neighbouring dimensions that all values pass as if they were one become one.
impl FromIterator<Dimension> for Walk {
    fn from_iter<I: IntoIterator<Item = Dimension>>(dimensions: I) -> Self {
        let mut walk = Walk::default();
        for inner in dimensions.into_iter().filter(|dimension| dimension.size > 1) {
            let outer = walk.count.checked_sub(1).map(|last| walk.dimensions[last]);
            match outer.filter(|outer| (0..3).all(|v| outer.strides[v] == inner.strides[v] * inner.size)) {
                Some(outer) => walk.dimensions[walk.count - 1] = Dimension { size: outer.size * inner.size, ..inner },
                None => {
                    walk.dimensions[walk.count] = inner;
                    walk.count += 1;
                }
            }
        }
        walk
    }
}

/// The strides of a value in row order.
pub(crate) fn strides(shape: &[usize]) -> Sizes {
    let mut strides: Sizes = shape.iter().map(|_| 1).collect();
    for d in (1..shape.len()).rev() {
        strides.sizes[d - 1] = strides[d] * shape[d];
    }
    strides
}

/// The strides of a value in the dimensions of a larger shape over which it is repeated, as broadcasting does: 0 along the
/// dimensions that it lacks.
pub(crate) fn strides_within(shape: &[usize], larger: &[usize]) -> Sizes {
    let missing = larger.len() - shape.len();
    let strides = strides(shape);
    let own = shape.iter().zip(strides.iter()).map(|(&size, &stride)| if size == 1 { 0 } else { stride });
    std::iter::repeat_n(0, missing).chain(own).collect()
}

/// Refuses more dimensions than the kernels have room for.
pub(super) fn check_rank(what: &str, shape: &[usize]) -> Result<()> {
    if shape.len() <= MOST_DIMENSIONS {
        return Ok(());
    }
    let reason = format!("{shape:?} has {} dimensions: reshape it to at most {MOST_DIMENSIONS}", shape.len());
    Err(Error::shape(what, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_that_all_values_pass_as_one_become_one() {
        let (x, gate) = ([2, 3, 4, 5], [2, 3, 1, 1]);
        let walk = Walk::new(&x, [&strides(&x), &strides_within(&gate, &x), &[0; 4]]);
        let wanted = [(6, [20, 1, 0]), (20, [1, 0, 0])].map(|(size, strides)| Dimension { size, strides });
        assert_eq!(walk.dimensions(), wanted);
        assert_eq!((walk.len(), walk.places(41)), (120, [41, 2, 0]));
    }

    #[test]
    fn a_walk_of_one_element_has_no_dimensions() {
        let walk = Walk::new(&[1, 1], [&[1, 1], &[1, 1], &[1, 1]]);
        assert_eq!((walk.dimensions().len(), walk.len(), walk.places(0)), (0, 1, [0; 3]));
        assert_eq!(walk.rows().1.size, 1);
    }
}

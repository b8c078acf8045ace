//! Tensors in another order than a network here has them: kernels with their channels last, dense weights by input.

/// Where each number of a tensor in row order goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The shape of the result.
    pub shape: Vec<usize>,
    /// The dimensions that the numbers are counted by as they come, the last the fastest, each with the distance between
    /// its neighbours in the result.
    axes: Vec<(usize, usize)>,
}

impl Layout {
    /// A tensor of the shape `split`, whose axis `order[i]` becomes axis `i`, and then of the shape `shape`, which has as
    /// many numbers.
    pub fn permute(split: &[usize], order: &[usize], shape: Vec<usize>) -> Self {
        let mut axes: Vec<(usize, usize)> = split.iter().map(|&size| (size, 0)).collect();
        let mut stride = 1;
        for &axis in order.iter().rev() {
            axes[axis].1 = stride;
            stride *= split[axis];
        }
        Layout { shape, axes }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.axes.iter().map(|(size, _)| size).product()
    }

    /// The places of the numbers, from the first on.
    pub fn places(&self) -> Places<'_> {
        Places { axes: &self.axes, index: vec![0; self.axes.len()], at: 0 }
    }
}

/// Goes through the places of a [`Layout`].
pub(crate) struct Places<'a> {
    axes: &'a [(usize, usize)],
    index: Vec<usize>,
    at: usize,
}

impl Places<'_> {
    /// Puts the next numbers where they belong.
    pub fn scatter(&mut self, mut block: &[f32], values: &mut [f32]) {
        let Some((&(size, stride), outer)) = self.axes.split_last() else {
            values[..block.len()].copy_from_slice(block);
            return;
        };
        let last = outer.len();
        while !block.is_empty() {
            let run = block.len().min(size - self.index[last]);
            for (step, &value) in block[..run].iter().enumerate() {
                values[self.at + step * stride] = value;
            }
            block = &block[run..];
            self.index[last] += run;
            self.at += run * stride;
            self.carry();
        }
    }

    /// Moves on to the next row where one is full.
    fn carry(&mut self) {
        for axis in (0..self.axes.len()).rev() {
            let (size, stride) = self.axes[axis];
            if self.index[axis] < size {
                return;
            }
            self.index[axis] = 0;
            self.at -= size * stride;
            if axis > 0 {
                self.index[axis - 1] += 1;
                self.at += self.axes[axis - 1].1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_where_a_permutation_puts_them_however_they_are_cut_into_blocks() {
        let [h, w, c, o] = [2, 3, 4, 5];
        let layout = Layout::permute(&[h, w, c, o], &[3, 2, 0, 1], vec![o, c * h * w]);
        let numbers: Vec<f32> = (0..120).map(|n| n as f32).collect();
        for size in [1, 2, 7, 120] {
            let (mut values, mut places) = (vec![-1.0; 120], layout.places());
            numbers.chunks(size).for_each(|block| places.scatter(block, &mut values));
            for (at, &value) in values.iter().enumerate() {
                let (x, y, channel, out) = (at % w, at / w % h, at / (w * h) % c, at / (w * h * c));
                assert_eq!(value, (((y * w + x) * c + channel) * o + out) as f32);
            }
        }
    }
}

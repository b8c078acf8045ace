//! Gradients of a convolution as matrix products: output pixels are unfolded into columns (im2col), so that all of the
//! arithmetic is in products of matrices, one for each group of channels. As many columns are made at a time as stay in the
//! caches.

mod unfold;

use super::View;
use super::scratch::Scratch;
use crate::matmul::{Matrix, matmul};
use crate::ops::Conv2d;
use unfold::Unfold;

pub(super) fn backward_input(op: &Conv2d, size: [usize; 2], dy: View, weight: View, dx: &mut [f32], scratch: &Scratch) {
    let [images, filters, oh, ow] = dy.nchw();
    let channels = weight.nchw()[1] * op.groups;
    let unfold = Unfold::new(op, [images, channels, size[0], size[1]], [oh, ow]);
    let rows = unfold.rows();
    let of_group = filters / op.groups;
    dx.fill(0.0);
    for group in 0..op.groups {
        let filters_of = group * of_group..(group + 1) * of_group;
        let weight = &weight.data[filters_of.start * rows..filters_of.end * rows];
        for band in unfold.bands() {
            scratch.with((rows + of_group) * band.len(), |memory| {
                let (columns, part) = memory.split_at_mut(rows * band.len());
                unfold.gather(dy.data, filters, &filters_of, &band, part);
                let weight = Matrix::new(weight, of_group, rows).transposed();
                matmul(columns, weight, Matrix::new(part, of_group, band.len()), false);
                unfold.fold(columns, group, &band, dx);
            });
        }
    }
}

pub(super) fn backward_weight(op: &Conv2d, x: View, dy: View, dweight: &mut [f32], scratch: &Scratch) {
    let [_, filters, oh, ow] = dy.nchw();
    let unfold = Unfold::new(op, x.nchw(), [oh, ow]);
    let rows = unfold.rows();
    let of_group = filters / op.groups;
    for (group, dweight) in dweight.chunks_exact_mut(of_group * rows).enumerate() {
        let filters_of = group * of_group..(group + 1) * of_group;
        for (index, band) in unfold.bands().enumerate() {
            scratch.with((rows + of_group) * band.len(), |memory| {
                let (columns, part) = memory.split_at_mut(rows * band.len());
                unfold.unfold(x.data, group, &band, columns);
                unfold.gather(dy.data, filters, &filters_of, &band, part);
                let columns = Matrix::new(columns, rows, band.len()).transposed();
                matmul(dweight, Matrix::new(part, of_group, band.len()), columns, index > 0);
            });
        }
    }
}

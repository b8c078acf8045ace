use super::View;
use crate::matmul::{Matrix, matmul};
use crate::ops::MatMul;

/// The products of a batch: of each pair of matrices of a and b, as `op` says.
pub(super) fn forward(op: &MatMul, a: View, b: View, y: &mut [f32]) {
    let Ok(sizes) = op.sizes(a.shape, b.shape) else { unreachable!("the shape rule has checked the sizes") };
    let (rows, columns, inner) = (sizes.rows, sizes.columns, sizes.inner);
    let matrix = |data, rows, columns, transpose| match transpose {
        true => Matrix::new(data, columns, rows).transposed(),
        false => Matrix::new(data, rows, columns),
    };
    for (number, y) in y.chunks_exact_mut(rows * columns).enumerate() {
        let [of_a, of_b] = sizes.shares.map(|shared| if shared { 0 } else { number });
        let a = matrix(&a.data[of_a * rows * inner..], rows, inner, op.transpose_a);
        let b = matrix(&b.data[of_b * inner * columns..], inner, columns, op.transpose_b);
        matmul(y, a, b, false);
        if op.alpha != 1.0 {
            y.iter_mut().for_each(|y| *y *= op.alpha);
        }
    }
}

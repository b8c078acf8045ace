//! Matrix products, by the `gemm` crate (AVX2, AVX-512 or NEON, chosen at run time), as a safe function. The CPU backend
//! and the older methods both compute with them.

use crate::parallel::MATRIX_THREADS;

/// A matrix in memory: rows, columns, and how far apart neighbours are.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix in row order.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(data.len() >= rows * columns, "a matrix of {rows}×{columns} in {} values", data.len());
        Matrix { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same matrix with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// `c = a · b`, or `c += a · b`, with `c` in row order; on all threads of rayon's pool (feature `parallel`).
pub(crate) fn matmul(c: &mut [f32], a: Matrix, b: Matrix, accumulate: bool) {
    assert_eq!(a.columns, b.rows, "inner dimensions differ");
    assert!(c.len() >= a.rows * b.columns, "the product of {}×{} does not fit {}", a.rows, b.columns, c.len());
    // SAFETY: the constructors and the assertions above keep every row and column of the three matrices within their
    // slices, and `c` is borrowed mutably, so that it overlaps with neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            c.as_mut_ptr(),
            1,
            b.columns as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            MATRIX_THREADS,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_and_without_transposition() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let mut c = [10.0; 4];
        matmul(&mut c, Matrix::new(&a, 2, 3), Matrix::new(&a, 2, 3).transposed(), true);
        assert_eq!(c, [24.0, 42.0, 42.0, 87.0]);
        let mut c = [f32::NAN; 9];
        matmul(&mut c, Matrix::new(&a, 2, 3).transposed(), Matrix::new(&a, 2, 3), false);
        assert_eq!(c, [17.0, 22.0, 27.0, 22.0, 29.0, 36.0, 27.0, 36.0, 45.0]);
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_product_that_does_not_fit_is_refused() {
        matmul(&mut [0.0; 3], Matrix::new(&[1.0; 4], 2, 2), Matrix::new(&[1.0; 4], 2, 2), false);
    }
}

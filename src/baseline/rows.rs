//! Samples by features, and the scale of the features.

use crate::error::{Error, Result};
use crate::matmul::{Matrix, matmul};

/// One row of features for each sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    pub columns: usize,
    pub values: Vec<f32>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.columns..][..self.columns]
    }

    /// A copy of these rows.
    pub fn select(&self, indices: &[usize]) -> Rows {
        let values = indices.iter().flat_map(|&index| self.row(index)).copied().collect();
        Rows { columns: self.columns, values }
    }

    /// The dot product of every row with every row of `other`.
    pub fn products(&self, other: &Rows) -> Vec<f32> {
        assert_eq!(self.columns, other.columns, "rows of different lengths");
        let mut products = vec![0.0; self.len() * other.len()];
        let left = Matrix::new(&self.values, self.len(), self.columns);
        let right = Matrix::new(&other.values, other.len(), other.columns);
        matmul(&mut products, left, right.transposed(), false);
        products
    }

    /// The squared length of each row.
    pub fn squares(&self) -> Vec<f32> {
        (0..self.len()).map(|index| self.row(index).iter().map(|v| v * v).sum()).collect()
    }

    /// # Errors
    /// [`Error::InvalidArgument`] if a value is NaN or infinite.
    pub fn check_finite(&self) -> Result<()> {
        match self.values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(place) => {
                let (sample, column) = (place / self.columns, place % self.columns);
                let reason = format!("feature {column} of sample {sample} is {}", self.values[place]);
                Err(Error::invalid("support vector machine", reason))
            }
        }
    }
}

/// Brings each feature to mean 0 and variance 1 / (number of features) on the rows it was fitted to, so that a row's
/// expected squared length is 1 and the same C and γ suit any number of features.
#[derive(Clone, Debug)]
pub(super) struct Standardization {
    means: Vec<f32>,
    factors: Vec<f32>,
}

impl Standardization {
    /// Features that hardly vary (deviation below 1e-6) become 0.
    pub fn fit(rows: &Rows) -> Self {
        let (count, columns) = (rows.len() as f64, rows.columns);
        let column_sums = |of: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; columns];
            for row in rows.values.chunks_exact(columns) {
                sums.iter_mut().zip(row).enumerate().for_each(|(j, (sum, &value))| *sum += of(j, value.into()));
            }
            sums.into_iter().map(move |sum| sum / count).collect::<Vec<f64>>()
        };
        let means = column_sums(&|_, value| value);
        let variances = column_sums(&|j, value| (value - means[j]).powi(2));
        let factor =
            |variance: f64| if variance.sqrt() < 1e-6 { 0.0 } else { 1.0 / (variance * columns as f64).sqrt() };
        Standardization {
            means: means.iter().map(|&mean| mean as f32).collect(),
            factors: variances.into_iter().map(|variance| factor(variance) as f32).collect(),
        }
    }

    pub fn apply(&self, rows: &mut Rows) {
        for row in rows.values.chunks_exact_mut(rows.columns) {
            let scales = self.means.iter().zip(&self.factors);
            row.iter_mut().zip(scales).for_each(|(value, (mean, factor))| *value = (*value - mean) * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn rows_are_selected_and_multiplied() {
        let rows = Rows { columns: 2, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        assert_eq!(rows.len(), 3);
        assert_eq!(rows.select(&[2, 0]).values, [5.0, 6.0, 1.0, 2.0]);
        assert_eq!(rows.products(&rows.select(&[0])), [5.0, 11.0, 17.0]);
        assert_eq!(rows.squares(), [5.0, 25.0, 61.0]);
        assert!(rows.check_finite().is_ok());
        let broken = Rows { columns: 2, values: vec![1.0, 2.0, 3.0, f32::NAN] };
        assert!(broken.check_finite().unwrap_err().to_string().contains("feature 1 of sample 1 is NaN"));
    }

    #[test]
    fn features_get_one_scale_and_constants_vanish() {
        let mut rows = Rows { columns: 2, values: vec![1.0, 7.0, 3.0, 7.0, 5.0, 7.0, 7.0, 7.0] };
        let scale = Standardization::fit(&rows);
        scale.apply(&mut rows);
        // Mean 4, variance 5, two features.
        let unit = 1.0 / 10.0f32.sqrt();
        let expected = [-3.0 * unit, 0.0, -unit, 0.0, unit, 0.0, 3.0 * unit, 0.0];
        rows.values
            .iter()
            .zip(expected)
            .for_each(|(value, wanted)| assert_abs_diff_eq!(*value, wanted, epsilon = 1e-6));
        // Others are scaled by what was fitted.
        let mut other = Rows { columns: 2, values: vec![4.0, 100.0] };
        scale.apply(&mut other);
        assert_eq!(other.values, [0.0, 0.0]);
    }
}

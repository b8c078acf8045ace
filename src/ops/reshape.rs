//! Another shape for the same values. A program makes it a view: nothing is computed and nothing moves.

use super::operation::Operation;
use super::{Shape, take};
use crate::error::{Error, Result};

/// The parameters of a reshape.
///
/// ```
/// use vultus::ops::{Op, Reshape};
///
/// let shapes = |reshape: Reshape, x: &[usize]| Op::from(reshape).output_shapes(&[x]);
/// assert_eq!(shapes(Reshape::flatten(), &[2, 512, 3, 3])?, [[2, 4608]]);
/// // The batch stays what it is, one dimension may be left to be found.
/// assert_eq!(shapes(Reshape::to([Some(16), None]), &[2, 16, 7, 7])?, [[2, 16, 49]]);
/// assert!(shapes(Reshape::to([Some(5), None]), &[2, 16, 7, 7]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reshape {
    /// The dimensions after the batch, of which one may be open.
    sizes: Vec<Option<usize>>,
}

impl Reshape {
    /// Everything after the batch becomes one dimension, in row-major order: C, H, W.
    pub fn flatten() -> Self {
        Reshape { sizes: vec![None] }
    }

    /// These dimensions after the batch; `None` stands for what is left, and may stand once.
    pub fn to(sizes: impl Into<Vec<Option<usize>>>) -> Self {
        Reshape { sizes: sizes.into() }
    }

    /// The dimensions after the batch.
    pub fn sizes(&self) -> &[Option<usize>] {
        &self.sizes
    }
}

impl Operation for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("reshape", inputs)?;
        let values: usize = x[1..].iter().product();
        let given: usize = self.sizes.iter().flatten().product();
        let open = self.sizes.iter().filter(|size| size.is_none()).count();
        let rest = values.checked_div(given).unwrap_or(0);
        if open > 1 || given == 0 || rest * given != values || open == 0 && rest != 1 {
            let reason = format!("{x:?} does not fit the shape {:?} (without the batch)", self.sizes);
            return Err(Error::shape("reshape", reason));
        }
        Ok(vec![std::iter::once(x[0]).chain(self.sizes.iter().map(|size| size.unwrap_or(rest))).collect()])
    }

    fn flops(&self, _inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        0
    }
}

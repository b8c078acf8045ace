//! Tensors in host memory: a shape and its numbers in row order.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};

/// Named tensors: a network's parameters under PyTorch's names (`features.0.weight`, …).
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Options, Parameters, Tensor};
///
/// let mut parameters = Parameters::new();
/// parameters.insert("fc.weight".into(), Tensor::filled([1, 2], 0.5));
/// parameters.insert("fc.bias".into(), Tensor::zeros([1]));
/// let network = Network::new("mean", [2]).dense("fc", "fc", 1);
/// let mut plan = Device::Cpu.load(&network, &parameters)?.compile(1, &Options::default())?;
/// assert_eq!(plan.run(&Tensor::new([1, 2], vec![2.0, 4.0])?)?[0].data(), [3.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub type Parameters = BTreeMap<String, Tensor>;

/// Whether these tensors have exactly the wanted names and shapes. `owner` and `kind` are for the error's text.
///
/// # Errors
/// [`Error::InvalidArgument`] that names the first which is missing, or [`Error::Shape`] the first which has another
/// shape; else [`Error::UnknownName`] for the first which is too much.
pub(crate) fn check_tensors(
    owner: &str,
    kind: &str,
    wanted: impl IntoIterator<Item = (String, Vec<usize>)>,
    found: &Parameters,
) -> Result<()> {
    let wanted: BTreeMap<String, Vec<usize>> = wanted.into_iter().collect();
    for (name, shape) in &wanted {
        match found.get(name) {
            None => return Err(Error::invalid(owner, format!("the {kind} {name} is missing"))),
            Some(tensor) if tensor.shape() != shape => {
                let reason = format!("the {kind} {name} has the shape {:?} where {shape:?} is needed", tensor.shape());
                return Err(Error::shape(owner, reason));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !wanted.contains_key(*name)) {
        // All names that there are would be too many to read.
        Some(name) => Err(Error::unknown(owner, format!("{kind} {name:?}"), None::<&str>)),
        None => Ok(()),
    }
}

/// A dense f32 tensor in row order (the last dimension is contiguous). Images are NCHW, convolution
/// weights OIHW, dense weights `[out, in]`.
///
/// A clone shares the values until one of the two is changed.
///
/// ```
/// use vultus::Tensor;
///
/// let mut image = Tensor::from_fn([1, 3, 2, 2], |place| place as f32);
/// image.data_mut()[0] = -1.0;
/// assert_eq!((image.shape(), image.len()), (&[1, 3, 2, 2][..], 12));
/// let row = image.reshape([1, 12])?;
/// assert_eq!(row.data()[..3], [-1.0, 1.0, 2.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Arc<Vec<f32>>,
}

impl Tensor {
    /// A tensor of this shape with these values.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not the product of the dimensions.
    ///
    /// ```
    /// let t = vultus::Tensor::new([2, 3], vec![0.0; 6])?;
    /// assert!(vultus::Tensor::new([2, 3], vec![0.0; 5]).is_err());
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self> {
        Tensor::from_shared(shape, Arc::new(data))
    }

    /// As [`Tensor::new`], with values that others may read too.
    pub(crate) fn from_shared(shape: impl Into<Vec<usize>>, data: Arc<Vec<f32>>) -> Result<Self> {
        let shape = shape.into();
        let wanted = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if wanted != Some(data.len()) {
            return Err(Error::shape("tensor", format!("{} values do not fill the shape {shape:?}", data.len())));
        }
        Ok(Tensor { shape, data })
    }

    /// A tensor of zeros.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Self {
        Self::filled(shape, 0.0)
    }

    /// A tensor with one value everywhere.
    pub fn filled(shape: impl Into<Vec<usize>>, value: f32) -> Self {
        let shape = shape.into();
        let data = vec![value; shape.iter().product()];
        Tensor { shape, data: Arc::new(data) }
    }

    /// A tensor whose every value is given by its place in row order.
    pub fn from_fn(shape: impl Into<Vec<usize>>, value: impl FnMut(usize) -> f32) -> Self {
        let shape = shape.into();
        let data = (0..shape.iter().product()).map(value).collect();
        Tensor { shape, data: Arc::new(data) }
    }

    /// The dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in row order.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The values in row order, to change.
    pub fn data_mut(&mut self) -> &mut [f32] {
        let values: &mut Vec<f32> = Arc::make_mut(&mut self.data);
        values
    }

    /// The values in row order, taken out.
    pub fn into_data(self) -> Vec<f32> {
        Arc::unwrap_or_clone(self.data)
    }

    /// The values, to be kept without copying them.
    pub(crate) fn shared(&self) -> Arc<Vec<f32>> {
        self.data.clone()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same values under another shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if the new shape holds another number of values.
    pub fn reshape(self, shape: impl Into<Vec<usize>>) -> Result<Self> {
        Tensor::from_shared(shape, self.data)
    }
}

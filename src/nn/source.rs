//! What a layer reads.

use crate::ops::Shape;
use crate::tensor::Tensor;

/// What a layer reads: an input of the network, another layer, or a value that the network holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The network's input of this number.
    Input(usize),
    /// What the layer of this number gives.
    Layer(usize),
    /// A parameter that a sum, a product or another operation on values takes as one of them. Networks that were read
    /// from a file have such.
    Parameter(usize),
    /// The same, of a value that no training changes.
    Constant(usize),
}

/// Values that a network holds besides the parameters of its layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Held {
    /// Names and whole shapes, which have the size 1 where the batch would be.
    pub parameters: Vec<(String, Shape)>,
    pub constants: Vec<Tensor>,
}

//! What flows along the edges of a graph while it is read.

use super::constant::Constant;
use crate::nn::Source;

/// What an edge of the graph carries.
#[derive(Clone, Debug)]
pub(in crate::onnx) enum Value {
    /// Numbers that are known.
    Constant(Constant),
    /// What the network computes.
    Traced(Traced),
    /// What comes of a node that is not supported.
    Unknown,
    /// What is not supported of a node that is, for whoever reads it.
    Missing(String),
}

/// What the network computes.
#[derive(Clone, Debug)]
pub(in crate::onnx) struct Traced {
    pub source: Source,
    /// The shape as the network's operations see it: the batch first, of the size that shape computations see.
    pub shape: Vec<usize>,
    /// Whether the graph takes it for whole numbers: bytes of a picture, before they are cast.
    pub is_integer: bool,
    /// What is known about how it was computed.
    pub note: Note,
}

/// How a value was computed, as far as a GELU is recognised by it, and what it is taken for.
#[derive(Clone, Debug, Default)]
pub(in crate::onnx) enum Note {
    #[default]
    None,
    /// So many times what this source gives.
    Scaled { of: Source, by: f32 },
    /// The error function of what this source gives over √2.
    Erf { of: Source },
    /// A number times (1 + that).
    ErfSum { of: Source, factor: f32 },
    /// The graph takes it for truth values: those hold where it is above 0.
    Truth,
}

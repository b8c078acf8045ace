//! Why a node does not become layers.

use crate::error::Error;

/// Why a node does not become layers.
#[derive(Clone, Debug)]
pub(in crate::onnx) enum Refusal {
    /// No operation computes it. The text says what it asks for and follows the operator's name: `with mode cubic`.
    Unsupported(String),
    /// A sample of what it gives depends on other samples of the batch, or it has no batch any more.
    MixesBatch,
    /// It contradicts its operator's definition or the rest of the graph.
    Damaged(String),
}

/// What becomes of a node, or a part of it.
pub(in crate::onnx) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub fn unsupported(what: impl Into<String>) -> Self {
        Refusal::Unsupported(what.into())
    }

    pub fn damaged(reason: impl Into<String>) -> Self {
        Refusal::Damaged(reason.into())
    }
}

/// What an operation does not accept is not supported.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Unsupported(format!("({error})"))
    }
}

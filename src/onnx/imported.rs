//! How a model is read, and what comes of it.

use std::collections::BTreeMap;

use crate::nn::Network;
use crate::tensor::Parameters;

/// How a model is read.
///
/// ```
/// use vultus::onnx::Import;
///
/// // A detector whose height and width are names in the file.
/// let import = Import { dimensions: [("height".to_owned(), 640), ("width".to_owned(), 640)].into(), ..Import::default() };
/// assert_eq!(import.batch, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The sizes of dimensions that have a name in the file instead of a size. One without a name is called after its
    /// input and its place: `input[2]`. The first dimension of an input needs none.
    pub dimensions: BTreeMap<String, usize>,
    /// The size of all other dimensions that the file leaves open, but for the first of an input: height and width of
    /// pictures, say.
    pub size: Option<usize>,
    /// The size of the batch that the graph's shape computations see where the file leaves it open. The network takes
    /// batches of any size.
    pub batch: usize,
}

impl Default for Import {
    /// No sizes of dimensions, and a batch of 1.
    fn default() -> Self {
        Import { dimensions: BTreeMap::new(), size: None, batch: 1 }
    }
}

/// A model that was read.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The network. Its inputs have the names of the model's, and those of its layers that give an output the name of it,
    /// unless several outputs are the same.
    pub network: Network,
    /// Its parameters, named as the model's initialisers. One that is read by several layers comes several times, under names
    /// that end in `.2` and so on.
    pub parameters: Parameters,
    /// The names of the outputs, in the network's order.
    pub outputs: Vec<String>,
    /// Whether the first dimension of the model's inputs and outputs is the batch, which the network's shapes leave out.
    /// Else the graph has no batch, or mixes its samples: all dimensions are those of a sample, and a plan takes a batch
    /// of such in front of them.
    pub has_batch: bool,
    /// What the model says about itself, by key.
    pub metadata: BTreeMap<String, String>,
}

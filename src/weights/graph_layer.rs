//! A layer with weights, as the graph of a file has it.

/// A convolution or dense layer of a file that has a graph, so that a network can be recognised by the order of its
/// layers, whatever they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GraphLayer {
    /// The entry that holds its weights.
    pub weight: String,
    /// The entry that holds its biases.
    pub bias: Option<String>,
    /// Whether it is dense, not a convolution.
    pub dense: bool,
    /// Whether the weights are `[in, out]`, not `[out, in]`. Those of convolutions never are.
    pub transposed: bool,
    /// Whether it reads feature maps that were flattened in H, W, C order, not in C, H, W.
    pub channels_last_flatten: bool,
}

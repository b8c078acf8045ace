//! The weights of ONNX files. A model is one message of protocol buffers ([`crate::proto`]): a graph of nodes, and tensors as
//! its initialisers or within `Constant` nodes.

mod graph;
mod halves;
mod read;
mod tensor;
#[cfg(test)]
mod tests;

pub(in crate::weights) use read::catalog;

//! The weights of ONNX files. A model is one message of protocol buffers: a graph of nodes, and tensors as its
//! initialisers or within `Constant` nodes. Numbers of fields are those of
//! <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3>.

mod graph;
mod read;
mod tensor;
#[cfg(test)]
mod tests;
mod wire;

pub(in crate::weights) use read::catalog;

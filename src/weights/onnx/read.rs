//! From a file to the list of its tensors, and the graph around them.

use super::{graph, tensor};
use crate::error::{Error, Result};
use crate::proto::{Fault, Graph, outline};
use crate::weights::catalog::Catalog;
use crate::weights::format::Format;
use crate::weights::source::Source;

/// How many nodes, names and tensors are kept of a file: far more than any network has, and few enough that a file made of
/// nothing else does not fill the memory.
const MOST_PARTS: usize = 1 << 18;

/// Looks into a file. Tensors are the initialisers of the graph and the values of its constants, in this order.
pub(in crate::weights) fn catalog(source: Source<'_>) -> Result<Catalog<'_>> {
    if source.length() == 0 {
        return Err(source.refuse("the file is empty"));
    }
    let model = outline(source.length(), &|offset, out| source.read_exact_at(offset, out));
    let model = model.map_err(|fault| match fault {
        Fault::Io(error) => Error::io(source.path(), error),
        Fault::Damaged(reason) => source.refuse(format!("not an ONNX file, or damaged: {reason}")),
    })?;
    let Some(graph) = model.graph else {
        return Err(source.refuse("not an ONNX file, or cut short: it has no graph"));
    };
    if !graph.sparse_initializer.is_empty() {
        return Err(source.refuse("it has sparse initialisers, which cannot be read"));
    }
    if parts(&graph) > MOST_PARTS {
        return Err(source.refuse("it has more nodes, tensors and names than any network"));
    }
    let mut entries = Vec::new();
    for tensor in &graph.initializer {
        entries.push(tensor::entry(&source, tensor, &tensor.name)?);
    }
    for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
        let value = node.attribute.iter().filter(|attribute| attribute.name == "value");
        if let (Some(name), Some(tensor)) =
            (node.output.first(), value.filter_map(|value| value.t.as_ref()).next_back())
        {
            entries.push(tensor::entry(&source, tensor, name)?);
        }
    }
    graph::check_order(&graph.node).map_err(|reason| source.refuse(reason))?;
    let layers = graph::layers(&graph.node, &entries);
    let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Catalog::new(source, Format::Onnx, entries, metadata)?.with_layers(layers))
}

/// How many nodes, names and tensors a graph has.
fn parts(graph: &Graph) -> usize {
    let nodes = graph.node.iter().map(|node| 1 + node.input.len() + node.output.len() + node.attribute.len());
    graph.initializer.len() + nodes.sum::<usize>()
}

//! From a file to the list of its tensors, and the graph around them.

use std::collections::BTreeMap;

use super::graph::{self, Node};
use super::wire::{Field, Fields};
use crate::error::Result;
use crate::weights::catalog::Catalog;
use crate::weights::entry::{Entry, Plain};
use crate::weights::format::Format;
use crate::weights::source::Source;

/// How many names, tensors and whole numbers are kept of a file: far more than any network has, and few enough that a
/// file made of nothing else does not fill the memory.
const MOST_PARTS: usize = 1 << 18;

/// More bytes than a name has.
const LONGEST_NAME: u64 = 1 << 12;

/// Looks into a file. Tensors are the initialisers of the graph and the values of its constants, in this order.
pub(in crate::weights) fn catalog(source: Source<'_>) -> Result<Catalog<'_>> {
    if source.length() == 0 {
        return Err(source.refuse("the file is empty"));
    }
    let mut reader = Reader { source: &source, parts: 0, nodes: Vec::new(), entries: Vec::new() };
    let metadata = reader.model()?;
    let Reader { nodes, entries, .. } = reader;
    graph::check_order(&nodes).map_err(|reason| source.refuse(reason))?;
    let layers = graph::layers(&nodes, &entries);
    Ok(Catalog::new(source, Format::Onnx, entries, metadata)?.with_layers(layers))
}

/// What has been read of a file.
pub(super) struct Reader<'s, 'a> {
    pub source: &'s Source<'a>,
    parts: usize,
    nodes: Vec<Node>,
    entries: Vec<Entry>,
}

impl Reader<'_, '_> {
    /// Reads a `ModelProto`; its metadata.
    fn model(&mut self) -> Result<BTreeMap<String, String>> {
        let source = self.source;
        let (mut metadata, mut graph) = (BTreeMap::new(), None);
        let mut fields = Fields::of(source, Plain { offset: 0, length: source.length() });
        while let Some(field) = fields.next()? {
            match field.number {
                7 if graph.is_some() => return Err(source.refuse("the model has two graphs")),
                7 => graph = Some(field.place(source)?),
                14 => {
                    let (key, value) = self.pair(field.place(source)?)?;
                    metadata.insert(key, value);
                }
                _ => {}
            }
        }
        let Some(graph) = graph else { return Err(source.refuse("not an ONNX file, or cut short: it has no graph")) };
        self.graph(graph)?;
        Ok(metadata)
    }

    /// Reads a `GraphProto`. The initialisers come after the nodes in the file or before them.
    fn graph(&mut self, place: Plain) -> Result<()> {
        let source = self.source;
        let (mut constants, mut fields) = (Vec::new(), Fields::of(source, place));
        while let Some(field) = fields.next()? {
            match field.number {
                1 => {
                    let (node, constant) = self.node(field.place(source)?)?;
                    if let ("Constant", Some(place), Some(name)) = (node.op.as_str(), constant, node.outputs.first()) {
                        constants.push(self.tensor(place, Some(name))?);
                    }
                    self.count()?;
                    self.nodes.push(node);
                }
                5 => {
                    let entry = self.tensor(field.place(source)?, None)?;
                    self.count()?;
                    self.entries.push(entry);
                }
                15 => return Err(source.refuse("it has sparse initialisers, which cannot be read")),
                _ => {}
            }
        }
        self.entries.append(&mut constants);
        Ok(())
    }

    /// Reads a `NodeProto`, and where its tensor is, if it has one. Graphs within the node are not looked into.
    fn node(&mut self, place: Plain) -> Result<(Node, Option<Plain>)> {
        let source = self.source;
        let (mut node, mut tensor, mut fields) = (Node::default(), None, Fields::of(source, place));
        while let Some(field) = fields.next()? {
            match field.number {
                1 => node.inputs.push(self.text(field.place(source)?)?),
                2 => node.outputs.push(self.text(field.place(source)?)?),
                4 => node.op = self.text(field.place(source)?)?,
                5 => tensor = self.attribute(field.place(source)?, &mut node)?.or(tensor),
                _ => {}
            }
        }
        Ok((node, tensor))
    }

    /// Reads an `AttributeProto` into its node; where its tensor is, if it is called `value`.
    fn attribute(&mut self, place: Plain, node: &mut Node) -> Result<Option<Plain>> {
        let source = self.source;
        let (mut name, mut factor, mut integers, mut tensor) = (String::new(), None, Vec::new(), None);
        let mut fields = Fields::of(source, place);
        while let Some(field) = fields.next()? {
            match field.number {
                1 => name = self.text(field.place(source)?)?,
                2 => factor = Some(field.float(source)?),
                3 | 8 => self.integers(&field, &mut integers)?,
                5 => tensor = Some(field.place(source)?),
                _ => {}
            }
        }
        let tensor = tensor.filter(|_| name == "value");
        if let Some(factor) = factor {
            node.factors.insert(name.clone(), factor);
        }
        node.integers.insert(name, integers.into_iter().map(u64::cast_signed).collect());
        Ok(tensor)
    }

    /// Reads a `StringStringEntryProto`.
    fn pair(&mut self, place: Plain) -> Result<(String, String)> {
        let source = self.source;
        let (mut pair, mut fields) = ((String::new(), String::new()), Fields::of(source, place));
        while let Some(field) = fields.next()? {
            match field.number {
                1 => pair.0 = self.text(field.place(source)?)?,
                2 => pair.1 = self.long_text(field.place(source)?)?,
                _ => {}
            }
        }
        Ok(pair)
    }

    /// Reads whole numbers, one or a packed list of them.
    pub fn integers(&mut self, field: &Field, integers: &mut Vec<u64>) -> Result<()> {
        let Ok(place) = field.place(self.source) else {
            self.count()?;
            integers.push(field.number(self.source)?);
            return Ok(());
        };
        let mut list = Fields::of(self.source, place);
        while !list.is_at_end() {
            self.count()?;
            integers.push(list.varint()?);
        }
        Ok(())
    }

    /// Reads a name.
    pub fn text(&mut self, place: Plain) -> Result<String> {
        if place.length > LONGEST_NAME {
            return Err(self.source.refuse(format!("it has a name of {} bytes", place.length)));
        }
        self.long_text(place)
    }

    fn long_text(&mut self, place: Plain) -> Result<String> {
        self.count()?;
        let bytes = self.source.read(place.offset, place.length)?;
        let damaged = |_| self.source.refuse("not an ONNX file, or damaged: a name is not a text in UTF-8");
        String::from_utf8(bytes).map_err(damaged)
    }

    fn count(&mut self) -> Result<()> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(self.source.refuse("it has more nodes, tensors and names than any network"));
        }
        Ok(())
    }
}

//! Which layers with weights a graph has, in the order in which they run.

use std::collections::BTreeMap;

use crate::proto::{Attribute, Node};
use crate::weights::entry::Entry;
use crate::weights::graph_layer::GraphLayer;

/// More layers with weights than any network has that is read here.
const MOST_LAYERS: usize = 1 << 12;

/// How far a value is followed against the order of the graph, so that the time for all of them stays in proportion.
const LONGEST_WALK: usize = 64;

/// A node's input at a place, if there is one.
fn input(node: &Node, place: usize) -> Option<&str> {
    node.input.get(place).map(String::as_str).filter(|name| !name.is_empty())
}

fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a Attribute> {
    node.attribute.iter().rev().find(|attribute| attribute.name == name)
}

/// An attribute that is a whole number or a list of them.
fn integers<'a>(node: &'a Node, name: &str) -> Option<&'a [i64]> {
    attribute(node, name).map(|found| if found.i.is_some() { found.i.as_slice() } else { found.ints.as_slice() })
}

/// Whether an attribute has only this value, or is missing where this is its default.
fn is(node: &Node, name: &str, value: i64) -> bool {
    integers(node, name).is_none_or(|found| found.iter().all(|&found| found == value))
}

fn factor_is_one(node: &Node, name: &str) -> bool {
    attribute(node, name).and_then(|found| found.f).is_none_or(|factor| factor == 1.0)
}

/// The node that makes each value.
type Producers<'a> = BTreeMap<&'a str, usize>;

fn producers<'a>(nodes: &'a [Node]) -> Producers<'a> {
    let outputs = |(at, node): (usize, &'a Node)| node.output.iter().map(move |name| (name.as_str(), at));
    nodes.iter().enumerate().flat_map(outputs).filter(|(name, _)| !name.is_empty()).collect()
}

/// Checks that each value is made by one node, and read only by nodes behind that: what the format asks for, and what
/// keeps a walk against the order from going in circles.
pub(super) fn check_order(nodes: &[Node]) -> Result<(), String> {
    let producers = producers(nodes);
    for (at, node) in nodes.iter().enumerate() {
        if let Some(name) = node.output.iter().find(|name| producers.get(name.as_str()).is_some_and(|&last| last != at))
        {
            return Err(format!("two nodes of the graph make the value {name:?}"));
        }
        if let Some(name) = node.input.iter().find(|name| producers.get(name.as_str()).is_some_and(|&by| by >= at)) {
            return Err(format!("a node of the graph reads {name:?} before it is made: the graph has a circle"));
        }
    }
    Ok(())
}

/// The layers with weights; or why they cannot be told from this graph.
pub(super) fn layers(nodes: &[Node], entries: &[Entry]) -> Result<Vec<GraphLayer>, String> {
    let entries = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
    let graph = Graph { nodes, producers: producers(nodes), sums: sums(nodes), entries };
    let mut layers = Vec::new();
    for node in nodes {
        layers.extend(graph.layer(node)?);
        if layers.len() > MOST_LAYERS {
            return Err(format!("there are more than {MOST_LAYERS}"));
        }
    }
    Ok(layers)
}

/// The node that adds something to each value, where there is only one.
fn sums(nodes: &[Node]) -> BTreeMap<&str, Option<usize>> {
    let mut sums = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.op_type == "Add") {
        for name in &node.input {
            sums.entry(name.as_str()).and_modify(|only| *only = None).or_insert(Some(at));
        }
    }
    sums
}

struct Graph<'a> {
    nodes: &'a [Node],
    producers: Producers<'a>,
    sums: BTreeMap<&'a str, Option<usize>>,
    entries: BTreeMap<&'a str, &'a Entry>,
}

/// An entry and whether its two dimensions are exchanged before it is used.
type Weight<'a> = (&'a str, bool);

impl<'a> Graph<'a> {
    fn layer(&self, node: &'a Node) -> Result<Option<GraphLayer>, String> {
        match node.op_type.as_str() {
            "Conv" => self.conv(node).map(Some),
            "Gemm" => self.gemm(node).map(Some),
            "MatMul" => self.mat_mul(node),
            _ => Ok(None),
        }
    }

    fn conv(&self, node: &'a Node) -> Result<GraphLayer, String> {
        if !is(node, "group", 1) || !is(node, "dilations", 1) {
            return Err(format!("{} has groups or dilations", self.describe(node)));
        }
        let (weight, bias) = (self.needed(node, 1)?, self.optional(node, 2)?);
        if weight.1 {
            return Err(format!("{} transposes its weights", self.describe(node)));
        }
        let weight = weight.0.to_owned();
        Ok(GraphLayer { weight, bias, dense: false, transposed: false, channels_last_flatten: false })
    }

    fn gemm(&self, node: &'a Node) -> Result<GraphLayer, String> {
        if !is(node, "transA", 0) || !factor_is_one(node, "alpha") || !factor_is_one(node, "beta") {
            return Err(format!("{} scales or transposes its input", self.describe(node)));
        }
        let ((weight, exchanged), bias) = (self.needed(node, 1)?, self.optional(node, 2)?);
        let trans_b = integers(node, "transB").is_some_and(|found| found.iter().any(|&found| found != 0));
        self.dense(node, weight, trans_b == exchanged, bias)
    }

    /// A product with an entry is a layer if an entry is added to it. Others are taken for something else, such as an
    /// average.
    fn mat_mul(&self, node: &'a Node) -> Result<Option<GraphLayer>, String> {
        let Some((weight, exchanged)) = input(node, 1).and_then(|name| self.weight(name)) else { return Ok(None) };
        let Some(bias) = node.output.first().and_then(|output| self.added(output)) else { return Ok(None) };
        self.dense(node, weight, !exchanged, Some(bias.to_owned())).map(Some)
    }

    fn dense(
        &self,
        node: &'a Node,
        weight: &str,
        transposed: bool,
        bias: Option<String>,
    ) -> Result<GraphLayer, String> {
        let channels_last_flatten = self.is_flattened_channels_last(node)?;
        Ok(GraphLayer { weight: weight.to_owned(), bias, dense: true, transposed, channels_last_flatten })
    }

    /// The entry that is added to a value by the only node that adds something to it.
    fn added(&self, value: &str) -> Option<&'a str> {
        let sum = &self.nodes[self.sums.get(value).copied().flatten()?];
        let other = sum.input.iter().find(|name| *name != value)?;
        self.weight(other).map(|(name, _)| name)
    }

    /// The entry behind a value, through nodes that only convert or transpose it.
    fn weight(&self, mut value: &'a str) -> Option<Weight<'a>> {
        let mut exchanged = false;
        for _ in 0..LONGEST_WALK {
            if let Some(entry) = self.entries.get(value) {
                return Some((&entry.name, exchanged));
            }
            let node = &self.nodes[*self.producers.get(value)?];
            match node.op_type.as_str() {
                "Identity" | "Cast" => {}
                "Transpose" if integers(node, "perm").is_none_or(|perm| perm == [1, 0]) => exchanged = !exchanged,
                _ => return None,
            }
            value = input(node, 0)?;
        }
        None
    }

    fn needed(&self, node: &'a Node, place: usize) -> Result<Weight<'a>, String> {
        let weight = input(node, place).and_then(|name| self.weight(name));
        weight.ok_or_else(|| format!("the weights of {} are computed in the graph", self.describe(node)))
    }

    fn optional(&self, node: &'a Node, place: usize) -> Result<Option<String>, String> {
        let Some(_) = input(node, place) else { return Ok(None) };
        self.needed(node, place).map(|(name, _)| Some(name.to_owned()))
    }

    /// Whether the feature maps that a dense layer reads had their channels last when they were flattened.
    fn is_flattened_channels_last(&self, dense: &'a Node) -> Result<bool, String> {
        let (mut is_flat, mut order) = (false, [0, 1, 2, 3]);
        let mut value = input(dense, 0);
        for _ in 0..LONGEST_WALK {
            let Some(&at) = value.and_then(|value| self.producers.get(value)) else { break };
            let node = &self.nodes[at];
            match node.op_type.as_str() {
                "Identity" | "Cast" | "Relu" | "LeakyRelu" | "Clip" | "Dropout" => {}
                "Flatten" | "Reshape" | "Squeeze" => is_flat = true,
                "Transpose" => {
                    let perm: Option<[usize; 4]> = integers(node, "perm").and_then(|perm| {
                        let perm: Vec<usize> = perm.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect();
                        perm.try_into().ok()
                    });
                    let perm = perm.filter(|perm| is_flat && perm.iter().all(|&axis| axis < 4));
                    let perm = perm.ok_or_else(|| format!("{} reads transposed values", self.describe(dense)))?;
                    order = order.map(|axis| perm[axis]);
                }
                _ => break,
            }
            value = input(node, 0);
        }
        match order {
            [0, 1, 2, 3] => Ok(false),
            [0, 2, 3, 1] => Ok(true),
            _ => Err(format!("{} reads feature maps that were flattened in the order {order:?}", self.describe(dense))),
        }
    }

    fn describe(&self, node: &Node) -> String {
        format!("the {} that gives {:?}", node.op_type, node.output.first().map_or("", String::as_str))
    }
}

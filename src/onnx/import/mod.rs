//! From a graph to a network: nodes become layers, or constants where all that they depend on is known.

mod activation;
mod arithmetic;
mod arrange;
mod biases;
mod cast;
mod constant;
mod convolution;
mod draft;
mod fold;
mod images;
mod node;
mod normalize;
mod operators;
mod parts;
mod pool;
mod product;
mod reduce;
mod refusal;
mod resize;
mod shapes;
mod tensor;
mod truth;
mod value;
mod windows;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::proto;
use crate::nn::{Network, Source};
use crate::ops::Reshape;
use crate::tensor::Parameters;
pub(super) use constant::{Constant, elements};
use draft::Draft;
pub(super) use draft::First;
use fold::{Budget, fold};
use node::Node;
use refusal::{Outcome, Refusal};
pub(super) use tensor::constant;
use value::{Note, Traced, Value};

/// An input of a graph whose whole shape is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Input {
    pub name: String,
    pub shape: Vec<usize>,
    pub is_integer: bool,
}

/// A graph with what is known about it.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub name: &'a str,
    pub nodes: &'a [proto::Node],
    /// The version of the operators.
    pub opset: i64,
    pub initializers: &'a BTreeMap<String, Constant>,
    pub inputs: &'a [Input],
    pub outputs: &'a [String],
    /// The model's folder.
    pub folder: &'a Path,
    /// How many numbers may be made that the file does not hold.
    pub budget: usize,
}

/// Why a graph does not become a network.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// What is not supported, by the operator with what it asks for: how many nodes do so.
    Unsupported {
        operators: BTreeMap<String, usize>,
        /// Whether nodes are among them that mix the samples of a batch.
        mixes_batch: bool,
    },
    /// What is wrong with the graph.
    Damaged(String),
}

/// A network and its parameters.
pub(super) struct Drawn {
    pub network: Network,
    pub parameters: Parameters,
}

/// The network of a graph whose first dimensions are these.
pub(super) fn draw(graph: &Known, first: First) -> Result<Drawn, Failure> {
    let mut reading = Reading {
        draft: Draft::new(first, graph.budget),
        values: HashMap::new(),
        budget: Budget(graph.budget),
        refused: BTreeMap::new(),
        mixes_batch: false,
    };
    for (index, input) in graph.inputs.iter().enumerate() {
        let value = reading.draft.input(index, &input.name, &input.shape, input.is_integer);
        let value = value.map_err(|refusal| Failure::Damaged(format!("the input {} {}", input.name, text(refusal))))?;
        reading.values.insert(&input.name, Value::Traced(value));
    }
    for (name, constant) in graph.initializers {
        reading.values.insert(name, Value::Constant(constant.clone()));
    }
    for node in graph.nodes {
        reading.node(graph, node)?;
    }
    let mut outputs = reading.outputs(graph)?;
    if !reading.refused.is_empty() {
        return Err(Failure::Unsupported { operators: reading.refused, mixes_batch: reading.mixes_batch });
    }
    let lead = reading.draft.lead();
    // Without what stands for the batch.
    let sample = |input: &Input| (input.name.clone(), input.shape.get(1 - lead..).unwrap_or_default().to_vec());
    let inputs = graph.inputs.iter().map(sample);
    reading.draft.merge_biases(&mut outputs);
    let (layers, held, outputs, parameters) = reading.draft.finish(outputs);
    let network = Network::of_parts(graph.name, inputs.collect(), layers, held, outputs);
    Ok(Drawn { network, parameters })
}

/// What is wrong, as the end of a sentence.
fn text(refusal: Refusal) -> String {
    match refusal {
        Refusal::Unsupported(what) => what,
        Refusal::MixesBatch => "mixes the samples of a batch".to_owned(),
        Refusal::Damaged(reason) => reason,
    }
}

/// A graph that is being read.
struct Reading<'a> {
    draft: Draft,
    values: HashMap<&'a str, Value>,
    budget: Budget,
    refused: BTreeMap<String, usize>,
    mixes_batch: bool,
}

impl<'a> Reading<'a> {
    fn refuse(&mut self, what: String) {
        *self.refused.entry(what).or_default() += 1;
    }

    /// Reads one node: its outputs are known from then on.
    fn node(&mut self, graph: &Known<'a>, node: &'a proto::Node) -> Result<(), Failure> {
        let mut inputs = Vec::new();
        for name in &node.input {
            inputs.push(match self.values.get(name.as_str()) {
                _ if name.is_empty() => None,
                Some(value) => Some(value.clone()),
                None => return Err(Failure::Damaged(format!("{} reads {name:?}, which nothing gives", said(node)))),
            });
        }
        let values = self.values_of(graph, node, inputs)?;
        for (index, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let missing = || Value::Missing(format!("{} with its output {index}", node.op_type));
            let value = match &values {
                Some(values) => values.get(index).cloned().unwrap_or_else(missing),
                None => Value::Unknown,
            };
            if self.values.insert(name, value).is_some() {
                return Err(Failure::Damaged(format!("{name:?} is given twice")));
            }
        }
        Ok(())
    }

    /// What a node gives, if that is supported.
    fn values_of(
        &mut self,
        graph: &Known<'a>,
        proto: &'a proto::Node,
        inputs: Vec<Option<Value>>,
    ) -> Result<Option<Vec<Value>>, Failure> {
        if !["", "ai.onnx"].contains(&proto.domain.as_str()) {
            self.refuse(format!("{}.{}", proto.domain, proto.op_type));
            return Ok(None);
        }
        let Some(reader) = operators::reader(&proto.op_type) else {
            self.refuse(proto.op_type.clone());
            return Ok(None);
        };
        for input in inputs.iter().flatten() {
            if let Value::Missing(what) = input {
                let what = what.clone();
                self.refuse(what);
                return Ok(None);
            }
        }
        if inputs.iter().flatten().any(|input| matches!(input, Value::Unknown)) {
            return Ok(None);
        }
        let node = Node { proto, opset: graph.opset, inputs, folder: graph.folder };
        let found = match fold(&node, &mut self.budget) {
            Ok(Some(values)) => Ok(values),
            Ok(None) => match reader {
                Some(reader) => reader(&mut self.draft, &node),
                None => Err(Refusal::unsupported("of computed values")),
            },
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok(values) => Ok(Some(values)),
            Err(Refusal::Unsupported(what)) => {
                self.refuse(format!("{} {what}", proto.op_type));
                Ok(None)
            }
            Err(Refusal::MixesBatch) => {
                self.mixes_batch = true;
                self.refuse(format!("{} that mixes the samples of a batch", proto.op_type));
                Ok(None)
            }
            Err(Refusal::Damaged(reason)) => Err(Failure::Damaged(format!("{} {reason}", said(proto)))),
        }
    }

    /// The layers that give the graph's outputs.
    fn outputs(&mut self, graph: &Known<'a>) -> Result<Vec<usize>, Failure> {
        let mut layers = Vec::new();
        for name in graph.outputs {
            let Some(value) = self.values.get(name.as_str()).cloned() else {
                return Err(Failure::Damaged(format!("nothing gives the output {name:?}")));
            };
            match self.output(graph, name, value) {
                Ok(Some(layer)) => layers.push(layer),
                Ok(None) => {}
                Err(refusal) => {
                    self.mixes_batch |= matches!(refusal, Refusal::MixesBatch);
                    self.refuse(format!("an output {}", text(refusal)));
                }
            }
        }
        Ok(layers)
    }

    /// The layer that gives this value. An input, and what is the same for all samples, needs one of its own.
    fn output(&mut self, graph: &Known<'a>, name: &str, value: Value) -> Outcome<Option<usize>> {
        let traced = match value {
            Value::Unknown => return Ok(None),
            Value::Missing(what) => {
                self.refuse(what);
                return Ok(None);
            }
            Value::Traced(traced) => traced,
            Value::Constant(constant) => {
                let like = graph.inputs.first().and_then(|input| self.values.get(input.name.as_str())).cloned();
                let Some(Value::Traced(like)) = like else { return Err(Refusal::unsupported("of no input")) };
                constant.as_floats().map_err(|_| Refusal::unsupported("of whole numbers"))?;
                parts::for_each_sample(&mut self.draft, name, &constant, &like)?
            }
        };
        if let Note::Truth = traced.note {
            return Err(Refusal::unsupported("of truth values"));
        }
        if let Source::Layer(layer) = traced.source {
            return Ok(Some(layer));
        }
        let sizes: Vec<Option<usize>> = traced.shape[1..].iter().copied().map(Some).collect();
        let plain = Traced { is_integer: false, note: Note::None, ..traced };
        let view = self.draft.layer(name, Reshape::to(sizes), &[&plain])?;
        Ok(match view.source {
            Source::Layer(layer) => Some(layer),
            _ => None,
        })
    }
}

/// A node as messages call it.
fn said(node: &proto::Node) -> String {
    match node.output.first().filter(|_| node.name.is_empty()).unwrap_or(&node.name).as_str() {
        "" => format!("a node {}", node.op_type),
        name => format!("the node {name:?} ({})", node.op_type),
    }
}

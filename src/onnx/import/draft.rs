//! A network while it grows out of a graph: layers are added and checked one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::constant::{Constant, elements};
use super::refusal::{Outcome, Refusal};
use super::value::{Note, Traced};
use crate::nn::{Held, Layer, Source};
use crate::ops::{Op, Reshape, Shape};
use crate::tensor::{Parameters, Tensor};

/// The most elements that a value may have for the batch with which a graph is read: a gibibyte. So what is calculated with
/// sizes stays in its range, and a small file cannot ask for any memory.
const MOST_ELEMENTS: usize = 1 << 28;

/// More dimensions than operations have.
const MOST_DIMENSIONS: usize = 8;

/// A layer takes about as much memory as so many numbers.
const LAYER: usize = 64;

/// What the first dimension of the graph's values is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::onnx) enum First {
    /// The batch, of this size while the graph is read.
    Batch(usize),
    /// A dimension of each sample: the network's batch is in front of it.
    Sample,
}

/// A tensor that becomes a layer's parameter.
pub(in crate::onnx) struct Given {
    /// The initialiser that it comes from.
    pub origin: Option<std::sync::Arc<str>>,
    pub tensor: Tensor,
}

impl Given {
    /// A constant in this shape.
    pub fn of(constant: &Constant, shape: impl Into<Vec<usize>>) -> Outcome<Self> {
        Ok(Given { origin: constant.origin.clone(), tensor: constant.tensor(shape)? })
    }
}

/// A network while it grows.
pub(in crate::onnx) struct Draft {
    pub first: First,
    pub layers: Vec<Layer>,
    pub held: Held,
    pub parameters: Parameters,
    /// Names of layers and inputs that are taken, and of parameters.
    names: BTreeSet<String>,
    /// How many parameters and layers had to be called otherwise than by this name.
    repeated: BTreeMap<String, usize>,
    /// How many numbers may still be made that the file does not hold.
    left: usize,
}

impl Draft {
    /// One without layers, for which so many numbers may be made that the file does not hold.
    pub fn new(first: First, left: usize) -> Self {
        Draft {
            first,
            layers: Vec::new(),
            held: Held::default(),
            parameters: Parameters::new(),
            names: BTreeSet::new(),
            repeated: BTreeMap::new(),
            left,
        }
    }

    /// Takes memory for so many numbers.
    pub fn take(&mut self, count: usize) -> Outcome<()> {
        let too_many = || Refusal::unsupported("that takes more memory than a file of this size should");
        self.left = self.left.checked_sub(count).ok_or_else(too_many)?;
        Ok(())
    }

    /// How many dimensions the network's values have before those of the graph's.
    pub fn lead(&self) -> usize {
        usize::from(self.first == First::Sample)
    }

    /// The shape of a value in the graph.
    pub fn shape<'a>(&self, x: &'a Traced) -> &'a [usize] {
        x.shape.get(self.lead()..).unwrap_or_default()
    }

    /// The network's shape of a value that has this one in the graph.
    pub fn with_lead(&self, shape: &[usize]) -> Shape {
        [&vec![1; self.lead()], shape].concat()
    }

    /// An input of the network, by its shape in the graph.
    pub fn input(&mut self, index: usize, name: &str, shape: &[usize], is_integer: bool) -> Outcome<Traced> {
        self.names.insert(name.to_owned());
        let shape = self.with_lead(shape);
        check(&shape)?;
        if shape.is_empty() || shape.contains(&0) {
            return Err(Refusal::damaged(format!("has an input of the shape {shape:?}, which holds nothing")));
        }
        Ok(Traced { source: Source::Input(index), shape, is_integer, note: Note::None })
    }

    /// Adds a layer without parameters.
    pub fn layer(&mut self, name: &str, op: impl Into<Op>, inputs: &[&Traced]) -> Outcome<Traced> {
        self.layer_with(name, op, inputs, 0, Vec::new())
    }

    /// Adds a layer with these parameters.
    pub fn layer_with(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[&Traced],
        features: usize,
        given: Vec<Given>,
    ) -> Outcome<Traced> {
        let op = op.into();
        let Some(&first) = inputs.first() else { return Err(Refusal::damaged("reads nothing")) };
        self.take(LAYER)?;
        if inputs.iter().any(|input| input.is_integer) {
            return Err(Refusal::unsupported("of whole numbers"));
        }
        let mut shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape.as_slice()).collect();
        if op.mixes_samples(&shapes) {
            return Err(Refusal::MixesBatch);
        }
        let wanted = op.parameters(&first.shape, features);
        for (wanted, given) in wanted.iter().zip(&given) {
            if wanted.shape != given.tensor.shape() {
                let (suffix, found) = (wanted.suffix, given.tensor.shape());
                return Err(Refusal::damaged(format!(
                    "has a {suffix} of {found:?} where {:?} is needed",
                    wanted.shape
                )));
            }
        }
        shapes.extend(wanted.iter().map(|parameter| parameter.shape.as_slice()));
        let shape = op.output_shapes(&shapes)?.swap_remove(0);
        check(&shape)?;
        let mut parameters = Vec::new();
        for (wanted, given) in wanted.iter().zip(given) {
            parameters.push(self.parameter(given, &format!("{name}.{}", wanted.suffix)));
        }
        let name = self.unique(name);
        let sources = inputs.iter().map(|input| input.source).collect();
        self.layers.push(Layer { name, op, features, parameters, inputs: sources });
        let source = Source::Layer(self.layers.len() - 1);
        Ok(Traced { source, shape, is_integer: false, note: Note::None })
    }

    /// A view of a value, by its shape in the network.
    pub fn view(&mut self, name: &str, x: &Traced, shape: &[usize]) -> Outcome<Traced> {
        if x.shape == shape {
            return Ok(x.clone());
        }
        if x.shape.first() != shape.first() || shape.is_empty() {
            return Err(Refusal::MixesBatch);
        }
        let sizes: Vec<Option<usize>> = shape[1..].iter().copied().map(Some).collect();
        // Pictures of bytes, and truth values, are still that in another shape.
        let is_integer = x.is_integer;
        let note = if matches!(x.note, Note::Truth) { Note::Truth } else { Note::None };
        let plain = Traced { is_integer: false, ..x.clone() };
        let view = self.layer(name, Reshape::to(sizes), &[&plain])?;
        Ok(Traced { is_integer, note, ..view })
    }

    /// A value that the network holds, for an operation with a value of so many dimensions in the network: a parameter,
    /// where an initialiser is more than one number, or a constant.
    pub fn held(&mut self, name: &str, constant: &Constant, rank: usize) -> Outcome<Traced> {
        let constant = &self.of_one_sample(constant, rank);
        let mut shape = constant.shape.clone();
        if shape.len() + self.lead() < rank {
            shape.splice(0..0, vec![1; rank - shape.len()]);
        } else {
            shape.splice(0..0, vec![1; self.lead()]);
        }
        if shape.first() != Some(&1) {
            return Err(Refusal::MixesBatch);
        }
        self.held_in(name, constant, shape)
    }

    /// A constant that is the same for all samples of the batch, as it is for one.
    fn of_one_sample(&self, constant: &Constant, rank: usize) -> Constant {
        let First::Batch(batch) = self.first else { return constant.clone() };
        let [first, rest @ ..] = constant.shape.as_slice() else { return constant.clone() };
        if *first != batch || batch < 2 || constant.shape.len() != rank {
            return constant.clone();
        }
        let row: usize = rest.iter().product();
        let (shape, places) = ([&[1], rest].concat(), 0..row);
        let one = Constant { origin: constant.origin.clone(), ..constant.picked(shape, places) };
        let is_repeated = match (constant.as_floats(), one.as_floats()) {
            (Ok(all), Ok(one)) => row > 0 && all.chunks_exact(row).all(|part| part == one.as_slice()),
            _ => false,
        };
        if is_repeated { one } else { constant.clone() }
    }

    /// The same in this very shape.
    pub fn held_in(&mut self, name: &str, constant: &Constant, shape: Shape) -> Outcome<Traced> {
        check(&shape)?;
        let tensor = constant.tensor(shape.clone())?;
        let source = match &constant.origin {
            Some(origin) if tensor.len() > 1 => {
                let given = Given { origin: Some(origin.clone()), tensor };
                let name = self.parameter(given, name);
                self.held.parameters.push((name, shape.clone()));
                Source::Parameter(self.held.parameters.len() - 1)
            }
            _ => {
                self.held.constants.push(tensor);
                Source::Constant(self.held.constants.len() - 1)
            }
        };
        Ok(Traced { source, shape, is_integer: false, note: Note::None })
    }

    /// Keeps a parameter; its name.
    pub fn parameter(&mut self, given: Given, fallback: &str) -> String {
        let wanted = given.origin.as_deref().unwrap_or(fallback).to_owned();
        let mut name = wanted.clone();
        while self.parameters.contains_key(&name) {
            name = self.another(&wanted);
        }
        self.parameters.insert(name.clone(), given.tensor);
        name
    }

    /// A name for a layer: this one, unless it is taken.
    fn unique(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.names.insert(name.clone()) {
            name = self.another(wanted);
        }
        name
    }

    /// The next name after one that is taken.
    fn another(&mut self, wanted: &str) -> String {
        let count = self.repeated.entry(wanted.to_owned()).or_insert(1);
        *count += 1;
        format!("{wanted}.{count}")
    }
}

/// Whether an operation can have values of this shape.
fn check(shape: &[usize]) -> Outcome<()> {
    if shape.len() > MOST_DIMENSIONS {
        return Err(Refusal::unsupported(format!("of {} dimensions", shape.len())));
    }
    match elements(shape) {
        Some(count) if count <= MOST_ELEMENTS => Ok(()),
        _ => Err(Refusal::unsupported(format!(
            "of the shape {shape:?}, which is too large: {MOST_ELEMENTS} elements are read at most"
        ))),
    }
}

impl Draft {
    /// The layers that lead to these, with what they read, and where these are among them.
    pub fn finish(self, outputs: Vec<usize>) -> (Vec<Layer>, Held, Vec<usize>, Parameters) {
        let mut is_read = vec![false; self.layers.len()];
        outputs.iter().for_each(|&layer| is_read[layer] = true);
        for index in (0..self.layers.len()).rev() {
            if is_read[index] {
                let layers = self.layers[index].inputs.iter();
                layers.for_each(|source| {
                    if let Source::Layer(layer) = source {
                        is_read[*layer] = true
                    }
                });
            }
        }
        let mut places = BTreeMap::new();
        let (mut layers, mut held, mut parameters, mut all) =
            (Vec::new(), Held::default(), Parameters::new(), self.parameters);
        for (index, mut layer) in self.layers.into_iter().enumerate().filter(|(index, _)| is_read[*index]) {
            for source in &mut layer.inputs {
                let place = |places: &BTreeMap<Source, usize>| places.get(&*source).copied();
                *source = match (*source, place(&places)) {
                    (Source::Input(input), _) => Source::Input(input),
                    (Source::Layer(_), place) => Source::Layer(place.unwrap_or(0)),
                    (Source::Parameter(_), Some(place)) => Source::Parameter(place),
                    (Source::Constant(_), Some(place)) => Source::Constant(place),
                    (Source::Parameter(old), None) => {
                        let (name, shape) = self.held.parameters[old].clone();
                        parameters.extend(all.remove_entry(&name));
                        held.parameters.push((name, shape));
                        places.insert(Source::Parameter(old), held.parameters.len() - 1);
                        Source::Parameter(held.parameters.len() - 1)
                    }
                    (Source::Constant(old), None) => {
                        held.constants.push(self.held.constants[old].clone());
                        places.insert(Source::Constant(old), held.constants.len() - 1);
                        Source::Constant(held.constants.len() - 1)
                    }
                };
            }
            layer.parameters.iter().for_each(|name| parameters.extend(all.remove_entry(name)));
            places.insert(Source::Layer(index), layers.len());
            layers.push(layer);
        }
        let place = |layer: usize| places.get(&Source::Layer(layer)).copied().unwrap_or(0);
        let outputs = outputs.into_iter().map(place).collect();
        (layers, held, outputs, parameters)
    }
}

//! Telling which of a file's tensors are which of VGG16's layers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Match, Vgg16};
use crate::error::{Error, Result};
use crate::nn::vgg16::WIDTHS;
use crate::weights::catalog::Catalog;
use crate::weights::entry::{Dtype, Entry};
use crate::weights::graph_layer::GraphLayer;
use crate::weights::layout::Layout;
use crate::weights::safetensors::channels;

/// Height and width of the feature maps that VGG16's own first dense layer reads.
const MAPS: usize = 7;
/// The most that they may be, for an input of 1024 pixels.
const MOST_MAPS: usize = 32;

/// A layer as the file has it.
struct Found<'c> {
    weight: &'c Entry,
    bias: Option<&'c Entry>,
    /// Whether the file's graph says that the weights are `[in, out]`; `None` without a graph.
    transposed: Option<bool>,
    /// Whether the file's graph says that the layer reads features in the order H, W, C.
    channels_last: Option<bool>,
}

/// In which order kernels are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kernels {
    /// Out, in, height, width: PyTorch, ONNX.
    Oihw,
    /// Height, width, in, out: TensorFlow.
    Hwio,
}

impl<'c> Vgg16<'c> {
    /// Finds VGG16, whatever its layers are called and however wide they are.
    ///
    /// # Errors
    /// [`Error::Weights`] that says what is missing, too much or misshapen.
    pub fn find(catalog: &'c Catalog<'c>) -> Result<Self> {
        let layers = match catalog.layers()? {
            Some(layers) => (layers.iter()).map(|layer| Found::of_graph(catalog, layer)).collect::<Result<Vec<_>>>()?,
            None => Found::all(catalog),
        };
        let (convolutions, dense): (Vec<Found>, Vec<Found>) =
            layers.into_iter().partition(|layer| layer.weight.shape.len() == 4);
        let wanted: usize = WIDTHS.iter().map(|block| block.len()).sum();
        if convolutions.len() != wanted {
            let reason = format!("it has {} convolutions where VGG16 has {wanted}", convolutions.len());
            return Err(catalog.source().refuse(reason));
        }
        let mut finder = Finder { catalog, matches: Vec::new() };
        let kernels = finder.kernels(&convolutions)?;
        let widths = finder.convolutions(&convolutions, kernels)?;
        let (maps, outputs) =
            finder.dense(&dense, kernels, widths.last().and_then(|block| block.last()).copied().unwrap_or(0))?;
        let matches = finder.matches;
        let mut used: BTreeSet<String> = matches.iter().map(|found| found.entry.name.clone()).collect();
        let packed = matches.iter().filter(|found| found.entry.dtype == Dtype::I8);
        used.extend(packed.map(|found| channels::scale_name(&found.entry.name)));
        let unused = of_network(catalog).into_iter().filter(|entry| !used.contains(&entry.name)).collect();
        Ok(Vgg16 { catalog, matches, unused, widths, maps, dense: outputs })
    }
}

impl<'c> Found<'c> {
    /// The layers of a file without a graph, in the order of its tensors: each weight of two or four dimensions, and the
    /// vector that is called as it is but for the last part of the name.
    fn all(catalog: &'c Catalog<'c>) -> Vec<Self> {
        let entries = of_network(catalog);
        let mut biases: BTreeMap<&str, &Entry> = BTreeMap::new();
        for &entry in entries.iter().filter(|entry| entry.shape.len() == 1) {
            let (layer, part) = parts(&entry.name);
            let bias = biases.entry(layer).or_insert(entry);
            if BIASES.contains(&part) {
                *bias = entry;
            }
        }
        let found = |&weight: &&'c Entry| {
            let bias = biases.get(parts(&weight.name).0).copied();
            Found { weight, bias, transposed: None, channels_last: None }
        };
        entries.iter().filter(|entry| [2, 4].contains(&entry.shape.len())).map(found).collect()
    }

    fn of_graph(catalog: &'c Catalog<'c>, layer: &GraphLayer) -> Result<Self> {
        let entry = |name: &str| {
            catalog
                .entry(name)
                .ok_or_else(|| catalog.source().refuse_tensor(name, "the graph reads it, but it is missing"))
        };
        Ok(Found {
            weight: entry(&layer.weight)?,
            bias: layer.bias.as_deref().map(entry).transpose()?,
            transposed: Some(layer.transposed),
            channels_last: Some(layer.channels_last_flatten),
        })
    }
}

/// The tensors that may be a network's, in the order of the catalog.
fn of_network<'c>(catalog: &'c Catalog) -> Vec<&'c Entry> {
    let may_be = |entry: &&Entry| !is_state_of_training(&entry.name) && !matches!(entry.dtype, Dtype::Other(_));
    catalog.entries().iter().filter(may_be).collect()
}

/// What optimisers keep beside the weights.
fn is_state_of_training(name: &str) -> bool {
    ["optimizer/", "optimizer_weights/", "optimizer.", "optimizer_state"].iter().any(|start| name.starts_with(start))
}

/// What the last part of a bias's name may be.
const BIASES: [&str; 3] = ["bias", "b", "1"];

/// The name of a tensor's layer, and what says whether it is the weight or the bias: `features.0` and `weight`, `conv1_1` and
/// `W`, `fc1/fc1` and `b` of `fc1/fc1_b_1:0`, `conv2d/vars` and `1`.
fn parts(name: &str) -> (&str, &str) {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let name = name.strip_suffix("_1").unwrap_or(name);
    match name.rfind(['.', '/', '_']) {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => ("", name),
    }
}

/// Gathers the matches of one file.
struct Finder<'c> {
    catalog: &'c Catalog<'c>,
    matches: Vec<Match<'c>>,
}

impl<'c> Finder<'c> {
    /// The order that all kernels are in, told by where their 3×3 is.
    fn kernels(&self, convolutions: &[Found]) -> Result<Kernels> {
        let all = |test: fn(&[usize]) -> bool| convolutions.iter().all(|layer| test(&layer.weight.shape));
        if all(|shape| shape[2..] == [3, 3]) {
            return Ok(Kernels::Oihw);
        }
        if all(|shape| shape[..2] == [3, 3]) {
            return Ok(Kernels::Hwio);
        }
        let odd =
            convolutions.iter().find(|layer| layer.weight.shape[2..] != [3, 3] && layer.weight.shape[..2] != [3, 3]);
        let odd = odd.unwrap_or(&convolutions[0]);
        Err(self.refuse(odd.weight, format!("its shape is {:?}, but VGG16's kernels are 3×3", odd.weight.shape)))
    }

    /// Matches the convolutions; the numbers of filters by block.
    fn convolutions(&mut self, convolutions: &[Found<'c>], kernels: Kernels) -> Result<Vec<Vec<usize>>> {
        let (mut layers, mut widths) = (convolutions.iter(), Vec::new());
        let (mut number, mut channels) = (0, 3);
        for block in WIDTHS {
            let mut filters = Vec::new();
            for layer in layers.by_ref().take(block.len()) {
                let shape = &layer.weight.shape;
                let (out, input) = match kernels {
                    Kernels::Oihw => (shape[0], shape[1]),
                    Kernels::Hwio => (shape[3], shape[2]),
                };
                if input != channels {
                    let reason = format!("it reads {input} channels, but the layer before it gives {channels}");
                    return Err(self.refuse(layer.weight, reason));
                }
                let wanted = vec![out, input, 3, 3];
                let layout = (kernels == Kernels::Hwio).then(|| Layout::permute(shape, &[3, 2, 0, 1], wanted.clone()));
                self.matched(&format!("features.{number}"), layer, wanted, layout)?;
                (channels, number) = (out, number + 2);
                filters.push(out);
            }
            widths.push(filters);
            number += 1;
        }
        Ok(widths)
    }

    /// Matches the dense layers behind feature maps with this many channels; the maps' height and width, and the numbers of
    /// outputs.
    fn dense(&mut self, dense: &[Found<'c>], kernels: Kernels, channels: usize) -> Result<(usize, Vec<usize>)> {
        let (mut maps_side, mut inputs) = (MAPS, channels * MAPS * MAPS);
        let mut outputs = Vec::new();
        for (i, layer) in dense.iter().enumerate() {
            let &[first, second] = layer.weight.shape.as_slice() else {
                let reason =
                    format!("its shape is {:?}, but a dense layer's weights have two dimensions", layer.weight.shape);
                return Err(self.refuse(layer.weight, reason));
            };
            let by_input = layer.transposed.unwrap_or(kernels == Kernels::Hwio);
            let (input, out) = if by_input { (first, second) } else { (second, first) };
            if i == 0
                && let Some(side) = (1..=MOST_MAPS).find(|side| channels * side * side == input)
            {
                (maps_side, inputs) = (side, input);
            }
            if input != inputs {
                let before = if i == 0 {
                    format!("{channels} feature maps of 7×7 (or of another square)")
                } else {
                    "the layer before it".to_owned()
                };
                return Err(self.refuse(layer.weight, format!("it reads {input} values, but {before} give {inputs}")));
            }
            let channels_last = i == 0 && layer.channels_last.unwrap_or(kernels == Kernels::Hwio);
            let maps = if channels_last { [maps_side, maps_side, channels] } else { [inputs, 1, 1] };
            let layout = match (by_input, channels_last) {
                (false, false) => None,
                (true, _) => Some(Layout::permute(&[maps[0], maps[1], maps[2], out], &[3, 2, 0, 1], vec![out, inputs])),
                (false, true) => {
                    Some(Layout::permute(&[out, maps[0], maps[1], maps[2]], &[0, 3, 1, 2], vec![out, inputs]))
                }
            };
            self.matched(&format!("classifier.{}", 3 * i), layer, vec![out, inputs], layout)?;
            outputs.push(out);
            inputs = out;
        }
        Ok((maps_side, outputs))
    }

    /// Notes a layer's weight and its bias, which must have a number for each of the weight's outputs.
    fn matched(&mut self, name: &str, layer: &Found<'c>, shape: Vec<usize>, layout: Option<Layout>) -> Result<()> {
        let outputs = shape[0];
        self.matches.push(Match { name: format!("{name}.weight"), entry: layer.weight, shape, layout });
        let Some(bias) = layer.bias else {
            return Err(self.refuse(layer.weight, "there is no bias beside it, which VGG16's layers have".to_owned()));
        };
        if bias.shape != [outputs] {
            let reason =
                format!("its shape is {:?}, but the bias of {} needs {outputs} values", bias.shape, layer.weight.name);
            return Err(self.refuse(bias, reason));
        }
        self.matches.push(Match { name: format!("{name}.bias"), entry: bias, shape: vec![outputs], layout: None });
        Ok(())
    }

    fn refuse(&self, entry: &Entry, reason: String) -> Error {
        self.catalog.source().refuse_tensor(&entry.name, reason)
    }
}

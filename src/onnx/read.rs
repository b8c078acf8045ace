//! From a file to a network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use prost::Message as _;

use super::declared::{declared, sized};
use super::import::{self, Constant, Drawn, Failure, First, Known};
use super::imported::{Import, Imported};
use super::proto::{self, Model};
use crate::error::{Error, Result};
use crate::nn::Network;
use crate::tensor::Parameters;

/// The versions of the operators that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=22;

/// More nodes than the graph of any network has.
const MOST_NODES: usize = 1 << 17;

/// What there is, or what is wrong with the file.
type Told<T> = std::result::Result<T, String>;

/// How many numbers may be made besides as many as the file has bytes.
const SLACK: usize = 1 << 20;

/// Reads a network from an ONNX model of the opsets 6 to 22: the operators are those of `docs/onnx.md`. Nodes that only
/// compute shapes are computed here. Numbers of any precision become f32.
///
/// The first dimension of all inputs is taken for the batch, and must stay apart through the graph. Where the file fixes
/// it and the graph mixes it all the same, it counts as part of a sample ([`Imported::has_batch`]).
///
/// # Errors
/// [`Error::Unsupported`] with all operators that there are no operations for; [`Error::Model`] if the file is damaged, of
/// another opset, or leaves a size open that `import` does not say; [`Error::Io`] if it cannot be read.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::onnx::{self, Export, Import};
///
/// let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
/// let (parameters, folder) = (network.initialize(1)?, tempfile::tempdir().unwrap());
/// let path = folder.path().join("small.onnx");
/// onnx::write(&path, &network, &parameters, &Export::default())?;
/// let read = onnx::read(&path, &Import::default())?;
/// assert_eq!((read.network.output_shapes()?, read.parameters), (vec![vec![2]], parameters));
/// assert_eq!(read.outputs, ["probabilities"]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn read(path: &Path, import: &Import) -> Result<Imported> {
    let kind = fs::metadata(path).map_err(|error| Error::io(path, error))?.file_type();
    if !kind.is_file() {
        return Err(Error::model(path, "this is not an ordinary file"));
    }
    let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
    let refuse = |reason: String| Error::model(path, reason);
    let mut model = decode(&bytes).map_err(refuse)?;
    let mut budget = bytes.len() + SLACK;
    drop(bytes);
    let opset = opset(&model).map_err(refuse)?;
    let Some(mut graph) = model.graph.take() else { return Err(refuse("there is no graph in it".to_owned())) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let initializers = initializers(&mut graph, folder).map_err(refuse)?;
    budget += initializers.values().map(Constant::len).sum::<usize>();
    let declared = declared(&graph, &initializers).map_err(refuse)?;
    let outputs: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    if outputs.is_empty() || outputs.iter().collect::<BTreeSet<_>>().len() < outputs.len() {
        return Err(refuse("it has no outputs, or two of one name".to_owned()));
    }
    let sized = |batch| sized(&declared, import, batch).map_err(refuse);
    let inputs = sized(import.batch)?;
    let others = sized(import.batch.saturating_add(1))?;
    let known = Known {
        name: &graph.name,
        nodes: &graph.node,
        opset,
        initializers: &initializers,
        inputs: &inputs,
        outputs: &outputs,
        folder,
        budget,
    };
    let other = Known { inputs: &others, ..known };
    let (drawn, has_batch) = draw(&known, &other).map_err(|failure| match failure {
        Failure::Unsupported { operators, .. } => {
            Error::Unsupported { file: path.to_path_buf(), operators: operators.into_iter().collect() }
        }
        Failure::Damaged(reason) => refuse(reason),
    })?;
    let metadata = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok(Imported { network: drawn.network, parameters: drawn.parameters, outputs, has_batch, metadata })
}

impl Network {
    /// Reads a network and its parameters from an ONNX model whose sizes are all known: as [`read`].
    ///
    /// # Errors
    /// As [`read`].
    ///
    /// ```no_run
    /// use std::path::Path;
    /// use vultus::nn::Network;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let (network, parameters) = Network::from_onnx(Path::new("resnet18.onnx"))?;
    /// let mut plan = Device::best().load(&network, &parameters)?.compile(8, &Options::default())?;
    /// let scores = plan.run(&Tensor::zeros([&[8], network.input()].concat()))?;
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn from_onnx(path: &Path) -> Result<(Network, Parameters)> {
        let read = read(path, &Import::default())?;
        Ok((read.network, read.parameters))
    }
}

/// The model of a file.
fn decode(bytes: &[u8]) -> Told<Model> {
    if !proto::is_fair(bytes) {
        return Err("not an ONNX model, or damaged: it has too many empty messages".to_owned());
    }
    Model::decode(bytes).map_err(|error| format!("not an ONNX model, or damaged: {error}"))
}

/// The version of the operators.
fn opset(model: &Model) -> Told<i64> {
    let is_default = |set: &&proto::OperatorSet| ["", "ai.onnx"].contains(&set.domain.as_deref().unwrap_or_default());
    let version = model.opset_import.iter().find(is_default).map(|set| set.version);
    match version {
        Some(version) if OPSETS.contains(&version) => Ok(version),
        Some(version) => {
            let (first, last) = (OPSETS.start(), OPSETS.end());
            Err(format!("it is of opset {version}: {first} to {last} are read, convert it with onnx.version_converter"))
        }
        None => Err("not an ONNX model, or damaged: it does not say of which opset it is".to_owned()),
    }
}

/// The tensors of a graph by their names. Their numbers are taken out of it.
fn initializers(graph: &mut proto::Graph, folder: &Path) -> Told<BTreeMap<String, Constant>> {
    if graph.node.len() > MOST_NODES {
        return Err(format!("it has {} nodes: {MOST_NODES} are read at most", graph.node.len()));
    }
    let mut found = BTreeMap::new();
    for mut tensor in std::mem::take(&mut graph.initializer) {
        let name = std::mem::take(&mut tensor.name);
        let constant = import::constant(&mut tensor, folder)
            .map_err(|reason| format!("the tensor {name:?} is wrong: {reason}"))?;
        let constant = Constant { origin: Some(name.as_str().into()), ..constant };
        if found.insert(name.clone(), constant).is_some() {
            return Err(format!("two tensors are called {name:?}"));
        }
    }
    Ok(found)
}

/// The network of a graph, and whether its first dimension is the batch. `other` is the same graph for a batch of another
/// size, where that is open.
fn draw(graph: &Known, other: &Known) -> std::result::Result<(Drawn, bool), Failure> {
    let is_open = graph.inputs != other.inputs;
    let batch = |graph: &Known| graph.inputs[0].shape.first().copied();
    let same = |graph: &Known| graph.inputs.iter().all(|input| input.shape.first().copied() == batch(graph));
    let Some(size) = batch(graph).filter(|_| same(graph)) else {
        if is_open {
            return Err(Failure::Damaged(
                "the first dimensions of its inputs differ, and one of them is open".to_owned(),
            ));
        }
        return import::draw(graph, First::Sample).map(|drawn| (drawn, false));
    };
    match import::draw(graph, First::Batch(size)) {
        Ok(drawn) if is_open => match import::draw(other, First::Batch(size + 1)) {
            Ok(same) if same.network == drawn.network => Ok((drawn, true)),
            Ok(_) => Err(Failure::Damaged("what it computes of a sample depends on the size of the batch".to_owned())),
            Err(failure @ Failure::Unsupported { mixes_batch: true, .. }) => Err(failure),
            // The file says that the batch is open, but other sizes contradict it: it is of the size that was read.
            Err(_) => Ok((drawn, true)),
        },
        Ok(drawn) => Ok((drawn, true)),
        Err(failure @ Failure::Unsupported { mixes_batch: true, .. }) if !is_open => {
            import::draw(graph, First::Sample).map(|drawn| (drawn, false)).map_err(|_| failure)
        }
        Err(failure) => Err(failure),
    }
}

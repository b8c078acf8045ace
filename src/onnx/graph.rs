//! From the layers of a network to the nodes of a graph.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::export::{Export, Precision};
use super::initializer::Initializer;
use super::proto::{self, FLOAT, UINT8};
use crate::error::{Error, Result};
use crate::nn::{Layer, Network, Source};
use crate::ops::adaptive_avg_pool2d::window;
use crate::ops::{Conv2d, MaxPool2d, Normalization, Op, Shape, Softmax};
use crate::tensor::Parameters;

/// What the batch is called, whose size is only known when the model runs.
const BATCH: &str = "N";

/// A graph and its tensors, which are written one after the other.
pub(super) struct Graph<'a> {
    pub proto: proto::Graph,
    pub initializers: Vec<Initializer<'a>>,
    /// Names that are taken.
    names: BTreeSet<String>,
}

/// What a layer makes: the name of a value and its shape without the batch.
#[derive(Clone)]
pub(super) struct Value {
    pub name: String,
    pub shape: Shape,
}

impl Value {
    /// Its shape in a batch of one.
    pub fn with_batch(&self) -> Shape {
        [&[1], self.shape.as_slice()].concat()
    }
}

impl<'a> Graph<'a> {
    /// The graph of a network. `parameters` are the network's.
    pub fn of(network: &Network, parameters: &'a Parameters, export: &Export) -> Result<Self> {
        let names = parameters.keys().cloned().collect();
        let proto = proto::Graph { name: network.name().to_owned(), ..proto::Graph::default() };
        let mut graph = Graph { proto, initializers: Vec::new(), names };
        let parameters = graph.parameters(network, parameters, export.precision)?;
        let inputs = graph.inputs(network, export)?;
        let (held, constants) = graph.held(network, &parameters);
        let outputs = network.outputs();
        let mut values: Vec<Value> = Vec::new();
        for (index, layer) in network.layers().iter().enumerate() {
            let read = |source: &Source| match *source {
                Source::Input(input) => inputs[input].clone(),
                Source::Layer(layer) => values[layer].clone(),
                Source::Parameter(index) => held[index].clone(),
                Source::Constant(index) => constants[index].clone(),
            };
            let is_answer = outputs == [index] && layer.op == Op::Softmax(Softmax::default());
            let name = if is_answer { "probabilities" } else { &layer.name };
            let inputs = layer.inputs.iter().map(read).collect();
            let value = graph.layer(layer, name, inputs, &parameters)?;
            values.push(value);
        }
        let mut read: BTreeSet<String> = inputs.into_iter().map(|input| input.name).collect();
        for index in outputs {
            let mut value = values[index].clone();
            if !read.insert(value.name.clone()) {
                // An input is no output, and no output is one twice.
                let name = graph.name(&network.layers()[index].name);
                value.name = graph.node("Identity", name, vec![value.name], vec![]);
            }
            let output = info(&value.name, FLOAT, &value.shape);
            graph.proto.output.push(output);
        }
        Ok(graph)
    }

    /// The parameters as initialisers, and the value that each is read as, by the parameter's name.
    fn parameters(
        &mut self,
        network: &Network,
        parameters: &'a Parameters,
        precision: Precision,
    ) -> Result<BTreeMap<String, String>> {
        let mut values = BTreeMap::new();
        for (name, _) in network.parameter_shapes()? {
            let Some(tensor) = parameters.get(&name) else { continue };
            let (shape, numbers) = (tensor.shape().to_vec(), Cow::Borrowed(tensor.data()));
            self.initializers.push(Initializer { name: name.clone(), shape, values: numbers, precision });
            let value = match precision {
                Precision::F32 => name.clone(),
                Precision::F16 => {
                    let value = self.name(&format!("{name}.f32"));
                    self.node("Cast", value, vec![name.clone()], vec![integer("to", i64::from(FLOAT))])
                }
            };
            values.insert(name, value);
        }
        Ok(values)
    }

    /// The values that the network holds: parameters, and constants. Their first dimension stands where the batch does.
    fn held(&mut self, network: &Network, parameters: &BTreeMap<String, String>) -> (Vec<Value>, Vec<Value>) {
        let rest = |shape: &[usize]| shape.get(1..).unwrap_or_default().to_vec();
        let held = network.held();
        let parameter = |(name, shape): &(String, Shape)| {
            let name = parameters.get(name).unwrap_or(name).clone();
            Value { name, shape: rest(shape) }
        };
        let all = held.parameters.iter().map(parameter).collect();
        let mut constants = Vec::new();
        for (index, tensor) in held.constants.iter().enumerate() {
            let name = self.tensor(&format!("constant.{index}"), tensor.shape(), tensor.data().to_vec());
            constants.push(Value { name, shape: rest(tensor.shape()) });
        }
        (all, constants)
    }

    /// The graph's inputs, and the values of the network's.
    fn inputs(&mut self, network: &Network, export: &Export) -> Result<Vec<Value>> {
        match &export.preprocessing {
            Some(_) if network.inputs().len() > 1 => {
                return Err(Error::shape(network.name(), "has several inputs: none of them is taken for a picture"));
            }
            Some(normalization) => return Ok(vec![self.image(network, normalization)?]),
            None => {}
        }
        let mut values = Vec::new();
        for (name, shape) in network.inputs() {
            let value = Value { name: self.name(name), shape: shape.to_vec() };
            self.proto.input.push(info(&value.name, FLOAT, &value.shape));
            values.push(value);
        }
        Ok(values)
    }

    /// A graph's input of pictures, and the value of the network's.
    fn image(&mut self, network: &Network, normalization: &Normalization) -> Result<Value> {
        let &[3, height, width] = network.input() else {
            let reason = format!("takes {:?}: a preprocessing gives [3, height, width]", network.input());
            return Err(Error::shape(network.name(), reason));
        };
        let image = Value { name: self.name("image"), shape: vec![height, width, 3] };
        self.proto.input.push(info(&image.name, UINT8, &image.shape));
        Ok(self.preprocess(image, normalization))
    }

    /// Adds a layer's nodes.
    fn layer(
        &mut self,
        layer: &Layer,
        name: &str,
        inputs: Vec<Value>,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Value> {
        let x = inputs[0].clone();
        if let Some(value) = self.arrange(name, &layer.op, &inputs)? {
            return Ok(value);
        }
        let mut names: Vec<String> = inputs.into_iter().map(|value| value.name).collect();
        names.extend(layer.parameters.iter().map(|parameter| parameters[parameter].clone()));
        let shape = x.shape.clone();
        let (op, attributes, shape) = match &layer.op {
            Op::Dropout(_) | Op::StochasticDepth(_) => return Ok(x),
            Op::Conv2d(conv) => {
                let size = conv.output_size(plane(&shape))?;
                ("Conv", conv_attributes(*conv), vec![layer.features, size[0], size[1]])
            }
            Op::Activation(activation) => return Ok(self.activation(name, *activation, x)),
            Op::Unary(function) => return Ok(self.unary(name, *function, x)),
            Op::BatchNorm2d(norm) => ("BatchNormalization", vec![float("epsilon", norm.eps)], shape),
            Op::LayerNorm(norm) => ("LayerNormalization", vec![float("epsilon", norm.eps)], shape),
            Op::RelativePositionBias(bias) => return Ok(self.position_bias(name, *bias, &names, shape)),
            Op::Prelu => {
                self.spread(&layer.parameters[0], shape.len());
                ("PRelu", vec![], shape)
            }
            Op::MaxPool2d(pool) => {
                let size = pool.output_size(plane(&shape))?;
                ("MaxPool", pool_attributes(*pool, plane(&shape), size), vec![shape[0], size[0], size[1]])
            }
            Op::AdaptiveAvgPool2d(pool) => return Ok(self.average(name, x, pool.output)),
            Op::Dense(_) if shape.len() == 1 => ("Gemm", vec![integer("transB", 1)], vec![layer.features]),
            Op::Dense(_) => {
                let rows = &shape[..shape.len() - 1];
                return Ok(self.dense_of_rows(name, &names, [rows, &[layer.features]].concat()));
            }
            other => {
                let reason = format!("{} of {shape:?} has no form in ONNX here", other.name());
                return Err(Error::invalid(&layer.name, reason));
            }
        };
        let name = self.name(name);
        Ok(Value { name: self.node(op, name, names, attributes), shape })
    }

    /// The mean over windows that give an output of this size. ONNX knows windows of one size and step; others are a
    /// product with a matrix of shares along each axis.
    fn average(&mut self, name: &str, x: Value, output: [usize; 2]) -> Value {
        let ([h, w], channels) = (plane(&x.shape), x.shape[0]);
        let shape = vec![channels, output[0], output[1]];
        if output == [1, 1] {
            let name = self.name(name);
            return Value { name: self.node("GlobalAveragePool", name, vec![x.name], vec![]), shape };
        }
        if h.is_multiple_of(output[0]) && w.is_multiple_of(output[1]) {
            let steps = [h / output[0], w / output[1]];
            let name = self.name(name);
            let attributes = vec![integers("kernel_shape", steps), integers("strides", steps)];
            return Value { name: self.node("AveragePool", name, vec![x.name], attributes), shape };
        }
        let rows = self.shares(&format!("{name}.rows"), h, output[0], |o, i| [o, i]);
        let columns = self.shares(&format!("{name}.columns"), w, output[1], |o, i| [i, o]);
        let between = self.name(&format!("{name}.down"));
        let down = self.node("MatMul", between, vec![rows, x.name], vec![]);
        let name = self.name(name);
        Value { name: self.node("MatMul", name, vec![down, columns], vec![]), shape }
    }

    /// The share that each input has in each output along an axis, as a matrix with the input and the output in this
    /// order.
    fn shares(
        &mut self,
        name: &str,
        input: usize,
        output: usize,
        order: impl Fn(usize, usize) -> [usize; 2],
    ) -> String {
        let shape = order(output, input);
        let mut shares = vec![0.0; input * output];
        for o in 0..output {
            let inputs = window(o, input, output);
            for i in inputs.clone() {
                let [row, column] = order(o, i);
                shares[row * shape[1] + column] = 1.0 / inputs.len() as f32;
            }
        }
        self.tensor(name, &shape, shares)
    }

    /// Adds a node with one output, which has its name.
    pub fn node(&mut self, op: &str, name: String, input: Vec<String>, attribute: Vec<proto::Attribute>) -> String {
        let (op_type, output) = (op.to_owned(), vec![name.clone()]);
        self.proto.node.push(proto::Node {
            input,
            output,
            name: name.clone(),
            op_type,
            attribute,
            domain: String::new(),
        });
        name
    }

    /// Adds a tensor of numbers.
    pub fn tensor(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> String {
        let (name, shape, values) = (self.name(name), shape.to_vec(), Cow::Owned(values));
        self.initializers.push(Initializer { name: name.clone(), shape, values, precision: Precision::F32 });
        name
    }

    /// Gives a parameter as many dimensions as the values have that it is used with, each of the new ones with the size
    /// 1, so that slopes of channels spread over feature maps.
    fn spread(&mut self, name: &str, dimensions: usize) {
        if let Some(parameter) = self.initializers.iter_mut().find(|tensor| tensor.name == name) {
            parameter.shape.resize(dimensions, 1);
        }
    }

    /// This name, or one that begins with it if it is taken.
    pub fn name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.names.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// Height and width of feature maps.
fn plane(shape: &[usize]) -> [usize; 2] {
    [shape.get(1).copied().unwrap_or(1), shape.get(2).copied().unwrap_or(1)]
}

fn conv_attributes(conv: Conv2d) -> Vec<proto::Attribute> {
    vec![
        integers("kernel_shape", conv.kernel),
        integers("strides", conv.stride),
        integers("pads", conv.padding),
        integers("dilations", conv.dilation),
        integer("group", conv.groups as i64),
    ]
}

/// Windows that only partly cover the input are had by more padding behind it, of which ONNX takes no maximum either: its
/// own `ceil_mode` counts windows that begin behind the input.
fn pool_attributes(pool: MaxPool2d, input: [usize; 2], output: [usize; 2]) -> Vec<proto::Attribute> {
    let MaxPool2d { kernel, stride, padding, .. } = pool;
    let behind = [0, 1]
        .map(|axis| ((output[axis] - 1) * stride[axis] + kernel[axis]).saturating_sub(input[axis] + padding[axis]));
    vec![
        integers("kernel_shape", kernel),
        integers("strides", stride),
        integers("pads", [padding[0], padding[1], behind[0], behind[1]]),
    ]
}

/// An attribute that is a whole number.
pub(super) fn integer(name: &str, value: i64) -> proto::Attribute {
    proto::Attribute { name: name.to_owned(), i: Some(value), r#type: proto::INT, ..proto::Attribute::default() }
}

/// An attribute that is a number.
pub(super) fn float(name: &str, value: f32) -> proto::Attribute {
    proto::Attribute {
        name: name.to_owned(),
        f: Some(value),
        r#type: proto::FLOAT_ATTRIBUTE,
        ..proto::Attribute::default()
    }
}

/// An attribute that is a list of whole numbers.
pub(super) fn integers(name: &str, values: impl AsRef<[usize]>) -> proto::Attribute {
    let ints = values.as_ref().iter().map(|&value| value as i64).collect();
    proto::Attribute { name: name.to_owned(), ints, r#type: proto::INTS, ..proto::Attribute::default() }
}

/// An attribute that is a word.
pub(super) fn text(name: &str, value: &str) -> proto::Attribute {
    let s = Some(value.as_bytes().to_vec());
    proto::Attribute { name: name.to_owned(), s, r#type: proto::STRING, ..proto::Attribute::default() }
}

/// An input or output of the graph.
fn info(name: &str, elem_type: i32, shape: &[usize]) -> proto::ValueInfo {
    let size = |&size: &usize| proto::Dimension { dim_value: Some(size as i64), dim_param: None };
    let batch = proto::Dimension { dim_value: None, dim_param: Some(BATCH.to_owned()) };
    let shape = proto::TensorShape { dim: [batch].into_iter().chain(shape.iter().map(size)).collect() };
    let tensor_type = Some(proto::TensorType { elem_type, shape: Some(shape) });
    proto::ValueInfo { name: name.to_owned(), r#type: Some(proto::Type { tensor_type }) }
}

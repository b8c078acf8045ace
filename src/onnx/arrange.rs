//! Nodes of the operations that combine, move and resize values.

use super::graph::{Graph, Value, integer, integers, text};
use crate::error::{Error, Result};
use crate::ops::{AvgPool2d, Interpolation, MaskedFill, Op, Pad, Reshape, Slice, Upsample};

impl Graph<'_> {
    /// The nodes of such an operation; `None` where it is another one.
    pub(super) fn arrange(&mut self, name: &str, op: &Op, inputs: &[Value]) -> Result<Option<Value>> {
        let (x, shapes) = (inputs[0].clone(), inputs.iter().map(Value::with_batch).collect::<Vec<_>>());
        let shape = |op: &Op| {
            let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
            Ok::<_, Error>(op.output_shapes(&shapes)?[0][1..].to_vec())
        };
        let names: Vec<String> = inputs.iter().map(|value| value.name.clone()).collect();
        let (operator, names, attributes) = match op {
            Op::Add => ("Add", names, vec![]),
            Op::Mul => ("Mul", names, vec![]),
            Op::MaskedFill(fill) => ("Where", self.choice(name, *fill, names), vec![]),
            Op::Concat(concat) => ("Concat", names, vec![integer("axis", concat.dim as i64)]),
            Op::Softmax(softmax) => ("Softmax", names, vec![integer("axis", softmax.dim as i64)]),
            Op::Transpose(transpose) => ("Transpose", names, vec![integers("perm", &transpose.permutation)]),
            Op::ReduceMean(mean) => {
                let keeps = integer("keepdims", i64::from(mean.keepdim));
                ("ReduceMean", names, vec![integers("axes", &mean.dims), keeps])
            }
            Op::AvgPool2d(pool) => ("AveragePool", names, average_attributes(*pool, &x)?),
            Op::Reshape(reshape) => {
                let shape = shape(op)?;
                return Ok(Some(self.reshape(name, reshape, x, shape)));
            }
            Op::MatMul(matmul) => {
                let shape = shape(op)?;
                return Ok(Some(self.matmul(name, *matmul, inputs, shape)));
            }
            Op::Slice(slice) => ("Slice", self.slice(name, slice, &x), vec![]),
            Op::Pad(pad) => ("Pad", self.pad(name, pad, &x), vec![]),
            Op::Upsample(upsample) => ("Resize", self.upsample(name, *upsample, &x), resize_attributes(*upsample)),
            _ => return Ok(None),
        };
        let shape = shape(op)?;
        let name = self.name(name);
        Ok(Some(Value { name: self.node(operator, name, names, attributes), shape }))
    }

    fn reshape(&mut self, name: &str, reshape: &Reshape, x: Value, shape: Vec<usize>) -> Value {
        if reshape.sizes() == [None] {
            let name = self.name(name);
            return Value { name: self.node("Flatten", name, vec![x.name], vec![integer("axis", 1)]), shape };
        }
        // A size of 0 stands for what the input has: the batch.
        let sizes = self.whole_numbers(&format!("{name}.shape"), &[&[0], shape.as_slice()].concat());
        let name = self.name(name);
        Value { name: self.node("Reshape", name, vec![x.name, sizes], vec![]), shape }
    }

    /// The inputs of a slice: the value, where each dimension begins and ends, and which they are.
    fn slice(&mut self, name: &str, slice: &Slice, x: &Value) -> Vec<String> {
        let sizes = x.with_batch();
        let dims: Vec<usize> = (1..sizes.len()).filter(|&d| slice.range(d, sizes[d]) != (0..sizes[d])).collect();
        let starts: Vec<usize> = dims.iter().map(|&d| slice.range(d, sizes[d]).start).collect();
        let ends: Vec<usize> = dims.iter().map(|&d| slice.range(d, sizes[d]).end).collect();
        let numbers = [("starts", starts), ("ends", ends), ("axes", dims)];
        let numbers = numbers.map(|(what, values)| self.whole_numbers(&format!("{name}.{what}"), &values));
        std::iter::once(x.name.clone()).chain(numbers).collect()
    }

    /// The inputs of a choice: the mask as truth values, what is there where it holds, and what is elsewhere.
    fn choice(&mut self, name: &str, fill: MaskedFill, inputs: Vec<String>) -> Vec<String> {
        let value = self.tensor(&format!("{name}.value"), &[], vec![fill.value]);
        let mask = self.name(&format!("{name}.mask"));
        let zero = self.tensor(&format!("{name}.zero"), &[], vec![0.0]);
        let mask = self.node("Greater", mask, vec![inputs[1].clone(), zero], vec![]);
        vec![mask, value, inputs[0].clone()]
    }

    /// The inputs of a pad: the value, the sizes of all borders before and then of all after, and what they hold.
    fn pad(&mut self, name: &str, pad: &Pad, x: &Value) -> Vec<String> {
        let sizes: Vec<usize> = [0, 1].into_iter().flat_map(|side| pad.padding.iter().map(move |p| p[side])).collect();
        let sizes = self.whole_numbers(&format!("{name}.pads"), &sizes);
        let value = self.tensor(&format!("{name}.value"), &[], vec![pad.value]);
        vec![x.name.clone(), sizes, value]
    }

    /// The inputs of a resize: the value and, after two that are left out, all sizes of the result. These hold the batch,
    /// whose size is only known when the model runs.
    fn upsample(&mut self, name: &str, upsample: Upsample, x: &Value) -> Vec<String> {
        let batch = self.name(&format!("{name}.batch"));
        let batch = self.node("Shape", batch, vec![x.name.clone()], vec![integer("start", 0), integer("end", 1)]);
        let [height, width] = upsample.size;
        let rest = self.whole_numbers(&format!("{name}.rest"), &[x.shape[0], height, width]);
        let sizes = self.name(&format!("{name}.sizes"));
        let sizes = self.node("Concat", sizes, vec![batch, rest], vec![integer("axis", 0)]);
        vec![x.name.clone(), String::new(), String::new(), sizes]
    }

    /// Adds a list of whole numbers.
    pub(super) fn whole_numbers(&mut self, name: &str, values: &[usize]) -> String {
        let name = self.name(name);
        self.node("Constant", name, vec![], vec![integers("value_ints", values)])
    }
}

fn resize_attributes(upsample: Upsample) -> Vec<super::proto::Attribute> {
    let (mode, places) = match upsample.interpolation {
        Interpolation::Nearest => ("nearest", "asymmetric"),
        Interpolation::Bilinear { align_corners: true } => ("linear", "align_corners"),
        Interpolation::Bilinear { align_corners: false } => ("linear", "half_pixel"),
    };
    vec![text("mode", mode), text("coordinate_transformation_mode", places), text("nearest_mode", "floor")]
}

/// A last window that only partly covers the input is had by more padding after it.
fn average_attributes(pool: AvgPool2d, x: &Value) -> Result<Vec<super::proto::Attribute>> {
    let output = pool.output_size([x.shape[1], x.shape[2]])?;
    let after = [0, 1].map(|axis| {
        let reached = (output[axis] - 1) * pool.stride[axis] + pool.kernel[axis];
        reached.saturating_sub(x.shape[1 + axis] + pool.padding[axis])
    });
    if pool.count_include_pad && (0..2).any(|axis| after[axis] > pool.padding[axis]) {
        let reason =
            "windows that reach beyond the padding and count it have no form in ONNX: use count_include_pad: false";
        return Err(Error::invalid("avg_pool2d", reason));
    }
    let [top, left] = pool.padding;
    Ok(vec![
        integers("kernel_shape", pool.kernel),
        integers("strides", pool.stride),
        integers("pads", [top, left, after[0], after[1]]),
        integer("count_include_pad", i64::from(pool.count_include_pad)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Network;
    use crate::onnx::Export;
    use crate::tensor::Parameters;

    /// The nodes of a network without parameters: operator, inputs and attributes' names.
    fn nodes(network: &Network) -> Vec<(String, usize, Vec<String>)> {
        let parameters = Parameters::new();
        let graph = Graph::of(network, &parameters, &Export::default()).unwrap();
        let node = |node: &crate::onnx::proto::Node| {
            let attributes = node.attribute.iter().map(|attribute| attribute.name.clone()).collect();
            (node.op_type.clone(), node.input.len(), attributes)
        };
        graph.proto.node.iter().map(node).collect()
    }

    #[test]
    fn every_operation_becomes_its_node() {
        let size = [5, 9];
        let network = Network::new("all", [4, 6, 6])
            .slice("slice", 1, 1..3)
            .pad("pad", &[[0, 0], [0, 0], [0, 1], [1, 0]], 0.5)
            .avg_pool2d("pool", AvgPool2d { ceil_mode: true, count_include_pad: false, ..AvgPool2d::new(2, 2) })
            .upsample("up", Upsample { size, interpolation: Interpolation::Nearest })
            .transpose("turned", &[0, 2, 3, 1])
            .concat("both", &["turned"], 1)
            .unwrap()
            .reduce_mean("mean", &[3], true)
            .mul("product", "both")
            .unwrap()
            .stochastic_depth(0.5)
            .add("sum", "mean")
            .unwrap()
            .reshape("rows", &[Some(10), None])
            .softmax();
        let found = nodes(&network);
        let operators: Vec<&str> = found.iter().map(|(operator, ..)| operator.as_str()).collect();
        let wanted = "Constant Constant Constant Slice Constant Pad AveragePool Shape Constant Concat Resize Transpose Concat \
                      ReduceMean Mul Add Constant Reshape Softmax";
        assert_eq!(operators.join(" "), wanted);
        let of = |operator: &str| found.iter().find(|(found, ..)| found == operator).unwrap();
        assert_eq!((of("Slice").1, of("Pad").1, of("Resize").1, of("Reshape").1), (4, 3, 4, 2));
        assert_eq!(of("AveragePool").2, ["kernel_shape", "strides", "pads", "count_include_pad"]);
        assert_eq!(of("Resize").2, ["mode", "coordinate_transformation_mode", "nearest_mode"]);
    }

    #[test]
    fn windows_that_count_more_than_the_padding_are_refused() {
        let pool = AvgPool2d { ceil_mode: true, ..AvgPool2d::new(2, 2) };
        let network = Network::new("pool", [1, 5, 5]).avg_pool2d("pool", pool);
        let error = Graph::of(&network, &Parameters::new(), &Export::default()).err().unwrap();
        assert!(error.to_string().contains("count_include_pad"), "{error}");
    }
}

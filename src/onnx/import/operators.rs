//! Which operators are read, and what makes layers of them. `docs/onnx.md` says what is supported of each.

use super::draft::Draft;
use super::node::Node;
use super::refusal::Outcome;
use super::value::Value;
use super::{
    activation, arithmetic, arrange, cast, convolution, normalize, parts, pool, product, reduce, resize, truth,
};

/// Adds the layers of a node.
pub(super) type Reader = fn(&mut Draft, &Node) -> Outcome<Vec<Value>>;

/// Every operator; those without a reader are only computed where all that they depend on is known.
pub(super) const OPERATORS: [(&str, Option<Reader>); 103] = [
    ("Abs", Some(activation::elementary)),
    ("Add", Some(arithmetic::two)),
    ("And", Some(truth::logic)),
    ("AveragePool", Some(pool::average_pool)),
    ("BatchNormalization", Some(normalize::batch_norm)),
    ("Cast", Some(cast::cast)),
    ("CastLike", Some(cast::cast_like)),
    ("Ceil", Some(activation::elementary)),
    ("Celu", Some(activation::composed)),
    ("Clip", Some(activation::clip)),
    ("Concat", Some(parts::concat)),
    ("Constant", None),
    ("ConstantOfShape", None),
    ("Conv", Some(convolution::conv)),
    ("ConvTranspose", Some(convolution::conv_transpose)),
    ("Cos", Some(activation::elementary)),
    ("DepthToSpace", Some(arrange::blocks)),
    ("Div", Some(arithmetic::two)),
    ("Dropout", Some(arrange::identity)),
    ("Elu", Some(activation::elementary)),
    ("Equal", Some(truth::compare)),
    ("Erf", Some(arithmetic::erf)),
    ("Exp", Some(activation::elementary)),
    ("Expand", Some(arrange::expand)),
    ("Flatten", Some(arrange::reshape)),
    ("Floor", Some(activation::elementary)),
    ("Gather", Some(parts::gather)),
    ("Gelu", Some(activation::simple)),
    ("Gemm", Some(product::gemm)),
    ("GlobalAveragePool", Some(pool::global)),
    ("GlobalMaxPool", Some(pool::global)),
    ("Greater", Some(truth::compare)),
    ("GreaterOrEqual", Some(truth::compare)),
    ("GroupNormalization", Some(normalize::group_norm)),
    ("HardSigmoid", Some(activation::hard_sigmoid)),
    ("HardSwish", Some(activation::simple)),
    ("Identity", Some(arrange::identity)),
    ("InstanceNormalization", Some(normalize::group_norm)),
    ("IsInf", Some(truth::compare)),
    ("IsNaN", Some(truth::compare)),
    ("LRN", Some(normalize::local_response_norm)),
    ("LayerNormalization", Some(normalize::layer_norm)),
    ("LeakyRelu", Some(activation::simple)),
    ("Less", Some(truth::compare)),
    ("LessOrEqual", Some(truth::compare)),
    ("Log", Some(activation::elementary)),
    ("LogSoftmax", Some(normalize::softmax)),
    ("LpNormalization", Some(normalize::lp_norm)),
    ("MatMul", Some(product::matmul)),
    ("Max", Some(arithmetic::extremes)),
    ("MaxPool", Some(pool::max_pool)),
    ("Mean", Some(arithmetic::several)),
    ("Min", Some(arithmetic::extremes)),
    ("Mish", Some(activation::composed)),
    ("Mod", None),
    ("Mul", Some(arithmetic::two)),
    ("Neg", Some(arithmetic::negative)),
    ("Not", Some(truth::logic)),
    ("Or", Some(truth::logic)),
    ("PRelu", Some(activation::prelu)),
    ("Pad", Some(arrange::pad)),
    ("Pow", Some(arithmetic::power)),
    ("Range", None),
    ("Reciprocal", Some(activation::elementary)),
    ("ReduceL1", Some(reduce::reduce)),
    ("ReduceL2", Some(reduce::reduce)),
    ("ReduceLogSum", Some(reduce::reduce)),
    ("ReduceLogSumExp", Some(reduce::reduce)),
    ("ReduceMax", Some(reduce::reduce)),
    ("ReduceMean", Some(reduce::reduce)),
    ("ReduceMin", Some(reduce::reduce)),
    ("ReduceProd", None),
    ("ReduceSum", Some(reduce::reduce)),
    ("ReduceSumSquare", Some(reduce::reduce)),
    ("Relu", Some(activation::simple)),
    ("Reshape", Some(arrange::reshape)),
    ("Resize", Some(resize::resize)),
    ("Round", Some(activation::elementary)),
    ("Selu", Some(activation::composed)),
    ("Shape", Some(arrange::shape)),
    ("Shrink", Some(activation::composed)),
    ("Sigmoid", Some(activation::simple)),
    ("Sign", Some(activation::elementary)),
    ("Sin", Some(activation::elementary)),
    ("Size", Some(arrange::shape)),
    ("Slice", Some(parts::slice)),
    ("Softmax", Some(normalize::softmax)),
    ("Softplus", Some(activation::elementary)),
    ("Softsign", Some(activation::elementary)),
    ("SpaceToDepth", Some(arrange::blocks)),
    ("Split", Some(parts::split)),
    ("Sqrt", Some(activation::elementary)),
    ("Squeeze", Some(arrange::reshape)),
    ("Sub", Some(arithmetic::two)),
    ("Sum", Some(arithmetic::several)),
    ("Tanh", Some(activation::elementary)),
    ("ThresholdedRelu", Some(activation::composed)),
    ("Tile", Some(arrange::tile)),
    ("Transpose", Some(arrange::transpose)),
    ("Unsqueeze", Some(arrange::reshape)),
    ("Upsample", Some(resize::resize)),
    ("Where", Some(truth::choose)),
    ("Xor", Some(truth::logic)),
];

/// What makes layers of an operator, if it is known.
pub(super) fn reader(operator: &str) -> Option<Option<Reader>> {
    let place = OPERATORS.binary_search_by_key(&operator, |(name, _)| *name);
    place.ok().map(|place| OPERATORS[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_found_by_their_names() {
        assert!(OPERATORS.is_sorted_by_key(|(name, _)| *name));
        assert!(reader("Conv").is_some_and(|reader| reader.is_some()));
        assert!(reader("Range").is_some_and(|reader| reader.is_none()));
        assert!(reader("Einsum").is_none());
    }

    #[test]
    fn the_document_has_a_row_for_each() {
        let document = include_str!("../../../docs/onnx.md");
        let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        let rows: Vec<String> = document.lines().filter_map(row).collect();
        let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows, names);
    }
}

//! Changes to models that stay messages: other names, numbers, shapes and attributes, fields that are missing, come twice,
//! or are another model's, nodes in another order or in circles.

use vultus::Random;

use crate::message::{Content, Field, Kind, encode, parse};

/// Numbers that sizes, axes and types are replaced by; those of one to three digits are read as such.
const NUMBERS: [u64; 20] = [
    0,
    1,
    2,
    3,
    4,
    5,
    7,
    11,
    16,
    255,
    1 << 10,
    1 << 15,
    1 << 20,
    1 << 31,
    1 << 32,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
    u64::MAX - 1,
    1 << 63,
];

/// Real numbers that others are replaced by.
const REALS: [f32; 8] = [0.0, 1.0, -1.0, 0.5, 1e30, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];

/// Operators, attributes and their words.
const WORDS: [&str; 112] = [
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "Range",
    "Reciprocal",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Selu",
    "Shape",
    "Shrink",
    "Sigmoid",
    "Sign",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "ThresholdedRelu",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Upsample",
    "Where",
    "If",
    "alpha",
    "axes",
    "axis",
    "beta",
    "blocksize",
    "ceil_mode",
    "dilations",
    "epsilon",
    "group",
    "kernel_shape",
    "keepdims",
    "mode",
    "num_groups",
    "output_padding",
    "output_shape",
    "pads",
    "perm",
    "scales",
    "size",
    "starts",
    "steps",
    "strides",
    "reflect",
    "edge",
    "wrap",
    "linear",
    "CRD",
    "SAME_LOWER",
];

/// Models to change, and what is in them.
pub struct Corpus {
    models: Vec<Vec<Field>>,
    /// All fields of all models, with the kind of message that they are in.
    parts: Vec<(Kind, Field)>,
}

impl Corpus {
    pub fn new(files: &[Vec<u8>]) -> Self {
        let models: Vec<Vec<Field>> = files.iter().map(|bytes| parse(bytes, Kind::Model)).collect();
        let mut parts = Vec::new();
        models.iter().for_each(|model| collect(Kind::Model, model, &mut parts));
        Corpus { models, parts }
    }

    /// One of the models with one to four changes.
    pub fn changed(&self, seed: usize) -> Vec<u8> {
        let mut random = Random::new(seed as u64);
        let mut model = self.models[random.below(self.models.len())].clone();
        for _ in 0..1 + random.below(4) {
            self.change(&mut model, &mut random);
        }
        encode(&model)
    }

    fn change(&self, model: &mut Vec<Field>, random: &mut Random) {
        let mut place = random.below(count(model));
        let names: Vec<Vec<u8>> = names(model);
        let Some((kind, fields, at)) = find(Kind::Model, model, &mut place) else { return };
        match random.below(8) {
            0 => drop(fields.remove(at)),
            1 => {
                let copy = fields[at].clone();
                fields.insert(random.below(fields.len() + 1), copy);
            }
            2 => {
                let other = random.below(fields.len());
                fields.swap(at, other);
            }
            3 => {
                let same: Vec<&Field> = self.parts.iter().filter(|part| part.0 == kind).map(|part| &part.1).collect();
                let other = same[random.below(same.len())].clone();
                if random.below(2) == 0 { fields[at] = other } else { fields.insert(at, other) }
            }
            _ => replace(&mut fields[at].content, &names, random),
        }
    }
}

/// Another number, name or word in the place of this one.
fn replace(content: &mut Content, names: &[Vec<u8>], random: &mut Random) {
    match content {
        Content::Number(value) => {
            *value = match random.below(4) {
                0 => value.wrapping_add(1),
                1 => value.wrapping_sub(1),
                _ => NUMBERS[random.below(NUMBERS.len())],
            };
        }
        Content::Fixed(bytes) if bytes.len() == 4 => {
            *bytes = REALS[random.below(REALS.len())].to_le_bytes().to_vec();
        }
        Content::Fixed(bytes) => *bytes = NUMBERS[random.below(NUMBERS.len())].to_le_bytes().to_vec(),
        // Numbers of a tensor: whole ones of eight bytes, or real ones.
        Content::Bytes(bytes) if bytes.len() >= 8 && bytes.len() % 4 == 0 && random.below(2) == 0 => {
            let at = 4 * random.below(bytes.len() / 4 - 1);
            match random.below(2) {
                0 => bytes[at..at + 4].copy_from_slice(&REALS[random.below(REALS.len())].to_le_bytes()),
                _ => bytes[at..at + 8].copy_from_slice(&NUMBERS[random.below(NUMBERS.len())].to_le_bytes()),
            }
        }
        Content::Bytes(bytes) => {
            *bytes = match random.below(2) {
                0 if !names.is_empty() => names[random.below(names.len())].clone(),
                _ => WORDS[random.below(WORDS.len())].as_bytes().to_vec(),
            };
        }
        Content::Message(_, fields) => {
            if !fields.is_empty() {
                let at = random.below(fields.len());
                replace(&mut fields[at].content, names, random);
            }
        }
    }
}

fn collect(kind: Kind, fields: &[Field], parts: &mut Vec<(Kind, Field)>) {
    for field in fields {
        parts.push((kind, field.clone()));
        if let Content::Message(inner, fields) = &field.content {
            collect(*inner, fields, parts);
        }
    }
}

/// How many fields a message has, with those of the messages within.
fn count(fields: &[Field]) -> usize {
    let inner = |field: &Field| if let Content::Message(_, fields) = &field.content { count(fields) } else { 0 };
    fields.iter().map(|field| 1 + inner(field)).sum()
}

/// The message that the field of this number is in, and where.
fn find<'f>(kind: Kind, fields: &'f mut Vec<Field>, left: &mut usize) -> Option<(Kind, &'f mut Vec<Field>, usize)> {
    let mut inner = None;
    for (index, field) in fields.iter().enumerate() {
        let of_field = if let Content::Message(_, fields) = &field.content { count(fields) } else { 0 };
        if *left == 0 {
            return Some((kind, fields, index));
        }
        *left -= 1;
        if *left < of_field {
            inner = Some(index);
            break;
        }
        *left -= of_field;
    }
    match &mut fields[inner?].content {
        Content::Message(kind, fields) => find(*kind, fields, left),
        _ => None,
    }
}

/// What the values of a model are called.
fn names(model: &[Field]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    collect(Kind::Model, model, &mut parts);
    let is_name = |(kind, field): &(Kind, Field)| match kind {
        Kind::Node => field.number <= 2,
        Kind::ValueInfo => field.number == 1,
        Kind::Tensor => field.number == 8,
        _ => false,
    };
    let bytes = |(_, field): (Kind, Field)| if let Content::Bytes(bytes) = field.content { Some(bytes) } else { None };
    parts.into_iter().filter(is_name).filter_map(bytes).collect()
}

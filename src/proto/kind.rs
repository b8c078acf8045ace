//! The kinds of messages, with the fields that are read of each.

use super::{
    Attribute, Dimension, Graph, Model, Node, OperatorSet, Presence, Property, Tensor, TensorShape, TensorType, Type,
    ValueInfo,
};

/// A kind of message: how much memory one takes, and its fields.
pub(super) struct Kind {
    pub size: usize,
    fields: &'static [(u32, Field)],
}

/// What a field holds.
pub(super) enum Field {
    /// A number, a text, a short list.
    Plain,
    /// The numbers of a tensor.
    Numbers,
    /// Messages of a kind.
    Message(&'static Kind),
    /// A message that must not be there twice.
    Only(&'static Kind),
}

use Field::{Message, Numbers, Only, Plain};

impl Kind {
    /// The field of this tag, if it is one that is read.
    pub fn field(&self, tag: u32) -> Option<&Field> {
        self.fields.iter().find(|(number, _)| *number == tag).map(|(_, field)| field)
    }
}

const fn kind<T>(fields: &'static [(u32, Field)]) -> Kind {
    Kind { size: size_of::<T>(), fields }
}

static PRESENCE: Kind = kind::<Presence>(&[]);
static PROPERTY: Kind = kind::<Property>(&[(1, Plain), (2, Plain)]);
static DIMENSION: Kind = kind::<Dimension>(&[(1, Plain), (2, Plain)]);
static SHAPE: Kind = kind::<TensorShape>(&[(1, Message(&DIMENSION))]);
static TENSOR_TYPE: Kind = kind::<TensorType>(&[(1, Plain), (2, Message(&SHAPE))]);
static TYPE: Kind = kind::<Type>(&[(1, Message(&TENSOR_TYPE))]);
static VALUE_INFO: Kind = kind::<ValueInfo>(&[(1, Plain), (2, Message(&TYPE))]);
static TENSOR: Kind = kind::<Tensor>(&[
    (1, Plain),
    (2, Plain),
    (3, Message(&PRESENCE)),
    (4, Numbers),
    (5, Numbers),
    (7, Numbers),
    (8, Plain),
    (9, Numbers),
    (10, Numbers),
    (11, Numbers),
    (13, Message(&PROPERTY)),
    (14, Plain),
]);
static ATTRIBUTE: Kind = kind::<Attribute>(&[
    (1, Plain),
    (2, Plain),
    (3, Plain),
    (4, Plain),
    (5, Message(&TENSOR)),
    (7, Plain),
    (8, Plain),
    (20, Plain),
]);
static NODE: Kind =
    kind::<Node>(&[(1, Plain), (2, Plain), (3, Plain), (4, Plain), (5, Message(&ATTRIBUTE)), (7, Plain)]);
static GRAPH: Kind = kind::<Graph>(&[
    (1, Message(&NODE)),
    (2, Plain),
    (5, Message(&TENSOR)),
    (11, Message(&VALUE_INFO)),
    (12, Message(&VALUE_INFO)),
    (15, Message(&PRESENCE)),
]);
static OPERATOR_SET: Kind = kind::<OperatorSet>(&[(1, Plain), (2, Plain)]);
/// `ModelProto`.
pub(super) static MODEL: Kind = kind::<Model>(&[
    (1, Plain),
    (2, Plain),
    (3, Plain),
    (6, Plain),
    (7, Only(&GRAPH)),
    (8, Message(&OPERATOR_SET)),
    (14, Message(&PROPERTY)),
]);

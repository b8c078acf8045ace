//! Where the head of a network begins.

use crate::nn::{Layer, Network, Trainable};
use crate::ops::Op;

/// The first dense layer that all goes through: not one of a gate in the middle of the network.
pub(super) fn head(network: &Network) -> Option<&Layer> {
    network.layers().iter().filter(|layer| matches!(layer.op, Op::Dense(_))).find(|layer| {
        let cut = network.split(&Trainable::From(layer.name.clone()));
        cut.is_ok_and(|(_, rest)| first_of(&rest).is_some_and(|first| first.name == layer.name))
    })
}

/// The first layer that does more than to let a factor through.
pub(super) fn first_of(network: &Network) -> Option<&Layer> {
    network.layers().iter().find(|layer| !is_linear(layer))
}

/// Whether a factor in what goes into a layer is the same factor in what comes out.
fn is_linear(layer: &Layer) -> bool {
    matches!(layer.op, Op::AdaptiveAvgPool2d(_) | Op::Reshape(_) | Op::Dropout(_))
}

//! `Conv`.

use super::draft::{Draft, Given};
use super::images::Images;
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::Value;
use super::windows::Windows;
use crate::ops::Conv2d;

/// A convolution of pictures or lines, whose weights and biases are known.
pub(super) fn conv(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (name, weight) = (node.name(), node.needed(1)?);
    let images = Images::of(draft, name, node.traced(0)?)?;
    let (shape, kernel) = match (images.are_lines, weight.shape.as_slice()) {
        (false, &[filters, channels, height, width]) => ([filters, channels, height, width], [height, width]),
        (true, &[filters, channels, length]) => ([filters, channels, 1, length], [1, length]),
        (_, shape) => return Err(Refusal::damaged(format!("has weights of the shape {shape:?}"))),
    };
    let windows = Windows::of(node, &images, Some(kernel))?;
    let groups = usize::try_from(node.integer("group", 1)?).map_err(|_| Refusal::damaged("has no groups"))?;
    let (kernel, stride, dilation, padding) = (windows.kernel, windows.stride, windows.dilation, windows.padding);
    let conv = Conv2d { kernel, stride, padding, dilation, groups, activation: None };
    let mut given = vec![Given::of(weight, shape)?];
    if let Some(bias) = node.constant(2)? {
        given.push(Given::of(bias, [shape[0]])?);
    }
    let y = draft.layer_with(name, conv, &[&images.x], shape[0], given)?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

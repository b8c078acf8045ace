//! `Conv` and `ConvTranspose`.

use super::constant::Constant;
use super::draft::{Draft, Given};
use super::images::Images;
use super::node::Node;
use super::parts::along;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use super::windows::Windows;
use crate::ops::{Conv2d, Pad};

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
    let groups = groups(node)?;
    let (kernel, stride, dilation, padding) = (windows.kernel, windows.stride, windows.dilation, windows.padding);
    let conv = Conv2d { kernel, stride, padding, dilation, groups, activation: None };
    let mut given = vec![Given::of(weight, shape)?];
    if let Some(bias) = node.constant(2)? {
        given.push(Given::of(bias, [shape[0]])?);
    }
    let y = draft.layer_with(name, conv, &[&images.x], shape[0], given)?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

fn groups(node: &Node) -> Outcome<usize> {
    usize::try_from(node.integer("group", 1)?)
        .ok()
        .filter(|&groups| groups > 0)
        .ok_or_else(|| Refusal::damaged("has no groups"))
}

/// A transposed convolution: one of pictures between whose pixels there are zeros, by weights that are turned around.
pub(super) fn conv_transpose(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (name, weight) = (node.name(), node.needed(1)?);
    let images = Images::of(draft, name, node.traced(0)?)?;
    let (shape, kernel) = match (images.are_lines, weight.shape.as_slice()) {
        (false, &[channels, filters, height, width]) => ([channels, filters, height, width], [height, width]),
        (true, &[channels, filters, length]) => ([channels, filters, 1, length], [1, length]),
        (_, shape) => return Err(Refusal::damaged(format!("has weights of the shape {shape:?}"))),
    };
    let groups = groups(node)?;
    if shape[0] % groups != 0 {
        return Err(Refusal::damaged(format!("makes {groups} groups of {} channels", shape[0])));
    }
    let spread = Spread::of(node, &images, kernel)?;
    let x = spread.apart(draft, name, &images.x)?;
    let x = spread.cropped(draft, name, &x)?;
    draft.take(weight.len())?;
    let turned = turned(weight, shape, groups);
    let filters = turned.shape[0];
    let shape = [filters, turned.shape[1], kernel[0], kernel[1]];
    let padding = spread.border.map(|size| size.max(0) as usize);
    let conv = Conv2d { kernel, stride: [1; 2], padding, dilation: spread.dilation, groups, activation: None };
    let mut given = vec![Given::of(&turned, shape)?];
    if let Some(bias) = node.constant(2)? {
        given.push(Given::of(bias, [filters])?);
    }
    let y = draft.layer_with(name, conv, &[&x], filters, given)?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// The weights `[out, in / groups, height, width]` of the convolution that a transposed one by `[in, out / groups, height,
/// width]` is.
fn turned(weight: &Constant, [channels, filters, height, width]: [usize; 4], groups: usize) -> Constant {
    let (inputs, pixels) = (channels / groups, height * width);
    let place = move |index: usize| {
        let (pixel, rest) = (index % pixels, index / pixels);
        let (input, output) = (rest % inputs, rest / inputs);
        let (group, filter) = (output / filters, output % filters);
        ((group * inputs + input) * filters + filter) * pixels + pixels - 1 - pixel
    };
    let places = (0..weight.len()).map(place);
    let shape = vec![filters * groups, inputs, height, width];
    Constant { origin: weight.origin.clone(), ..weight.picked(shape, places) }
}

/// How a transposed convolution spreads pictures.
struct Spread {
    stride: [usize; 2],
    dilation: [usize; 2],
    /// What comes around the pictures with zeros between their pixels, above, to the left, below and to the right; below 0
    /// it is taken away.
    border: [i64; 4],
}

impl Spread {
    fn of(node: &Node, images: &Images, kernel: [usize; 2]) -> Outcome<Self> {
        let lines = images.are_lines;
        let pair = |name: &str, default: [usize; 2]| match lines {
            false => node.sizes(name, default),
            true => node.sizes(name, [default[1]]).map(|[along]| [default[0], along]),
        };
        let (stride, dilation) = (pair("strides", [1; 2])?, pair("dilations", [1; 2])?);
        if stride.contains(&0)
            || dilation.contains(&0)
            || pair("kernel_shape", kernel)? != kernel
            || kernel.contains(&0)
        {
            return Err(Refusal::damaged("has steps of 0, or another kernel_shape than its weights"));
        }
        let more = pair("output_padding", [0; 2])?;
        let pads = match lines {
            false => node.sizes("pads", [0; 4])?,
            true => node.sizes("pads", [0; 2]).map(|[before, after]| [0, before, 0, after])?,
        };
        let wanted = if node.has("output_shape") { Some(pair("output_shape", [1; 2])?) } else { None };
        let automatic = node.text("auto_pad", "NOTSET")?;
        let mut border = [0; 4];
        for axis in 0..2 {
            let reach = ((kernel[axis] - 1) * dilation[axis]) as i64;
            let (size, step, more) = (images.size()[axis] as i64, stride[axis] as i64, more[axis] as i64);
            let whole = step * (size - 1) + more + reach + 1;
            let target = match (wanted, automatic) {
                (Some(wanted), _) => Some(wanted[axis] as i64),
                (None, "SAME_UPPER" | "SAME_LOWER") => Some(size * step),
                (None, "NOTSET" | "VALID") => None,
                (None, other) => return Err(Refusal::unsupported(format!("with auto_pad {other}"))),
            };
            let (before, after) = match target {
                None if automatic == "VALID" => (0, 0),
                None => (pads[axis] as i64, pads[axis + 2] as i64),
                Some(target) => {
                    // What is more than there is comes after it.
                    let (all, lacking) = ((whole - target).max(0), (whole - target).min(0));
                    let (small, large) = (all / 2, all - all / 2);
                    if automatic == "SAME_UPPER" { (small, large + lacking) } else { (large, small + lacking) }
                }
            };
            // The zeros after the last pixel are there already.
            (border[axis], border[axis + 2]) = (reach - before, reach - after + more - (step - 1));
        }
        Ok(Spread { stride, dilation, border })
    }

    /// Pictures with zeros after each pixel.
    fn apart(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        let [down, right] = self.stride;
        if [down, right] == [1, 1] {
            return Ok(x.clone());
        }
        let &[batch, channels, height, width] = x.shape.as_slice() else {
            return Err(Refusal::damaged("takes pictures"));
        };
        let pixels = draft.view(&format!("{name}.pixels"), x, &[batch, channels, height, 1, width, 1])?;
        let padding = vec![[0, 0], [0, 0], [0, 0], [0, down - 1], [0, 0], [0, right - 1]];
        let apart = draft.layer(&format!("{name}.apart"), Pad { padding, value: 0.0 }, &[&pixels])?;
        draft.view(&format!("{name}.wide"), &apart, &[batch, channels, height * down, width * right])
    }

    /// Without rows and columns that a border below 0 takes away.
    fn cropped(&self, draft: &mut Draft, name: &str, x: &Traced) -> Outcome<Traced> {
        let mut y = x.clone();
        for axis in 0..2 {
            let [before, after] = [axis, axis + 2].map(|side| self.border[side].min(0).unsigned_abs() as usize);
            if before + after == 0 {
                continue;
            }
            let left = y.shape[2 + axis].checked_sub(before + after);
            let left = left.ok_or_else(|| Refusal::unsupported("that leaves nothing"))?;
            let dim = (2 + axis).saturating_sub(draft.lead());
            y = along(draft, &format!("{name}.cropped.{axis}"), &y, dim, before, left)?;
        }
        Ok(y)
    }
}

//! Pools: maxima and means over windows, and over whole pictures.

use super::draft::Draft;
use super::images::Images;
use super::node::Node;
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use super::windows::Windows;
use crate::ops::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Op, Pad, ReduceMean};

/// `MaxPool`.
pub(super) fn max_pool(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let images = Images::of(draft, name, node.traced(0)?)?;
    let windows = Windows::of(node, &images, None)?;
    let ([kernel, kernel_x], [stride, stride_x]) = (windows.kernel, windows.stride);
    if windows.dilation != [1, 1] {
        return Err(Refusal::unsupported("with dilations"));
    }
    if kernel != kernel_x || stride != stride_x {
        return Err(Refusal::unsupported("with windows or steps that are not square"));
    }
    let count = windows.count(images.size(), node.integer("ceil_mode", 0)? != 0)?;
    let [top, left, ..] = windows.padding;
    // No maximum comes from the padding, so that only where windows begin and how many there are matters.
    let same = [false, true].map(|ceil_mode| MaxPool2d { kernel, stride, padding: top, ceil_mode });
    let same =
        same.into_iter().filter(|_| top == left).find(|pool| pool.output_size(images.size()).ok() == Some(count));
    let y = match same {
        Some(pool) => draft.layer(name, pool, &[&images.x])?,
        None => {
            let padded = padded(draft, name, &images, &windows, count, f32::NEG_INFINITY)?;
            draft.layer(name, MaxPool2d::new(kernel, stride), &[&padded])?
        }
    };
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// Pictures with a border of this value, so wide that so many windows fit.
fn padded(
    draft: &mut Draft,
    name: &str,
    images: &Images,
    windows: &Windows,
    count: [usize; 2],
    value: f32,
) -> Outcome<Traced> {
    let size = images.size();
    let around = [0, 1].map(|axis| {
        let before = windows.padding[axis];
        let reached = (count[axis] - 1) * windows.stride[axis] + windows.kernel[axis];
        [before, reached.saturating_sub(size[axis] + before)]
    });
    let padding = vec![[0, 0], [0, 0], around[0], around[1]];
    draft.layer(&format!("{name}.padded"), Pad { padding, value }, &[&images.x])
}

/// `AveragePool`.
pub(super) fn average_pool(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let images = Images::of(draft, name, node.traced(0)?)?;
    let windows = Windows::of(node, &images, None)?;
    if windows.dilation != [1, 1] {
        return Err(Refusal::unsupported("with dilations"));
    }
    let (ceils, includes) = (node.integer("ceil_mode", 0)? != 0, node.integer("count_include_pad", 0)? != 0);
    let count = windows.count(images.size(), ceils)?;
    let [top, left, bottom, right] = windows.padding;
    let (kernel, stride, is_even) = (windows.kernel, windows.stride, (top, left) == (bottom, right));
    let pool = AvgPool2d { kernel, stride, padding: [top, left], ceil_mode: false, count_include_pad: includes };
    let same = [pool, AvgPool2d { ceil_mode: true, ..pool }].into_iter().find(|pool| {
        // What counts as padding matters only where it counts.
        (is_even || !includes) && pool.output_size(images.size()).ok() == Some(count)
    });
    let y = match same {
        Some(pool) => draft.layer(name, pool, &[&images.x])?,
        None if includes && !ceils => {
            let padded = padded(draft, name, &images, &windows, count, 0.0)?;
            draft.layer(name, AvgPool2d { padding: [0; 2], ..pool }, &[&padded])?
        }
        None => return Err(Refusal::unsupported("with such a padding")),
    };
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// `GlobalAveragePool` and `GlobalMaxPool`.
pub(super) fn global(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let lead = draft.lead();
    if node.operator() == "GlobalAveragePool" {
        if lead == 0 && x.shape.len() == 4 {
            let pool = AdaptiveAvgPool2d { output: [1, 1] };
            return Ok(vec![Value::Traced(draft.layer(name, pool, &[x])?)]);
        }
        let dims = (2 + lead..x.shape.len()).collect();
        let mean = Op::from(ReduceMean { dims, keepdim: true });
        return Ok(vec![Value::Traced(draft.layer(name, mean, &[x])?)]);
    }
    let images = Images::of(draft, name, x)?;
    let [height, width] = images.size();
    if height != width {
        return Err(Refusal::unsupported("of pictures that are not square"));
    }
    let y = draft.layer(name, MaxPool2d::new(height, height), &[&images.x])?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

//! Pools: maxima and means over windows, and over whole pictures.

use super::constant::Constant;
use super::draft::Draft;
use super::images::Images;
use super::node::Node;
use super::parts::{Steps, every};
use super::refusal::{Outcome, Refusal};
use super::value::{Traced, Value};
use super::windows::Windows;
use crate::ops::{AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, Op, Pad, ReduceMean};

/// `MaxPool`.
pub(super) fn max_pool(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let name = node.name();
    let images = Images::of(draft, name, node.traced(0)?)?;
    let windows = Windows::of(node, &images, None)?;
    let count = windows.count(images.size(), node.integer("ceil_mode", 0)? != 0)?;
    if windows.dilation != [1, 1] {
        let y = dilated(draft, name, &images, &windows, count)?;
        return Ok(vec![Value::Traced(images.restore(draft, name, &y)?)]);
    }
    let ([top, left, ..], kernel, stride) = (windows.padding, windows.kernel, windows.stride);
    // No maximum comes from the padding, so that only where windows begin and how many there are matters.
    let same = [false, true].map(|ceil_mode| MaxPool2d { kernel, stride, padding: [top, left], ceil_mode });
    let same = same.into_iter().find(|pool| pool.output_size(images.size()).ok() == Some(count));
    let y = match same {
        Some(pool) => draft.layer(name, pool, &[&images.x])?,
        None => {
            let padded = padded(draft, name, &images, &windows, count, f32::NEG_INFINITY)?;
            draft.layer(name, MaxPool2d { kernel, stride, ..MaxPool2d::new(1, 1) }, &[&padded])?
        }
    };
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// The maxima of windows that leave rows and columns out. Where their steps do so too, only what is left counts.
fn dilated(draft: &mut Draft, name: &str, images: &Images, windows: &Windows, count: [usize; 2]) -> Outcome<Traced> {
    if (0..2).any(|axis| !windows.stride[axis].is_multiple_of(windows.dilation[axis])) {
        return Err(Refusal::unsupported("with dilations that do not divide the steps"));
    }
    let mut y = padded(draft, name, images, windows, count, f32::NEG_INFINITY)?;
    for axis in 0..2 {
        let step = windows.dilation[axis];
        // The network's values are in the place of the graph's here.
        let dim = (2 + axis).saturating_sub(draft.lead());
        let steps = Steps { start: 0, step, count: y.shape[2 + axis].div_ceil(step) };
        y = every(draft, &format!("{name}.every.{axis}"), &y, dim, steps)?;
    }
    let stride = [0, 1].map(|axis| windows.stride[axis] / windows.dilation[axis]);
    draft.layer(name, MaxPool2d { kernel: windows.kernel, stride, ..MaxPool2d::new(1, 1) }, &[&y])
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
        let reached = (count[axis] - 1) * windows.stride[axis] + windows.reach()[axis];
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
        None if includes && ceils => return Err(Refusal::unsupported("with ceil_mode and such a padding")),
        None => {
            let padded = padded(draft, name, &images, &windows, count, 0.0)?;
            let pool = AvgPool2d { padding: [0; 2], count_include_pad: true, ..pool };
            let inner = if includes { name.to_owned() } else { format!("{name}.all") };
            let mean = draft.layer(&inner, pool, &[&padded])?;
            if includes { mean } else { without_padding(draft, name, &mean, &images, &windows)? }
        }
    };
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// Means over the parts of windows that are in the picture, from those over whole windows with zeros around it.
fn without_padding(
    draft: &mut Draft,
    name: &str,
    mean: &Traced,
    images: &Images,
    windows: &Windows,
) -> Outcome<Traced> {
    let size = images.size();
    let inside = |axis: usize, index: usize| {
        let (start, before) = (index * windows.stride[axis], windows.padding[axis]);
        let end = (start + windows.kernel[axis]).min(before + size[axis]);
        end.saturating_sub(start.max(before))
    };
    let (rows, columns, whole) = (mean.shape[2], mean.shape[3], windows.kernel[0] * windows.kernel[1]);
    draft.take(rows.saturating_mul(columns))?;
    let share = |place: usize| whole as f32 / (inside(0, place / columns) * inside(1, place % columns)) as f32;
    let shares: Vec<f32> = (0..rows * columns).map(share).collect();
    if shares.contains(&f32::INFINITY) {
        return Err(Refusal::unsupported("with windows that lie outside of the picture"));
    }
    let shares = Constant::floats([1, 1, rows, columns], shares);
    let shares = draft.held_in(&format!("{name}.shares"), &shares, vec![1, 1, rows, columns])?;
    draft.layer(name, Op::Mul, &[mean, &shares])
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
    let whole = MaxPool2d { kernel: images.size(), stride: images.size(), ..MaxPool2d::new(1, 1) };
    let y = draft.layer(name, whole, &[&images.x])?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

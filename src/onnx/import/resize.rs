//! `Resize` and `Upsample`, where they are what an operation does: every place that they read is compared.

use super::draft::Draft;
use super::images::Images;
use super::node::{Node, axis};
use super::refusal::{Outcome, Refusal};
use super::value::Value;
use crate::ops::upsample::Places;
use crate::ops::{Interpolation, Upsample};

/// Larger than any picture's side.
const LARGEST: usize = 1 << 16;

/// How far a place may be from where the operation has it, in elements.
const TOLERANCE: f64 = 1e-4;

/// `Resize`, and `Upsample` of older opsets.
pub(super) fn resize(draft: &mut Draft, node: &Node) -> Outcome<Vec<Value>> {
    let (x, name) = (node.traced(0)?, node.name());
    let shape = draft.shape(x).to_vec();
    let is_old = node.operator() == "Upsample" || node.opset < 11;
    if node.integer("antialias", 0)? != 0 {
        return Err(Refusal::unsupported("with antialias"));
    }
    let (sizes, scales) = sizes(node, &shape, is_old)?;
    let images = Images::of(draft, name, x)?;
    if images.are_lines || sizes[..2] != shape[..2] {
        return Err(Refusal::unsupported("of anything but height and width"));
    }
    draft.take(sizes[2] + sizes[3])?;
    let places = if is_old { "asymmetric" } else { node.text("coordinate_transformation_mode", "half_pixel")? };
    let [height, width] = images.size();
    let axes = [(height, sizes[2], scales[2]), (width, sizes[3], scales[3])];
    let interpolation = match node.text("mode", "nearest")? {
        "nearest" => {
            let rounds = if is_old { "floor" } else { node.text("nearest_mode", "round_prefer_floor")? };
            // Older programs do not agree on what is left of a picture that becomes smaller.
            let is_clear = !is_old || axes.iter().all(|&(input, output, _)| output >= input);
            let fits = is_clear && axes.iter().all(|&axis| is_nearest(axis, places, rounds));
            fits.then_some(Interpolation::Nearest)
                .ok_or_else(|| Refusal::unsupported(format!("with mode nearest by {places} and {rounds}")))?
        }
        "linear" | "bilinear" => {
            let found = [false, true].map(|align_corners| Interpolation::Bilinear { align_corners });
            let fits = |way: &Interpolation| axes.iter().all(|&axis| is_linear(axis, places, *way));
            let found = found.into_iter().find(fits);
            found.ok_or_else(|| Refusal::unsupported(format!("with mode linear by {places}")))?
        }
        other => return Err(Refusal::unsupported(format!("with mode {other}"))),
    };
    let y = draft.layer(name, Upsample { size: [sizes[2], sizes[3]], interpolation }, &[&images.x])?;
    Ok(vec![Value::Traced(images.restore(draft, name, &y)?)])
}

/// The sizes of the result, and by what the file says that each is scaled.
fn sizes(node: &Node, shape: &[usize], is_old: bool) -> Outcome<(Vec<usize>, Vec<f64>)> {
    let rank = shape.len();
    if rank != 4 {
        return Err(Refusal::unsupported(format!("of {rank} dimensions")));
    }
    let axes = match node.integers("axes") {
        Some(given) => given.iter().map(|&one| axis(one, rank)).collect::<Outcome<Vec<usize>>>()?,
        None => (0..rank).collect(),
    };
    if node.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
        return Err(Refusal::unsupported("with a keep_aspect_ratio_policy"));
    }
    let (mut sizes, mut scales) = (shape.to_vec(), vec![1.0; rank]);
    if let Some(wanted) = node.constant(3)?.filter(|wanted| wanted.len() > 0) {
        let wanted = wanted.as_integers()?;
        for (&d, &size) in axes.iter().zip(wanted) {
            let size = usize::try_from(size).ok().filter(|size| (1..=LARGEST).contains(size));
            sizes[d] = size.ok_or_else(|| Refusal::unsupported(format!("to the sizes {wanted:?}")))?;
            scales[d] = sizes[d] as f64 / shape[d] as f64;
        }
        return if wanted.len() == axes.len() { Ok((sizes, scales)) } else { Err(node.lacks(3)) };
    }
    let given: Vec<f32> = match node.floats("scales") {
        Some(scales) => scales.to_vec(),
        None => node.needed(if is_old { 1 } else { 2 })?.as_floats()?.to_vec(),
    };
    if given.len() != axes.len() {
        return Err(Refusal::damaged(format!("has {} scales for {} dimensions", given.len(), axes.len())));
    }
    for (&d, &scale) in axes.iter().zip(&given) {
        scales[d] = f64::from(scale);
        let size = (shape[d] as f64 * scales[d]).floor();
        if !(size >= 1.0 && size <= LARGEST as f64) {
            return Err(Refusal::unsupported(format!("by the scales {given:?}")));
        }
        sizes[d] = size as usize;
    }
    Ok((sizes, scales))
}

/// Where an element of the result lies in the input, as the format defines it.
fn place(at: usize, (input, output, scale): (usize, usize, f64), places: &str) -> Option<f64> {
    let at = at as f64;
    Some(match places {
        "half_pixel" => (at + 0.5) / scale - 0.5,
        "pytorch_half_pixel" if output == 1 => 0.0,
        "pytorch_half_pixel" => (at + 0.5) / scale - 0.5,
        "asymmetric" => at / scale,
        // No longer in the format, but what tf2onnx writes for TensorFlow's nearest neighbours.
        "tf_half_pixel_for_nn" => (at + 0.5) / scale,
        // Programs do not agree on what lies at the corner of a size that is not whole.
        "align_corners" if (input as f64 * scale - output as f64).abs() > 1e-3 => return None,
        "align_corners" if output == 1 => 0.0,
        "align_corners" => at * (input as f64 - 1.0) / (output as f64 - 1.0),
        _ => return None,
    })
}

/// Whether the nearest elements are those that the operation takes.
fn is_nearest(axis: (usize, usize, f64), places: &str, rounds: &str) -> bool {
    let (input, output, _) = axis;
    let last = input as f64 - 1.0;
    let own = Places::new(Interpolation::Nearest, input, output);
    (0..output).all(|at| {
        let Some(place) = place(at, axis, places) else { return false };
        let element = match rounds {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_floor" => (place - 0.5).ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => return false,
        };
        element.clamp(0.0, last) == own.of(at).0 as f64
    })
}

/// Whether the places between elements are those of the operation.
fn is_linear(axis: (usize, usize, f64), places: &str, way: Interpolation) -> bool {
    let (input, output, _) = axis;
    let last = input as f64 - 1.0;
    let own = Places::new(way, input, output);
    (0..output).all(|at| {
        let Some(place) = place(at, axis, places) else { return false };
        let (before, after) = own.of(at);
        let found = (before as f64 + after as f64 / own.unit as f64).min(last);
        (place.clamp(0.0, last) - found).abs() < TOLERANCE
    })
}

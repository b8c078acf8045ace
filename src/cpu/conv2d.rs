//! Convolution: which algorithm takes which shape.

use super::epilogue::After;
use super::scratch::Scratch;
use super::transforms::{F2, F4};
use super::winograd::{self, Convolution};
use super::{View, activation, depthwise, direct, im2col, winograd_weight};
use crate::ops::{Conv2d, Conv2dBackwardInput, Op};
use crate::parallel::*;

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// Directly, its gradients as matrix products: any shape.
    Direct,
    /// By minimal filtering in tiles of 2×2: filters of 3×3 with step 1.
    Winograd2,
    /// In tiles of 4×4.
    Winograd4,
    /// Plane by plane: filters that see one channel each.
    Depthwise,
}

impl Algorithm {
    pub const ALL: [Algorithm; 4] =
        [Algorithm::Direct, Algorithm::Winograd2, Algorithm::Winograd4, Algorithm::Depthwise];

    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Direct => "conv2d/direct",
            Algorithm::Winograd2 => "conv2d/winograd2",
            Algorithm::Winograd4 => "conv2d/winograd4",
            Algorithm::Depthwise => "conv2d/depthwise",
        }
    }

    /// The algorithm for this operation: the forced one where it can be, else the fastest. `None` for what is no
    /// convolution.
    pub fn of(op: &Op, inputs: &[&[usize]], output: &[usize], forced: Option<Algorithm>) -> Option<Algorithm> {
        let (conv, channels, fastest) = match (op, inputs, output) {
            (Op::Conv2d(conv), [x, ..], &[n, filters, h, w]) => (conv, x[1], fastest(n, x[1], filters, [h, w])),
            (Op::Conv2dBackwardInput(op), [dy, ..], &[n, channels, h, w]) => {
                (&op.conv, channels, fastest_input(n, dy[1], channels, [h, w]))
            }
            (Op::Conv2dBackwardWeight(op), [x, dy], _) => (&op.0, x[1], fastest_weight(x[1], dy)),
            _ => return None,
        };
        let suits = |algorithm: &Algorithm| match algorithm {
            Algorithm::Direct => true,
            Algorithm::Winograd2 | Algorithm::Winograd4 => conv.suits_winograd(),
            Algorithm::Depthwise => conv.is_depthwise(channels),
        };
        let best = if conv.is_depthwise(channels) { Algorithm::Depthwise } else { fastest };
        let wanted = [forced.unwrap_or(best), best].into_iter().find(suits);
        Some(wanted.unwrap_or(Algorithm::Direct))
    }
}

/// Counts of vectors of 16 multiplications per filter and channel, for the products and for the transforms. Those of the
/// filters are shared by all images: as long as these are few, their number must not change what is chosen, so that a face
/// gives the same bits alone and beside another.
fn fastest(images: usize, channels: usize, filters: usize, size: [usize; 2]) -> Algorithm {
    const FEW: usize = 4;
    let images = if images < FEW { 1 } else { images };
    // The transform of a filter takes about as long as 90 to 120 vectors of products, whatever the tiles.
    fastest_of(images, channels, filters, size, 120)
}

/// The same for the gradient of the input, where there are many images.
fn fastest_input(images: usize, channels: usize, filters: usize, size: [usize; 2]) -> Algorithm {
    fastest_of(images, channels, filters, size, 0)
}

/// `transform` is what the transform of a filter costs.
fn fastest_of(images: usize, channels: usize, filters: usize, [h, w]: [usize; 2], transform: usize) -> Algorithm {
    let direct = 2 * 9 * (images * h * w).div_ceil(16);
    let winograd = |side: usize| {
        let vectors = (images * h.div_ceil(side) * w.div_ceil(side)).div_ceil(16);
        points(side) * (2 * vectors + vectors.div_ceil(8))
    };
    cheapest(channels.min(filters), direct, winograd, transform)
}

/// For the gradient of the filters: counts of multiplications per filter and channel, of the products and of what comes
/// after them.
fn fastest_weight(channels: usize, dy: &[usize]) -> Algorithm {
    let &[images, filters, h, w] = dy else { return Algorithm::Direct };
    let winograd = |side: usize| points(side) * (images * h.div_ceil(side) * w.div_ceil(side) + 8);
    cheapest(channels.min(filters), 9 * images * h * w, winograd, 0)
}

/// The points of a tile whose output has this side.
fn points(side: usize) -> usize {
    (side + 2) * (side + 2)
}

/// By the costs of direct sums, of minimal filtering in tiles of a side, and of the transform of a filter.
/// `uses` says how often each transformed value is used: if seldom, minimal filtering does not pay.
fn cheapest(uses: usize, direct: usize, winograd: impl Fn(usize) -> usize, transform: usize) -> Algorithm {
    if uses < 16 {
        return Algorithm::Direct;
    }
    let (best, side) = if winograd(4) <= winograd(2) { (Algorithm::Winograd4, 4) } else { (Algorithm::Winograd2, 2) };
    if direct <= winograd(side) + transform { Algorithm::Direct } else { best }
}

pub(super) fn forward(
    op: &Conv2d,
    algorithm: Algorithm,
    x: View,
    weight: View,
    after: After,
    y: &mut [f32],
    scratch: &Scratch,
) {
    match algorithm {
        Algorithm::Direct => return direct::forward(op, x, weight, after, y, scratch),
        Algorithm::Depthwise => return depthwise::forward(op, x, weight, after, y, scratch),
        Algorithm::Winograd2 | Algorithm::Winograd4 => {}
    }
    let [images, channels, h, w] = x.nchw();
    let Ok(output) = op.output_size([h, w]) else { unreachable!("checked by the shape rule") };
    let conv = Convolution {
        images,
        channels,
        filters: after.bias.len(),
        input: [h, w],
        output,
        padding: op.padding_before(),
        weight: weight.data,
        backward: false,
        after: Some(after),
        seen: None,
        activation: op.activation,
    };
    filter(algorithm, &conv, x.data, y, scratch);
}

fn filter(algorithm: Algorithm, conv: &Convolution, x: &[f32], y: &mut [f32], scratch: &Scratch) {
    match algorithm {
        Algorithm::Winograd4 => winograd::forward::<F4, 6, 4>(conv, x, y, scratch),
        _ => winograd::forward::<F2, 4, 2>(conv, x, y, scratch),
    }
}

pub(super) fn backward_input(
    &Conv2dBackwardInput { conv: op, size, activation }: &Conv2dBackwardInput,
    algorithm: Algorithm,
    [dy, weight]: [View; 2],
    seen: Option<&[f32]>,
    dx: &mut [f32],
    scratch: &Scratch,
) {
    match algorithm {
        Algorithm::Direct => im2col::backward_input(&op, size, dy, weight, dx, scratch),
        Algorithm::Depthwise => depthwise::backward_input(&op, size, dy, weight, dx, scratch),
        Algorithm::Winograd2 | Algorithm::Winograd4 => {
            let [images, filters, h, w] = dy.nchw();
            let conv = Convolution {
                images,
                channels: filters,
                filters: weight.nchw()[1],
                input: [h, w],
                output: size,
                padding: op.padding_before().map(|padding| 2 - padding),
                weight: weight.data,
                backward: true,
                after: None,
                seen,
                activation,
            };
            return filter(algorithm, &conv, dy.data, dx, scratch);
        }
    }
    if let (Some(function), Some(seen)) = (activation, seen) {
        activation::backward_through(function, seen, dx);
    }
}

pub(super) fn backward_weight(
    op: &Conv2d,
    algorithm: Algorithm,
    x: View,
    dy: View,
    dweight: &mut [f32],
    dbias: &mut [f32],
    scratch: &Scratch,
) {
    let ([images, channels, ih, iw], [_, filters, h, w]) = (x.nchw(), dy.nchw());
    let conv = winograd_weight::Convolution {
        images,
        channels,
        filters,
        input: [ih, iw],
        output: [h, w],
        padding: op.padding_before(),
    };
    match algorithm {
        Algorithm::Direct => im2col::backward_weight(op, x, dy, dweight, scratch),
        Algorithm::Depthwise => depthwise::backward_weight(op, x, dy, dweight, scratch),
        Algorithm::Winograd2 => {
            winograd_weight::backward_weight::<F2, 4, 2>(&conv, x.data, dy.data, dweight, scratch);
        }
        Algorithm::Winograd4 => {
            winograd_weight::backward_weight::<F4, 6, 4>(&conv, x.data, dy.data, dweight, scratch);
        }
    }
    dbias.par_iter_mut().enumerate().for_each(|(filter, dbias)| {
        let planes = dy.data.chunks(h * w).skip(filter).step_by(filters);
        *dbias = planes.map(sum).sum();
    });
}

/// In sixteen sums, so that no addition waits for the one before.
fn sum(values: &[f32]) -> f32 {
    let (groups, rest) = values.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for group in groups {
        sums.iter_mut().zip(group).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

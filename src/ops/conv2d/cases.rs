//! The cases of convolutions that tests and benches share.

use super::super::{Activation, Case, Fill, activation};
use super::{Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight};
use crate::random::Random;

/// Shapes that every kernel must get right: VGG16's at a small size, edges of tiles, every kernel, stride and padding,
/// groups, dilation, and padding on one side.
///
/// ```
/// use std::collections::BTreeSet;
/// use vultus::ops::conv2d;
///
/// let directions: BTreeSet<&str> = conv2d::cases().iter().map(|case| case.op.name()).collect();
/// assert!(directions.into_iter().eq(["conv2d", "conv2d_backward_input", "conv2d_backward_weight"]));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for ([n, c, h, w], filters, kernel, stride, padding) in [
        ([1, 3, 20, 20], 64, 3, 1, 1),
        ([2, 64, 8, 8], 64, 3, 1, 1),
        ([64, 2, 3, 3], 3, 3, 1, 1),
        ([1, 1, 1, 1], 1, 3, 1, 1),
        ([1, 1, 1, 1], 1, 1, 1, 0),
        ([3, 17, 13, 5], 19, 3, 1, 1),
        ([1, 66, 9, 7], 130, 3, 1, 1),
        ([1, 200, 6, 5], 20, 3, 1, 1),
        ([2, 3, 12, 12], 10, 3, 1, 0),
        ([2, 48, 4, 4], 64, 2, 1, 0),
        ([1, 4, 11, 8], 7, 3, 2, 1),
        ([1, 3, 21, 19], 8, 5, 2, 2),
        ([1, 5, 17, 16], 4, 7, 3, 3),
    ] {
        let conv = Conv2d::square(kernel, stride, padding);
        cases.extend(all_directions(conv, [n, c, h, w], filters));
        cases.push(forward(Conv2d { activation: Some(Activation::Relu), ..conv }, [n, c, h, w], filters));
        cases.extend(backward_through(Activation::Relu, conv, [n, c, h, w], filters));
    }
    let lopsided = Conv2d { kernel: [1, 4], stride: [2, 1], ..Conv2d::square(1, 1, 0).padded(0, 2, 0, 2) };
    cases.extend(all_directions(Conv2d { activation: Some(Activation::Relu), ..lopsided }, [2, 6, 7, 9], 5));
    let square = Conv2d::square;
    for (conv, x, filters) in [
        // Depthwise: 3×3 and 5×5, strides of 1 and 2, as MobileNet and EfficientNet have them, and others.
        (square(3, 1, 1).groups(19), [2, 19, 9, 21], 19),
        (square(3, 2, 1).groups(16), [1, 16, 14, 13], 16),
        (square(3, 2, 0).padded(0, 0, 1, 1).groups(8), [1, 8, 36, 34], 8),
        (square(5, 1, 2).groups(24), [1, 24, 7, 7], 24),
        (square(5, 2, 2).groups(5), [3, 5, 15, 40], 5),
        (square(3, 1, 2).dilation(2).groups(6), [1, 6, 11, 9], 6),
        (square(2, 3, 0).groups(3), [2, 3, 9, 8], 3),
        (square(3, 1, 1).groups(4), [2, 4, 6, 5], 8),
        (square(3, 1, 0).padded(0, 2, 1, 0).groups(3), [1, 3, 21, 30], 3),
        // In groups of several channels.
        (square(3, 1, 1).groups(2), [2, 6, 5, 7], 4),
        (square(1, 1, 0).groups(3), [1, 12, 9, 4], 9),
        (square(3, 2, 1).groups(4), [1, 32, 12, 11], 80),
        // Dilated, and padded on one side.
        (square(3, 1, 2).dilation(2), [1, 17, 9, 8], 20),
        (square(3, 2, 0).padded(0, 0, 1, 1), [2, 3, 16, 14], 9),
        (square(3, 1, 0).padded(2, 0, 1, 1), [1, 18, 9, 10], 17),
        // So many windows that the gradient of the filters is summed in parts.
        (square(3, 1, 1), [24, 3, 17, 15], 2),
        // Whole vectors of what is left of the picture.
        (square(3, 1, 0).padded(1, 40, 1, 3), [1, 3, 6, 9], 4),
        (square(3, 1, 0).padded(0, 1600, 0, 1), [1, 2, 4, 9], 3),
        (square(3, 2, 0).padded(1, 40, 1, 3).groups(4), [1, 4, 6, 9], 4),
        (Conv2d { dilation: [1, 3], ..square(2, 2, 0).padded(1, 0, 0, 2) }, [1, 3, 8, 9], 2),
        // Pointwise, also with planes of whole vectors.
        (square(1, 1, 0), [2, 33, 7, 7], 50),
        (square(1, 1, 0), [3, 20, 6, 10], 37),
    ] {
        cases.extend(all_directions(conv, x, filters));
        cases.push(forward(Conv2d { activation: Some(Activation::RELU6), ..conv }, x, filters));
        cases.push(forward_with_residual(Conv2d { activation: Some(Activation::Hardswish), ..conv }, x, filters));
        cases.extend(backward_through(Activation::LeakyRelu { negative_slope: 0.1 }, conv, x, filters));
    }
    // A residual in every kernel: many channels, a few, and where the inner dimension is cut.
    for (conv, x, filters) in [
        (square(3, 1, 1), [1, 24, 9, 10], 17),
        (square(3, 2, 1), [2, 3, 9, 7], 9),
        (square(1, 1, 0), [1, 600, 3, 4], 20),
    ] {
        cases.push(forward_with_residual(conv, x, filters));
        cases.push(forward_with_residual(Conv2d { activation: Some(Activation::Relu), ..conv }, x, filters));
        cases.extend(backward_through(Activation::RELU6, conv, x, filters));
        cases.extend(backward_through(Activation::Silu, conv, x, filters));
    }
    cases
}

/// VGG16's thirteen convolutions on a picture of this height and width.
///
/// ```
/// use vultus::ops::conv2d::vgg16_cases;
///
/// let cases = vgg16_cases(1, 224);
/// assert_eq!(cases[0].name(), "conv2d/1x3x224x224_64x3x3x3_64");
/// // Nine different ones, each in three directions.
/// assert_eq!(cases.len(), 9 * 3);
/// ```
#[doc(hidden)]
pub fn vgg16_cases(batch: usize, input: usize) -> Vec<Case> {
    let conv = Conv2d { activation: Some(Activation::Relu), ..Conv2d::square(3, 1, 1) };
    [
        (3, 64, 1),
        (64, 64, 1),
        (64, 128, 2),
        (128, 128, 2),
        (128, 256, 4),
        (256, 256, 4),
        (256, 512, 8),
        (512, 512, 8),
        (512, 512, 16),
    ]
    .iter()
    .flat_map(|&(channels, filters, shrink)| {
        all_directions(conv, [batch, channels, input / shrink, input / shrink], filters)
    })
    .collect()
}

/// A case with random sizes and parameters, in any direction.
///
/// ```
/// use vultus::ops::conv2d;
/// use vultus::{Device, Options, Random};
///
/// let case = conv2d::random_case(&mut Random::new(1));
/// let mut results = Vec::new();
/// for kernel in ["conv2d/direct", "conv2d/winograd2"] {
///     let options = Options { kernel: Some(kernel.into()), ..Options::default() };
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &options)?;
///     results.push(plan.run_all(&case.inputs(2))?.swap_remove(0));
/// }
/// assert!(results[0].data().iter().zip(results[1].data()).all(|(a, b)| (a - b).abs() < 1e-2 + 1e-3 * a.abs()));
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let axis = |random: &mut Random| {
        let (kernel, stride) = (1 + random.below(5), 1 + random.below(3));
        let dilation = if random.below(4) == 0 { 2 } else { 1 };
        let (before, after) = (random.below(kernel), random.below(kernel));
        (kernel, stride, dilation, [before, after], 1 + random.below(18) + dilation * (kernel - 1))
    };
    let (vertical, horizontal) = (axis(random), axis(random));
    let (top_and_bottom, left_and_right) = (vertical.3, horizontal.3);
    let activation = (random.below(2) == 0).then(|| activation::random_function(random));
    let mut conv = Conv2d {
        kernel: [vertical.0, horizontal.0],
        stride: [vertical.1, horizontal.1],
        dilation: [vertical.2, horizontal.2],
        padding: [top_and_bottom[0], left_and_right[0], top_and_bottom[1], left_and_right[1]],
        groups: 1,
        activation,
    };
    match random.below(4) {
        0 => conv = Conv2d { activation, ..Conv2d::square(3, 1, 1) },
        1 => conv = Conv2d { activation, ..Conv2d::square([3, 5][random.below(2)], 1 + random.below(2), 1) },
        _ => {}
    }
    let (h, w) = (vertical.4.max(conv.reach()[0]), horizontal.4.max(conv.reach()[1]));
    let (mut channels, mut filters) = (1 + random.below(40), 1 + random.below(80));
    match random.below(4) {
        // Depthwise, now and then with several filters for a channel.
        0 => (conv.groups, filters) = (channels, channels * (1 + random.below(5) / 4)),
        1 => {
            conv.groups = 1 + random.below(4);
            (channels, filters) = (conv.groups * (1 + channels / 4), conv.groups * (1 + filters / 4));
        }
        _ => {}
    }
    let x = [1 + random.below(5), channels, h, w];
    let mut cases = all_directions(conv, x, filters);
    cases.extend(backward_through(Activation::Relu, conv, x, filters));
    let direction = random.below(cases.len());
    cases.swap_remove(direction)
}

fn forward(conv: Conv2d, x: [usize; 4], filters: usize) -> Case {
    let weight = vec![filters, x[1] / conv.groups, conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let inputs = vec![(x.to_vec(), Fill::Normal(1.0)), (weight, fill), (vec![filters], Fill::Normal(1.0))];
    Case::new(conv, inputs)
}

/// With a fourth input.
fn forward_with_residual(conv: Conv2d, x: [usize; 4], filters: usize) -> Case {
    let weight = vec![filters, x[1] / conv.groups, conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let [h, w] = conv.output_size([x[2], x[3]]).unwrap_or([1; 2]);
    let normal = |shape: Vec<usize>| (shape, Fill::Normal(1.0));
    let inputs = vec![normal(x.to_vec()), (weight, fill), normal(vec![filters]), normal(vec![x[0], filters, h, w])];
    Case::new(conv, inputs)
}

/// Back to the input of a convolution, and through the activation that made it.
fn backward_through(activation: Activation, conv: Conv2d, x: [usize; 4], filters: usize) -> Option<Case> {
    let size = [x[2], x[3]];
    let [oh, ow] = conv.output_size(size).ok()?;
    let weight = vec![filters, x[1] / conv.groups, conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let normal = |shape: Vec<usize>| (shape, Fill::Normal(1.0));
    let op = Conv2dBackwardInput { activation: Some(activation), ..Conv2dBackwardInput::new(conv, size) };
    Some(Case::new(op, vec![normal(vec![x[0], filters, oh, ow]), (weight, fill), normal(x.to_vec())]))
}

fn all_directions(conv: Conv2d, x: [usize; 4], filters: usize) -> Vec<Case> {
    let weight = vec![filters, x[1] / conv.groups, conv.kernel[0], conv.kernel[1]];
    let fill = weight_fill(&weight);
    let Ok([oh, ow]) = conv.output_size([x[2], x[3]]) else { return Vec::new() };
    let dy = vec![x[0], filters, oh, ow];
    vec![
        forward(conv, x, filters),
        Case::new(Conv2dBackwardInput::new(conv, [x[2], x[3]]), vec![(dy.clone(), Fill::Normal(1.0)), (weight, fill)]),
        Case::new(Conv2dBackwardWeight(conv), vec![(x.to_vec(), Fill::Normal(1.0)), (dy, Fill::Normal(1.0))]),
    ]
}

/// He initialisation keeps the outputs near 1.
fn weight_fill(weight: &[usize]) -> Fill {
    Fill::Normal((2.0 / weight[1..].iter().product::<usize>() as f32).sqrt())
}

//! The CPU's algorithms for convolutions, each on every shape, against sums in f64.
#![cfg(feature = "parallel")]

mod compare;

use compare::{Comparison, checked, run_op};
use vultus::ops::{Activation, Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, Op, RunState};
use vultus::{Device, Options, Random, Tensor};

/// Every algorithm, and how far it may be from the exact result, in units of the result's largest magnitude. Minimal
/// filtering adds values of different magnitudes before and after the products: F(2×2) loses about one digit more than a
/// plain sum, F(4×4) two.
const ALGORITHMS: [(&str, f32); 4] =
    [("conv2d/direct", 2e-6), ("conv2d/depthwise", 2e-6), ("conv2d/winograd2", 5e-6), ("conv2d/winograd4", 2e-5)];

/// A convolution with its tensors; `y` has the shape of the output.
struct Case {
    conv: Conv2d,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    dy: Tensor,
}

impl Case {
    fn new(conv: Conv2d, x: [usize; 4], filters: usize, random: &mut Random) -> Self {
        let [h, w] = conv.output_size([x[2], x[3]]).unwrap();
        let mut normal = |shape: &[usize]| Tensor::from_fn(shape, |_| random.normal());
        Case {
            conv,
            weight: normal(&[filters, x[1] / conv.groups, conv.kernel[0], conv.kernel[1]]),
            bias: normal(&[filters]),
            dy: normal(&[x[0], filters, h, w]),
            x: normal(&x),
        }
    }

    /// Calls `f` for every product in the convolution, with the places in output, input and filters.
    fn products(&self, mut f: impl FnMut(usize, usize, usize)) {
        let (&[images, channels, h, w], &[_, filters, oh, ow]) = (self.x.shape(), self.dy.shape()) else { panic!() };
        let Conv2d { kernel: [kh, kw], stride, padding, dilation, groups, .. } = self.conv;
        let of_group = channels / groups;
        for place in 0..images * filters * oh * ow * of_group * kh * kw {
            let (rest, kx) = (place / kw, place % kw);
            let (rest, ky) = (rest / kh, rest % kh);
            let (output, number) = (rest / of_group, rest % of_group);
            let (oy, ox, filter, image) =
                (output / ow % oh, output % ow, output / ow / oh % filters, output / ow / oh / filters);
            let channel = filter / (filters / groups) * of_group + number;
            let (y, x) = (oy * stride[0] + ky * dilation[0], ox * stride[1] + kx * dilation[1]);
            if y >= padding[0] && x >= padding[1] && y - padding[0] < h && x - padding[1] < w {
                let input = ((image * channels + channel) * h + y - padding[0]) * w + x - padding[1];
                f(output, input, ((filter * of_group + number) * kh + ky) * kw + kx);
            }
        }
    }

    /// An output of the operation, as a sum of products in f64.
    fn exact(&self, shape: &[usize], mut product: impl FnMut(usize, usize, usize) -> (usize, f32, f32)) -> Tensor {
        let mut sums = vec![0.0f64; shape.iter().product()];
        self.products(|output, input, tap| {
            let (place, a, b) = product(output, input, tap);
            sums[place] += f64::from(a) * f64::from(b);
        });
        Tensor::new(shape, sums.into_iter().map(|sum| sum as f32).collect()).unwrap()
    }

    fn check(&self, comparison: &mut Comparison) {
        let (x, weight, dy) = (self.x.data(), self.weight.data(), self.dy.data());
        let mut y = self.exact(self.dy.shape(), |output, input, tap| (output, x[input], weight[tap]));
        let plane = dy.len() / self.dy.shape()[0] / self.bias.len();
        for (place, y) in y.data_mut().iter_mut().enumerate() {
            *y += self.bias.data()[place / plane % self.bias.len()];
            *y = if self.conv.activation.is_some() { y.max(0.0) } else { *y };
        }
        let dx = self.exact(self.x.shape(), |output, input, tap| (input, dy[output], weight[tap]));
        let dweight = self.exact(self.weight.shape(), |output, input, tap| (tap, dy[output], x[input]));
        let size = [self.x.shape()[2], self.x.shape()[3]];
        for (op, inputs, wanted) in [
            (Op::Conv2d(self.conv), vec![&self.x, &self.weight, &self.bias], y),
            (Conv2dBackwardInput::new(self.conv, size).into(), vec![&self.dy, &self.weight], dx),
            (Conv2dBackwardWeight(self.conv).into(), vec![&self.x, &self.dy], dweight),
        ] {
            let inputs: Vec<Tensor> = inputs.into_iter().cloned().collect();
            for (algorithm, tolerance) in ALGORITHMS {
                // Another algorithm would do it.
                if algorithm == "conv2d/depthwise" && self.weight.shape()[1] > 1 {
                    continue;
                }
                let options = Options { kernel: Some(algorithm.to_owned()), ..checked() };
                let found = run_op(&Device::Cpu, &op, &inputs, &RunState::default(), &options).unwrap();
                let name = format!("{algorithm} {} {:?} {:?}", op.name(), self.conv, self.x.shape());
                // Where all but a few products vanish the largest value says nothing about the sums before.
                let allowed = tolerance * compare::largest(&wanted).max(1.0);
                comparison.check_within(name, &found[0], &wanted, allowed);
            }
        }
    }
}

#[test]
fn every_algorithm_gets_every_shape_right() {
    let (mut random, mut comparison) = (Random::new(3), Comparison::default());
    for number in 0..150 {
        let padding = [0; 4].map(|_: usize| random.below(3));
        let activation = (number % 2 == 0).then_some(Activation::Relu);
        let conv = Conv2d { padding, activation, ..Conv2d::square(3, 1, 0) };
        let mut side = |axis: usize| random.below(20) + 3usize.saturating_sub(padding[axis] + padding[axis + 2]).max(1);
        let [h, w] = [side(0), side(1)];
        // Now and then more than a block of channels or filters.
        let many = |random: &mut Random, often: usize| {
            if number % 15 == often { 100 + random.below(80) } else { 1 + random.below(20) }
        };
        let shape = [1 + random.below(3), many(&mut random, 0), h, w];
        let filters = many(&mut random, 1);
        Case::new(conv, shape, filters, &mut random).check(&mut comparison);
    }
    for (h, w) in [(1, 1), (1, 40), (61, 1), (2, 2), (60, 70)] {
        Case::new(Conv2d::square(3, 1, 1), [2, 3, h, w], 5, &mut random).check(&mut comparison);
    }
    // More tiles than gradients of filters are made of at once.
    Case::new(Conv2d::square(3, 1, 1), [1, 1, 440, 440], 1, &mut random).check(&mut comparison);
    let strided = Conv2d { kernel: [2, 5], stride: [3, 2], ..Conv2d::square(1, 1, 0).padded(1, 2, 1, 2) };
    let strided = Conv2d { activation: Some(Activation::Relu), ..strided };
    Case::new(strided, [2, 7, 19, 23], 9, &mut random).check(&mut comparison);
    Case::new(Conv2d { groups: 4, dilation: [2, 3], ..strided }, [2, 8, 19, 23], 12, &mut random)
        .check(&mut comparison);
    // Rows of pixels that end within a vector or just after one, alone and where images share vectors; more than a tile.
    for (images, channels, filters, [h, w]) in [
        (1, 40, 60, [7, 7]),
        (2, 33, 20, [14, 14]),
        (3, 5, 50, [1, 17]),
        (7, 20, 9, [3, 3]),
        (9, 30, 100, [1, 1]),
        (1, 3, 17, [40, 45]),
        (1, 200, 30, [21, 11]),
    ] {
        Case::new(Conv2d::square(1, 1, 0), [images, channels, h, w], filters, &mut random).check(&mut comparison);
    }
    for (conv, h, w, filters) in [
        (Conv2d::square(7, 2, 3), 30, 61, 20),
        (Conv2d::square(1, 2, 0), 15, 30, 50),
        (Conv2d::square(3, 2, 0).padded(0, 0, 1, 1), 20, 20, 30),
        (Conv2d::square(3, 1, 1), 4, 600, 3),
        (Conv2d::square(5, 3, 2), 3, 3, 5),
        (Conv2d::square(11, 1, 5), 3, 4, 5),
    ] {
        Case::new(conv, [2, 6, h, w], filters, &mut random).check(&mut comparison);
    }
    // One image of 7×7 and one that is cut into bands; more than one filter for a channel.
    for (kernel, stride, side, filters) in
        [(3, 1, 7, 40), (3, 2, 112, 40), (5, 1, 130, 40), (5, 2, 14, 80), (4, 3, 30, 40), (3, 1, 1, 40)]
    {
        let depthwise = Conv2d::square(kernel, stride, kernel / 2).groups(40);
        Case::new(depthwise, [2, 40, side, side + 1], filters, &mut random).check(&mut comparison);
        Case::new(depthwise.dilation(2), [1, 40, side + 8, side + 9], filters, &mut random).check(&mut comparison);
    }
    comparison.finish();
}

#[test]
fn not_a_number_stays_one() {
    let mut random = Random::new(4);
    let conv = Conv2d { activation: Some(Activation::Relu), ..Conv2d::square(3, 1, 1) };
    let mut case = Case::new(conv, [1, 20, 9, 9], 20, &mut random);
    case.x.data_mut()[4 * 9 + 4] = f32::NAN;
    for (algorithm, _) in ALGORITHMS {
        let options = Options { kernel: Some(algorithm.to_owned()), ..checked() };
        let inputs = [case.x.clone(), case.weight.clone(), case.bias.clone()];
        let found = run_op(&Device::Cpu, &Op::Conv2d(case.conv), &inputs, &RunState::default(), &options).unwrap();
        for filter in 0..20 {
            assert!(found[0].data()[filter * 81 + 4 * 9 + 4].is_nan(), "{algorithm}, filter {filter}");
        }
    }
}

#[test]
fn a_wrong_convolution_is_noticed() {
    let mut random = Random::new(5);
    for change in [
        (|case: &mut Case| case.conv.padding = [1, 0, 1, 0]) as fn(&mut Case),
        |case| case.conv.activation = Some(Activation::Relu),
        |case| case.weight.data_mut().swap(3, 5),
        |case| case.bias.data_mut()[18] += 0.01,
        |case| case.x.data_mut()[0] += 0.01,
    ] {
        let mut case = Case::new(Conv2d::square(3, 1, 0).padded(0, 1, 0, 1), [1, 17, 8, 8], 19, &mut random);
        let (x, weight) = (case.x.data().to_vec(), case.weight.data().to_vec());
        let mut wanted = case.exact(case.dy.shape(), |output, input, tap| (output, x[input], weight[tap]));
        wanted.data_mut().iter_mut().enumerate().for_each(|(place, y)| *y += case.bias.data()[place / 48]);
        change(&mut case);
        for (algorithm, tolerance) in ALGORITHMS {
            let options = Options { kernel: Some(algorithm.to_owned()), ..checked() };
            let inputs = [case.x.clone(), case.weight.clone(), case.bias.clone()];
            let found = run_op(&Device::Cpu, &Op::Conv2d(case.conv), &inputs, &RunState::default(), &options).unwrap();
            let found = found.into_iter().next().unwrap().reshape(wanted.shape()).unwrap();
            let mut comparison = Comparison::default();
            comparison.check(algorithm, &found, &wanted, tolerance);
            assert_eq!(comparison.failures().len(), 1, "{algorithm}");
        }
    }
}

#[test]
fn a_wrong_gradient_of_the_filters_is_noticed() {
    let mut random = Random::new(6);
    for change in [
        (|case: &mut Case| case.x.data_mut()[70] += 0.1) as fn(&mut Case),
        |case| case.dy.data_mut()[0] += 0.1,
        |case| case.dy.data_mut().swap(3, 5),
        |case| case.x.data_mut()[..64].rotate_left(1),
    ] {
        let mut case = Case::new(Conv2d::square(3, 1, 1), [2, 17, 8, 8], 19, &mut random);
        let (x, dy) = (case.x.data().to_vec(), case.dy.data().to_vec());
        let wanted = case.exact(case.weight.shape(), |output, input, tap| (tap, dy[output], x[input]));
        change(&mut case);
        for (algorithm, tolerance) in ALGORITHMS {
            let options = Options { kernel: Some(algorithm.to_owned()), ..checked() };
            let (op, inputs) = (Conv2dBackwardWeight(case.conv).into(), [case.x.clone(), case.dy.clone()]);
            let found = run_op(&Device::Cpu, &op, &inputs, &RunState::default(), &options).unwrap();
            let mut comparison = Comparison::default();
            comparison.check(algorithm, &found[0], &wanted, tolerance);
            assert_eq!(comparison.failures().len(), 1, "{algorithm}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut random = Random::new(7);
    let case = Case::new(Conv2d::square(3, 1, 1), [3, 70, 30, 30], 150, &mut random);
    let (inputs, op) = ([case.x, case.dy], Op::from(Conv2dBackwardWeight(case.conv)));
    for algorithm in ["conv2d/winograd2", "conv2d/winograd4"] {
        let options = Options { kernel: Some(algorithm.to_owned()), ..checked() };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run_op(&Device::Cpu, &op, &inputs, &RunState::default(), &options).unwrap())
        };
        let first = run(1);
        assert!(first[0].data().iter().any(|&value| value != 0.0));
        assert!(run(2) == first && run(7) == first, "{algorithm}");
    }
}

#[test]
fn neither_threads_nor_other_images_change_a_bit() {
    let mut random = Random::new(8);
    for (kernel, stride, side, channels, filters, groups) in [
        (1, 1, 7, 40, 160, 1),
        (1, 1, 3, 40, 20, 1),
        (1, 1, 4, 17, 9, 1),
        (1, 1, 29, 20, 7, 1),
        (3, 1, 7, 40, 100, 1),
        (3, 1, 40, 20, 60, 1),
        (3, 2, 30, 16, 16, 4),
        (7, 2, 60, 3, 20, 1),
        (3, 1, 7, 40, 40, 40),
        (5, 2, 20, 40, 40, 40),
    ] {
        let conv = Conv2d::square(kernel, stride, kernel / 2).groups(groups);
        let case = Case::new(conv, [3, channels, side, side], filters, &mut random);
        let run = |images: usize, threads: usize| {
            let values = case.x.data()[..images * channels * side * side].to_vec();
            let x = Tensor::new([images, channels, side, side], values).unwrap();
            let inputs = [x, case.weight.clone(), case.bias.clone()];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let run = || run_op(&Device::Cpu, &Op::Conv2d(conv), &inputs, &RunState::default(), &checked()).unwrap();
            pool.install(run).swap_remove(0)
        };
        let all = run(3, 1);
        let of_image = all.data().len() / 3;
        for (images, threads) in [(3, 2), (3, 7), (1, 1), (1, 5), (2, 3)] {
            let found = run(images, threads);
            assert!(found.data() == &all.data()[..images * of_image], "{conv:?}, {images} images, {threads} threads");
        }
    }
}

//! Convolution as a product of matrices of which only one is there: the rows of the other one are read from a copy of the
//! input in which zeros surround each image. What a tap meets at neighbouring pixels lies side by side there, a fixed way
//! from what the first tap meets; with a stride, rows and columns whose numbers leave the same rest after division by it
//! are copied next to each other. Pointwise convolutions read the input itself.

mod layout;

use bytemuck::cast_slice_mut;
use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::epilogue::{After, Finish};
use super::microkernel::{ShiftedProduct, blocks, widest};
use super::scratch::Scratch;
use super::shared_output::SharedOutput;
use super::vector::load;
use crate::ops::Conv2d;
use crate::parallel::*;
use layout::{Layout, Tiles};

/// The fewest filters of a task, if there are as many: each copied value is used so many times.
const FEW_FILTERS: usize = 48;
/// Up to so many pixels after whole vectors are computed one by one.
const SINGLY: usize = 2;
/// Filters of a task are a multiple of this: whole blocks of registers.
const BLOCK: usize = 8;

pub(super) fn forward(op: &Conv2d, x: View, weight: View, after: After, y: &mut [f32], scratch: &Scratch) {
    let Ok(output) = op.output_size([x.nchw()[2], x.nchw()[3]]) else { unreachable!("checked by the shape rule") };
    // Filters are shared among threads first: each then writes to planes of its own, and reads only its own filters.
    let (of_group, threads) = (after.bias.len() / op.groups, current_num_threads());
    let parts = (of_group / FEW_FILTERS).clamp(1, threads.div_ceil(op.groups));
    let filters = of_group.div_ceil(parts).next_multiple_of(BLOCK);
    let parts = of_group.div_ceil(filters) * op.groups;
    let tiles = Tiles::new(op, x.nchw(), output, threads.div_ceil(parts));
    let y = SharedOutput::new(y);
    let arch = Arch::new();
    for_each_task(tiles.count() * parts, |task| {
        let (tile, part) = (task / parts, task % parts);
        let (group, part) = (part * op.groups / parts, part % (parts / op.groups));
        let first = group * of_group + part * filters;
        let count = filters.min(of_group - part * filters);
        let layout = tiles.layout(tile);
        scratch.with(layout.memory(), |memory| {
            let weight = &weight.data[first * layout.inner()..][..count * layout.inner()];
            arch.dispatch(Task { layout, x: x.data, weight, after, y, group, first, count, memory });
        });
    });
}

/// The output of some filters of a group at the pixels of a tile.
struct Task<'a> {
    layout: Layout<'a>,
    x: &'a [f32],
    /// Of these filters alone.
    weight: &'a [f32],
    after: After<'a>,
    y: SharedOutput<'a>,
    group: usize,
    first: usize,
    count: usize,
    memory: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Task { layout, x, weight, after, y, group, first, count, memory } = self;
        let (lanes, inner) = (S::F32_LANES, layout.inner());
        let (taps, copy) = memory.split_at_mut(layout.taps());
        let taps: &mut [u32] = cast_slice_mut(taps);
        layout.fill_taps(taps);
        // SAFETY: no two tasks have both a filter and a pixel in common.
        let finish = unsafe { Finish::new(after, layout.op.activation, y, first, layout.plane()) };
        let channel = group * layout.channels();
        let whole = layout.vectors_in_place::<S>();
        // A tile of the padding alone begins beyond the input, which is then not read in place.
        let input = if whole > 0 { &x[layout.first_of(channel)..] } else { x };
        let rest = layout.positions() - whole * lanes;
        let singly = whole > 0 && rest <= SINGLY && !layout.may_share_tile();
        match (whole, singly) {
            (0, _) => layout.copy(simd, x, channel, copy),
            (_, true) => layout.copy_pixels(input, whole * lanes, copy),
            (_, false) => layout.copy_vector(simd, input, whole * lanes, copy),
        }
        let vectors = if singly { 0 } else { rest.div_ceil(lanes) };
        let in_place = blocks(whole, widest::<S>()).map(|block| (block, 0));
        let copied = blocks(vectors, widest::<S>()).map(|block| (block, whole));
        for row in (0..count).step_by(ShiftedProduct::ROWS) {
            let rows = ShiftedProduct::ROWS.min(count - row);
            for ((vector, vectors), before) in in_place.clone().chain(copied.clone()) {
                let (b, b_stride) = match (before, whole) {
                    (0, 1..) => (&input[vector * lanes..], layout.plane_in_place()),
                    (0, 0) => (&copy[vector * lanes..], layout.channel()),
                    _ => (&copy[vector * lanes..], lanes),
                };
                let a = &weight[row * inner..];
                let product = ShiftedProduct { a, rows, b, b_stride, channels: layout.channels(), taps, vectors };
                product.run(simd, &finish, row, &layout.places((before + vector) * lanes, vectors * lanes));
            }
            if singly {
                for (pixel, x) in copy.chunks_exact(inner).take(rest).enumerate() {
                    let place = layout.places(whole * lanes + pixel, 1);
                    for (row, weight) in (row..row + rows).zip(weight[row * inner..].chunks_exact(inner)) {
                        finish.write(simd, row, [simd.splat_f32s(dot(simd, weight, x))], &place);
                    }
                }
            }
        }
        if !finish.is_complete() {
            for row in 0..count {
                layout.parts().for_each(|part| finish.activate(row, part));
            }
        }
    }
}

/// The sum of products, in two sums of vectors.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let lanes = S::F32_LANES;
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (a, b) in a.chunks(2 * lanes).zip(b.chunks(2 * lanes)) {
        let (a, b) = (a.split_at(lanes.min(a.len())), b.split_at(lanes.min(b.len())));
        sums[0] = simd.mul_add_e_f32s(load(simd, a.0), load(simd, b.0), sums[0]);
        sums[1] = simd.mul_add_e_f32s(load(simd, a.1), load(simd, b.1), sums[1]);
    }
    simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]))
}

//! The sizes of a convolution, and how its work is cut so that everything bound fits.

use std::ops::Range;

use super::super::buffer::{Storage, View};
use super::super::compile::{Compiler, MAX_GRID, cut_evenly};
use crate::error::Result;
use crate::ops::Conv2d;

/// A part of the work: some images, and some filters of some groups.
pub(super) struct Piece {
    pub images: Range<usize>,
    pub filters: Range<usize>,
    pub groups: Range<usize>,
}

/// The sizes of one convolution.
pub(super) struct Geometry {
    pub op: Conv2d,
    pub images: usize,
    pub channels: usize,
    pub input: [usize; 2],
    pub filters: usize,
    pub output: [usize; 2],
}

impl Geometry {
    pub fn new(op: &Conv2d, x: [usize; 4], y: &[usize]) -> Self {
        let [images, channels, height, width] = x;
        Geometry { op: *op, images, channels, input: [height, width], filters: y[1], output: [y[2], y[3]] }
    }

    /// Values of one image of x.
    pub fn x_image(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Channels that a filter sees.
    pub fn group_channels(&self) -> usize {
        self.channels / self.op.groups
    }

    /// Where the channels of a group begin in an image of x.
    pub fn x_group(&self, group: usize) -> usize {
        group * self.group_channels() * self.input[0] * self.input[1]
    }

    /// Values of one feature map of y.
    pub fn plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Places in one channel of a filter.
    pub fn taps(&self) -> usize {
        self.op.kernel[0] * self.op.kernel[1]
    }

    pub fn filter(&self) -> usize {
        self.group_channels() * self.taps()
    }

    pub fn flops(&self, images: usize, filters: usize) -> u64 {
        2 * (images * filters * self.plane()) as u64 * self.filter() as u64
    }

    /// The parts that the work is cut into, so that everything bound fits: images and filters. Filters are cut where
    /// their weights lie in several buffers, or where one image of y is larger than a binding or too much work at once; then images go one by
    /// one, because the same filters of two images do not lie side by side.
    pub fn parts(&self, compiler: &Compiler, weight: &Storage) -> Vec<(Range<usize>, Range<usize>)> {
        let affordable = usize::try_from(compiler.gpu.flops_per_dispatch() / self.flops(1, 1).max(1));
        let fitting = compiler.gpu.values_per_binding() / self.plane();
        let planes = fitting.min(affordable.unwrap_or(usize::MAX)).max(1);
        let rows: Vec<Range<usize>> = weight.rows().flat_map(|rows| cut_evenly(rows, planes)).collect();
        let at_once = if rows.len() == 1 {
            let lengths = [self.x_image(), self.filters * self.plane()];
            compiler.images_per_dispatch(&lengths, self.flops(1, self.filters)).min(MAX_GRID)
        } else {
            1
        };
        let images = (0..self.images).step_by(at_once).map(|first| first..(first + at_once).min(self.images));
        images.flat_map(|images| rows.iter().map(move |rows| (images.clone(), rows.clone()))).collect()
    }

    /// The parts, cut where a group ends. Kernels that make all groups at once get parts of all filters `whole`.
    pub fn pieces(&self, compiler: &Compiler, weight: &Storage, whole: bool) -> Vec<Piece> {
        let of_group = self.filters / self.op.groups;
        let cut = |(images, filters): (Range<usize>, Range<usize>)| {
            let groups = filters.start / of_group..filters.end.div_ceil(of_group);
            if whole && filters == (0..self.filters) {
                return vec![Piece { images, filters, groups }];
            }
            let piece = |group: usize| Piece {
                images: images.clone(),
                filters: filters.start.max(group * of_group)..filters.end.min((group + 1) * of_group),
                groups: group..group + 1,
            };
            groups.map(piece).collect()
        };
        self.parts(compiler, weight).into_iter().flat_map(cut).collect()
    }

    pub fn x_view(&self, compiler: &Compiler, x: &Storage, images: &Range<usize>) -> Result<View> {
        compiler.gpu.view(x, images.start * self.x_image()..images.end * self.x_image())
    }

    /// These filters of these images.
    pub fn y_view(
        &self,
        compiler: &Compiler,
        y: &Storage,
        images: &Range<usize>,
        filters: &Range<usize>,
    ) -> Result<View> {
        let first = images.start * self.filters + filters.start;
        let last = (images.end - 1) * self.filters + filters.end;
        compiler.gpu.view(y, first * self.plane()..last * self.plane())
    }

    pub fn weight_view(&self, compiler: &Compiler, weight: &Storage, filters: &Range<usize>) -> Result<View> {
        compiler.gpu.view(weight, filters.start * self.filter()..filters.end * self.filter())
    }

    /// Whether the kernels whose filter size is known at compile time can be used.
    pub fn is_3x3(&self) -> bool {
        self.op.kernel == [3, 3]
    }
}

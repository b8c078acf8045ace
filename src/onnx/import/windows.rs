//! Windows that slide over pictures: their size, their steps, and what is around the pictures.

use super::images::Images;
use super::node::Node;
use super::refusal::{Outcome, Refusal};

/// The windows of a node, each for height and width. A line has windows of height 1.
pub(super) struct Windows {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    /// Above, to the left, below and to the right.
    pub padding: [usize; 4],
}

impl Windows {
    /// Those of a node on such pictures; `kernel` is their size where an input says it.
    pub fn of(node: &Node, images: &Images, kernel: Option<[usize; 2]>) -> Outcome<Self> {
        let lines = images.are_lines;
        let pair = |name: &str, default: [usize; 2]| match lines {
            false => node.sizes(name, default),
            true => node.sizes(name, [default[1]]).map(|[along]| [1, along]),
        };
        let given = pair("kernel_shape", kernel.unwrap_or([0; 2]))?;
        if kernel.is_some_and(|kernel| kernel != given) || given.contains(&0) {
            return Err(Refusal::damaged(format!("has the kernel_shape {given:?}")));
        }
        let (stride, dilation) = (pair("strides", [1; 2])?, pair("dilations", [1; 2])?);
        if stride.contains(&0) || dilation.contains(&0) {
            return Err(Refusal::damaged("has a stride or a dilation of 0"));
        }
        let mut windows = Windows { kernel: given, stride, dilation, padding: [0; 4] };
        windows.padding = match node.text("auto_pad", "NOTSET")? {
            "NOTSET" if lines => node.sizes("pads", [0; 2]).map(|[before, after]| [0, before, 0, after])?,
            "NOTSET" => node.sizes("pads", [0; 4])?,
            "VALID" => [0; 4],
            "SAME_UPPER" => windows.same(images.size(), true),
            "SAME_LOWER" => windows.same(images.size(), false),
            other => return Err(Refusal::unsupported(format!("with auto_pad {other}"))),
        };
        Ok(windows)
    }

    /// The padding with which there are as many windows as steps in the picture.
    fn same(&self, size: [usize; 2], more_after: bool) -> [usize; 4] {
        let mut padding = [0; 4];
        for axis in 0..2 {
            let (stride, reach) = (self.stride[axis], self.reach()[axis]);
            let count = size[axis].div_ceil(stride);
            let total = ((count.saturating_sub(1)) * stride + reach).saturating_sub(size[axis]);
            let (small, large) = (total / 2, total - total / 2);
            (padding[axis], padding[axis + 2]) = if more_after { (small, large) } else { (large, small) };
        }
        padding
    }

    /// Over how many rows and columns a window reaches.
    pub fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilation[axis] + 1)
    }

    /// How many windows there are; with `ceils` one counts that reaches out of picture and padding, if it begins inside.
    pub fn count(&self, size: [usize; 2], ceils: bool) -> Outcome<[usize; 2]> {
        let mut counts = [0; 2];
        for axis in 0..2 {
            let (stride, before) = (self.stride[axis], self.padding[axis]);
            let padded = size[axis] + before + self.padding[axis + 2];
            let fits = padded.checked_sub(self.reach()[axis]);
            let room = fits.ok_or_else(|| Refusal::damaged("has windows that do not fit the picture"))?;
            counts[axis] = if ceils { room.div_ceil(stride) } else { room / stride } + 1;
            if ceils && (counts[axis] - 1) * stride >= size[axis] + before {
                counts[axis] -= 1;
            }
        }
        Ok(counts)
    }
}

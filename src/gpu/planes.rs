//! Pieces of image tensors for kernels that change the height and width of feature maps one by one.

use super::buffer::{Storage, View};
use super::compile::{Compiler, Operands};
use crate::error::Result;

/// Calls a function for as few pieces of the feature maps as fit bindings, with the views of the one input and the output,
/// how many maps these are, and the grid for one invocation per element of the output in workgroups of 256.
pub(super) fn for_pieces(
    compiler: &mut Compiler,
    operands: &Operands,
    mut dispatch: impl FnMut(&mut Compiler, [&View; 2], usize, [usize; 3]) -> Result<()>,
) -> Result<()> {
    let ([source], [out]) = (operands.inputs()?, operands.outputs()?);
    let (shape, out_shape) = (operands.shapes[0], operands.output_shapes[0]);
    let planes = shape[0] * shape[1];
    let lengths = [shape, out_shape].map(|shape| shape[2] * shape[3]);
    let most = compiler.images_per_dispatch(&lengths, lengths[0].max(lengths[1]) as u64);
    for first in (0..planes).step_by(most) {
        let count = most.min(planes - first);
        let view =
            |storage: &Storage, length: usize| compiler.gpu.view(storage, first * length..(first + count) * length);
        let source = view(source, lengths[0])?;
        let out = view(out, lengths[1])?;
        let grid = compiler.folded((count * lengths[1]).div_ceil(256));
        dispatch(compiler, [&source, &out], count, grid)?;
    }
    Ok(())
}

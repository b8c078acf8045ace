//! What the losses share that are means over elements: `shaders/shared/losses.wgsl`.

use super::compile::{Compiler, Operands};
use super::kernel::Kernel;
use super::uniform::uniform;
use crate::error::Result;

uniform! {
    pub(super) struct Params {
        length: u32,
        x_offset: u32,
        target_offset: u32,
        loss_offset: u32,
        gradient_offset: u32,
    }
}

/// One dispatch of one workgroup.
pub(super) fn run(compiler: &mut Compiler, kernel: &'static Kernel, operands: &Operands, flops: usize) -> Result<()> {
    let ([x, target], [loss, gradient]) = (operands.inputs()?, operands.outputs()?);
    let mut views = Vec::new();
    for storage in [x, target, loss, gradient] {
        views.push(compiler.gpu.whole(storage)?);
    }
    let length = x.len;
    let params = Params {
        length: length as u32,
        x_offset: views[0].offset,
        target_offset: views[1].offset,
        loss_offset: views[2].offset,
        gradient_offset: views[3].offset,
    };
    compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), [1, 1, 1], (flops * length) as u64)
}

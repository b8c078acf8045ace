//! Softmax and cross-entropy in one: the loss, and the gradient of the logits.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::CrossEntropy;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &FORWARD_SOFT];

const SHADER: Shader = shader!("cross_entropy");

static FORWARD: Kernel =
    Kernel::new::<Params>("cross_entropy/forward", SHADER, "forward", &[Read, Read, Read, Write, Write]);

static FORWARD_SOFT: Kernel =
    Kernel::new::<Params>("cross_entropy/forward_soft", SHADER, "forward_soft", &[Read, Read, Read, Write, Write]);

uniform! {
    struct Params {
        rows: u32,
        classes: u32,
        label_smoothing: f32,
        logits_offset: u32,
        target_offset: u32,
        weight_offset: u32,
        loss_offset: u32,
        gradient_offset: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &CrossEntropy, operands: &Operands) -> Result<()> {
    let ([logits, target, weight], [loss, gradient]) = (operands.inputs()?, operands.outputs()?);
    let mut views = Vec::new();
    for storage in [logits, target, weight, loss, gradient] {
        views.push(compiler.gpu.whole(storage)?);
    }
    let logits = operands.shapes[0];
    let params = Params {
        rows: logits[0] as u32,
        classes: logits[1] as u32,
        label_smoothing: op.label_smoothing,
        logits_offset: views[0].offset,
        target_offset: views[1].offset,
        weight_offset: views[2].offset,
        loss_offset: views[3].offset,
        gradient_offset: views[4].offset,
    };
    let flops = 8 * (logits[0] * logits[1]) as u64;
    let kernel = if operands.shapes[1].len() == 2 { &FORWARD_SOFT } else { &FORWARD };
    compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), [1, 1, 1], flops)
}

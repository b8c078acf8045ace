//! Means over dimensions, and their gradient.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk;
use crate::error::Result;
use crate::ops::broadcast::terms;
use crate::ops::{ReduceMean, ReduceMeanBackward};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &FORWARD_WIDE, &BACKWARD];

const SHADER: Shader = shader!("reduce_mean", "walk", "sums");

static FORWARD: Kernel = Kernel::new::<walk::Params>("reduce_mean/forward", SHADER, "forward", &[Read, Unused, Write]);
static FORWARD_WIDE: Kernel =
    Kernel::new::<walk::Params>("reduce_mean/forward_wide", SHADER, "forward_wide", &[Read, Unused, Write]);
static BACKWARD: Kernel =
    Kernel::new::<walk::Params>("reduce_mean/backward", SHADER, "backward", &[Read, Unused, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &ReduceMean, operands: &Operands) -> Result<()> {
    let (x, kept) = (operands.shapes[0], op.kept(operands.shapes[0]));
    let share = 1.0 / terms(x, &kept) as f32;
    walk::sums(compiler, [&FORWARD, &FORWARD_WIDE], operands, x, &kept, share)
}

pub(super) fn backward(compiler: &mut Compiler, op: &ReduceMeanBackward, operands: &Operands) -> Result<()> {
    let kept = op.mean.kept(&op.shape);
    let share = 1.0 / terms(&op.shape, &kept) as f32;
    walk::spread(compiler, &BACKWARD, operands, &kept, share)
}

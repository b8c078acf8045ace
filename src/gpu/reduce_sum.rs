//! Sums over dimensions.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk;
use crate::error::Result;
use crate::ops::ReduceSum;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &FORWARD_WIDE];

const SHADER: Shader = shader!("reduce_sum", "walk", "sums");

static FORWARD: Kernel = Kernel::new::<walk::Params>("reduce_sum/forward", SHADER, "forward", &[Read, Unused, Write]);
static FORWARD_WIDE: Kernel =
    Kernel::new::<walk::Params>("reduce_sum/forward_wide", SHADER, "forward_wide", &[Read, Unused, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &ReduceSum, operands: &Operands) -> Result<()> {
    walk::sums(compiler, [&FORWARD, &FORWARD_WIDE], operands, operands.shapes[0], &op.shape, 1.0)
}

//! Products of two values, summed over dimensions.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk;
use crate::error::Result;
use crate::ops::MulReduce;
use crate::ops::broadcast::broadcast_checked;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &FORWARD_WIDE];

const SHADER: Shader = shader!("mul_reduce", "walk", "sums");

static FORWARD: Kernel = Kernel::new::<walk::Params>("mul_reduce/forward", SHADER, "forward", &[Read, Read, Write]);
static FORWARD_WIDE: Kernel =
    Kernel::new::<walk::Params>("mul_reduce/forward_wide", SHADER, "forward_wide", &[Read, Read, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &MulReduce, operands: &Operands) -> Result<()> {
    let whole = broadcast_checked(operands.shapes[0], operands.shapes[1]);
    walk::sums(compiler, [&FORWARD, &FORWARD_WIDE], operands, &whole, &op.shape, 1.0)
}

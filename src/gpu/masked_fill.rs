//! A value with one number wherever a mask is above 0.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk;
use crate::error::Result;
use crate::ops::MaskedFill;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BROADCAST];

const SHADER: Shader = shader!("masked_fill", "walk", "pairs");

static FORWARD: Kernel = Kernel::new::<walk::Params>("masked_fill/forward", SHADER, "forward", &[Read, Read, Write]);
static BROADCAST: Kernel =
    Kernel::new::<walk::Params>("masked_fill/broadcast", SHADER, "broadcast", &[Read, Read, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &MaskedFill, operands: &Operands) -> Result<()> {
    walk::pairs(compiler, [&FORWARD, &BROADCAST], operands, op.value)
}

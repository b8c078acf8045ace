//! The sum of two values.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BROADCAST];

const SHADER: Shader = shader!("add", "walk", "pairs");

static FORWARD: Kernel = Kernel::new::<walk::Params>("add/forward", SHADER, "forward", &[Read, Read, Write]);
static BROADCAST: Kernel = Kernel::new::<walk::Params>("add/broadcast", SHADER, "broadcast", &[Read, Read, Write]);

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    walk::pairs(compiler, [&FORWARD, &BROADCAST], operands, 1.0)
}

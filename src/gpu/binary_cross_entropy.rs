//! Sigmoid and cross-entropy in one.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::losses;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("binary_cross_entropy", "losses");

static FORWARD: Kernel =
    Kernel::new::<losses::Params>("binary_cross_entropy/forward", SHADER, "forward", &[Read, Read, Write, Write]);

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    losses::run(compiler, &FORWARD, operands, 8)
}

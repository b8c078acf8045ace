//! Activation functions and their gradients, value by value.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::elementwise::{self, Params};
use super::finish::{Finish, limits};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use crate::error::Result;
use crate::ops::Activation;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("activation", "activation", "chained", "elementwise");

static FORWARD: Kernel = Kernel::new::<Params>("activation/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("activation/backward", SHADER, "backward", &[Read, Read, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: Activation, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, op, &[x, y])
}

pub(super) fn backward(compiler: &mut Compiler, op: Activation, operands: &Operands) -> Result<()> {
    let ([x, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, op, &[x, dy, dx])
}

fn run(compiler: &mut Compiler, kernel: &'static Kernel, op: Activation, storages: &[&Storage]) -> Result<()> {
    let variant = kernel.finishing(Finish::new(Some(op), false));
    elementwise::run(compiler, variant, limits(Some(op)), storages)
}

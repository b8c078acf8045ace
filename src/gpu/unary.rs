//! Elementary functions and their gradients, value by value.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::elementwise::{self, Params};
use super::finish::Finish;
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use crate::error::Result;
use crate::ops::Unary;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("unary", "chained", "elementwise");

static FORWARD: Kernel = Kernel::new::<Params>("unary/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("unary/backward", SHADER, "backward", &[Read, Read, Write]);

/// A function as the shader knows it: its number and what it is made with.
fn encoded(function: Unary) -> (u32, f32) {
    match function {
        Unary::Abs => (0, 0.0),
        Unary::Sqrt => (1, 0.0),
        Unary::Reciprocal => (2, 0.0),
        Unary::Exp => (3, 0.0),
        Unary::Log => (4, 0.0),
        Unary::Sin => (5, 0.0),
        Unary::Cos => (6, 0.0),
        Unary::Tanh => (7, 0.0),
        Unary::Erf => (8, 0.0),
        Unary::Floor => (9, 0.0),
        Unary::Ceil => (10, 0.0),
        Unary::Round => (11, 0.0),
        Unary::Sign => (12, 0.0),
        Unary::Elu { alpha } => (13, alpha),
        Unary::Softplus => (14, 0.0),
        Unary::Softsign => (15, 0.0),
        Unary::Pow { exponent } => (16, exponent),
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: Unary, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, op, &[x, y])
}

pub(super) fn backward(compiler: &mut Compiler, op: Unary, operands: &Operands) -> Result<()> {
    let ([x, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, op, &[x, dy, dx])
}

fn run(compiler: &mut Compiler, kernel: &'static Kernel, op: Unary, storages: &[&Storage]) -> Result<()> {
    let (function, number) = encoded(op);
    elementwise::run(compiler, kernel.finishing(Finish::function(function)), [number, 0.0], storages)
}

//! Stochastic depth with random numbers from counters.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use super::walk;
use crate::error::Result;
use crate::ops::StochasticDepth;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("stochastic_depth", "state", "philox");

static FORWARD: Kernel = Kernel::new::<Params>("stochastic_depth/forward", SHADER, "forward", &[Read, Write, State]);

/// Elements of a sample that a workgroup does.
const BLOCK: usize = 1024;

uniform! {
    struct Params {
        length: u32,
        first_sample: u32,
        samples: u32,
        elements: u32,
        blocks: u32,
        layer: u32,
        threshold: u32,
        scale: f32,
        x_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &StochasticDepth, operands: &Operands) -> Result<()> {
    let ([source], [target]) = (operands.inputs()?, operands.outputs()?);
    let shape = operands.shapes[0];
    let elements: usize = shape[1..].iter().product();
    let (blocks, dropout) = (elements.div_ceil(BLOCK), op.as_dropout());
    for samples in walk::images(compiler, &[elements], shape[0]) {
        let values = samples.start * elements..samples.end * elements;
        let x = compiler.gpu.view(source, values.clone())?;
        let out = compiler.gpu.view(target, values.clone())?;
        let grid = compiler.folded(samples.len() * blocks);
        let params = Params {
            length: (samples.len() * blocks) as u32,
            first_sample: samples.start as u32,
            samples: shape[0] as u32,
            elements: elements as u32,
            blocks: blocks as u32,
            layer: op.layer,
            threshold: dropout.threshold(),
            scale: dropout.scale(),
            x_offset: x.offset,
            out_offset: out.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&FORWARD, &params, &[&x, &out], grid, values.len() as u64)?;
    }
    Ok(())
}

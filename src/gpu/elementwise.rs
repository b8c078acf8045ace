//! Functions of single values and their gradients: how kernels go over the values.

use super::buffer::Storage;
use super::compile::Compiler;
use super::kernel::Variant;
use super::uniform::uniform;
use crate::error::Result;

uniform! {
    pub(super) struct Params {
        length: u32,
        x_offset: u32,
        dy_offset: u32,
        out_offset: u32,
        grid: u32,
        /// What the function is made with.
        low: f32,
        high: f32,
    }
}

/// Adds the dispatches of a kernel for all values. The last storage is the one that is written.
pub(super) fn run(
    compiler: &mut Compiler,
    variant: Variant,
    [low, high]: [f32; 2],
    storages: &[&Storage],
) -> Result<()> {
    for values in compiler.stretches(storages[0].len, 1) {
        let mut views = Vec::new();
        for storage in storages {
            views.push(compiler.gpu.view(storage, values.clone())?);
        }
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            x_offset: views[0].offset,
            dy_offset: views[1].offset,
            out_offset: views[views.len() - 1].offset,
            grid: grid[0] as u32,
            low,
            high,
        };
        compiler.dispatch(variant, &params, &views.iter().collect::<Vec<_>>(), grid, values.len() as u64)?;
    }
    Ok(())
}

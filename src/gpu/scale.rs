//! What factors are multiplied with before matrix units take them in f16.

use super::buffer::{Storage, View};
use super::compile::Compiler;
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&LARGEST, &POWER];

const SHADER: Shader = shader!("scale");

static LARGEST: Kernel = Kernel::new::<Params>("scale/largest", SHADER, "largest", &[Read, Write]);
static POWER: Kernel = Kernel::new::<Params>("scale/power", SHADER, "power", &[Read, Write]);

/// Invocations of a workgroup, and the most workgroups that look for the largest.
const INVOCATIONS: usize = 256;
const MOST_GROUPS: usize = 256;

/// Weights are small, and what runs through a network may be large.
const WEIGHTS: f32 = 64.0;
const VALUES: f32 = 1.0 / 64.0;
/// Gradients may be of any size: theirs is measured.
const MEASURED: f32 = 0.0;

uniform! {
    struct Params {
        length: u32,
        x_offset: u32,
        out_offset: u32,
        stride: u32,
    }
}

/// The scales of the two factors of a product. All are powers of two, which are taken away from the result.
pub(super) struct Scales {
    pub left: f32,
    pub right: f32,
    measured: Option<View>,
}

impl Scales {
    /// Weights times values.
    pub const FORWARD: Scales = Scales { left: WEIGHTS, right: VALUES, measured: None };

    /// Weights times a gradient, of which the scale is measured if matrix units make the product.
    pub fn of_input(compiler: &mut Compiler, units: Option<&Kernel>, weight: &Storage, dy: &Storage) -> Result<Self> {
        if units.is_some() {
            compiler.check_for_matrix_units(weight)?;
        }
        Self::measured(compiler, units, dy, [WEIGHTS, MEASURED])
    }

    /// The same for a gradient times values.
    pub fn of_weight(compiler: &mut Compiler, units: Option<&Kernel>, dy: &Storage) -> Result<Self> {
        Self::measured(compiler, units, dy, [MEASURED, VALUES])
    }

    /// The same for values times a gradient.
    pub fn of_dense_weight(compiler: &mut Compiler, units: Option<&Kernel>, dy: &Storage) -> Result<Self> {
        Self::measured(compiler, units, dy, [VALUES, MEASURED])
    }

    fn measured(
        compiler: &mut Compiler,
        units: Option<&Kernel>,
        dy: &Storage,
        [left, right]: [f32; 2],
    ) -> Result<Self> {
        // Other kernels read no scale.
        let measured = units.map(|_| measure(compiler, dy)).transpose()?;
        Ok(Scales { left, right, measured })
    }

    /// Where the measured scale lies in its binding.
    pub fn offset(&self) -> u32 {
        self.measured.as_ref().map_or(0, |view| view.offset)
    }

    /// What is bound: another view where none is measured, which does not count.
    pub fn or<'a>(&'a self, other: &'a View) -> &'a View {
        self.measured.as_ref().unwrap_or(other)
    }
}

/// Adds the dispatches that measure the scale of a gradient. It is there until the step's end.
fn measure(compiler: &mut Compiler, gradient: &Storage) -> Result<View> {
    let stretches: Vec<_> = compiler.stretches(gradient.len, 1).collect();
    let groups = gradient.len.div_ceil(INVOCATIONS * stretches.len()).min(MOST_GROUPS);
    let largest = compiler.scratch(groups * stretches.len())?;
    let scale = compiler.scratch(1)?;
    compiler.keep_scratch();
    let (largest, scale) = (compiler.gpu.whole(&largest)?, compiler.gpu.whole(&scale)?);
    for (index, stretch) in stretches.iter().enumerate() {
        let x = compiler.gpu.view(gradient, stretch.clone())?;
        let params = Params {
            length: stretch.len() as u32,
            x_offset: x.offset,
            out_offset: largest.offset + (index * groups) as u32,
            stride: (groups * INVOCATIONS) as u32,
        };
        compiler.dispatch(&LARGEST, &params, &[&x, &largest], [groups, 1, 1], stretch.len() as u64)?;
    }
    let length = groups * stretches.len();
    let params = Params {
        length: length as u32,
        x_offset: largest.offset,
        out_offset: scale.offset,
        stride: INVOCATIONS as u32,
    };
    compiler.dispatch(&POWER, &params, &[&largest, &scale], [1, 1, 1], length as u64)?;
    Ok(scale)
}

#[cfg(test)]
mod tests {
    use super::super::adapter::Adapter;
    use super::super::read_back::ReadBack;
    use super::super::timer::Timer;
    use super::*;

    #[test]
    fn the_largest_value_comes_between_256_and_512_wherever_it_lies() {
        let gpu = Adapter::all()[0].open().unwrap();
        // One invocation, several workgroups, and more values than all workgroups have invocations.
        for length in [1, 1000, 200_000] {
            let gradient = gpu.storage("gradient", length, 0).unwrap();
            let scale = |largest: f32, at: usize| {
                let values: Vec<f32> =
                    (0..length).map(|i| if i == at { largest } else { 1e-3 * largest * (i % 7) as f32 }).collect();
                gradient.write(&gpu, &values);
                let mut compiler = Compiler::new(&gpu, None, true);
                let view = measure(&mut compiler, &gradient).unwrap();
                let compiled = compiler.finish(None, &[]).unwrap();
                Timer::new(&gpu, compiled.dispatches.len()).unwrap().run(&gpu, &compiled.dispatches).unwrap();
                let storage = compiled
                    .scratch
                    .iter()
                    .find(|it| std::sync::Arc::ptr_eq(&it.chunks[0].buffer, &view.buffer))
                    .unwrap();
                let read_back = ReadBack::new(&gpu, storage).unwrap();
                read_back.copy(&gpu, storage);
                read_back.read_blocking(&gpu).unwrap()[0]
            };
            for at in [0, length / 2, length - 1] {
                for largest in [1.0f32, -3.0, 1e-9, 7e11, -511.9] {
                    let found = scale(largest, at);
                    assert_eq!(found.to_bits() & 0x7f_ffff, 0, "{found} is not a power of two");
                    assert!((256.0..512.0).contains(&(found * largest.abs())), "{found} for {largest} at {at}");
                }
                // Not further than numbers go.
                let most = 2f32.powi(60);
                for (largest, wanted) in [(0.0, most), (1e-40, most), (f32::MAX, 1.0 / most), (f32::NAN, 1.0 / most)] {
                    assert_eq!(scale(largest, at), wanted, "{largest} at {at}");
                }
            }
        }
    }
}

//! How a product of matrices is cut for a GPU: into tiles, and its inner dimension into parts where there are few tiles.

use super::compile::{Compiler, MAX_GRID};
use super::kernel::Kernel;

/// Steps along the inner dimension that the products' kernels make at once.
pub(super) const STEP: usize = 8;

/// The same for a kernel: matrix units make twice as many.
pub(super) fn steps_at_once(kernel: &Kernel) -> usize {
    if kernel.matrix_source.is_some() { 2 * STEP } else { STEP }
}

/// Workgroups that keep a GPU busy. With fewer tiles than this, the inner dimension is cut into parts…
const ENOUGH_GROUPS: usize = 256;

/// …of at least so many steps: below that, adding the parts up costs more than it saves.
const LEAST_STEPS: usize = 24;

/// Whether so many tiles of 128×128 are better than so many of 64×64: large tiles read less, small ones leave less of a
/// tile empty and keep more workgroups busy.
pub(super) fn prefers_large(compiler: &Compiler, large: usize, small: usize) -> bool {
    let (enough, full) = (large >= ENOUGH_GROUPS / 4, large * 128 * 128 * 8 <= small * 64 * 64 * 9);
    compiler.has_many_registers() && enough && full
}

/// How many of the inner dimension's units, each of so many steps, a part takes, in a product of so many tiles and
/// values.
pub(super) fn units_per_part(compiler: &Compiler, units: usize, steps: usize, tiles: usize, values: usize) -> usize {
    let fitting = compiler.gpu.values_per_binding() / values.max(1);
    let most = (units * steps / LEAST_STEPS).min(units).min(fitting).clamp(1, MAX_GRID);
    units.div_ceil((ENOUGH_GROUPS / tiles.max(1)).clamp(1, most)).max(1)
}

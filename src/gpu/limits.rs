//! What the kernels need of a device, whatever the network.

use super::compile::MAX_GRID;
use super::device::Gpu;
use super::precision::Precision;
use crate::error::{Error, Result};

/// Invocations of the largest workgroup, all along x.
const INVOCATIONS: u64 = 256;

/// Bytes of workgroup memory of the kernel that has the most.
const WORKGROUP_BYTES: u64 = 16 << 10;

/// Storage and uniform buffers of the kernels that have the most.
pub(super) const STORAGES: u64 = 8;
pub(super) const UNIFORMS: u64 = 2;

impl Gpu {
    /// Refuses a precision that needs matrix units where there are none to use.
    pub(crate) fn check_precision(&self, precision: Precision) -> Result<()> {
        if !precision.is_by_matrix_units() || self.has_matrix_units() {
            return Ok(());
        }
        let reason = "it has no matrix units for products of 16×16×16 numbers in f16 with sums in f32 (wgpu's feature \
                      EXPERIMENTAL_COOPERATIVE_MATRIX), or it was opened without them";
        Err(self.refused_precision(precision, reason))
    }

    /// Whether the device has what the kernels need: no more than WebGPU's default limits. How much memory there must be
    /// is up to the network, and checked for each value.
    pub(super) fn check_limits(&self) -> Result<()> {
        let limits = self.limits();
        let needs = [
            ("max_compute_invocations_per_workgroup", INVOCATIONS, limits.max_compute_invocations_per_workgroup),
            ("max_compute_workgroup_size_x", INVOCATIONS, limits.max_compute_workgroup_size_x),
            ("max_compute_workgroup_storage_size", WORKGROUP_BYTES, limits.max_compute_workgroup_storage_size),
            ("max_compute_workgroups_per_dimension", MAX_GRID as u64, limits.max_compute_workgroups_per_dimension),
            ("max_storage_buffers_per_shader_stage", STORAGES, limits.max_storage_buffers_per_shader_stage),
            ("max_uniform_buffers_per_shader_stage", UNIFORMS, limits.max_uniform_buffers_per_shader_stage),
        ];
        match needs.into_iter().find(|&(_, needed, available)| u64::from(available) < needed) {
            None => Ok(()),
            Some((limit, needed, available)) => Err(Error::Limit {
                what: "the engine".to_owned(),
                needed,
                limit,
                available: available.into(),
                advice: "request the device with wgpu::Limits::default() or better ones",
            }),
        }
    }
}

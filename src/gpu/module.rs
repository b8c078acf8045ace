//! Shader modules: the built-in ones without the checks that a compiler adds to shaders that it cannot trust.

use super::kernel::Kernel;

/// The module of a kernel's shader, or of the text that was given in its place. `checks` are those that the built-in
/// shaders do without, `matrix_units` whether the device has some.
pub(super) fn create(
    device: &wgpu::Device,
    kernel: &Kernel,
    replaced: Option<&str>,
    checks: bool,
    matrix_units: bool,
) -> wgpu::ShaderModule {
    let own = kernel.matrix_source.filter(|_| matrix_units).unwrap_or(kernel.source);
    let source = wgpu::ShaderSource::Wgsl(replaced.unwrap_or(own).into());
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(kernel.shader), source };
    if replaced.is_some() || checks {
        return device.create_shader_module(descriptor);
    }
    // SAFETY: only texts that come with this library get here. Their loops end: each counts up to a parameter or down to
    // zero. They divide by sizes only, of which none is zero. Their indices are made of parameters that this library
    // computes and of places that they check themselves (classes and crops too), and stay within the bindings, for which
    // buffers of an application have room (`binding.rs`): what would lie outside is read from a place inside instead. The
    // tests run every kernel on shapes at the edges of its tiles: with guards and NaN around all that it reads and writes,
    // and once more with these checks, with the same results.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}

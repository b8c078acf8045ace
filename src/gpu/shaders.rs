//! What a device needs to know of all shaders: whether a name is one of theirs, and what a cache of them belongs to.

use std::collections::BTreeSet;

use super::device::Gpu;
use super::registry::{kernels, shader_source};
use crate::error::{Error, Result};

impl Gpu {
    /// Tries out another text for a shader (`conv2d`, …) in plans that are compiled from now on: for those who write
    /// kernels. Entry points, constants and bindings must be those of the built-in one.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no shader of this name.
    ///
    /// ```no_run
    /// let gpu = vultus::gpu::Gpu::new()?;
    /// let own = std::fs::read_to_string("my_softmax.wgsl").expect("a shader of one's own");
    /// gpu.replace_shader("softmax", own)?;
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[doc(hidden)]
    pub fn replace_shader(&self, shader: &str, wgsl: impl Into<String>) -> Result<()> {
        if shader_source(shader).is_none() {
            let known: BTreeSet<&str> = kernels().map(|kernel| kernel.shader).collect();
            return Err(Error::unknown("shaders", format!("shader {shader:?}"), known));
        }
        self.take_in_place_of(shader, wgsl.into());
        Ok(())
    }

    /// Keeps compiled pipelines (where the device has `PIPELINE_CACHE`) and the tuner's choices in this folder from
    /// process to process. Files of other adapters, drivers and versions are left alone, damaged ones are replaced.
    /// Only the first call has an effect.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder is not there and cannot be made.
    ///
    /// ```no_run
    /// use vultus::gpu::Gpu;
    ///
    /// let gpu = Gpu::new()?;
    /// gpu.cache_in(&std::env::temp_dir().join("my_application"))?;
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[cfg(feature = "files")]
    pub fn cache_in(&self, folder: &std::path::Path) -> Result<()> {
        self.open_cache(folder, super::registry::shaders().values().copied().flatten())
    }
}

//! The twin of the GPU's kernel. Training resamples on the host as well, without a backend, so that the code is where
//! both reach it.

pub(crate) use crate::image::resample::{Pixels, Sample, resample as forward};

//! What changes from run to run, as the kernels see it.

use super::uniform::uniform;

uniform! {
    pub(super) struct State {
        pub seed: [u32; 2],
        pub step: u32,
        pub learning_rate: f32,
        pub corrections: [f32; 2],
        pub micro_batch: u32,
        pub share: f32,
    }
}

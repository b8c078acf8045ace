//! From pictures to what a network takes, within the model.

use super::graph::{Graph, Value, integer, integers};
use super::proto::{Attribute, FLOAT};
use crate::ops::{Normalization, Order, resize::LUMA};

impl Graph<'_> {
    /// Adds the nodes from pictures `[N, H, W, 3]` to normalised values `[N, 3, H, W]`.
    pub fn preprocess(&mut self, image: Value, normalization: &Normalization) -> Value {
        let shape = vec![3, image.shape[0], image.shape[1]];
        let mut name = self.step("Cast", "image.f32", vec![image.name], vec![integer("to", i64::from(FLOAT))]);
        if normalization.gray {
            // The same luma in all channels. A product, not a convolution, so that it is not taken for a layer.
            let shares = LUMA.iter().flat_map(|&share| [share; 3]).collect();
            let shares = self.floats("preprocessing.luma", &[3, 3], shares);
            name = self.step("MatMul", "image.luma", vec![name, shares], vec![]);
        } else if normalization.order == Order::Bgr {
            let order = self.integers("preprocessing.bgr", &[2, 1, 0]);
            name = self.step("Gather", "image.bgr", vec![name, order], vec![integer("axis", 3)]);
        }
        name = self.step("Transpose", "image.planes", vec![name], vec![integers("perm", [0, 3, 1, 2])]);
        let mean = self.floats("preprocessing.mean", &[3, 1, 1], normalization.mean.to_vec());
        name = self.step("Sub", "image.centred", vec![name, mean], vec![]);
        let std = self.floats("preprocessing.std", &[3, 1, 1], normalization.std.to_vec());
        name = self.step("Div", "image.normalised", vec![name, std], vec![]);
        Value { name, shape }
    }

    fn step(&mut self, op: &str, name: &str, inputs: Vec<String>, attributes: Vec<Attribute>) -> String {
        let name = self.name(name);
        self.node(op, name, inputs, attributes)
    }
}

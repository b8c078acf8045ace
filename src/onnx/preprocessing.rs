//! From pictures to what a network takes, within the model.

use super::graph::{Graph, Value, integer, integers};
use super::proto::{Attribute, FLOAT};
use crate::ops::{Normalization, Order, resize::LUMA};

impl Graph<'_> {
    /// Adds the nodes from pictures `[N, H, W, 3]` to normalised values `[N, 3, H, W]`.
    pub fn preprocess(&mut self, image: Value, normalization: &Normalization) -> Value {
        let shape = vec![3, image.shape[0], image.shape[1]];
        let mut name = self.step("Cast", "image.f32", vec![image.name], vec![integer("to", i64::from(FLOAT))]);
        if let Some(mixture) = mixture(normalization) {
            // A product, not a convolution, so that it is not taken for a layer.
            let mixture = self.tensor("preprocessing.channels", &[3, 3], mixture);
            name = self.step("MatMul", "image.channels", vec![name, mixture], vec![]);
        }
        name = self.step("Transpose", "image.planes", vec![name], vec![integers("perm", [0, 3, 1, 2])]);
        let mean = self.tensor("preprocessing.mean", &[3, 1, 1], normalization.mean.to_vec());
        name = self.step("Sub", "image.centred", vec![name, mean], vec![]);
        let std = self.tensor("preprocessing.std", &[3, 1, 1], normalization.std.to_vec());
        name = self.step("Div", "image.normalised", vec![name, std], vec![]);
        Value { name, shape }
    }

    fn step(&mut self, op: &str, name: &str, inputs: Vec<String>, attributes: Vec<Attribute>) -> String {
        let name = self.name(name);
        self.node(op, name, inputs, attributes)
    }
}

/// What red, green and blue (the rows) contribute to each channel that the network takes (the columns), unless these are
/// the same.
fn mixture(normalization: &Normalization) -> Option<Vec<f32>> {
    match (normalization.gray, normalization.order) {
        (true, _) => Some(LUMA.iter().flat_map(|&share| [share; 3]).collect()),
        (false, Order::Bgr) => Some(vec![0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
        (false, Order::Rgb) => None,
    }
}

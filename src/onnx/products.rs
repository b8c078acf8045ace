//! Nodes of products of matrices, and of what attention adds to its scores.

use super::graph::{Graph, Value, integer, integers};
use crate::ops::{MatMul, RelativePositionBias};

impl Graph<'_> {
    /// A dense layer on the last dimension of values with several: a product with the weight's columns, and its bias.
    pub(super) fn dense_of_rows(&mut self, name: &str, names: &[String], shape: Vec<usize>) -> Value {
        let columns = self.name(&format!("{name}.columns"));
        let columns = self.node("Transpose", columns, vec![names[1].clone()], vec![integers("perm", [1, 0])]);
        let Some(bias) = names.get(2) else {
            let name = self.name(name);
            return Value { name: self.node("MatMul", name, vec![names[0].clone(), columns], vec![]), shape };
        };
        let product = self.part(name, "product", "MatMul", vec![names[0].clone(), columns]);
        let name = self.name(name);
        Value { name: self.node("Add", name, vec![product, bias.clone()], vec![]), shape }
    }

    /// A product of matrices.
    pub(super) fn matmul(&mut self, name: &str, matmul: MatMul, inputs: &[Value], shape: Vec<usize>) -> Value {
        let factors = [(matmul.transpose_a, "a"), (matmul.transpose_b, "b")];
        let mut names: Vec<String> = Vec::new();
        for ((turned, what), value) in factors.into_iter().zip(inputs) {
            names.push(if turned { self.turned(&format!("{name}.{what}"), value) } else { value.name.clone() });
        }
        if matmul.alpha != 1.0 {
            names[0] = self.times(name, "scaled", &names[0], matmul.alpha);
        }
        let name = self.name(name);
        Value { name: self.node("MatMul", name, names, vec![]), shape }
    }

    /// A value with its last two dimensions exchanged.
    fn turned(&mut self, name: &str, value: &Value) -> String {
        let dims = value.shape.len() + 1;
        let mut permutation: Vec<usize> = (0..dims).collect();
        permutation.swap(dims - 2, dims - 1);
        let name = self.name(name);
        self.node("Transpose", name, vec![value.name.clone()], vec![integers("perm", permutation)])
    }

    /// Biases by relative position: the entries of the table that each pair of tokens has, for each head.
    pub(super) fn position_bias(
        &mut self,
        name: &str,
        bias: RelativePositionBias,
        names: &[String],
        shape: Vec<usize>,
    ) -> Value {
        let (tokens, heads) = (bias.tokens(), shape[shape.len() - 3]);
        let entries: Vec<usize> = (0..tokens * tokens).map(|pair| bias.entry(pair / tokens, pair % tokens)).collect();
        let entries = self.whole_numbers(&format!("{name}.entries"), &entries);
        let rows = self.name(&format!("{name}.rows"));
        let rows = self.node("Gather", rows, vec![names[1].clone(), entries], vec![integer("axis", 0)]);
        let of_heads = self.name(&format!("{name}.of_heads"));
        let of_heads = self.node("Transpose", of_heads, vec![rows], vec![integers("perm", [1, 0])]);
        let sizes = self.whole_numbers(&format!("{name}.shape"), &[heads, tokens, tokens]);
        let biases = self.part(name, "biases", "Reshape", vec![of_heads, sizes]);
        let name = self.name(name);
        Value { name: self.node("Add", name, vec![names[0].clone(), biases], vec![]), shape }
    }
}

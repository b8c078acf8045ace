//! Nodes of activation functions. What opset 17 has no operator for is composed of others.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};

use super::graph::{Graph, Value, float};
use crate::ops::{Activation, Unary};

impl Graph<'_> {
    /// The nodes of an activation function.
    pub(super) fn activation(&mut self, name: &str, activation: Activation, x: Value) -> Value {
        let (operator, attributes) = match activation {
            Activation::Relu => ("Relu", vec![]),
            Activation::Sigmoid => ("Sigmoid", vec![]),
            Activation::Hardswish => ("HardSwish", vec![]),
            Activation::LeakyRelu { negative_slope } => ("LeakyRelu", vec![float("alpha", negative_slope)]),
            Activation::Clip { min, max } => {
                let limits = [("min", min), ("max", max)];
                let limits = limits.map(|(what, value)| self.tensor(&format!("{name}.{what}"), &[], vec![value]));
                let name = self.name(name);
                let clip = self.node("Clip", name, [vec![x.name], limits.to_vec()].concat(), vec![]);
                return Value { name: clip, shape: x.shape };
            }
            Activation::Silu => {
                let gate = self.part(name, "gate", "Sigmoid", vec![x.name.clone()]);
                return self.product(name, x, gate);
            }
            Activation::Gelu => {
                let scaled = self.times(name, "scaled", &x.name, FRAC_1_SQRT_2);
                let erf = self.part(name, "erf", "Erf", vec![scaled]);
                return self.gelu(name, x, erf);
            }
            Activation::GeluTanh => {
                let square = self.part(name, "square", "Mul", vec![x.name.clone(); 2]);
                let cube = self.part(name, "cube", "Mul", vec![square, x.name.clone()]);
                let cube = self.times(name, "part", &cube, 0.044_715);
                let sum = self.part(name, "sum", "Add", vec![x.name.clone(), cube]);
                // √(2/π)
                let scaled = self.times(name, "scaled", &sum, FRAC_2_SQRT_PI / SQRT_2);
                let tanh = self.part(name, "tanh", "Tanh", vec![scaled]);
                return self.gelu(name, x, tanh);
            }
        };
        let name = self.name(name);
        Value { name: self.node(operator, name, vec![x.name], attributes), shape: x.shape }
    }

    /// The node of an elementary function.
    pub(super) fn unary(&mut self, name: &str, function: Unary, x: Value) -> Value {
        let mut inputs = vec![x.name];
        let mut attributes = vec![];
        let operator = match function {
            Unary::Abs => "Abs",
            Unary::Sqrt => "Sqrt",
            Unary::Reciprocal => "Reciprocal",
            Unary::Exp => "Exp",
            Unary::Log => "Log",
            Unary::Sin => "Sin",
            Unary::Cos => "Cos",
            Unary::Tanh => "Tanh",
            Unary::Erf => "Erf",
            Unary::Floor => "Floor",
            Unary::Ceil => "Ceil",
            Unary::Round => "Round",
            Unary::Sign => "Sign",
            Unary::Elu { alpha } => {
                attributes.push(float("alpha", alpha));
                "Elu"
            }
            Unary::Softplus => "Softplus",
            Unary::Softsign => "Softsign",
            Unary::Pow { exponent } => {
                inputs.push(self.tensor(&format!("{name}.exponent"), &[], vec![exponent]));
                "Pow"
            }
        };
        let name = self.name(name);
        Value { name: self.node(operator, name, inputs, attributes), shape: x.shape }
    }

    /// `x · (1 + y) / 2`.
    fn gelu(&mut self, name: &str, x: Value, y: String) -> Value {
        let one = self.tensor(&format!("{name}.one"), &[], vec![1.0]);
        let sum = self.part(name, "above", "Add", vec![y, one]);
        let share = self.times(name, "share", &sum, 0.5);
        self.product(name, x, share)
    }

    fn product(&mut self, name: &str, x: Value, y: String) -> Value {
        let name = self.name(name);
        Value { name: self.node("Mul", name, vec![x.name, y], vec![]), shape: x.shape }
    }

    /// A value times a number.
    pub(super) fn times(&mut self, name: &str, what: &str, x: &str, factor: f32) -> String {
        let factor = self.tensor(&format!("{name}.{what}.factor"), &[], vec![factor]);
        self.part(name, what, "Mul", vec![x.to_owned(), factor])
    }

    /// A node on the way to what a layer gives.
    pub(super) fn part(&mut self, name: &str, what: &str, operator: &str, inputs: Vec<String>) -> String {
        let name = self.name(&format!("{name}.{what}"));
        self.node(operator, name, inputs, vec![])
    }
}

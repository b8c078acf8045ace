//! The backward pass of a program: a walk back over its steps, which adds those that compute gradients.

use std::collections::{BTreeMap, BTreeSet};

use super::{Program, Storage, ValueId};
use crate::error::{Error, Result};
use crate::ops::{Backward, Op, Operand};

/// What the gradient with respect to a value is called.
pub(crate) fn gradient_name(value: &str) -> String {
    format!("gradient of {value}")
}

/// Adds the steps that take a gradient back from one value to others: for each of `sources` that the value depends on, its
/// gradient, in its shape. `gradient` is that of `value`. What no source needs is not computed.
///
/// # Errors
/// [`Error::InvalidArgument`] if an operation on the way has no derivative.
pub(crate) fn differentiate(
    program: &mut Program,
    value: ValueId,
    gradient: ValueId,
    sources: &[ValueId],
) -> Result<BTreeMap<ValueId, ValueId>> {
    let needed = dependents(program, sources);
    // A view shares the gradient of what it is a view of.
    let wanted: BTreeSet<ValueId> = sources.iter().map(|&source| program.base(source)).collect();
    let start = program.base(value);
    let gradient = program.in_shape_of(gradient, start);
    let mut pending: BTreeMap<ValueId, Vec<ValueId>> = BTreeMap::from([(start, vec![gradient])]);
    let mut found = BTreeMap::new();
    for index in (0..program.steps.len()).rev() {
        let step = program.steps[index].clone();
        let Some(&output) = step.outputs.first() else { continue };
        let Some(parts) = pending.remove(&output) else { continue };
        let gradient = sum(program, output, &parts)?;
        if wanted.contains(&output) {
            found.insert(output, gradient);
        }
        if !step.inputs.iter().any(|&input| needed.contains(&program.base(input))) {
            continue;
        }
        let backward = step.op.backward(&program.shapes(&step.inputs));
        let Some(backward) = backward else {
            return Err(Error::invalid(&step.name, format!("{} has no derivative", step.op.name())));
        };
        for part in backward {
            match part {
                Backward::Same(input) => {
                    pass(program, &needed, &mut pending, step.inputs[input], gradient);
                }
                Backward::Step { op, reads, gives } => {
                    if !gives.iter().any(|&input| needed.contains(&program.base(step.inputs[input]))) {
                        continue;
                    }
                    let reads: Vec<ValueId> = reads
                        .iter()
                        .map(|operand| match *operand {
                            Operand::Input(input) => step.inputs[input],
                            Operand::Output(output) => step.outputs[output],
                            Operand::Gradient => gradient,
                        })
                        .collect();
                    let name = |&input: &usize| gradient_name(&program.values[step.inputs[input]].name);
                    let names: Vec<String> = gives.iter().map(name).collect();
                    let outputs = program.add_step(&step.name, op, &reads, &names)?;
                    for (&input, gradient) in gives.iter().zip(outputs) {
                        // Also of a parameter that an operation reads as a value.
                        if let Storage::Parameter(_) = program.values[program.base(step.inputs[input])].storage {
                            program.values[gradient].storage = Storage::Gradient;
                        }
                        pass(program, &needed, &mut pending, step.inputs[input], gradient);
                    }
                }
            }
        }
    }
    // What no step makes: parameters and the program's inputs.
    for (source, parts) in pending.into_iter().filter(|(source, _)| wanted.contains(source)) {
        found.insert(source, sum(program, source, &parts)?);
    }
    Ok(sources
        .iter()
        .filter_map(|&source| {
            let gradient = *found.get(&program.base(source))?;
            Some((source, program.in_shape_of(gradient, source)))
        })
        .collect())
}

/// The values that depend on one of these, and these themselves.
fn dependents(program: &Program, sources: &[ValueId]) -> BTreeSet<ValueId> {
    let mut needed: BTreeSet<ValueId> = sources.iter().map(|&source| program.base(source)).collect();
    for step in &program.steps {
        if step.inputs.iter().any(|&input| needed.contains(&program.base(input))) {
            needed.extend(&step.outputs);
        }
    }
    needed
}

/// Leaves a part of a value's gradient for the step that made the value.
fn pass(
    program: &mut Program,
    needed: &BTreeSet<ValueId>,
    pending: &mut BTreeMap<ValueId, Vec<ValueId>>,
    value: ValueId,
    gradient: ValueId,
) {
    let base = program.base(value);
    if needed.contains(&base) {
        let gradient = program.in_shape_of(gradient, base);
        pending.entry(base).or_default().push(gradient);
    }
}

/// The gradient of a value from what its readers give.
fn sum(program: &mut Program, value: ValueId, parts: &[ValueId]) -> Result<ValueId> {
    let name = gradient_name(&program.values[value].name);
    let mut total = parts[0];
    for &part in &parts[1..] {
        total = program.add_step(&name, Op::Add, &[total, part], std::slice::from_ref(&name))?[0];
        if let Storage::Parameter(_) = program.values[value].storage {
            program.values[total].storage = Storage::Gradient;
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Conv2d, Softmax, SoftmaxBackward};

    /// x → relu → (a sigmoid, itself) → sum
    fn residual() -> (Program, ValueId, ValueId) {
        let mut program = Program::default();
        let x = program.add_value("x", vec![2, 3], Storage::Activation);
        let mut step =
            |op: Op, inputs: &[ValueId], name: &str| program.add_step(name, op, inputs, &[name.to_owned()]).unwrap()[0];
        let relu = step(Activation::Relu.into(), &[x], "relu");
        let sigmoid = step(Activation::Sigmoid.into(), &[relu], "sigmoid");
        let y = step(Op::Add, &[sigmoid, relu], "y");
        (program, x, y)
    }

    fn operations(program: &Program) -> Vec<&str> {
        program.steps.iter().map(|step| step.op.name()).collect()
    }

    #[test]
    fn gradients_of_several_readers_are_summed() {
        let (mut program, x, y) = residual();
        let dy = program.add_value("dy", vec![2, 3], Storage::Activation);
        let gradients = differentiate(&mut program, y, dy, &[x]).unwrap();
        assert_eq!(program.values[gradients[&x]].shape, [2, 3]);
        let backward = ["activation_backward", "add", "activation_backward"];
        assert_eq!(operations(&program)[3..], backward);
    }

    #[test]
    fn what_no_source_needs_is_not_computed() {
        let (mut program, _, y) = residual();
        let other = program.add_value("other", vec![2, 3], Storage::Activation);
        let dy = program.add_value("dy", vec![2, 3], Storage::Activation);
        assert!(differentiate(&mut program, y, dy, &[other]).unwrap().is_empty());
        assert_eq!(program.steps.len(), 3);
    }

    #[test]
    fn a_gradient_comes_back_through_a_view_in_the_shape_of_what_was_viewed() {
        let mut program = Program::default();
        let x = program.add_value("x", vec![2, 3, 2, 2], Storage::Activation);
        let relu = program.add_step("relu", Activation::Relu.into(), &[x], &["relu".into()]).unwrap()[0];
        let flat =
            program.add_step("flat", crate::ops::Reshape::flatten().into(), &[relu], &["flat".into()]).unwrap()[0];
        let y = program.add_step("y", Activation::Sigmoid.into(), &[flat], &["y".into()]).unwrap()[0];
        let dy = program.add_value("dy", vec![2, 12], Storage::Activation);
        let gradients = differentiate(&mut program, y, dy, &[x, flat]).unwrap();
        assert_eq!(program.values[gradients[&x]].shape, [2, 3, 2, 2]);
        assert_eq!(program.values[gradients[&flat]].shape, [2, 12]);
        assert_eq!(operations(&program), ["activation", "activation", "activation_backward", "activation_backward"]);
    }

    #[test]
    fn weights_get_no_gradient_where_only_the_input_is_asked_for() {
        let mut program = Program::default();
        let parameter = |name: &str| Storage::Parameter(name.into());
        let x = program.add_value("x", vec![1, 2, 4, 4], Storage::Activation);
        let weight = program.add_value("weight", vec![3, 2, 3, 3], parameter("weight"));
        let bias = program.add_value("bias", vec![3], parameter("bias"));
        let conv = Conv2d::square(3, 1, 1);
        let y = program.add_step("y", conv.into(), &[x, weight, bias], &["y".into()]).unwrap()[0];
        let dy = program.add_value("dy", vec![1, 3, 4, 4], Storage::Activation);
        differentiate(&mut program, y, dy, &[x]).unwrap();
        assert_eq!(operations(&program), ["conv2d", "conv2d_backward_input"]);
    }

    #[test]
    fn an_operation_without_a_derivative_is_an_error() {
        let mut program = Program::default();
        let x = program.add_value("x", vec![2, 3], Storage::Activation);
        let y = program.add_step("y", SoftmaxBackward(Softmax::default()).into(), &[x, x], &["y".into()]).unwrap()[0];
        let error = differentiate(&mut program, y, x, &[x]).unwrap_err();
        assert!(error.to_string().contains("no derivative"), "{error}");
    }
}

use super::{Program, Storage, ValueId};

/// Where a value of a program is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the start of this piece of working memory.
    Slot(usize),
    /// In a piece of its own.
    Own,
}

/// Gives every activation a slot, so that values which live at the same time never share one: the places by value, and
/// the length of every slot (in values). A chain of layers needs two slots, as long as the two longest neighbours.
///
/// A slot is never read and written in the same step, which also keeps every step's inputs and outputs in different
/// buffers, as WebGPU's rules for storage buffers demand.
pub(crate) fn plan_memory(program: &Program) -> (Vec<Place>, Vec<usize>) {
    let last_use = last_uses(program);
    let outputs: Vec<ValueId> = program.outputs.iter().map(|&output| program.base(output)).collect();
    let shares = |value| shares(program, &outputs, value);
    let mut places = vec![Place::Own; program.values.len()];
    let mut lengths: Vec<usize> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    for (step, outputs) in program.steps.iter().map(|s| &s.outputs).enumerate() {
        for &value in outputs.iter().filter(|&&v| shares(v)) {
            let slot = best_slot(&free, &lengths, program.values[value].len()).unwrap_or(lengths.len());
            if slot == lengths.len() {
                lengths.push(0);
            }
            free.retain(|&s| s != slot);
            lengths[slot] = lengths[slot].max(program.values[value].len());
            places[value] = Place::Slot(slot);
        }
        for (value, place) in places.iter().enumerate() {
            if let (Place::Slot(slot), true) = (*place, last_use[value] == step && shares(value)) {
                free.push(slot);
            }
        }
    }
    for value in 0..places.len() {
        places[value] = places[program.base(value)];
    }
    (places, lengths)
}

/// Whether a value may share memory: inputs, outputs and what is to be looked at later must not.
fn shares(program: &Program, outputs: &[ValueId], value: ValueId) -> bool {
    program.values[value].storage == Storage::Activation
        && !program.keep_activations
        && !program.inputs.contains(&value)
        && !outputs.contains(&value)
}

/// The last step in which each value, or a view of it, is read or written.
fn last_uses(program: &Program) -> Vec<usize> {
    let mut last = vec![0; program.values.len()];
    for (index, step) in program.steps.iter().enumerate() {
        for &value in step.inputs.iter().chain(&step.outputs) {
            last[program.base(value)] = index;
        }
    }
    last
}

/// The smallest free slot that is long enough, else the longest free one, which then grows.
fn best_slot(free: &[usize], lengths: &[usize], wanted: usize) -> Option<usize> {
    let enough = free.iter().copied().filter(|&s| lengths[s] >= wanted).min_by_key(|&s| lengths[s]);
    enough.or_else(|| free.iter().copied().max_by_key(|&s| lengths[s]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Op};

    fn chain(lengths: usize) -> Program {
        let mut program = Program::default();
        let mut value = program.add_value("x", vec![4, 2], Storage::Activation);
        program.inputs.push(value);
        for i in 0..lengths {
            value = program.add_step("relu", Activation::Relu.into(), &[value], &[format!("y{i}")]).unwrap()[0];
        }
        program.outputs.push(value);
        program
    }

    #[test]
    fn a_chain_needs_two_slots() {
        let (places, lengths) = plan_memory(&chain(9));
        assert_eq!(lengths, [8, 8]);
        assert_eq!(places[0], Place::Own);
        assert_eq!(*places.last().unwrap(), Place::Own);
    }

    #[test]
    fn values_that_live_at_once_never_share() {
        let mut program = chain(6);
        // The first activation is needed again at the end.
        let (first, last) = (1, program.values.len() - 1);
        let out = program.add_step("late", Op::Add, &[first, last], &["dx".into()]).unwrap();
        program.outputs = out;
        let (places, _) = plan_memory(&program);
        for (later, place) in places.iter().enumerate().skip(2) {
            assert!(places[first] != *place || *place == Place::Own, "value {later} shares with the first");
        }
    }

    #[test]
    fn kept_activations_share_nothing() {
        let program = Program { keep_activations: true, ..chain(4) };
        let (places, lengths) = plan_memory(&program);
        assert!(lengths.is_empty());
        assert!(places.iter().all(|&p| p == Place::Own));
    }
}

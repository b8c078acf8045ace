//! The opcodes that name classes and functions, call them or stand for a storage.

use super::{Machine, Outcome, place};
use crate::weights::pytorch::globals::Global;
use crate::weights::pytorch::opcode;
use crate::weights::pytorch::value::{Span, StorageRef, TensorRef, Value};

/// The most dimensions of a tensor, which is NumPy's limit.
const LARGEST_RANK: usize = 64;

/// The longest name of a storage in bytes. They are numbers.
const LONGEST_KEY: u32 = 64;

/// A pickle is read on after as many globals that are not known, to say which of them it wants to call.
const MOST_STRANGERS: usize = 64;

impl Machine<'_, '_> {
    pub(super) fn global(&mut self) -> Outcome {
        let (module, name) = if self.opcode == opcode::GLOBAL {
            (self.input.line()?, self.input.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let (Value::Text(module), Value::Text(name)) = (module, name) else {
                return Err(self.wrong("a global without a name"));
            };
            (self.heap.text(module).to_owned(), self.heap.text(name).to_owned())
        };
        if let Some(global) = Global::named(&module, &name) {
            return self.push(Value::Global(global));
        }
        let full = full_name(&module, &name);
        self.stranger.get_or_insert_with(|| format!("{full} (opcode {} at byte {})", self.opcode, self.at));
        let place = place(&self.heap.foreign)?;
        self.heap.foreign.push(full);
        self.check_strangers(MOST_STRANGERS)?;
        self.push(Value::Foreign(place))
    }

    /// What a class or a function makes of its arguments, and what setting an object's attributes makes of it.
    pub(super) fn object(&mut self) -> Outcome {
        let argument = self.pop()?;
        let target = self.pop()?;
        if let Value::Foreign(place) = target {
            return Err(self.refused_call(&self.heap.foreign[place as usize]));
        }
        if self.opcode == opcode::BUILD {
            return match target {
                // Attributes: the versions of modules, the hooks of a tensor.
                Value::Dict(_) | Value::Tensor(_) | Value::Inert => self.push(target),
                _ => Err(self.wrong("attributes are set of something that has none")),
            };
        }
        let (Value::Global(global), Value::Tuple(arguments)) = (target, argument) else {
            return Err(self.wrong("something is called that is no function, or without arguments"));
        };
        match global {
            Global::Dict => {
                let pairs = self.pairs(arguments)?;
                self.push_dict(pairs)
            }
            Global::SpecialDict => self.push_dict(Vec::new()),
            Global::Inert => self.push(Value::Inert),
            Global::Storage(_) => Err(self.wrong("a storage is made in another way than by its name")),
            Global::RebuildTensor | Global::RebuildParameter => self.tensor(global, arguments),
            Global::RebuildFromType => match *self.heap.tuple(arguments) {
                [
                    Value::Global(function @ (Global::RebuildTensor | Global::RebuildParameter)),
                    _,
                    Value::Tuple(inner),
                    _,
                ] => self.tensor(function, inner),
                [Value::Foreign(place), ..] => Err(self.refused_call(&self.heap.foreign[place as usize])),
                _ => Err(self.wrong("a tensor is made in a way that is not known")),
            },
        }
    }

    fn tensor(&mut self, function: Global, arguments: Span) -> Outcome {
        let tensor = match (function, self.heap.tuple(arguments)) {
            (Global::RebuildParameter, &[tensor @ Value::Tensor(_), ..]) => return self.push(tensor),
            (
                Global::RebuildTensor,
                &[Value::Storage(storage), Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides), ..],
            ) => {
                self.check_sizes(shape)?;
                self.check_sizes(strides)?;
                let offset = u64::try_from(offset).map_err(|_| self.wrong("a tensor's offset is negative"))?;
                TensorRef { storage: self.heap.storages[storage as usize], offset, shape, strides }
            }
            _ => {
                return Err(
                    self.wrong("a tensor is made of something else than a storage, an offset, sizes and strides")
                );
            }
        };
        let place = place(&self.heap.tensors)?;
        self.heap.tensors.push(tensor);
        self.push(Value::Tensor(place))
    }

    fn check_sizes(&self, sizes: Span) -> Outcome {
        let sizes = self.heap.tuple(sizes);
        if sizes.len() > LARGEST_RANK {
            return Err(self.wrong(&format!("a tensor has {} dimensions", sizes.len())));
        }
        let is_size = |size: &Value| matches!(size, Value::Int(n) if usize::try_from(*n).is_ok());
        if sizes.iter().all(is_size) {
            Ok(())
        } else {
            Err(self.wrong("a tensor's size or stride is no number from 0 on"))
        }
    }

    /// A storage: `("storage", class, key, device, length)`.
    pub(super) fn storage(&mut self) -> Outcome {
        let Value::Tuple(id) = self.pop()? else {
            return Err(self.wrong("a storage is described by something else than a tuple"));
        };
        let storage = match *self.heap.tuple(id) {
            [
                Value::Text(word),
                Value::Global(Global::Storage(kind)),
                Value::Text(key),
                _,
                Value::Int(length),
                ref view @ ..,
            ] if self.heap.text(word) == "storage" && matches!(view, [] | [Value::None]) => {
                if key.length > LONGEST_KEY {
                    return Err(self.wrong("the name of a storage is too long"));
                }
                let length = u64::try_from(length).map_err(|_| self.wrong("a storage's length is negative"))?;
                StorageRef { kind, key, length }
            }
            [_, Value::Foreign(place), ..] => {
                let name = &self.heap.foreign[place as usize];
                return Err(self.wrong(&format!("storages of the class {name} cannot be read")));
            }
            _ => return Err(self.wrong("a storage is described in a way that is not known")),
        };
        let place = place(&self.heap.storages)?;
        self.heap.storages.push(storage);
        self.push(Value::Storage(place))
    }

    /// The opcodes that name what they call by themselves, or below their arguments.
    pub(super) fn foreign_call(&mut self) -> Outcome {
        let name = if self.opcode == opcode::INST {
            full_name(&self.input.line()?, &self.input.line()?)
        } else {
            let mark = self.mark()?;
            match self.stack.get(mark) {
                Some(Value::Foreign(place)) => self.heap.foreign[*place as usize].clone(),
                _ => "something".to_owned(),
            }
        };
        Err(self.refused_call(&name))
    }

    /// The pairs in a list, which Python 2 makes a dict of: `([[key, value], ..],)`, or `()`.
    fn pairs(&mut self, arguments: Span) -> Outcome<Vec<(Value, Value)>> {
        let list = match *self.heap.tuple(arguments) {
            [] => return Ok(Vec::new()),
            [Value::List(list)] => self.heap.list(list),
            _ => return Err(self.wrong("a dict is made of something else than a list of pairs")),
        };
        let pair = |item: &Value| <[Value; 2]>::try_from(self.heap.items(*item)).ok();
        let pairs: Option<Vec<_>> = list.iter().map(|item| pair(item).map(<(Value, Value)>::from)).collect();
        let pairs = pairs.ok_or_else(|| self.wrong("a dict is made of something else than a list of pairs"))?;
        self.take_room(pairs.len())?;
        Ok(pairs)
    }

    /// Refuses more unknown globals than these.
    pub(super) fn check_strangers(&self, most: usize) -> Outcome {
        match &self.stranger {
            Some(stranger) if self.heap.foreign.len() > most => {
                Err(format!("the pickle names {stranger}, which no tensor needs: refused"))
            }
            _ => Ok(()),
        }
    }

    fn refused_call(&self, name: &str) -> String {
        let (opcode, at) = (self.opcode, self.at);
        format!(
            "the pickle wants to call {name} (opcode {opcode} at byte {at}): this is refused, since it could run any \
             program; save the state_dict() of a model instead"
        )
    }
}

/// A name for messages.
fn full_name(module: &str, name: &str) -> String {
    let short = |text: &str| text.chars().take(80).flat_map(char::escape_debug).collect::<String>();
    format!("{}.{}", short(module), short(name))
}

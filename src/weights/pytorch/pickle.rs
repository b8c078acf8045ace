//! Reads pickles without running anything: a machine of the few opcodes that PyTorch's files of tensors consist of. It
//! knows what a handful of classes and functions stand for ([`Global`]) and refuses every other call.
//!
//! The opcodes: <https://github.com/python/cpython/blob/3.13/Lib/pickletools.py>.

use std::collections::BTreeMap;

use super::globals::Global;
use super::input::Input;
use super::opcode::{self, Opcode};
use super::value::{Heap, Span, StorageRef, TensorRef, Value};

/// The newest protocol.
const PROTOCOL: u8 = 5;

/// The most dimensions of a tensor, which is NumPy's limit.
const LARGEST_RANK: usize = 64;

/// A pickle is read on after as many globals that are not known, to say which of them it wants to call.
const MOST_STRANGERS: usize = 64;

/// A pickle that has been read.
pub(super) struct Pickle {
    pub value: Value,
    pub heap: Heap,
}

/// Reads a pickle of at most so many values, up to its end.
///
/// # Errors
/// What is wrong with it, for the user.
pub(super) fn load(input: &mut Input, limit: usize) -> Result<Pickle, String> {
    let mut machine = Machine {
        input,
        heap: Heap::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
        room: limit,
        at: 0,
        opcode: opcode::STOP,
        stranger: None,
    };
    let value = machine.run()?;
    Ok(Pickle { value, heap: machine.heap })
}

struct Machine<'i, 'r> {
    input: &'i mut Input<'r>,
    heap: Heap,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Value>,
    /// How many values may still be made.
    room: usize,
    /// Where the current opcode is.
    at: u64,
    opcode: Opcode,
    /// The first global that is not known, with where it was named.
    stranger: Option<String>,
}

type Outcome<T = ()> = Result<T, String>;

impl Machine<'_, '_> {
    fn run(&mut self) -> Outcome<Value> {
        loop {
            self.at = self.input.at();
            let [opcode] = self.input.array()?;
            self.opcode = Opcode(opcode);
            if self.opcode == opcode::STOP {
                break;
            }
            self.step()?;
        }
        let value = self.pop()?;
        if !self.stack.is_empty() || !self.marks.is_empty() {
            return Err(self.wrong("more than one value is left"));
        }
        self.check_strangers(0)?;
        Ok(value)
    }

    /// Refuses more unknown globals than these.
    fn check_strangers(&self, most: usize) -> Outcome {
        match &self.stranger {
            Some(stranger) if self.heap.foreign.len() > most => {
                Err(format!("the pickle names {stranger}, which no tensor needs: refused"))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self) -> Outcome {
        match self.opcode {
            opcode::PROTO => {
                let [version] = self.input.array()?;
                if version > PROTOCOL {
                    return Err(self.wrong(&format!("protocol {version} is not known")));
                }
                Ok(())
            }
            opcode::FRAME => self.input.array::<8>().map(|_| ()),
            opcode::MARK => {
                self.take_room(1)?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            opcode::POP => self.pop().map(|_| ()),
            opcode::POP_MARK => {
                let mark = self.mark()?;
                self.stack.truncate(mark);
                Ok(())
            }
            opcode::BINGET | opcode::LONG_BINGET | opcode::BINPUT | opcode::LONG_BINPUT | opcode::MEMOIZE => {
                self.remember()
            }
            opcode::NONE => self.push(Value::None),
            opcode::NEWTRUE => self.push(Value::Bool(true)),
            opcode::NEWFALSE => self.push(Value::Bool(false)),
            opcode::BINFLOAT => {
                self.input.array::<8>()?;
                self.push(Value::Inert)
            }
            opcode::BININT | opcode::BININT1 | opcode::BININT2 | opcode::LONG1 | opcode::LONG4 => self.number(),
            opcode::BINUNICODE | opcode::SHORT_BINUNICODE | opcode::BINUNICODE8 => self.text(),
            opcode::BINSTRING | opcode::SHORT_BINSTRING => self.text(),
            opcode::BINBYTES | opcode::SHORT_BINBYTES | opcode::BINBYTES8 | opcode::BYTEARRAY8 => {
                let length = self.length()?;
                self.input.skip(length)?;
                self.push(Value::Inert)
            }
            opcode::EMPTY_TUPLE | opcode::TUPLE | opcode::TUPLE1 | opcode::TUPLE2 | opcode::TUPLE3 => self.tuple(),
            opcode::EMPTY_LIST | opcode::APPEND | opcode::APPENDS => self.list(),
            opcode::EMPTY_DICT | opcode::SETITEM | opcode::SETITEMS => self.dict(),
            opcode::GLOBAL | opcode::STACK_GLOBAL => self.global(),
            opcode::REDUCE | opcode::NEWOBJ | opcode::BUILD => self.object(),
            opcode::BINPERSID => self.storage(),
            opcode::INST | opcode::OBJ => self.foreign_call(),
            _ => Err(format!(
                "the pickle uses the opcode {} at byte {}, which no tensor needs: refused",
                self.opcode, self.at
            )),
        }
    }

    /// Puts the value on top into the memo, or the value there on top.
    fn remember(&mut self) -> Outcome {
        let key = match self.opcode {
            opcode::BINPUT | opcode::BINGET => u32::from(self.input.array::<1>()?[0]),
            opcode::MEMOIZE => u32::try_from(self.memo.len()).map_err(|e| e.to_string())?,
            _ => u32::from_le_bytes(self.input.array()?),
        };
        if [opcode::BINGET, opcode::LONG_BINGET].contains(&self.opcode) {
            let value = self.memo.get(&key).copied();
            return self.push(value.ok_or_else(|| self.wrong("nothing was kept under this number"))?);
        }
        self.take_room(1)?;
        let value = self.top()?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn number(&mut self) -> Outcome {
        let value = match self.opcode {
            opcode::BININT => Value::Int(i64::from(i32::from_le_bytes(self.input.array()?))),
            opcode::BININT1 => Value::Int(i64::from(self.input.array::<1>()?[0])),
            opcode::BININT2 => Value::Int(i64::from(u16::from_le_bytes(self.input.array()?))),
            _ => {
                let length = match self.opcode {
                    opcode::LONG1 => u64::from(self.input.array::<1>()?[0]),
                    _ => u64::from(u32::from_le_bytes(self.input.array()?)),
                };
                self.long(length)?
            }
        };
        self.push(value)
    }

    /// A whole number in two's complement. Those of more than eight bytes are no sizes.
    fn long(&mut self, length: u64) -> Outcome<Value> {
        if length > 8 {
            self.input.skip(length)?;
            return Ok(Value::Inert);
        }
        let mut bytes = Vec::new();
        self.input.append(length, &mut bytes)?;
        let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        bytes.resize(8, fill);
        Ok(Value::Int(bytes.iter().rev().fold(0, |n, &byte| n << 8 | i64::from(byte))))
    }

    fn text(&mut self) -> Outcome {
        let length = self.length()?;
        let start = self.heap.texts.len();
        self.input.append(length, &mut self.heap.texts)?;
        if std::str::from_utf8(&self.heap.texts[start..]).is_err() {
            return Err(self.wrong("this is no text in UTF-8"));
        }
        let span = self.span(start, self.heap.texts.len())?;
        self.push(Value::Text(span))
    }

    fn length(&mut self) -> Outcome<u64> {
        Ok(match self.opcode {
            opcode::SHORT_BINUNICODE | opcode::SHORT_BINSTRING | opcode::SHORT_BINBYTES => {
                u64::from(self.input.array::<1>()?[0])
            }
            opcode::BINUNICODE | opcode::BINSTRING | opcode::BINBYTES => {
                u64::from(u32::from_le_bytes(self.input.array()?))
            }
            _ => u64::from_le_bytes(self.input.array()?),
        })
    }

    fn tuple(&mut self) -> Outcome {
        let from = match self.opcode {
            opcode::TUPLE => self.mark()?,
            opcode::TUPLE1 => self.below(1)?,
            opcode::TUPLE2 => self.below(2)?,
            opcode::TUPLE3 => self.below(3)?,
            _ => self.stack.len(),
        };
        let start = self.heap.values.len();
        self.heap.values.extend(self.stack.drain(from..));
        let span = self.span(start, self.heap.values.len())?;
        self.push(Value::Tuple(span))
    }

    fn list(&mut self) -> Outcome {
        if self.opcode == opcode::EMPTY_LIST {
            let place = place(&self.heap.lists)?;
            self.heap.lists.push(Vec::new());
            return self.push(Value::List(place));
        }
        let from = if self.opcode == opcode::APPEND { self.below(1)? } else { self.mark()? };
        let items = self.stack.split_off(from);
        match self.top()? {
            Value::List(place) => self.heap.lists[place as usize].extend(items),
            // What is appended to a set or to an array holds no tensors.
            Value::Inert => {}
            _ => return Err(self.wrong("values are appended to something else than a list")),
        }
        Ok(())
    }

    fn dict(&mut self) -> Outcome {
        if self.opcode == opcode::EMPTY_DICT {
            return self.push_dict();
        }
        let from = if self.opcode == opcode::SETITEM { self.below(2)? } else { self.mark()? };
        let items = self.stack.split_off(from);
        let (pairs, rest) = items.as_chunks::<2>();
        match self.top()? {
            _ if !rest.is_empty() => Err(self.wrong("a key has no value")),
            Value::Dict(place) => {
                self.heap.dicts[place as usize].extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            Value::Inert => Ok(()),
            _ => Err(self.wrong("keys are set in something else than a dict")),
        }
    }

    fn push_dict(&mut self) -> Outcome {
        let place = place(&self.heap.dicts)?;
        self.heap.dicts.push(Vec::new());
        self.push(Value::Dict(place))
    }

    fn global(&mut self) -> Outcome {
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
    fn object(&mut self) -> Outcome {
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
            Global::Dict => self.push_dict(),
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
    fn storage(&mut self) -> Outcome {
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
    fn foreign_call(&mut self) -> Outcome {
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

    fn push(&mut self, value: Value) -> Outcome {
        self.take_room(1)?;
        self.stack.push(value);
        Ok(())
    }

    fn take_room(&mut self, count: usize) -> Outcome {
        self.room =
            self.room.checked_sub(count).ok_or("the pickle has far too many values for the size of the file")?;
        Ok(())
    }

    fn pop(&mut self) -> Outcome<Value> {
        let from = self.below(1)?;
        let value = self.stack[from];
        self.stack.truncate(from);
        Ok(value)
    }

    fn top(&self) -> Outcome<Value> {
        self.below(1).map(|at| self.stack[at])
    }

    /// The place of so many values on top, which stand above the last mark.
    fn below(&self, count: usize) -> Outcome<usize> {
        let bottom = self.marks.last().copied().unwrap_or_default();
        let at = self.stack.len().checked_sub(count).filter(|&at| at >= bottom);
        at.ok_or_else(|| self.wrong("a value is missing"))
    }

    fn mark(&mut self) -> Outcome<usize> {
        self.marks.pop().ok_or_else(|| self.wrong("a mark is missing"))
    }

    fn span(&self, start: usize, end: usize) -> Outcome<Span> {
        match (u32::try_from(start), u32::try_from(end - start)) {
            (Ok(start), Ok(length)) => Ok(Span { start, length }),
            _ => Err(self.wrong("the pickle is too large")),
        }
    }

    fn wrong(&self, reason: &str) -> String {
        format!("the pickle cannot be read: {reason} (opcode {} at byte {})", self.opcode, self.at)
    }

    fn refused_call(&self, name: &str) -> String {
        let (opcode, at) = (self.opcode, self.at);
        format!(
            "the pickle wants to call {name} (opcode {opcode} at byte {at}): this is refused, since it could run any \
             program; save the state_dict() of a model instead"
        )
    }
}

/// The place that the next element will have.
fn place<T>(elements: &[T]) -> Outcome<u32> {
    u32::try_from(elements.len()).map_err(|e| e.to_string())
}

/// A name for messages.
fn full_name(module: &str, name: &str) -> String {
    let short = |text: &str| text.chars().take(80).flat_map(char::escape_debug).collect::<String>();
    format!("{}.{}", short(module), short(name))
}

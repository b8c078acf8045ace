//! Reads pickles without running anything: a machine of the few opcodes that PyTorch's files of tensors consist of. It
//! knows what a handful of classes and functions stand for ([`super::globals`]) and refuses every other call.
//!
//! The opcodes: <https://github.com/python/cpython/blob/3.13/Lib/pickletools.py>.

mod objects;

use std::collections::BTreeMap;

use super::input::Input;
use super::opcode::{self, Opcode};
use super::value::{Heap, Span, Value};

/// The newest protocol.
const PROTOCOL: u8 = 5;

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
            return self.push_dict(Vec::new());
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

    fn push_dict(&mut self, pairs: Vec<(Value, Value)>) -> Outcome {
        let place = place(&self.heap.dicts)?;
        self.heap.dicts.push(pairs);
        self.push(Value::Dict(place))
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
}

/// The place that the next element will have.
fn place<T>(elements: &[T]) -> Outcome<u32> {
    u32::try_from(elements.len()).map_err(|e| e.to_string())
}

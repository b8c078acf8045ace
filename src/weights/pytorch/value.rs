//! What a pickle is made of, as far as tensors need it.
//!
//! Containers lie side by side in a [`Heap`] and refer to each other by their places, so neither building nor dropping
//! them recurses, however deep a file nests them.

use super::globals::{Global, STORAGES};

/// A value of a pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(Span),
    /// Something that no tensor depends on: a float, bytes, settings of a program.
    Inert,
    Global(Global),
    /// A global that is not known here, by its place in [`Heap::foreign`].
    Foreign(u32),
    /// Values in [`Heap::values`].
    Tuple(Span),
    List(u32),
    Dict(u32),
    Storage(u32),
    Tensor(u32),
}

/// A part of one of the heap's vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub start: u32,
    pub length: u32,
}

/// Numbers that tensors share.
#[derive(Clone, Copy, Debug)]
pub(super) struct StorageRef {
    /// The place of their type in [`super::globals::STORAGES`].
    pub kind: u8,
    /// Their name in the file.
    pub key: Span,
    /// How many there are.
    pub length: u64,
}

impl StorageRef {
    /// How many bytes its numbers take.
    pub fn bytes(&self) -> u64 {
        self.length.saturating_mul(STORAGES[self.kind as usize].2 as u64)
    }
}

/// A tensor: a view of a storage.
#[derive(Clone, Copy, Debug)]
pub(super) struct TensorRef {
    pub storage: StorageRef,
    /// The place of its first number.
    pub offset: u64,
    /// Tuples of whole numbers of at least 0.
    pub shape: Span,
    pub strides: Span,
}

/// Everything that the values of a pickle refer to.
#[derive(Debug, Default)]
pub(super) struct Heap {
    pub texts: Vec<u8>,
    pub values: Vec<Value>,
    pub lists: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub storages: Vec<StorageRef>,
    pub tensors: Vec<TensorRef>,
    /// Names of globals with their modules.
    pub foreign: Vec<String>,
}

impl Heap {
    pub fn text(&self, span: Span) -> &str {
        let bytes = self.texts.get(span.range()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    pub fn tuple(&self, span: Span) -> &[Value] {
        self.values.get(span.range()).unwrap_or_default()
    }

    pub fn list(&self, at: u32) -> &[Value] {
        self.lists.get(at as usize).map_or(&[], Vec::as_slice)
    }

    pub fn dict(&self, at: u32) -> &[(Value, Value)] {
        self.dicts.get(at as usize).map_or(&[], Vec::as_slice)
    }

    /// What is in a list or a tuple.
    pub fn items(&self, value: Value) -> &[Value] {
        match value {
            Value::List(at) => self.list(at),
            Value::Tuple(span) => self.tuple(span),
            _ => &[],
        }
    }

    /// A dimension after the other; the machine has checked that each is a number of at least 0.
    pub fn sizes(&self, span: Span) -> Vec<usize> {
        let size = |value: &Value| if let Value::Int(n) = value { usize::try_from(*n).ok() } else { None };
        self.tuple(span).iter().filter_map(size).collect()
    }

    /// The value that a dict has for a key, the last one if there are several.
    pub fn get(&self, dict: Value, key: &str) -> Option<Value> {
        let Value::Dict(at) = dict else { return None };
        // Lengths first: the same long text may be the key of many values.
        let is_key = |span: &Span| span.length as usize == key.len() && self.text(*span) == key;
        let is_key = |value: &Value| matches!(value, Value::Text(span) if is_key(span));
        self.dict(at).iter().rev().find(|(name, _)| is_key(name)).map(|(_, value)| *value)
    }
}

impl Span {
    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

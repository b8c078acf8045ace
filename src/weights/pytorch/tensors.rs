//! From what a pickle holds to the list of its tensors.

use super::globals::STORAGES;
use super::largest_count;
use super::pickle::Pickle;
use super::value::{Heap, StorageRef, TensorRef, Value};
use crate::error::{Error, Result};
use crate::weights::catalog;
use crate::weights::entry::Entry;
use crate::weights::record::Record;
use crate::weights::source::Source;
use crate::weights::strided::Strided;

/// Containers may lie within each other so deep.
const DEEPEST: usize = 64;

/// What every tensor counts beside its name where the names together are compared with the file.
const EACH: u64 = 64;

/// What the names may have together in every file, however small it is.
const ALWAYS: u64 = 1 << 20;

/// The keys under which training scripts keep the parameters beside other things.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

/// The tensors in a pickle and where their numbers are, which `locate` says of a storage.
///
/// # Errors
/// [`Error::Weights`] if there is no dict of tensors, or if some tensor's numbers are not all in its storage.
pub(super) fn entries(
    source: &Source,
    pickle: &Pickle,
    big_endian: bool,
    locate: impl Fn(&str, &StorageRef) -> std::result::Result<Record, String>,
) -> Result<Vec<Entry>> {
    let named = Walk::new(source, &pickle.heap, pickle.value).run()?;
    let mut entries = Vec::with_capacity(named.len());
    let mut cost = 0u64;
    for (name, tensor) in named {
        let (_, dtype, size) = STORAGES[tensor.storage.kind as usize];
        let refused = |reason| source.refuse_tensor(&name, reason);
        let record = locate(pickle.heap.text(tensor.storage.key), &tensor.storage).map_err(refused)?;
        let (shape, strides) = (pickle.heap.sizes(tensor.shape), pickle.heap.sizes(tensor.strides));
        let start = tensor.offset.checked_mul(size as u64).ok_or("its offset is out of any range".to_owned());
        let strided = start.and_then(|start| Strided::new(record, start, size, &shape, &strides)).map_err(refused)?;
        cost = cost.saturating_add(strided.cost());
        if cost > catalog::largest(source) {
            return Err(refused("the tensors share so many numbers that reading them would take too long".to_owned()));
        }
        entries.push(Entry { name, dtype, shape, big_endian, storage: Box::new(strided) });
    }
    Ok(entries)
}

/// Goes through containers within containers. The keys on the way to a tensor are its name.
struct Walk<'s, 'a> {
    source: &'s Source<'a>,
    heap: &'s Heap,
    /// The dict at the top and, if it keeps the parameters in another dict beside other things, that one.
    top: Value,
    wrapped: Option<Value>,
    name: String,
    frames: Vec<Frame>,
    found: Vec<(String, TensorRef)>,
    /// How many bytes of names there may still be, and how many values to look at.
    room: u64,
    steps: usize,
}

/// A container on the way.
struct Frame {
    container: Value,
    next: usize,
    /// How much of the name is the container's own.
    name: usize,
}

impl<'s, 'a> Walk<'s, 'a> {
    fn new(source: &'s Source<'a>, heap: &'s Heap, top: Value) -> Self {
        let wrapped: Vec<Value> = WRAPPERS
            .iter()
            .filter_map(|key| heap.get(top, key))
            .filter(|value| matches!(value, Value::Dict(_)))
            .collect();
        let wrapped = if let [only] = wrapped[..] { Some(only) } else { None };
        let (room, steps) = (source.length().saturating_add(ALWAYS), largest_count(source));
        Walk { source, heap, top, wrapped, name: String::new(), frames: Vec::new(), found: Vec::new(), room, steps }
    }

    fn run(mut self) -> Result<Vec<(String, TensorRef)>> {
        if !matches!(self.top, Value::Dict(_) | Value::List(_) | Value::Tuple(_)) {
            return Err(self.source.refuse("no tensors by name are in this PyTorch file: save a model's state_dict()"));
        }
        self.frames.push(Frame { container: self.top, next: 0, name: 0 });
        while let Some(frame) = self.frames.last_mut() {
            let (container, at, name) = (frame.container, frame.next, frame.name);
            frame.next += 1;
            self.name.truncate(name);
            let item = match container {
                Value::Dict(place) => self.heap.dict(place).get(at).map(|&(key, value)| (Some(key), value)),
                _ => self.heap.items(container).get(at).map(|&value| (None, value)),
            };
            match item {
                Some((key, value)) => self.visit(at, key, value)?,
                None => {
                    self.frames.pop();
                }
            }
        }
        Ok(self.found)
    }

    fn visit(&mut self, at: usize, key: Option<Value>, value: Value) -> Result<()> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| self.too_large())?;
        match value {
            Value::Tensor(place) => {
                self.extend_name(at, key)?;
                self.found.push((self.name.clone(), self.heap.tensors[place as usize]));
            }
            Value::Dict(_) | Value::List(_) | Value::Tuple(_) => {
                if self.frames.len() >= DEEPEST {
                    let reason = format!("the pickle nests its values more than {DEEPEST} deep");
                    return Err(self.source.refuse(reason));
                }
                if !(self.frames.len() == 1 && self.wrapped == Some(value)) {
                    self.extend_name(at, key)?;
                }
                self.frames.push(Frame { container: value, next: 0, name: self.name.len() });
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds a key to the name, or the place in a list.
    fn extend_name(&mut self, at: usize, key: Option<Value>) -> Result<()> {
        if !self.name.is_empty() {
            self.name.push('.');
        }
        match key {
            Some(Value::Text(span)) => self.name.push_str(self.heap.text(span)),
            Some(Value::Int(number)) => self.name.push_str(&number.to_string()),
            _ => self.name.push_str(&at.to_string()),
        }
        self.room = self.room.checked_sub(self.name.len() as u64 + EACH).ok_or_else(|| self.too_large())?;
        Ok(())
    }

    fn too_large(&self) -> Error {
        self.source.refuse("the pickle lists far more than a file of this size can hold")
    }
}

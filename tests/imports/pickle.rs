//! Pickles as PyTorch writes them, put together opcode by opcode.

pub fn text(text: &str) -> Vec<u8> {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

pub fn int(number: i32) -> Vec<u8> {
    [b"J", number.to_le_bytes().as_slice()].concat()
}

/// A whole number of eight bytes.
pub fn long(number: i64) -> Vec<u8> {
    [b"\x8a\x08", number.to_le_bytes().as_slice()].concat()
}

pub fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

pub fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(", items.concat().as_slice(), b"t"].concat()
}

pub fn call(function: &[u8], arguments: &[Vec<u8>]) -> Vec<u8> {
    [function, &tuple(arguments), b"R"].concat()
}

pub fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(", items.as_slice(), b"u"].concat()
}

pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    [b"](", items.concat().as_slice(), b"e"].concat()
}

/// A storage of so many numbers in the record `key`.
pub fn storage(class: &str, key: &str, length: i64) -> Vec<u8> {
    let id = [text("storage"), global("torch", class), text(key), text("cpu"), long(length)];
    [tuple(&id).as_slice(), b"Q"].concat()
}

/// A view of a storage.
pub fn tensor(storage: &[u8], offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let sizes = |sizes: &[i64]| tuple(&sizes.iter().map(|&size| long(size)).collect::<Vec<_>>());
    let hooks = call(&global("collections", "OrderedDict"), &[]);
    let rebuild = global("torch._utils", "_rebuild_tensor_v2");
    call(&rebuild, &[storage.to_vec(), long(offset), sizes(shape), sizes(strides), b"\x89".to_vec(), hooks])
}

/// A tensor of f32 in row order that has the record `key` for itself.
pub fn whole(key: &str, shape: &[i64]) -> Vec<u8> {
    let strides: Vec<i64> = (1..=shape.len()).map(|axis| shape[axis..].iter().product()).collect();
    tensor(&storage("FloatStorage", key, shape.iter().product()), 0, shape, &strides)
}

/// The pickle of a value.
pub fn pickled(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02", value, b"."].concat()
}

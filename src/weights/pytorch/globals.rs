//! The classes and functions that a pickle may name. None of them is run: each stands for what PyTorch would make of it.

use crate::weights::Dtype;

/// A global that a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// A class of dicts, which may be made from a list of pairs.
    Dict,
    /// Classes of dicts whose arguments hold no tensors.
    SpecialDict,
    /// Functions whose first arguments are a storage, an offset, the shape and the strides.
    RebuildTensor,
    /// Functions whose first argument is a tensor, which they give back.
    RebuildParameter,
    /// A function whose arguments are one of the functions above, a class, the arguments for the function and attributes.
    RebuildFromType,
    /// The class of a storage, by its place in [`STORAGES`].
    Storage(u8),
    /// Something whose objects hold no tensors.
    Inert,
}

/// The classes of storages, each with the type and the bytes of its numbers.
pub(super) const STORAGES: [(&str, Dtype, usize); 12] = [
    ("DoubleStorage", Dtype::F64, 8),
    ("FloatStorage", Dtype::F32, 4),
    ("HalfStorage", Dtype::F16, 2),
    ("BFloat16Storage", Dtype::BF16, 2),
    ("LongStorage", Dtype::Other("I64"), 8),
    ("IntStorage", Dtype::Other("I32"), 4),
    ("ShortStorage", Dtype::Other("I16"), 2),
    ("CharStorage", Dtype::Other("I8"), 1),
    ("ByteStorage", Dtype::Other("U8"), 1),
    ("BoolStorage", Dtype::Other("BOOL"), 1),
    ("ComplexFloatStorage", Dtype::Other("C64"), 8),
    ("ComplexDoubleStorage", Dtype::Other("C128"), 16),
];

impl Global {
    /// The global of this name, if it is known.
    pub fn named(module: &str, name: &str) -> Option<Global> {
        let storage = STORAGES.iter().position(|(storage, ..)| *storage == name);
        if let ("torch" | "torch.cuda", Some(kind)) = (module, storage) {
            return Some(Global::Storage(kind as u8));
        }
        Some(match (module, name) {
            ("collections", "OrderedDict") | ("builtins" | "__builtin__", "dict") => Global::Dict,
            ("collections", "defaultdict" | "Counter") => Global::SpecialDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
            ("torch", "Tensor" | "Size" | "device") => Global::Inert,
            ("torch.nn.parameter", "Parameter" | "Buffer") => Global::Inert,
            ("torch.serialization", "_get_layout") => Global::Inert,
            ("torch", dtype) if DTYPES.contains(&dtype) => Global::Inert,
            ("builtins" | "__builtin__", "list" | "set" | "int" | "float" | "bool" | "bytearray" | "complex") => {
                Global::Inert
            }
            ("argparse", "Namespace") | ("_codecs", "encode") | ("pathlib", "PosixPath" | "WindowsPath") => {
                Global::Inert
            }
            ("numpy", "dtype" | "ndarray") => Global::Inert,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar" | "_reconstruct") => Global::Inert,
            _ => return None,
        })
    }
}

/// PyTorch's names of types of numbers.
const DTYPES: [&str; 14] = [
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
    "complex64",
    "complex128",
    "strided",
    "preserve_format",
];

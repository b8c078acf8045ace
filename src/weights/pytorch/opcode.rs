//! The opcodes of pickles and their names.
//!
//! From <https://github.com/python/cpython/blob/3.13/Lib/pickle.py>.

use std::fmt;

/// The first byte of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opcode(pub u8);

/// Names the opcodes that are understood.
macro_rules! opcodes {
    ($($name:ident = $byte:literal,)*) => {
        $(pub(super) const $name: Opcode = Opcode($byte);)*

        const KNOWN: &[(u8, &str)] = &[$(($byte, stringify!($name)),)*];
    };
}

opcodes! {
    MARK = b'(',
    STOP = b'.',
    POP = b'0',
    POP_MARK = b'1',
    BINFLOAT = b'G',
    BININT = b'J',
    BININT1 = b'K',
    BININT2 = b'M',
    NONE = b'N',
    BINPERSID = b'Q',
    REDUCE = b'R',
    BINSTRING = b'T',
    SHORT_BINSTRING = b'U',
    BINUNICODE = b'X',
    APPEND = b'a',
    BUILD = b'b',
    GLOBAL = b'c',
    APPENDS = b'e',
    BINGET = b'h',
    INST = b'i',
    LONG_BINGET = b'j',
    OBJ = b'o',
    BINPUT = b'q',
    LONG_BINPUT = b'r',
    SETITEM = b's',
    TUPLE = b't',
    SETITEMS = b'u',
    EMPTY_DICT = b'}',
    EMPTY_LIST = b']',
    EMPTY_TUPLE = b')',
    BINBYTES = b'B',
    SHORT_BINBYTES = b'C',
    PROTO = 0x80,
    NEWOBJ = 0x81,
    TUPLE1 = 0x85,
    TUPLE2 = 0x86,
    TUPLE3 = 0x87,
    NEWTRUE = 0x88,
    NEWFALSE = 0x89,
    LONG1 = 0x8a,
    LONG4 = 0x8b,
    SHORT_BINUNICODE = 0x8c,
    BINUNICODE8 = 0x8d,
    BINBYTES8 = 0x8e,
    STACK_GLOBAL = 0x93,
    MEMOIZE = 0x94,
    FRAME = 0x95,
    BYTEARRAY8 = 0x96,
}

/// The names of the others, for messages.
const UNUSED: [(u8, &str); 20] = [
    (b'2', "DUP"),
    (b'F', "FLOAT"),
    (b'I', "INT"),
    (b'L', "LONG"),
    (b'P', "PERSID"),
    (b'S', "STRING"),
    (b'V', "UNICODE"),
    (b'd', "DICT"),
    (b'g', "GET"),
    (b'l', "LIST"),
    (b'p', "PUT"),
    (0x82, "EXT1"),
    (0x83, "EXT2"),
    (0x84, "EXT4"),
    (0x8f, "EMPTY_SET"),
    (0x90, "ADDITEMS"),
    (0x91, "FROZENSET"),
    (0x92, "NEWOBJ_EX"),
    (0x97, "NEXT_BUFFER"),
    (0x98, "READONLY_BUFFER"),
];

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KNOWN.iter().chain(&UNUSED).find(|(byte, _)| *byte == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

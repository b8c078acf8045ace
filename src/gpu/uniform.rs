//! Structs that kernels read as uniforms, declared once: what is written, and where each member lies, to be compared
//! with the shader's own declaration.

use bytemuck::Pod;

/// A member of a struct.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Member {
    pub name: &'static str,
    /// Its type, as WGSL calls it.
    pub wgsl: &'static str,
    /// Bytes before it.
    pub offset: usize,
}

/// Where the members of a struct lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    pub size: usize,
    pub members: &'static [Member],
}

impl Layout {
    /// The bytes of a binding of it: a uniform is as large as its alignment says, which is at most that of a vec4.
    pub const fn binding(&self) -> usize {
        self.size.next_multiple_of(16)
    }
}

/// What is written into a uniform buffer.
pub(super) trait Uniform: Pod {
    const LAYOUT: Layout;
}

/// What a member may be.
pub(super) trait Value {
    const WGSL: &'static str;
}

macro_rules! values {
    ($($rust:ty: $wgsl:literal),*) => {
        $(impl Value for $rust {
            const WGSL: &'static str = $wgsl;
        })*
    };
}

values!(u32: "u32", f32: "f32", [u32; 2]: "vec2<u32>", [i32; 2]: "vec2<i32>", [f32; 2]: "vec2<f32>", [f32; 3]: "vec3<f32>");
// The dimensions of a walk.
values!([[u32; 4]; 8]: "array<vec4<u32>, 8>");

/// Declares a struct that is a [`Uniform`]. Members are laid out as C does it; that this is also what WGSL does is
/// checked by the tests of the registry.
macro_rules! uniform {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$member_meta:meta])* $member_vis:vis $member:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
        $vis struct $name {
            $($(#[$member_meta])* $member_vis $member: $type),*
        }

        impl $crate::gpu::uniform::Uniform for $name {
            const LAYOUT: $crate::gpu::uniform::Layout = $crate::gpu::uniform::Layout {
                size: size_of::<$name>(),
                members: &[$($crate::gpu::uniform::Member {
                    name: stringify!($member),
                    wgsl: <$type as $crate::gpu::uniform::Value>::WGSL,
                    offset: std::mem::offset_of!($name, $member),
                }),*],
            };
        }
    };
}

pub(super) use uniform;

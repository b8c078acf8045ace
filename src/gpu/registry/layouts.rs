//! Whether every uniform is declared alike in Rust, which writes it, and in WGSL, which reads it.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, ArraySize, Module, ResourceBinding, ScalarKind, TypeInner};

use super::super::kernel::Access;
use super::super::state::State;
use super::super::uniform::{Layout, Uniform, uniform};
use super::kernels;

/// A struct as a shader declares it: name, type and offset of each member, and bytes in all.
type Declared = (Vec<(String, String, usize)>, usize);

/// The name of a type.
fn name_of(module: &Module, inner: &TypeInner) -> String {
    let scalar = |kind| match kind {
        ScalarKind::Uint => "u32",
        ScalarKind::Sint => "i32",
        ScalarKind::Float => "f32",
        other => panic!("{other:?} in a uniform"),
    };
    match *inner {
        TypeInner::Scalar(of) => scalar(of.kind).to_owned(),
        TypeInner::Vector { size, scalar: of } => format!("vec{}<{}>", size as u8, scalar(of.kind)),
        TypeInner::Array { base, size: ArraySize::Constant(size), .. } => {
            format!("array<{}, {size}>", name_of(module, &module.types[base].inner))
        }
        ref other => panic!("{other:?} in a uniform"),
    }
}

/// The uniform that an entry point reads at a binding.
fn declared(source: &str, entry: &str, binding: u32) -> Declared {
    let module = naga::front::wgsl::parse_str(source).unwrap();
    let capabilities = Capabilities::default() | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module).unwrap();
    let entry = module.entry_points.iter().position(|point| point.name == entry).unwrap();
    let is_it = |(handle, variable): &(naga::Handle<naga::GlobalVariable>, &naga::GlobalVariable)| {
        variable.space == AddressSpace::Uniform
            && variable.binding == Some(ResourceBinding { group: 0, binding })
            && !info.get_entry_point(entry)[*handle].is_empty()
    };
    let found: Vec<_> = module.global_variables.iter().filter(is_it).collect();
    let [(_, variable)] = found.as_slice() else { panic!("{} uniforms at binding {binding}", found.len()) };
    let TypeInner::Struct { members, span } = &module.types[variable.ty].inner else { panic!("no struct") };
    let member = |member: &naga::StructMember| {
        (member.name.clone().unwrap(), name_of(&module, &module.types[member.ty].inner), member.offset as usize)
    };
    (members.iter().map(member).collect(), *span as usize)
}

/// Whether a struct is what a shader declares.
fn agree(layout: &Layout, (members, size): &Declared) -> Result<(), String> {
    let written: Vec<_> =
        layout.members.iter().map(|member| (member.name.to_owned(), member.wgsl.to_owned(), member.offset)).collect();
    if written != *members {
        return Err(format!("{written:?} is written, {members:?} is read"));
    }
    let (bound, needed) = (layout.binding(), size.next_multiple_of(16));
    if bound == needed { Ok(()) } else { Err(format!("{bound} bytes are bound, {needed} are needed")) }
}

#[test]
fn every_uniform_is_declared_alike_on_both_sides() {
    for kernel in kernels() {
        let check = |layout: &Layout, binding| {
            let outcome = agree(layout, &declared(kernel.source, kernel.entry, binding));
            assert_eq!(outcome, Ok(()), "{}, binding {binding}", kernel.name);
        };
        check(&kernel.parameters, 0);
        let states = kernel.bindings.iter().zip(1..).filter(|(access, _)| **access == Access::State);
        states.for_each(|(_, binding)| check(&State::LAYOUT, binding));
    }
}

#[test]
fn a_member_on_one_side_only_is_noticed() {
    uniform! { struct Right { seed: [u32; 2], step: u32, rate: f32, mean: [f32; 3] } }
    uniform! { struct Longer { seed: [u32; 2], step: u32, rate: f32, mean: [f32; 3], more: u32 } }
    uniform! { struct Shorter { seed: [u32; 2], step: u32, rate: f32 } }
    uniform! { struct Swapped { seed: [u32; 2], rate: f32, step: u32, mean: [f32; 3] } }
    uniform! { struct Renamed { seed: [u32; 2], step: u32, speed: f32, mean: [f32; 3] } }
    uniform! { struct OtherType { seed: [u32; 2], step: f32, rate: f32, mean: [f32; 3] } }
    // WGSL leaves a gap before the vector, C does not.
    uniform! { struct Misaligned { step: u32, mean: [f32; 3] } }

    let shader = |members: &str| {
        let read = "@compute @workgroup_size(1) fn main() { var all = params; }";
        let source = format!("struct P {{ {members} }}\n@group(0) @binding(0) var<uniform> params: P;\n{read}");
        declared(&source, "main", 0)
    };
    let right = shader("seed: vec2<u32>, step: u32, rate: f32, mean: vec3<f32>");
    assert_eq!(agree(&Right::LAYOUT, &right), Ok(()));
    for wrong in [Longer::LAYOUT, Shorter::LAYOUT, Swapped::LAYOUT, Renamed::LAYOUT, OtherType::LAYOUT] {
        assert!(agree(&wrong, &right).is_err(), "{wrong:?}");
    }
    assert!(
        agree(&Right::LAYOUT, &shader("seed: vec2<u32>, step: u32, rate: f32, mean: vec3<f32>, more: u32")).is_err()
    );
    assert!(agree(&Right::LAYOUT, &shader("seed: vec2<u32>, step: u32, rate: f32")).is_err());
    assert!(agree(&Misaligned::LAYOUT, &shader("step: u32, mean: vec3<f32>")).is_err());
}

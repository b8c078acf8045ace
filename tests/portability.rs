//! Every kernel in the languages of every driver: what this machine's driver accepts is not enough.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use naga::Module;
use naga::ShaderStage::Compute;
use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants::process_overrides, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use vultus::gpu::{Kernel, kernels, shader_source};

/// Settings to try: as many as the longest list of functions has.
const SETTINGS: u32 = 17;

/// A kernel's shader with its constants and what steps set besides, and nothing that it does not use.
fn specialize(
    kernel: &Kernel,
    source: &str,
    setting: u32,
    capabilities: Capabilities,
) -> Result<(Module, ModuleInfo), String> {
    let options = naga::front::wgsl::Options { capabilities, ..naga::front::wgsl::Options::new() };
    let module = naga::front::wgsl::Frontend::new_with_options(options)
        .parse(source)
        .map_err(|error| error.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| error.emit_to_string(source))?;
    // The number of a function, and whether there is a residual.
    let settings = [("FUNCTION", setting), ("RESIDUAL", setting % 2)].into_iter();
    let is_there = |name: &str| module.overrides.iter().any(|(_, it)| it.name.as_deref() == Some(name));
    let settings = settings.filter(|(name, _)| is_there(name)).map(|(name, value)| (name, f64::from(value)));
    let constants = kernel.constants.iter().copied().chain(settings);
    let constants: PipelineConstants = constants.map(|(name, value)| (name.to_owned(), value)).collect();
    let (module, info) = process_overrides(&module, &info, Some((Compute, kernel.entry)), &constants)
        .map_err(|error| format!("constants: {error}"))?;
    Ok((module.into_owned(), info.into_owned()))
}

/// What WebGPU can do without any optional feature: it offers pack2x16float and unpack2x16float everywhere; only old
/// versions of OpenGL have not got them.
fn everywhere() -> Capabilities {
    Capabilities::default() | Capabilities::SHADER_FLOAT16_IN_FLOAT32
}

/// What a device with matrix units can do besides.
fn matrix_units() -> Capabilities {
    everywhere() | Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX
}

/// Validates a kernel's shader as WebGPU without any optional feature does, and translates it for Vulkan, Metal and
/// Direct3D 12, with all settings.
fn translate(kernel: &Kernel, source: &str) -> Result<(), String> {
    (0..SETTINGS).try_for_each(|setting| translate_with(kernel, source, setting))
}

/// Validates the form of a kernel for matrix units with these capabilities, and translates it for the drivers that have
/// them.
fn translate_for_matrix_units(kernel: &Kernel, source: &str, capabilities: Capabilities) -> Result<(), String> {
    let (module, info) = specialize(kernel, source, 1, capabilities)?;
    // Such devices have Vulkan 1.1 or Metal 2.3 at least.
    let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
    let pipeline = spv::PipelineOptions { shader_stage: Compute, entry_point: kernel.entry.to_owned() };
    let words =
        spv::write_vec(&module, &info, &options, Some(&pipeline)).map_err(|error| format!("SPIR-V: {error}"))?;
    let entry_point = Some((Compute, kernel.entry.to_owned()));
    let pipeline = msl::PipelineOptions { entry_point, ..msl::PipelineOptions::default() };
    let options = msl::Options { lang_version: (2, 3), ..msl::Options::default() };
    let (metal, _) = msl::write_string(&module, &info, &options, &pipeline).map_err(|error| format!("MSL: {error}"))?;
    let both = instructions(&words).any(|code| code == COOPERATIVE_MATRIX_MUL_ADD)
        && metal.contains("simdgroup_multiply_accumulate");
    if both { Ok(()) } else { Err("a translation multiplies without matrix units".to_owned()) }
}

/// The number of SPIR-V's instruction for a product by matrix units.
const COOPERATIVE_MATRIX_MUL_ADD: u32 = 4459;

/// The numbers of a module's instructions, after its header.
fn instructions(words: &[u32]) -> impl Iterator<Item = u32> {
    let mut rest = words.get(5..).unwrap_or_default();
    std::iter::from_fn(move || {
        let first = *rest.first()?;
        rest = rest.get((first >> 16).max(1) as usize..).unwrap_or_default();
        Some(first & 0xffff)
    })
}

fn translate_with(kernel: &Kernel, source: &str, setting: u32) -> Result<(), String> {
    let entry = (Compute, kernel.entry.to_owned());
    let (module, info) = specialize(kernel, source, setting, everywhere())?;
    let pipeline = spv::PipelineOptions { shader_stage: Compute, entry_point: kernel.entry.to_owned() };
    let words = spv::write_vec(&module, &info, &spv::Options::default(), Some(&pipeline))
        .map_err(|error| format!("SPIR-V: {error}"))?;
    let pipeline = msl::PipelineOptions { entry_point: Some(entry.clone()), ..msl::PipelineOptions::default() };
    // Metal 2.0 is the oldest that wgpu runs on.
    let options = msl::Options { lang_version: (2, 0), ..msl::Options::default() };
    let (metal, _) = msl::write_string(&module, &info, &options, &pipeline).map_err(|error| format!("MSL: {error}"))?;
    let (mut direct3d, options) = (String::new(), hlsl::Options::default());
    let pipeline = hlsl::PipelineOptions { entry_point: Some(entry) };
    hlsl::Writer::new(&mut direct3d, &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|error| format!("HLSL: {error}"))?;
    let empty = words.is_empty() || !metal.contains("kernel void") || !direct3d.contains("numthreads");
    if empty { Err("a translation is empty".to_owned()) } else { Ok(()) }
}

/// The entry points of a shader.
fn entry_points(source: &str) -> BTreeSet<String> {
    let module = naga::front::wgsl::parse_str(source).unwrap();
    module.entry_points.into_iter().map(|entry| entry.name).collect()
}

/// The files in a folder, by their names without the ending.
fn files(folder: &str) -> BTreeMap<String, String> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), folder].iter().collect();
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|file| file.is_file());
    let read = |file: PathBuf| {
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&file).unwrap())
    };
    files.map(read).collect()
}

/// The names of the files in `shaders/`, without their endings.
fn shaders() -> BTreeSet<String> {
    files("shaders").into_keys().collect()
}

#[test]
fn every_kernel_translates_to_every_language() {
    let check = |kernel: &Kernel| match translate(kernel, shader_source(kernel.shader).unwrap()) {
        Ok(()) => None,
        Err(reason) => Some(format!("{}: {reason}", kernel.name)),
    };
    let failures: Vec<String> = kernels().filter_map(check).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(kernels().count() > 20);
}

#[test]
fn kernels_for_matrix_units_translate_to_the_languages_that_have_them() {
    let all: Vec<&Kernel> = kernels().filter(|kernel| kernel.matrix_source.is_some()).collect();
    assert!(!all.is_empty());
    for kernel in all {
        let source = kernel.matrix_source.unwrap();
        assert_eq!(translate_for_matrix_units(kernel, source, matrix_units()), Ok(()), "{}", kernel.name);
        // The capability is really asked for, and nothing multiplies without the units.
        for missing in [Capabilities::COOPERATIVE_MATRIX, Capabilities::SHADER_FLOAT16] {
            assert!(translate_for_matrix_units(kernel, source, matrix_units() - missing).is_err(), "{}", kernel.name);
        }
        let emulated = translate_for_matrix_units(kernel, kernel.source, matrix_units());
        assert_eq!(emulated, Err("a translation multiplies without matrix units".to_owned()), "{}", kernel.name);
        // Both forms fit the same devices, and have the same entry point.
        assert_eq!(kernel.matrix_source.map(invocations), Some(invocations(kernel.source)), "{}", kernel.name);
    }
}

/// The size of the workgroups of a shader with one entry point.
fn invocations(source: &str) -> [u32; 3] {
    let options = naga::front::wgsl::Options { capabilities: matrix_units(), ..naga::front::wgsl::Options::new() };
    let module = naga::front::wgsl::Frontend::new_with_options(options).parse(source).unwrap();
    let [entry] = module.entry_points.as_slice() else { panic!("not one entry point") };
    entry.workgroup_size
}

#[test]
fn what_a_driver_would_refuse_fails() {
    let kernel = kernels().find(|kernel| kernel.name == "dense/rows").unwrap();
    let source = shader_source("dense").unwrap();
    assert_eq!(translate(kernel, source), Ok(()));
    for (from, to) in [
        // Grammar, types, an unknown name, storage that is written although it is bound for reading only.
        ("fn rows(", "fn rows(("),
        ("var sum = vec4<f32>();", "var sum = 0u;"),
        ("params.inner", "params.outer"),
        ("var<storage, read_write> c", "var<storage, read> c"),
        // An entry point of another name.
        ("fn rows(", "fn lines("),
    ] {
        let broken = source.replace(from, to);
        assert_ne!(broken, source);
        assert!(translate(kernel, &broken).is_err(), "{from:?} -> {to:?}");
    }
}

#[test]
fn every_shader_and_every_entry_point_is_used() {
    let used: BTreeSet<String> = kernels().map(|kernel| kernel.shader.to_owned()).collect();
    assert_eq!(shaders(), used);
    for shader in used {
        let entries: BTreeSet<&str> = kernels().filter(|k| k.shader == shader).map(|k| k.entry).collect();
        let written = entry_points(shader_source(&shader).unwrap());
        assert_eq!(written.iter().map(String::as_str).collect::<BTreeSet<_>>(), entries, "{shader}.wgsl");
    }
}

#[test]
fn every_shared_piece_is_shared() {
    for (piece, text) in files("shaders/shared") {
        let is_part =
            |k: &&Kernel| k.source.contains(&text) || k.matrix_source.is_some_and(|source| source.contains(&text));
        let users: BTreeSet<&str> = kernels().filter(is_part).map(|k| k.shader).collect();
        assert!(users.len() > 1, "shared/{piece}.wgsl is a part of {users:?} only");
    }
}

/// The functions of more than a few lines, each from its name to its end.
fn functions(source: &str) -> impl Iterator<Item = &str> {
    let starts = source.match_indices("\nfn ").map(|(at, _)| &source[at + 1..]);
    let whole = starts.filter_map(|function| function.split_once("\n}").map(|(body, _)| body));
    whole.filter(|body| body.lines().count() > 4)
}

/// Functions whose text is in two of these files.
fn repeated(files: &BTreeMap<String, String>) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    files.values().flat_map(|text| functions(text)).filter(|function| !seen.insert(*function)).collect()
}

#[test]
fn no_function_is_written_twice() {
    let mut all = files("shaders");
    all.extend(files("shaders/shared").into_iter().map(|(name, text)| (format!("shared/{name}"), text)));
    assert_eq!(repeated(&all), Vec::<&str>::new());
    all.insert("copy".to_owned(), all["shared/pair_f16"].clone());
    assert_eq!(repeated(&all).len(), 1);
}

#[test]
fn kernels_have_names_of_their_own() {
    let names: BTreeSet<&str> = kernels().map(|kernel| kernel.name).collect();
    assert_eq!(names.len(), kernels().count());
    for kernel in kernels() {
        let variant = kernel.shader.strip_prefix(kernel.op());
        assert!(variant.is_some_and(|rest| rest.is_empty() || rest.starts_with('_')), "{}", kernel.name);
    }
}

#[test]
fn workgroups_fit_the_smallest_device() {
    // Every WebGPU device offers 256 invocations and 16 KiB of workgroup memory.
    for kernel in kernels() {
        let forms = [(kernel.source, everywhere())].into_iter();
        for (source, capabilities) in forms.chain(kernel.matrix_source.map(|source| (source, matrix_units()))) {
            fits_the_smallest_device(kernel, source, capabilities);
        }
    }
}

fn fits_the_smallest_device(kernel: &Kernel, source: &str, capabilities: Capabilities) {
    let (module, info) = specialize(kernel, source, 0, capabilities).unwrap();
    let [entry] = module.entry_points.as_slice() else { panic!("{}: not one entry point", kernel.name) };
    let invocations: u32 = entry.workgroup_size.iter().product();
    assert!(invocations <= 256, "{} has {invocations}", kernel.name);
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let used = |handle: naga::Handle<naga::GlobalVariable>| !info.get_entry_point(0)[handle].is_empty();
    let workgroup = |variable: &naga::GlobalVariable| variable.space == naga::AddressSpace::WorkGroup;
    let variables = module.global_variables.iter().filter(|(handle, v)| used(*handle) && workgroup(v));
    let bytes: u32 = variables.map(|(_, variable)| layouter[variable.ty].size).sum();
    assert!(bytes <= 16 << 10, "{} has {bytes} bytes of workgroup memory", kernel.name);
}

/// A shader's text without comments and without what stands in angle brackets behind a type or `var`.
fn without_templates(source: &str) -> String {
    let lines = source.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut text = lines.collect::<Vec<_>>().join("\n");
    let template = |text: &str| {
        let starts = ["vec2<", "vec3<", "vec4<", "array<", "ptr<", "atomic<", "bitcast<", "var<"];
        starts.iter().flat_map(|start| text.match_indices(start)).find_map(|(at, start)| {
            let open = at + start.len();
            let close = open + text[open..].find(['<', '>', '(', ';'])?;
            text[close..].starts_with('>').then_some(open - 1..close + 1)
        })
    };
    while let Some(range) = template(&text) {
        text.replace_range(range, "");
    }
    text
}

/// Operators side by side that WGSL wants parentheses between (`a >> 1 & b`). Browsers refuse them, naga does not.
fn mixed_operators(source: &str) -> Vec<String> {
    const NEUTRAL: [&str; 12] = ["&&", "||", "->", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "|="];
    let text = without_templates(source);
    let (mut open, mut mixed, mut rest) = (vec![BTreeSet::new()], Vec::new(), text.as_str());
    while let Some(letter) = rest.chars().next() {
        let pair = rest.get(..2).unwrap_or_default();
        let token =
            if NEUTRAL.contains(&pair) || ["<<", ">>"].contains(&pair) { pair } else { &rest[..letter.len_utf8()] };
        rest = &rest[token.len()..];
        match token {
            "(" | "[" | "{" => open.push(BTreeSet::new()),
            ")" | "]" | "}" => drop(open.pop()),
            "<<" | ">>" | "&" | "|" | "^" | "+" | "-" | "*" | "/" | "%" => {
                let Some(operators) = open.last_mut() else { continue };
                operators.insert(token);
                let is_arithmetic = |operator: &&str| ["+", "-", "*", "/", "%"].contains(operator);
                if operators.len() > 1 && !operators.iter().all(is_arithmetic) {
                    mixed.push(format!("{operators:?} before {:?}", rest.lines().next().unwrap_or_default()));
                }
            }
            ";" | "," | ":" | "=" | "<" | ">" => open.last_mut().into_iter().for_each(BTreeSet::clear),
            token if NEUTRAL.contains(&token) => open.last_mut().into_iter().for_each(BTreeSet::clear),
            _ => {}
        }
    }
    mixed
}

#[test]
fn operators_have_the_parentheses_that_browsers_ask_for() {
    for shader in shaders() {
        assert_eq!(mixed_operators(shader_source(&shader).unwrap()), Vec::<String>::new(), "{shader}");
    }
    for refused in ["let a = b >> vec2<u32>(13u) & c;", "x = a & b | c;", "x = f(a + b << 1u);", "return a ^ b * c;"] {
        assert_eq!(mixed_operators(refused).len(), 1, "{refused}");
    }
    for fine in
        ["x = (a >> 13u) & b;", "x = a & b && c | d < e;", "x = f(a & b, c + d) * 2;", "var<private> a = -b * c;"]
    {
        assert_eq!(mixed_operators(fine), Vec::<String>::new(), "{fine}");
    }
}

//! A room (a module at the top of `src/`) imports only from its own floor and lower ones, and neither rooms nor the files
//! of a room import each other in a circle. The table of `docs/architecture.md` shows the same floors.

#[path = "floors/public_types.rs"]
mod public_types;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The rooms, from the ground up.
const FLOORS: [&[&str]; 8] = [
    &["csv", "error", "file", "matmul", "parallel", "peak", "proto", "random", "reading", "tensor", "time"],
    &["image", "ops", "program"],
    &["cpu", "gpu"],
    &["engine", "nn"],
    &["data", "onnx", "prepare", "video", "weights"],
    &["face", "metrics", "track", "train"],
    &["baseline", "report"],
    &["answer", "cli", "serve"],
];

/// Rooms of one floor that know nothing of each other.
const APART: [[&str; 2]; 1] = [["cpu", "gpu"]];

/// The text of every source file by its path within `src/`.
type Sources = BTreeMap<String, String>;

/// What imports what, and in which lines.
type Imports = BTreeMap<[String; 2], String>;

fn read(folder: &Path, within: &str, sources: &mut Sources) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{within}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), sources);
        } else if name.ends_with(".rs") && !name.ends_with("/tests.rs") {
            sources.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The module of a file: `gpu::conv2d` for `gpu/conv2d.rs`, and `gpu` for `gpu/mod.rs`.
fn module(file: &str) -> Vec<&str> {
    file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect()
}

/// The text without comments and without what is only for tests; every line stays where it is.
fn without_tests(text: &str) -> String {
    let (mut kept, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        let code = line.trim_start();
        kept += line.split("//").next().unwrap();
        kept.push('\n');
        if code.starts_with("#[cfg(test)]") || code.starts_with("#[cfg(all(test") {
            let end = format!("{}}}", &line[..line.len() - code.len()]);
            let is_block = lines.next().is_some_and(|item| item.ends_with('{'));
            kept.push('\n');
            while is_block && lines.next().inspect(|_| kept.push('\n')).is_some_and(|line| line != end) {}
        }
    }
    kept
}

/// Adds the paths that begin here to `found`, each after `before`: `a::{b, c}` is two. How many bytes they take.
fn paths<'a>(text: &'a str, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> usize {
    let is_name = |letter: char| letter == '_' || letter.is_alphanumeric();
    let (mut path, mut at) = (before.to_vec(), 0);
    loop {
        if text[at..].starts_with('{') {
            loop {
                at += 1 + text[at + 1..].find(|letter| is_name(letter) || letter == '}').unwrap();
                if text[at..].starts_with('}') {
                    return at + 1;
                }
                at += paths(&text[at..], &path, found) - 1;
            }
        }
        let rest = &text[at..];
        let length = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        path.push(&rest[..length]);
        at += length;
        if !text[at..].starts_with("::") {
            found.push(path);
            return at;
        }
        at += 2;
    }
}

/// The paths that a file names, from the crate's root, with their lines. What the program takes from the library's root
/// is left out.
fn named<'a>(file: &'a str, text: &'a str) -> Vec<(usize, Vec<&'a str>)> {
    let mut named = Vec::new();
    for root in ["crate::", "vultus::", "super::", "self::"] {
        for (at, _) in text.match_indices(root) {
            if text[..at].ends_with(|letter: char| letter == '_' || letter == ':' || letter.is_alphanumeric()) {
                continue;
            }
            let mut found = Vec::new();
            paths(&text[at + root.len()..], &[], &mut found);
            for path in found {
                let mut absolute = if root == "super::" || root == "self::" { module(file) } else { Vec::new() };
                absolute.truncate(absolute.len() - usize::from(root == "super::"));
                for name in path {
                    match name {
                        "super" => absolute.truncate(absolute.len() - 1),
                        _ => absolute.push(name),
                    }
                }
                let is_item = absolute[0].starts_with(char::is_uppercase) || absolute[0] == "wgpu";
                if !(root == "vultus::" && is_item) {
                    named.push((1 + text[..at].matches('\n').count(), absolute));
                }
            }
        }
    }
    named
}

/// What is left of the imports without those that lie on no circle.
fn circles(imports: &Imports) -> Vec<&str> {
    let mut left: BTreeSet<&[String; 2]> = imports.keys().collect();
    loop {
        let before = left.len();
        let (from, to): (BTreeSet<_>, BTreeSet<_>) = left.iter().map(|[from, to]| (from, to)).unzip();
        left.retain(|[a, b]| to.contains(a) && from.contains(b));
        if left.len() == before {
            return left.into_iter().map(|import| imports[import].as_str()).collect();
        }
    }
}

/// What is wrong with these sources, a line for each fault.
fn faults(sources: &Sources) -> String {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room));
    let (mut faults, mut rooms, mut files) = (String::new(), Imports::new(), Imports::new());
    for (file, text) in sources.iter().filter(|(file, _)| !["lib.rs", "main.rs"].contains(&file.as_str())) {
        let (own, text) = (module(file), without_tests(text));
        let Some(own_floor) = floor(own[0]) else {
            writeln!(faults, "{file}: the room {} has no floor", own[0]).unwrap();
            continue;
        };
        for (line, path) in named(file, &text) {
            let place = format!("{file}:{line} imports {}", path.join("::"));
            match floor(path[0]) {
                None => writeln!(faults, "{place}: not a path to a room").unwrap(),
                Some(other) if other > own_floor => {
                    writeln!(faults, "{place}: from floor {own_floor} up to floor {other}").unwrap();
                }
                Some(_)
                    if APART
                        .iter()
                        .any(|pair| pair.contains(&own[0]) && pair.contains(&path[0]) && own[0] != path[0]) =>
                {
                    writeln!(faults, "{place}: the rooms are to know nothing of each other").unwrap();
                }
                Some(_) => {}
            }
            if path[0] != own[0] {
                rooms.insert([own[0], path[0]].map(str::to_owned), place);
                continue;
            }
            // The longest part of the path that is a file; a module and what is within it may know each other.
            let names = |end: usize| ["", "/mod"].map(|ending| format!("{}{ending}.rs", path[..end].join("/")));
            let other = (1..=path.len()).rev().flat_map(names).find(|name| sources.contains_key(name));
            let other = other.filter(|name| !own.starts_with(&module(name)) && !module(name).starts_with(&own));
            if let Some(other) = other {
                files.insert([file.clone(), other], place);
            }
        }
    }
    for place in circles(&rooms).into_iter().chain(circles(&files)) {
        writeln!(faults, "{place}: on or between circles").unwrap();
    }
    faults
}

#[test]
fn the_sources_keep_to_the_floors() {
    let mut sources = Sources::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut sources);
    assert!(sources.len() > 300, "{} files", sources.len());
    let faults = faults(&sources);
    assert!(faults.is_empty(), "\n{faults}");
}

#[test]
fn the_document_shows_these_floors() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md")).unwrap();
    for (floor, rooms) in FLOORS.iter().enumerate() {
        let row = document.lines().find(|line| line.starts_with(&format!("| {floor} |"))).unwrap();
        for room in *rooms {
            let shown = [format!("`src/{room}/`"), format!("`src/{room}.rs`")];
            assert!(shown.iter().any(|place| row.contains(place)), "floor {floor} lacks {room}: {row}");
        }
    }
}

#[test]
fn every_kind_of_fault_is_found() {
    let found = |files: &[(&str, &str)]| {
        faults(&files.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect())
    };
    let up = "//! Programs.\nuse crate::{\n    error::Error,\n    gpu::{self, Gpu},\n};\n";
    let expected = "program/mod.rs:2 imports gpu::self: from floor 1 up to floor 2\n\
                    program/mod.rs:2 imports gpu::Gpu: from floor 1 up to floor 2\n";
    assert_eq!(found(&[("program/mod.rs", up)]), expected);
    assert!(
        found(&[("tensor.rs", "fn f() {\n    super::cpu::run()\n}\n")]).starts_with("tensor.rs:2 imports cpu::run: ")
    );
    assert!(
        found(&[("serve/mod.rs", "use vultus::{Device, attic::Box};\n")]).contains("attic::Box: not a path to a room")
    );
    assert!(found(&[("cpu/plan.rs", "use crate::gpu::Gpu;\n")]).contains("cpu/plan.rs:1 imports gpu::Gpu: the rooms"));
    assert!(found(&[("attic.rs", "")]).contains("attic.rs: the room attic has no floor"));

    let rooms = [("face/mod.rs", "use crate::track::Tracker;\n"), ("track/mod.rs", "\nuse crate::face::Face;\n")];
    let expected = "face/mod.rs:1 imports track::Tracker: on or between circles\n\
                    track/mod.rs:2 imports face::Face: on or between circles\n";
    assert_eq!(found(&rooms), expected);
    assert_eq!(found(&rooms[..1]), "");
    let files =
        [("nn/a.rs", "use super::b::B;\n"), ("nn/b.rs", "use super::c;\n"), ("nn/c.rs", "use crate::nn::a::A;\n")];
    assert_eq!(found(&files).lines().count(), 3);
    assert_eq!(found(&files[..2]), "");

    // A module and its parts are one; tests, comments and names that only end alike do not count.
    assert_eq!(found(&[("nn/mod.rs", "use self::a::A;\n"), ("nn/a.rs", "use super::Network;\n")]), "");
    let tested =
        "//! As [`crate::gpu`].\n#[cfg(test)]\nmod tests {\n    use crate::gpu::Gpu;\n}\nuse other_crate::gpu;\n";
    assert_eq!(found(&[("tensor.rs", tested)]), "");
    assert!(found(&[("tensor.rs", &format!("{tested}use crate::gpu::Gpu;\n"))]).starts_with("tensor.rs:7 "));
}

//! Importing files of full size: `python benches/make_weights.py FOLDER`, then `cargo bench --bench import -- FOLDER`.
//!
//! Each file is imported by a process of its own, whose largest memory is what the system says of it. Said are seconds in
//! all and for 100 MB, and memory as a multiple of the file; beside it the time in which the file is merely read, in the
//! same run.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use vultus::ops::Normalization;
use vultus::weights::{Catalog, Vgg16};

/// What a process that imports one file gets as its first argument.
const ONE: &str = "--one";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.as_slice() {
        [one, file] if one == ONE => import(Path::new(file)),
        [folder] => compare(Path::new(folder)),
        _ => {
            eprintln!("name the folder that benches/make_weights.py has written");
            ExitCode::from(2)
        }
    }
}

/// Imports a file and says what that took.
fn import(path: &Path) -> ExitCode {
    let start = Instant::now();
    let imported = Catalog::open(path).and_then(|catalog| {
        let vgg16 = Vgg16::find(&catalog)?;
        let preprocessing = vgg16.preprocessing()?.unwrap_or(Normalization::TORCHVISION);
        vgg16.read(Some(preprocessing))
    });
    let file = match imported {
        Ok(file) => file,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    // What all formats must agree in.
    let sum: f64 = file.parameters.values().flat_map(|tensor| tensor.data()).map(|&value| f64::from(value.abs())).sum();
    println!("{seconds} {} {sum}", peak().unwrap_or(0));
    ExitCode::SUCCESS
}

/// The largest memory of this process so far, in bytes, where Linux tells it.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn compare(folder: &Path) -> ExitCode {
    let mut files: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    };
    files.sort();
    println!("{:<24} {:>9} {:>8} {:>10} {:>8} {:>7}", "file", "MB", "s", "s/100 MB", "read, s", "memory");
    let mut sums = Vec::new();
    for file in &files {
        let Some((bytes, only_read)) = read_only(file) else { return ExitCode::FAILURE };
        let child = std::env::current_exe().and_then(|program| Command::new(program).arg(ONE).arg(file).output());
        let said = child.map(|output| (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned()));
        let Ok((true, said)) = said else {
            eprintln!("{}: not imported", file.display());
            return ExitCode::FAILURE;
        };
        let numbers: Vec<f64> = said.split_whitespace().flat_map(str::parse).collect();
        let [seconds, memory, sum] = numbers[..] else { return ExitCode::FAILURE };
        let (megabytes, name) = (bytes as f64 / 1e6, file.file_name().unwrap_or_default().to_string_lossy());
        let (rate, share) = (seconds / megabytes * 100.0, memory / bytes as f64);
        println!("{name:<24} {megabytes:>9.1} {seconds:>8.2} {rate:>10.2} {only_read:>8.2} {share:>6.2}×");
        sums.push(sum);
    }
    if sums.windows(2).any(|pair| pair[0] != pair[1]) {
        eprintln!("the files hold different numbers: {sums:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// The size of a file and the seconds in which it is read and nothing else.
fn read_only(path: &Path) -> Option<(u64, f64)> {
    let (mut file, mut block, start) = (fs::File::open(path).ok()?, vec![0; 1 << 20], Instant::now());
    let mut bytes = 0;
    loop {
        match file.read(&mut block).ok()? {
            0 => return Some((bytes, start.elapsed().as_secs_f64())),
            read => bytes += read as u64,
        }
    }
}

//! The program: its commands, one file for each, and what they share.
//!
//! Results go to standard output, everything else to standard error.

mod analyzer;
mod baseline;
mod bench;
mod class_names;
mod classifier;
mod compare;
mod completions;
mod data;
mod detector;
mod devices;
mod eval;
mod existing;
mod export;
mod faces;
mod failure;
mod global;
mod imported;
mod inputs;
mod interrupt;
mod models;
mod network;
mod precision;
mod predict;
mod prepare;
mod preprocess;
mod printable;
mod protocol;
mod recognizer;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod stored;
mod study;
mod table;
mod train;
mod tune;
mod video;
mod weights;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use global::Global;
use printable::Printable;

/// Facial expression recognition on the GPU or the CPU.
#[derive(Parser)]
#[command(name = "vultus", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Program {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  vultus predict photo.jpg                      where are faces, and what do they express?
  vultus video clip.mp4                         who shows what in a video, and when?
  vultus serve --open                           see it work, in a page
  vultus data faces                             what is in this data set, and what is wrong with it?
  vultus train faces --out my.safetensors       a model of your own, from labelled faces
  vultus baseline faces                         what do older methods reach on these?
  vultus eval faces/test --faces                how good is it, on labelled faces?
  vultus export --out model.onnx                the model for other engines to run
  vultus run model.onnx --input x.npy --out y.npz
                                                what does an ONNX model compute?
  vultus prepare photo.jpg --out stages         each step from the photo to what the network sees
  vultus devices                                what this machine computes on
  vultus compare --device llvmpipe              does this GPU compute what the CPU computes?
  vultus bench --network vgg16 --batch 8        how fast is it?
  vultus tune                                   which kernels are the fastest on this GPU?
  vultus weights inspect vgg16.pth              what is in this file of weights?

Exit status: 0 done, 1 something failed, 2 bad use (an unknown option, no such device).";

#[derive(Subcommand)]
enum Command {
    Predict(predict::Arguments),
    Video(video::Arguments),
    Data(data::Arguments),
    #[cfg(feature = "serve")]
    Serve(serve::Arguments),
    Study(study::Arguments),
    Prepare(prepare::Arguments),
    Train(train::Arguments),
    Baseline(baseline::Arguments),
    Eval(eval::Arguments),
    Export(export::Arguments),
    Run(run::Arguments),
    Devices(devices::Arguments),
    Compare(compare::Arguments),
    Bench(bench::Arguments),
    Tune(tune::Arguments),
    Weights(weights::Arguments),
    Completions(completions::CompletionArguments),
    Man(completions::ManualArguments),
}

impl Command {
    fn run(&self, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
        match self {
            Command::Predict(arguments) => predict::run(arguments, global, out),
            Command::Video(arguments) => video::run(arguments, global, out),
            Command::Data(arguments) => data::run(arguments, global, out),
            #[cfg(feature = "serve")]
            Command::Serve(arguments) => serve::run(arguments, global, out),
            Command::Study(arguments) => study::run(arguments, global, out),
            Command::Prepare(arguments) => prepare::run(arguments, global, out),
            Command::Train(arguments) => train::run(arguments, global, out),
            Command::Baseline(arguments) => baseline::run(arguments, global, out),
            Command::Eval(arguments) => eval::run(arguments, global, out),
            Command::Export(arguments) => export::run(arguments, global, out),
            Command::Run(arguments) => run::run(arguments, global, out),
            Command::Devices(arguments) => devices::run(arguments, global, out),
            Command::Compare(arguments) => compare::run(arguments, global, out),
            Command::Bench(arguments) => bench::run(arguments, global, out),
            Command::Tune(arguments) => tune::run(arguments, global, out),
            Command::Weights(arguments) => weights::run(arguments, out),
            Command::Completions(arguments) => {
                completions::complete(arguments, Program::command(), out);
                Ok(())
            }
            Command::Man(arguments) => completions::manual(arguments, Program::command(), out),
        }
    }
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let program = Program::parse();
    let mut out = Printable(BufWriter::new(io::stdout().lock()));
    let result = program.command.run(&program.global, &mut out);
    // What was found before a failure is still a result.
    let flushed = out.flush().map_err(Failure::Output);
    match result.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

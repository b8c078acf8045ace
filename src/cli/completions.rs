//! `vultus completions` and `vultus man`: what a shell and a reader of manuals want of the command line.

use std::io::Write;

use clap_complete::Shell;

use super::failure::Failure;

/// Print completions of commands and options for a shell
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus completions bash > ~/.local/share/bash-completion/completions/vultus
  vultus completions zsh > ~/.zfunc/_vultus
  vultus completions fish > ~/.config/fish/completions/vultus.fish")]
pub struct CompletionArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page of the program or of a command, in roff
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus man | man -l -
  vultus man predict > vultus-predict.1")]
pub struct ManualArguments {
    /// The command [default: all of the program]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Prints the completions of this program.
pub fn complete(arguments: &CompletionArguments, mut program: clap::Command, out: &mut dyn Write) {
    clap_complete::generate(arguments.shell, &mut program, "vultus", &mut &mut *out);
}

/// Prints a page of this program.
pub fn manual(arguments: &ManualArguments, mut program: clap::Command, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(name) = &arguments.command else { return Ok(clap_mangen::Man::new(program).render(out)?) };
    program.build();
    let Some(command) = program.find_subcommand(name) else {
        let known: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
        return Err(Failure::Usage(format!("there is no command {name:?}, only {}", known.join(", "))));
    };
    Ok(clap_mangen::Man::new(command.clone()).title(format!("vultus-{name}")).render(out)?)
}

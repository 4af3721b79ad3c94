//! `pointsman man`: a manual page for the program and for each command, down to those inside commands.

use crate::{Cli, files, screen::Screen};
use anyhow::Result;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::PathBuf;

/// Flags of `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder for the pages, such as `~/.local/share/man/man1`.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    files::check_folder(&args.out)?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut all = Vec::new();
    collect(&program, &mut all);
    let n_pages = all.len();
    for command in all {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        files::write(&args.out.join(format!("{name}.1")), &page)?;
    }
    screen.say(&format!("{n_pages} pages in {}", args.out.display()))
}

/// A command and the commands in it; that each has a `help` is said on its own page.
fn collect(command: &clap::Command, all: &mut Vec<clap::Command>) {
    all.push(command.clone());
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        collect(inner, all);
    }
}

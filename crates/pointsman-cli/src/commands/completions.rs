//! `pointsman completions`: what a shell needs to complete the command line.

use crate::{Cli, screen::Screen};
use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

/// Flags of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pointsman", &mut script);
    screen.say(String::from_utf8_lossy(&script).trim_end())
}

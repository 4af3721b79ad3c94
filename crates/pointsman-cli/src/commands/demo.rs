//! Stand-in while the rest is built.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}
pub(crate) fn run(_: &Args, _: &crate::screen::Screen) -> anyhow::Result<()> { Ok(()) }

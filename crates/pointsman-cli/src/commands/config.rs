//! `pointsman config`: the settings that a service would run on, and where each comes from.

use crate::{
    screen::{self, Screen},
    settings_flags::SettingsFlags,
};
use anyhow::Result;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Flags of `config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    flags: SettingsFlags,
    /// Also write the settings as JSON; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, screen: &Screen) -> Result<()> {
    screen.make_way_for(args.json.as_deref());
    let (settings, in_file) = args.flags.read()?;
    let by_flag = args.flags.given();
    let source = |key: &str| {
        if by_flag.contains(&key) {
            "flag"
        } else if in_file.contains(key) {
            "file"
        } else {
            "default"
        }
    };
    let all: Vec<(String, Value)> = settings.list();
    let rows = all.iter().map(|(key, value)| {
        let shown = if value.is_null() { "not set".to_owned() } else { value.to_string() };
        [key.clone(), source(key).to_owned(), shown]
    });
    screen.table(["setting", "from", "value"], rows)?;
    let entries: Vec<Value> = all
        .iter()
        .map(|(key, value)| json!({"setting": key, "value": value, "from": source(key)}))
        .collect();
    screen::json(args.json.as_deref(), &json!({"settings": entries}))?;
    settings.validate().map_err(anyhow::Error::from)
}

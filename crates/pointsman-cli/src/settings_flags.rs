//! The settings of a service: a file, and flags that go before it.

use crate::files;
use anyhow::{Context, Result};
use pointsman_serve::settings::Settings;
use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf};

/// Flags that say how a service is set up.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SettingsFlags {
    /// Settings (TOML); `docs/http.md` lists them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where callers come in, instead of the settings' `listen`.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Where operators come in, instead of the settings' `admin_listen`.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    admin_listen: Option<SocketAddr>,
    /// The folder of the journal, instead of the settings' `journal.folder`.
    #[arg(long, value_name = "FOLDER")]
    journal: Option<PathBuf>,
}

/// An address to listen at, which no name stands for.
fn address(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<SocketAddr>().ok();
    address.ok_or_else(|| {
        format!("`{text}` is no IP address with a port; write one such as 127.0.0.1:8787")
    })
}

impl SettingsFlags {
    /// The settings, and the keys that the file sets; whether they go together is for the service
    /// to say.
    pub(crate) fn read(&self) -> Result<(Settings, BTreeSet<String>)> {
        let text = match &self.config {
            Some(path) => files::read_text(path, "settings are TOML")?,
            None => String::new(),
        };
        let named = self.config.as_ref().map(|path| path.display().to_string());
        let name = || named.clone().unwrap_or_else(|| "settings".to_owned());
        let mut settings = Settings::from_toml_unchecked(&text).with_context(name)?;
        let in_file = Settings::keys_in(&text).with_context(name)?;
        settings.listen = self.listen.unwrap_or(settings.listen);
        settings.admin_listen = self.admin_listen.unwrap_or(settings.admin_listen);
        settings.journal.folder = self.journal.clone().or(settings.journal.folder);
        Ok((settings, in_file))
    }

    /// The keys that flags set.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let Self { config: _, listen, admin_listen, journal } = self;
        [
            ("listen", listen.is_some()),
            ("admin_listen", admin_listen.is_some()),
            ("journal.folder", journal.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
        .collect()
    }
}

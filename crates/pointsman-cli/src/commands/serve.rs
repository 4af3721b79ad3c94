//! `pointsman serve`: decides over HTTP. Its log is one JSON object a line, on standard error.

use crate::settings_flags::SettingsFlags;
use anyhow::{Context, Result};
use pointsman_core::{artifact::Artifact, catalog::Catalog};
use pointsman_serve::{
    Service,
    effects::Effects,
    http::Reload,
    loaded::Loaded,
    server::{self, Event},
};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// How many random numbers are fetched from the operating system at once.
const N_FETCHED: usize = 64;

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The policy file; read again on SIGHUP and when it changes.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Models and prices (TOML or JSON).
    #[arg(long, value_name = "FILE")]
    catalog: PathBuf,
    #[command(flatten)]
    flags: SettingsFlags,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (settings, _in_file) = args.flags.read()?;
    let objective = settings.objective.clone();
    let loaded = load(&args.policy, &args.catalog, objective.as_deref())?;
    let shadow = |path: &PathBuf| load(path, &args.catalog, None);
    let shadows = settings.shadow.iter().map(shadow).collect::<Result<Vec<_>>>()?;
    let service = Service::new(settings, loaded, shadows, effects()?)?;
    let warning = service.recovery.as_ref().and_then(pointsman_serve::Recovery::warning);
    if let Some(message) = warning {
        log("warning", &json!({"event": "journal", "message": message}));
    }
    // What a panic says may quote a prompt; where it was does not.
    panic::set_hook(Box::new(|info| {
        let at = info.location().map(ToString::to_string);
        log("error", &json!({"event": "panic", "at": at}));
    }));
    let service = Arc::new(service);
    let (policy, catalog, flags) = (args.policy.clone(), args.catalog.clone(), args.flags.clone());
    let reloading = Mutex::new(());
    let reload: Reload = Arc::new(move |service: &Service| {
        // One after the other: what was read earlier, keys that are gone since then too, is never put in
        // force later.
        let _alone = reloading.lock().unwrap_or_else(PoisonError::into_inner);
        // First, so that a key that is taken away is gone, whatever the policy is.
        let renewed = renew_keys(service, &flags)
            .map_err(|error| format!("{error:#}; the old keys and the old policy stay in force"));
        let loaded = renewed.and_then(|()| {
            load(&policy, &catalog, objective.as_deref())
                .map_err(|error| format!("{error:#}; the old policy stays in force"))
        });
        match loaded {
            Ok(loaded) => {
                let digest = loaded.digest().to_owned();
                service.swap(loaded);
                Ok(digest)
            }
            Err(why) => {
                service.refuse(&why);
                Err(why)
            }
        }
    });
    let watched = vec![args.policy.clone(), args.catalog.clone()];
    server::run(&service, reload, watched, |event| tell(&event)).context("the service")?;
    // Whoever still holds the service is done with its journal.
    if let Some(service) = Arc::into_inner(service)
        && let Err(message) = service.close()
    {
        log("error", &json!({"event": "journal", "message": message}));
    }
    Ok(())
}

fn load(policy: &Path, catalog: &Path, objective: Option<&str>) -> Result<Loaded> {
    let artifact: Artifact = crate::files::read_artifact(policy)?;
    let catalog: Catalog = crate::files::read_catalog(catalog)?;
    Ok(Loaded::new(artifact, &catalog, objective)?)
}

/// Reads the keys again that the settings name.
fn renew_keys(service: &Service, flags: &SettingsFlags) -> Result<()> {
    let (settings, _in_file) = flags.read()?;
    Ok(service.renew_keys(&settings)?)
}

/// The machine's clocks, and the operating system's random numbers.
#[expect(clippy::disallowed_methods, reason = "here is where the clocks are read")]
fn effects() -> Result<Effects> {
    thread_local! {
        static FETCHED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let mut probe = [0; 8];
    getrandom::fill(&mut probe).context("the operating system gives no random numbers")?;
    let start = Instant::now();
    Ok(Effects {
        now_ms: Box::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        }),
        elapsed_ns: Box::new(move || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        random: Box::new(|| {
            FETCHED.with_borrow_mut(|fetched| {
                loop {
                    if let Some(number) = fetched.pop() {
                        return number;
                    }
                    let mut bytes = [0; 8 * N_FETCHED];
                    // It gave some at the start; once it has, it never fails.
                    if getrandom::fill(&mut bytes).is_ok() {
                        fetched.extend(
                            bytes.as_chunks::<8>().0.iter().map(|it| u64::from_le_bytes(*it)),
                        );
                    }
                }
            })
        }),
    })
}

fn tell(event: &Event) {
    let (level, event) = match event {
        Event::Listening { callers, operators } => (
            "info",
            json!({"event": "listening", "callers": callers.to_string(), "operators": operators.to_string()}),
        ),
        Event::Reloaded { digest } => ("info", json!({"event": "reloaded", "digest": digest})),
        Event::Warning { message } => ("warning", json!({"event": "warning", "message": message})),
        Event::Draining => ("info", json!({"event": "draining"})),
        Event::Stopped { n_cut } => ("info", json!({"event": "stopped", "connections_cut": n_cut})),
    };
    log(level, &event);
}

#[expect(clippy::disallowed_methods, reason = "a log has times")]
fn log(level: &str, event: &Value) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line =
        json!({"ts_ms": u64::try_from(since.as_millis()).unwrap_or(u64::MAX), "level": level});
    if let (Value::Object(line), Value::Object(event)) = (&mut line, event) {
        line.extend(event.clone());
    }
    // Where standard error is gone there is nobody to tell.
    drop(writeln!(io::stderr().lock(), "{line}"));
}

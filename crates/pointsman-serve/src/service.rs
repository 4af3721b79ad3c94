//! A service: the policy in force, the journal, the callers, and the clock and dice that it was
//! given. Everything here is called by any number of threads at once; nothing here waits.

use crate::{
    budget::Budget,
    effects::{Effects, NANOS_PER_MS},
    keys::{Keys, Plane},
    live::Signals,
    loaded::Loaded,
    metrics::{Metrics, up},
    problem::{Code, Problem},
    prompts::HashKey,
    sessions::Sessions,
    settings::{Durability, Settings, SettingsError},
    strangers::Strangers,
    tally::Tally,
    traces::Exporter,
};
use arc_swap::{ArcSwap, ArcSwapOption};
use pointsman_core::{circumstances::LiveEndpoints, explorer::Explorer};
use pointsman_log::{
    body::ChatBody,
    ids::Ids,
    journal::{self, Disk, Journal, OpenError, Position, Recovery, Storage},
};
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// A service that is ready to answer.
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) explorer: Explorer,
    pub(crate) keys: ArcSwap<Keys>,
    pub(crate) effects: Effects,
    pub(crate) force: ArcSwap<InForce>,
    pub(crate) shadows: Vec<Arc<Loaded>>,
    previous: Mutex<Option<Arc<Loaded>>>,
    last_load_error: Mutex<Option<String>>,
    pub(crate) journal: Option<Journal>,
    /// What opening the journal found.
    pub recovery: Option<Recovery>,
    pub(crate) ids: Ids,
    pub(crate) budget: Budget,
    pub(crate) metrics: Metrics,
    pub(crate) tally: Tally,
    pub(crate) strangers: Strangers,
    /// Whether the journal took no record the last time.
    pub(crate) is_degraded: AtomicBool,
    /// Whether the log of the service was told so last.
    is_told_degraded: AtomicBool,
    pub(crate) is_draining: AtomicBool,
    pub(crate) sessions: Sessions,
    pub(crate) signals: Signals,
    pub(crate) hash_key: HashKey,
    /// Where a span of each decision goes; nowhere where `None`.
    pub(crate) traces: Option<Exporter>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The policy in force, with what belongs to it alone.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) loaded: Arc<Loaded>,
    /// What is known of its endpoints.
    pub(crate) live: ArcSwapOption<LiveEndpoints>,
    /// The counters of its models' draws.
    pub(crate) drawn: Vec<Arc<std::sync::atomic::AtomicU64>>,
}

/// Why a service cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Settings that cannot be.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A journal that cannot be written.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// No thread for traces is to be had.
    #[error("traces cannot be sent, since there is no thread to be had for them")]
    Traces(#[source] io::Error),
}

impl Service {
    /// Begins to serve a policy; opens the journal that the settings name.
    ///
    /// # Errors
    /// [`StartError`] for settings that cannot be, and a journal that cannot be opened.
    pub fn new(
        settings: Settings,
        loaded: Loaded,
        shadows: Vec<Loaded>,
        effects: Effects,
    ) -> Result<Self, StartError> {
        Self::on(Arc::new(Disk), settings, loaded, (shadows, effects))
    }

    /// As [`Self::new`], with the journal on a file system of the caller's.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn on(
        storage: Arc<dyn Storage>,
        settings: Settings,
        loaded: Loaded,
        (shadows, effects): (Vec<Loaded>, Effects),
    ) -> Result<Self, StartError> {
        let checked = settings.check()?;
        let journal_settings = journal::Settings {
            segment_bytes: settings.journal.segment_bytes,
            keep_bytes: settings.journal.keep_bytes,
            keep_age_ms: settings.journal.keep_days.map(|days| days * 24 * 60 * 60 * 1000),
            ..journal::Settings::default()
        };
        let opened = settings.journal.folder.as_deref();
        let opened =
            opened.map(|dir| Journal::open_on(storage, dir, journal_settings)).transpose()?;
        let (journal, recovery) = opened.unzip();
        let traces = checked.collector.map(Exporter::start).transpose();
        let traces = traces.map_err(StartError::Traces)?;
        let metrics = Metrics::default();
        let mut key = [0; 32];
        for bytes in key.as_chunks_mut::<8>().0 {
            *bytes = (effects.random)().to_le_bytes();
        }
        Ok(Self {
            explorer: checked.explorer,
            keys: ArcSwap::from_pointee(Keys::new(checked.keys, checked.admin_key)),
            force: ArcSwap::from_pointee(InForce::new(Arc::new(loaded), &metrics)),
            tally: Tally::new(shadows.len()),
            strangers: Strangers::default(),
            shadows: shadows.into_iter().map(Arc::new).collect(),
            previous: Mutex::new(None),
            last_load_error: Mutex::new(None),
            journal,
            ids: Ids::after(recovery.as_ref().and_then(|found: &Recovery| found.newest_id)),
            recovery,
            budget: Budget::new(checked.exploration),
            metrics,
            is_degraded: AtomicBool::new(false),
            is_told_degraded: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
            sessions: Sessions::new(settings.limits.sessions, 1000 * settings.limits.cache_s),
            signals: Signals::default(),
            hash_key: HashKey::new(&key),
            traces,
            settings,
            effects,
        })
    }

    pub(crate) fn now_ms(&self) -> u64 {
        (self.effects.now_ms)()
    }

    /// Milliseconds that go on whatever is done to the clock, for what ends after a while.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        (self.effects.elapsed_ns)() / NANOS_PER_MS
    }

    /// Puts another policy in force. Calls that are being decided finish with the old one. Where it is
    /// the same policy again, at the same prices, the one to roll back to stays.
    pub fn swap(&self, loaded: Loaded) {
        let loaded = Arc::new(loaded);
        let next = Arc::new(InForce::new(Arc::clone(&loaded), &self.metrics));
        next.live.store(self.signals.of(&next.loaded, self.elapsed_ms()));
        let old = self.force.swap(next);
        if !old.loaded.decides_as(&loaded) {
            let mut previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner);
            *previous = Some(Arc::clone(&old.loaded));
        }
        *self.last_load_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
        up(&self.metrics.n_reloads);
    }

    /// Puts the keys of other settings in force, with their limits; who keeps a name keeps what is
    /// left to it. Nothing else of the settings is looked at.
    ///
    /// # Errors
    /// [`SettingsError`] for settings that cannot be, and for those that would open a listener to
    /// everybody that was not.
    pub fn renew_keys(&self, settings: &Settings) -> Result<(), SettingsError> {
        let checked = settings.check()?;
        let before = self.keys.load();
        for (plane, key, is_guarded) in [
            (Plane::Callers, "keys", !checked.keys.is_empty()),
            (Plane::Operators, "admin_key_sha256", checked.admin_key.is_some()),
        ] {
            if before.is_guarded(plane) && !is_guarded {
                let problem = "is gone, and without it everybody may call; restart to allow that";
                return Err(SettingsError::Value {
                    key: key.to_owned(),
                    problem: problem.to_owned(),
                });
            }
        }
        self.keys.store(Arc::new(before.renewed(checked.keys, checked.admin_key)));
        Ok(())
    }

    /// Remembers a policy that could not be put in force, for whoever asks.
    pub fn refuse(&self, why: &str) {
        up(&self.metrics.n_reloads_refused);
        let mut last = self.last_load_error.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(why.to_owned());
    }

    /// Why the last policy could not be put in force; `None` where it could.
    pub fn last_load_error(&self) -> Option<String> {
        self.last_load_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the policy back in force that was so before; a second call undoes the first.
    ///
    /// # Errors
    /// [`Code::ReloadRefused`] where there was none before.
    pub fn roll_back(&self) -> Result<String, Problem> {
        let mut previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = previous.take() else {
            return Err(Problem::new(Code::ReloadRefused, "no other policy was in force before"));
        };
        let digest = before.artifact.digest().to_owned();
        let next = Arc::new(InForce::new(before, &self.metrics));
        next.live.store(self.signals.of(&next.loaded, self.elapsed_ms()));
        *previous = Some(Arc::clone(&self.force.swap(next).loaded));
        up(&self.metrics.n_reloads);
        Ok(digest)
    }

    /// Whether decisions are written down, as far as is known.
    pub(crate) fn is_logging(&self) -> bool {
        self.journal.is_some() && !self.is_degraded.load(Ordering::Relaxed)
    }

    /// Begins to turn away new work, since the service is about to stop.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// What has to be done now and then: segments ended and removed, endpoints tried again. To be
    /// called every second or so. What could not be done, and what operators should know, each in a
    /// sentence.
    pub fn upkeep(&self) -> Vec<String> {
        let now_ms = self.now_ms();
        let force = self.force.load();
        force.live.store(self.signals.of(&force.loaded, self.elapsed_ms()));
        let mut problems =
            self.journal.as_ref().map_or_else(Vec::new, |journal| journal.upkeep(now_ms).problems);
        problems.extend(self.change_of_the_journal());
        problems.extend(self.strangers.tell());
        problems
    }

    /// Notes the keys of a call that are passed over without being known.
    pub(crate) fn note_unknown_keys(&self, body: &ChatBody<'_>) {
        self.metrics.unknown_fields(body.n_unknown_keys());
        self.strangers.note(body.unknown_keys());
    }

    /// Once for each time, that the journal began to take no records or takes them again.
    fn change_of_the_journal(&self) -> Option<String> {
        let is_degraded = self.is_degraded.load(Ordering::Relaxed);
        if self.is_told_degraded.swap(is_degraded, Ordering::Relaxed) == is_degraded {
            return None;
        }
        let n_unlogged = self.metrics.n_unlogged.load(Ordering::Relaxed);
        Some(if is_degraded {
            "the journal takes no records; look at its disk: until it does, calls are answered \
             unlogged and explore nothing, or are refused, by journal.when_full"
                .to_owned()
        } else {
            format!(
                "the journal takes records again; since the start {n_unlogged} {} not logged",
                if n_unlogged == 1 { "decision was" } else { "decisions were" }
            )
        })
    }

    /// Ends the journal's last segment and makes everything durable.
    ///
    /// # Errors
    /// A sentence where the disk failed.
    pub fn close(self) -> Result<(), String> {
        self.journal.map_or(Ok(()), Journal::close).map_err(|error| error.to_string())
    }

    /// Waits until a record is where `durability` says.
    pub(crate) fn settle(
        &self,
        durability: Durability,
        position: Option<Position>,
    ) -> Result<(), Problem> {
        match (durability, position, &self.journal) {
            (Durability::Fsync, Some(position), Some(journal)) => {
                journal.sync(position).map_err(|error| {
                    self.is_degraded.store(true, Ordering::Relaxed);
                    Problem::new(Code::JournalUnavailable, error.to_string())
                })
            }
            (Durability::Os | Durability::Fsync, _, _) => Ok(()),
        }
    }

    /// Runs one call; a panic in it is that call's alone.
    pub(crate) fn guarded<T>(
        &self,
        call: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
            up(&self.metrics.n_panics);
            let message = "a bug in the service ended this call; please report it";
            Err(Problem::new(Code::Internal, message))
        })
    }
}

impl InForce {
    fn new(loaded: Arc<Loaded>, metrics: &Metrics) -> Self {
        let drawn = loaded.models.iter().map(|model| metrics.drawn(&model.name)).collect();
        Self { loaded, live: ArcSwapOption::empty(), drawn }
    }
}

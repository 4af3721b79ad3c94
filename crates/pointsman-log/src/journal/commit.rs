//! Making records durable, many at a time: whoever waits first synchronises for all that wait.
//!
//! There is no timer: while one call to the disk runs, others gather for the next. What a failed
//! call covered is lost for good in the sense that it is never called durable afterwards, since the
//! operating system forgets what it could not write (Rebello et al., *Can Applications Recover
//! from fsync Failures?*, 2020).

use std::{
    io,
    sync::{Arc, Condvar, Mutex},
};

use super::{Position, error::SyncError};

/// What is durable, and who waits for more.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    state: Mutex<CommitState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct CommitState {
    /// Everything up to here is durable, but for `lost`.
    synced: Position,
    /// What was given up: after the first position, up to the second.
    lost: Vec<(Position, Position, Arc<io::Error>)>,
    is_led: bool,
}

/// What one call to the disk achieved.
pub(crate) enum Round {
    /// Everything up to here is durable.
    Durable(Position),
    /// Everything since the last success, up to here, is given up.
    Lost(Position, io::Error),
}

impl CommitState {
    fn of(&self, wanted: Position) -> Option<Result<(), SyncError>> {
        let is_lost =
            |(after, upto, _): &&(Position, Position, _)| *after < wanted && wanted <= *upto;
        if let Some((_, _, source)) = self.lost.iter().find(is_lost) {
            return Some(Err(SyncError::Lost { source: Arc::clone(source) }));
        }
        (wanted <= self.synced).then_some(Ok(()))
    }

    fn take(&mut self, round: Round) {
        match round {
            Round::Durable(upto) => self.synced = self.synced.max(upto),
            Round::Lost(upto, error) => {
                if self.synced < upto {
                    self.lost.push((self.synced, upto, Arc::new(error)));
                    self.synced = upto;
                }
            }
        }
    }
}

impl Commit {
    /// Waits until `wanted` is durable or given up; `round` is called by one waiter at a time.
    pub(crate) fn wait(
        &self,
        wanted: Position,
        round: &dyn Fn() -> Round,
    ) -> Result<(), SyncError> {
        let mut has_led = false;
        let mut state = super::locked(&self.state);
        loop {
            if let Some(known) = state.of(wanted) {
                return known;
            }
            if state.is_led {
                state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                continue;
            }
            if has_led {
                return Err(SyncError::NotWritten);
            }
            state.is_led = true;
            drop(state);
            let done = round();
            has_led = true;
            state = super::locked(&self.state);
            state.is_led = false;
            state.take(done);
            self.changed.notify_all();
        }
    }
}

//! What a thread decides with: buffers that are large enough after the first calls.

use crate::loaded::Loaded;
use pointsman_core::{
    escalation::{EscalationPolicy, EscalationWorkspace},
    policy::Workspace,
};
use std::cell::RefCell;

/// The buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    /// By the policy's generation.
    workspaces: Vec<(u64, Box<Workspace>)>,
    /// Of the policy that read an answer last, with its generation.
    reading: Option<(u64, Box<EscalationWorkspace>)>,
    pub(crate) candidates: Vec<u8>,
    pub(crate) shared: Vec<u8>,
    pub(crate) record: Vec<u8>,
    /// Models with their utilities, to be put in order.
    pub(crate) order: Vec<(f64, usize)>,
    /// The endpoint of the model that was drawn.
    pub(crate) drawn_endpoint: Option<usize>,
}

/// The largest buffer for a record that is kept.
const MOST_RECORD_BYTES: usize = 1 << 20;

/// Policies that one thread keeps buffers for: the one in force, and shadows.
const MOST_WORKSPACES: usize = 8;

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

/// Lends this thread's buffers.
pub(crate) fn with<T>(work: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(work)
}

impl Desk {
    /// Takes the workspace for a policy; to be brought back with [`Self::put_back`].
    pub(crate) fn take(&mut self, loaded: &Loaded) -> Box<Workspace> {
        let known =
            self.workspaces.iter().position(|(generation, _)| *generation == loaded.generation);
        match known {
            Some(index) => self.workspaces.swap_remove(index).1,
            None => Box::new(Workspace::new(&loaded.policy)),
        }
    }

    /// Keeps a workspace for the next call; the one for the oldest policy makes room.
    pub(crate) fn put_back(&mut self, loaded: &Loaded, workspace: Box<Workspace>) {
        if MOST_WORKSPACES <= self.workspaces.len()
            && let Some(oldest) =
                (0..self.workspaces.len()).min_by_key(|&index| self.workspaces[index].0)
        {
            self.workspaces.swap_remove(oldest);
        }
        self.workspaces.push((loaded.generation, workspace));
    }

    /// Takes the workspace for reading answers; to be brought back with [`Self::put_back_reading`].
    pub(crate) fn take_reading(
        &mut self,
        loaded: &Loaded,
        escalation: &EscalationPolicy,
    ) -> Box<EscalationWorkspace> {
        match self.reading.take() {
            Some((generation, workspace)) if generation == loaded.generation => workspace,
            Some(_) | None => Box::new(EscalationWorkspace::new(escalation)),
        }
    }

    /// Keeps it for the next answer.
    pub(crate) fn put_back_reading(
        &mut self,
        loaded: &Loaded,
        workspace: Box<EscalationWorkspace>,
    ) {
        self.reading = Some((loaded.generation, workspace));
    }

    /// Keeps the room of a record for the next one, unless that is much.
    pub(crate) fn put_back_record(&mut self, mut record: Vec<u8>) {
        if record.capacity() <= MOST_RECORD_BYTES {
            record.clear();
            self.record = record;
        }
    }
}

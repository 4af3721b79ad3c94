//! What operators see of the decisions so far: what they were expected to cost against the best
//! single model, what the shadows would have done, and the latest ones.
//!
//! Everything counts from the start of the process, and costs and qualities are what was predicted;
//! what came of the decisions is in the journal, and what a policy is worth is for an evaluation.

use pointsman_core::units::Usd;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// How many decisions are remembered.
const MOST_LATEST: usize = 50;

/// How long a decision that is remembered keeps the next ones from being it, once there are as many
/// as that: nobody reads more of them in a second than a few hundred.
const LATEST_APART_NS: u64 = 5_000_000;

/// What was counted.
#[derive(Debug, Default)]
// On cache lines of its own: every call writes to it, and what stands beside it is only read.
#[repr(align(128))]
pub(crate) struct Tally {
    money: Mutex<Money>,
    shadows: Vec<Mutex<Beside>>,
    latest: Mutex<Latest>,
    /// Until when no decision is remembered, on the clock of the newest one.
    latest_again_ns: AtomicU64,
}

/// Expected costs of the drawn models and of the best single one, on the same calls.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Money {
    /// Calls that both might have answered at a known price.
    pub(crate) n_compared: u64,
    /// Calls that the best single model might not have answered, or whose cost is not known.
    pub(crate) n_not_compared: u64,
    pub(crate) drawn: Usd,
    pub(crate) best_single: Usd,
    /// What the answers were expected to cost that were asked for after an answer; in neither of both.
    pub(crate) escalated: Usd,
}

/// What a shadow would have done, beside what was drawn; by the shadow's own predictions.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Beside {
    /// Calls that it decided.
    pub(crate) n_decisions: u64,
    /// Calls on which none of its models might have answered.
    pub(crate) n_refused: u64,
    /// Calls on which it would have taken the drawn model.
    pub(crate) n_same: u64,
    /// Calls whose drawn model it knows, and might have taken.
    pub(crate) n_compared: u64,
    /// Sums over the compared calls.
    pub(crate) own: Predicted,
    pub(crate) drawn: Predicted,
}

/// Sums of what was predicted.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Predicted {
    pub(crate) quality: f64,
    pub(crate) cost: Usd,
}

/// Decisions as JSON objects, in buffers that are used again and again.
#[derive(Debug, Default)]
struct Latest {
    slots: Vec<Vec<u8>>,
    /// Where the next one goes once every slot is taken: the oldest.
    next: usize,
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    pub(crate) fn new(n_shadows: usize) -> Self {
        let shadows = (0..n_shadows).map(|_| Mutex::default()).collect();
        Self { shadows, ..Self::default() }
    }

    /// Counts a decision's expected cost; the best single model's is `None` where that model might
    /// not have answered.
    pub(crate) fn paid(&self, drawn: Option<Usd>, best_single: Option<Usd>) {
        let mut money = locked(&self.money);
        if let (Some(drawn), Some(best_single)) = (drawn, best_single) {
            money.n_compared += 1;
            money.drawn = money.drawn + drawn;
            money.best_single = money.best_single + best_single;
        } else {
            money.n_not_compared += 1;
        }
    }

    /// Counts the expected cost of an answer that is asked for after another one.
    pub(crate) fn escalated(&self, cost: Usd) {
        let mut money = locked(&self.money);
        money.escalated = money.escalated + cost;
    }

    pub(crate) fn money(&self) -> Money {
        *locked(&self.money)
    }

    /// Lets `count` note what a shadow did.
    pub(crate) fn beside(&self, shadow: usize, count: impl FnOnce(&mut Beside)) {
        if let Some(beside) = self.shadows.get(shadow) {
            count(&mut locked(beside));
        }
    }

    pub(crate) fn shadows(&self) -> Vec<Beside> {
        self.shadows.iter().map(|beside| *locked(beside)).collect()
    }

    /// Remembers a decision, which `write` puts into an empty buffer as JSON; the oldest makes room.
    /// One that comes while another is being written, or close behind one, is passed over: no call
    /// waits for another here, and a service under load does not write what nobody will see.
    pub(crate) fn keep(&self, now_ns: u64, write: impl FnOnce(&mut Vec<u8>)) {
        // Only read by nearly every call, so that no thread has to wait for it.
        if now_ns < self.latest_again_ns.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut latest) = self.latest.try_lock() else { return };
        let at = latest.next;
        if latest.slots.len() < MOST_LATEST {
            latest.slots.push(Vec::new());
        }
        if latest.slots.len() == MOST_LATEST {
            self.latest_again_ns.store(now_ns + LATEST_APART_NS, Ordering::Relaxed);
        }
        latest.next = (at + 1) % MOST_LATEST;
        if let Some(slot) = latest.slots.get_mut(at) {
            slot.clear();
            write(slot);
        }
    }

    /// The latest decisions as a JSON list, the newest first.
    pub(crate) fn write_latest(&self, out: &mut Vec<u8>) {
        let latest = locked(&self.latest);
        let (newer, older) = latest.slots.split_at(latest.next.min(latest.slots.len()));
        out.push(b'[');
        for (index, slot) in newer.iter().rev().chain(older.iter().rev()).enumerate() {
            if 0 < index {
                out.push(b',');
            }
            out.extend_from_slice(slot);
        }
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_and_the_newest_come_first() {
        let tally = Tally::new(0);
        let kept = || {
            let mut out = Vec::new();
            tally.write_latest(&mut out);
            serde_json::from_slice::<Vec<usize>>(&out).unwrap()
        };
        assert_eq!(kept(), [0; 0]);
        for n in 0..=2 * MOST_LATEST {
            let now_ns = n as u64 * LATEST_APART_NS;
            tally.keep(now_ns, |out| crate::json::value(out, &n));
            let expected: Vec<usize> = (0..=n).rev().take(MOST_LATEST).collect();
            assert_eq!(kept(), expected);
        }
    }

    #[test]
    fn of_many_at_once_some_are_passed_over() {
        let tally = Tally::new(0);
        let mut written = 0;
        for now_ns in 0..2 * MOST_LATEST as u64 {
            tally.keep(now_ns, |_| written += 1);
        }
        assert_eq!(written, MOST_LATEST);
        tally.keep(LATEST_APART_NS + MOST_LATEST as u64, |_| written += 1);
        assert_eq!(written, MOST_LATEST + 1);
    }

    #[test]
    fn only_what_both_might_have_answered_is_compared() {
        let tally = Tally::new(0);
        let usd = |nanos| Some(Usd::from_nanos(nanos));
        for (drawn, best_single) in [(usd(3), usd(5)), (usd(7), None), (None, usd(5)), (None, None)]
        {
            tally.paid(drawn, best_single);
        }
        tally.escalated(Usd::from_nanos(4));
        tally.escalated(Usd::from_nanos(7));
        let expected = Money {
            n_compared: 1,
            n_not_compared: 3,
            drawn: Usd::from_nanos(3),
            best_single: Usd::from_nanos(5),
            escalated: Usd::from_nanos(11),
        };
        assert_eq!(tally.money(), expected);
    }
}

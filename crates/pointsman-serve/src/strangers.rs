//! Keys of calls that nobody here knows, for the log of the service: each is told once.
//!
//! Its weakness: after so many names it is silent, since who calls could fill a log with them; the
//! count goes on.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

/// How many names are remembered.
const MOST_NAMES: usize = 32;

/// The names of keys that were passed over.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<Names>);

#[derive(Debug, Default)]
struct Names {
    all: BTreeSet<String>,
    /// Of these, those that are still to be told, as they came.
    untold: Vec<String>,
}

impl Strangers {
    /// Remembers the names of a call's unknown keys, which are one line each.
    pub(crate) fn note(&self, names: &[String]) {
        if names.is_empty() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if known.all.len() < MOST_NAMES && !known.all.contains(name) {
                known.all.insert(name.clone());
                known.untold.push(name.clone());
            }
        }
    }

    /// What has not been told yet, as a sentence.
    pub(crate) fn tell(&self) -> Option<String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = std::mem::take(&mut known.untold);
        (!names.is_empty()).then(|| {
            let names = names.join("`, `");
            format!(
                "calls have keys that nobody here knows, and that are passed over: `{names}`; if \
                 one is meant for the router, look at its spelling"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_told_once_and_only_so_many_are() {
        let strangers = Strangers::default();
        let names =
            |from: usize, to: usize| (from..to).map(|n| format!("k{n}")).collect::<Vec<_>>();
        assert_eq!(strangers.tell(), None);
        strangers.note(&[]);
        strangers.note(&names(0, 2));
        strangers.note(&names(1, 3));
        assert!(strangers.tell().unwrap().contains(": `k0`, `k1`, `k2`; "));
        strangers.note(&names(0, 3));
        assert_eq!(strangers.tell(), None);
        strangers.note(&names(3, 2 * MOST_NAMES));
        let told = strangers.tell().unwrap();
        assert!(told.contains("`k31`; ") && !told.contains("`k2`"), "{told}");
        strangers.note(&["another".to_owned()]);
        assert_eq!(strangers.tell(), None);
    }
}

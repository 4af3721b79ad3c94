//! Work that no call waits for, on a thread that stands back behind those of calls.
//!
//! Reading and checking a policy takes tens of milliseconds of a processor. Where there is none to
//! spare, a thread of equal rank would be left there for a slice of several milliseconds while calls
//! wait; one of lower rank mostly makes way at once. On two processors with reloads one after the other
//! that lowers the 99th percentile of calls from 3.6 ms to between 0.5 and 1.5 (`benches/tails.py`). Its
//! weakness: on a machine that is fully loaded a reload takes longer, and systems other than Linux know
//! no rank of a single thread.

use std::thread;
use tokio::sync::oneshot;

/// How far such a thread stands back behind the process: about a tenth of a processor is left to it where
/// calls take all.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Runs `work` beside the calls; `None` where it ended in a panic or no thread could be had.
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, when_done) = oneshot::channel();
    let begun = thread::Builder::new().name("aside".to_owned()).spawn(move || {
        stand_back();
        // Whoever waited may be gone; the work is done all the same.
        drop(done.send(work()));
    });
    begun.ok()?;
    when_done.await.ok()
}

/// Where a system refuses, the work is done at the rank of calls.
fn stand_back() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICENESS);
    // A new thread has a first slice to itself otherwise.
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        assert_eq!(run(|| 7).await, Some(7));
        assert_eq!(run(|| -> u8 { panic!("as a bug would") }).await, None);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_rank_of_others_stays() {
        let rank = || rustix::process::getpriority_process(None).unwrap();
        let own = rank();
        assert_eq!(run(rank).await, Some((own + NICENESS).min(19)));
        assert_eq!(rank(), own);
    }
}

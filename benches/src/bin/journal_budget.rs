//! Prints what the journal costs, beside what it may: processor time for each decision, waits for
//! the disk, and the time from a crash to ready.
//!
//! The folder to measure in is the first argument; where there is none, it is a new one under the
//! system's temporary folder, which may be memory. What a disk takes to make things durable is the
//! disk's own.

use pointsman_benches::{journal::decision, processor::processor_seconds};
use pointsman_log::{
    ids::Ids,
    journal::{Journal, Settings, read},
};
use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

/// Candidates of each decision.
const N_MODELS: u16 = 32;
const N_DECISIONS: u64 = 200_000;
/// Records in the journal that is opened again.
const N_RESTART: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = env::args_os().nth(1).map_or_else(
        || env::temp_dir().join(format!("journal-budget-{}", std::process::id())),
        PathBuf::from,
    );
    let mut out = io::stdout().lock();
    for n_models in [5, N_MODELS] {
        append(&mut out, &dir.join(format!("append-{n_models}")), n_models)?;
        append_together(&mut out, &dir.join(format!("together-{n_models}")), n_models)?;
    }
    for n_threads in [1, 2, 8] {
        sync(&mut out, &dir.join(format!("sync-{n_threads}")), n_threads)?;
    }
    restart(&mut out, &dir.join("restart"))?;
    fs::remove_dir_all(&dir)?;
    Ok(())
}

fn append(out: &mut impl Write, dir: &Path, n_models: u16) -> Result<(), Box<dyn Error>> {
    let ids = Ids::after(None);
    let one = decision(&ids, 0, n_models);
    let before = processor_seconds()?;
    let mut n_bytes = 0;
    for _ in 0..N_DECISIONS {
        n_bytes += serde_json::to_vec(&one)?.len();
    }
    let as_json = (processor_seconds()? - before) * 1e6 / per(N_DECISIONS);
    for n_threads in [1, 2, 8] {
        let dir = dir.join(n_threads.to_string());
        let (journal, _) = Journal::open(&dir, Settings::default())?;
        let before = (processor_seconds()?, now());
        thread::scope(|scope| {
            for _ in 0..n_threads {
                scope.spawn(|| {
                    for n in 0..N_DECISIONS / n_threads {
                        let mut one = one.clone();
                        one.id = ids.next(n, n).to_string();
                        drop(journal.append_decision(&one));
                    }
                });
            }
        });
        let used = (processor_seconds()? - before.0) * 1e6 / per(N_DECISIONS);
        let rate = per(N_DECISIONS) / before.1.elapsed().as_secs_f64();
        let n_refused = journal.state().n_refused;
        writeln!(
            out,
            "append, {n_models} models, {} bytes, {n_threads} threads: {used:.2} us of processor, of which {as_json:.2} are JSON; {rate:.0} a second; {n_refused} refused; 3 us allowed without JSON",
            n_bytes as u64 / N_DECISIONS
        )?;
    }
    Ok(())
}

/// Records that are JSON already, so many written in one call: the service's way under load.
fn append_together(out: &mut impl Write, dir: &Path, n_models: u16) -> Result<(), Box<dyn Error>> {
    const TOGETHER: u64 = 16;
    let ids = Ids::after(None);
    let one = decision(&ids, 0, n_models);
    let mut json = b"{\"v\":1,\"kind\":\"decision\",".to_vec();
    json.extend(serde_json::to_vec(&one)?.into_iter().skip(1));
    let (journal, _) = Journal::open(dir, Settings::default())?;
    for together in [1, TOGETHER] {
        let before = (processor_seconds()?, now());
        for n in 0..N_DECISIONS / together {
            let hand_over = |k| journal.gather_made(&json, ids.next(n, n * together + k), n);
            let tickets: Vec<_> = (0..together).map(hand_over).collect();
            for ticket in tickets {
                journal.settle(&ticket)?;
            }
        }
        let used = (processor_seconds()? - before.0) * 1e6 / per(N_DECISIONS);
        let rate = per(N_DECISIONS) / before.1.elapsed().as_secs_f64();
        writeln!(
            out,
            "append JSON, {n_models} models, {} bytes, {together} together: {used:.2} us of processor; {rate:.0} a second; 3 us allowed",
            json.len()
        )?;
    }
    Ok(())
}

fn sync(out: &mut impl Write, dir: &Path, n_threads: u64) -> Result<(), Box<dyn Error>> {
    const EACH: u64 = 500;
    let ids = Ids::after(None);
    let (journal, _) = Journal::open(dir, Settings::default())?;
    let before = now();
    let mut waits: Vec<f64> = Vec::new();
    thread::scope(|scope| {
        let wait = || {
            let mut waits = Vec::new();
            for n in 0..EACH {
                let one = decision(&ids, n, 5);
                let begun = now();
                if journal.append_decision(&one).is_ok_and(|end| journal.sync(end).is_ok()) {
                    waits.push(begun.elapsed().as_secs_f64() * 1e3);
                }
            }
            waits
        };
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(wait)).collect();
        for thread in threads {
            waits.extend(thread.join().unwrap_or_default());
        }
    });
    waits.sort_by(f64::total_cmp);
    let rate = per(n_threads * EACH) / before.elapsed().as_secs_f64();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or(f64::NAN);
    writeln!(
        out,
        "append and sync, {n_threads} threads: {rate:.0} a second, median {:.2} ms, p99 {:.2} ms; 5 ms allowed",
        at(50),
        at(99)
    )?;
    Ok(())
}

fn restart(out: &mut impl Write, dir: &Path) -> Result<(), Box<dyn Error>> {
    let ids = Ids::after(None);
    let (journal, _) = Journal::open(dir, Settings::default())?;
    let mut one = decision(&ids, 0, 5);
    for n in 0..N_RESTART {
        one.id = ids.next(n, n).to_string();
        journal.append_decision(&one)?;
        if n % 10_000 == 0 {
            journal.upkeep(0);
        }
    }
    // As a crash leaves it: the last segment has no index.
    drop(journal);
    let begun = now();
    let (journal, recovery) = Journal::open(dir, Settings::default())?;
    let ready = begun.elapsed().as_secs_f64();
    writeln!(
        out,
        "{} records, {} MB: ready after {ready:.2} s, {} of {} segments read; 2 s allowed",
        recovery.n_records,
        journal.state().n_bytes / 1_000_000,
        recovery.n_read_segments,
        recovery.n_segments
    )?;
    drop(journal);
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "index") {
            fs::remove_file(path)?;
        }
    }
    let begun = now();
    let (journal, recovery) = Journal::open(dir, Settings::default())?;
    let ready = begun.elapsed().as_secs_f64();
    writeln!(
        out,
        "all indexes lost: ready after {ready:.2} s, {} segments read",
        recovery.n_read_segments
    )?;
    let id = ids.next(0, 0).to_string();
    let begun = now();
    let n_found = (0..100_000).filter(|_| journal.has_decision(&id)).count();
    let unknown = begun.elapsed().as_secs_f64() * 1e9 / 1e5;
    let begun = now();
    let n_known = (0..100_000).filter(|_| journal.has_decision(&one.id)).count();
    let known = begun.elapsed().as_secs_f64() * 1e9 / 1e5;
    writeln!(
        out,
        "look-up among them: {known:.0} ns known, {unknown:.0} ns unknown ({n_known}, {n_found})"
    )?;
    let begun = now();
    let n_read = read(dir)?.flatten().count();
    writeln!(out, "reading all {n_read}: {:.2} s", begun.elapsed().as_secs_f64())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^53")]
fn per(count: u64) -> f64 {
    count as f64
}

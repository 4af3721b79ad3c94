//! A writer is killed at any instant, again and again, on one journal.
//!
//! The writer is this test binary, told by an environment variable to write and to print the number
//! of every decision once it is acknowledged. `POINTSMAN_KILLS` asks for more kills than usual.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, Command, Stdio},
    thread,
};

use super::*;

const FOLDER: &str = "POINTSMAN_TEST_JOURNAL";
const FIRST: &str = "POINTSMAN_TEST_FIRST";

/// What every writer prints before it begins: what stands before that is the test runner's.
const READY: &str = "ready to write";

/// Not a test: what the processes do that are killed.
#[test]
fn writer() {
    let (Some(dir), Ok(first)) = (env::var_os(FOLDER), env::var(FIRST)) else { return };
    let first: u64 = first.parse().unwrap();
    let settings = Settings { segment_bytes: 200_000, ..Settings::default() };
    let (journal, _) = open(Path::new(&dir), settings);
    println!("\n{READY}");
    thread::scope(|scope| {
        for half in 0..2 {
            let journal = &journal;
            scope.spawn(move || {
                for n in (first + half..first + 20_000).step_by(2) {
                    match journal.append_decision(&decision(n)) {
                        Ok(_) => writeln!(std::io::stdout().lock(), "{n}").unwrap(),
                        Err(AppendError::Full { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                    if n % 500 == 0 {
                        assert_eq!(journal.upkeep(START_MS).problems, [""; 0]);
                    }
                }
            });
        }
    });
}

fn writer_command(dir: &Path, first: u64, mut command: Command) -> Child {
    command
        .args(["--exact", "journal::tests::kill::writer", "--nocapture", "--test-threads=1"])
        .env(FOLDER, dir)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads acknowledgements until `n` have come and kills the writer, or until it ends; all that
/// were printed.
fn acknowledged(mut child: Child, n: usize) -> BTreeSet<String> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim_end() != READY {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the writer did not begin");
    }
    let mut text = String::new();
    for _ in 0..n {
        if output.read_line(&mut text).unwrap() == 0 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut text).unwrap();
    // The last line may be cut off, and the test runner may have spoken.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().filter_map(|line| line.parse().ok()).map(id).collect()
}

#[track_caller]
fn check_holds(dir: &Path, acknowledged: &BTreeSet<String>, what: &str) {
    let (_, recovery) = open(dir, Settings::default());
    assert!(recovery.n_torn_segments <= 1 && recovery.problems.is_empty(), "{what}: {recovery:?}");
    let (found, damage) = read_ids(dir);
    let distinct: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(distinct.len(), found.len(), "{what}: an id came twice");
    let lost: Vec<_> = acknowledged.difference(&distinct).collect();
    assert_eq!((lost.len(), damage), (0, Damage::default()), "{what}: {lost:?}");
}

#[test]
fn no_kill_loses_what_was_acknowledged() {
    let n_kills: u64 = env::var("POINTSMAN_KILLS").map_or(25, |n| n.parse().unwrap());
    let dir = TempDir::new().unwrap();
    let mut all = BTreeSet::new();
    let mut draw = 7_u64;
    for kill in 0..n_kills {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = usize::try_from(draw >> 33).unwrap() % 2000;
        let this_binary = Command::new(env::current_exe().unwrap());
        let child = writer_command(dir.path(), kill * 20_000, this_binary);
        all.append(&mut acknowledged(child, n));
        check_holds(dir.path(), &all, &format!("kill {kill} after {n} acknowledgements"));
    }
    println!("{n_kills} kills, {} records acknowledged, 0 lost", all.len());
}

#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    limited.arg(env::current_exe().unwrap());
    let child = writer_command(dir.path(), 0, limited);
    let all = acknowledged(child, 1000);
    check_holds(dir.path(), &all, "with a limit of 64 blocks a file");
    assert!(1000 <= all.len(), "{}", all.len());
}

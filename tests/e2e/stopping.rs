//! A service that is told to end, as a supervisor tells it: it answers what it has begun, ends its
//! journal in order and says that all went well.

use crate::{
    killed::{call, check_holds},
    served::{Connection, Served},
    tables::{CATALOG, POLICY},
    workbench::Workbench,
};
use std::{
    collections::BTreeSet, fs, io::Write as _, net::TcpStream, path::Path, sync::mpsc, thread,
};

const SERVE: &str = "--policy policy.safetensors --catalog catalog.toml --journal journal \
                     --config pointsman.toml";

/// Whoever waits for the rest of a call waits for very long.
const SETTINGS: &str = "[limits]\nbody_ms = 600000\ndrain_ms = 600000\n";

fn bench() -> Workbench {
    Workbench::with(&[
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
        ("pointsman.toml", SETTINGS.as_bytes()),
    ])
}

fn n_files(folder: &Path, extension: &str) -> usize {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == extension)).count()
}

#[test]
fn a_service_that_is_told_to_end_under_load_ends_its_journal_in_order() {
    let bench = bench();
    let mut served = Served::start(&bench.path(""), SERVE);
    let (told, heard) = mpsc::channel();
    let acknowledged: BTreeSet<String> = thread::scope(|scope| {
        for _ in 0..4 {
            let (told, address) = (told.clone(), served.callers);
            scope.spawn(move || call(address, &told));
        }
        drop(told);
        let mut ids: BTreeSet<String> = heard.iter().take(200).collect();
        served.terminate();
        ids.extend(heard.iter());
        ids
    });
    assert!(served.ended().success());
    assert!(200 <= acknowledged.len());
    let journal = bench.path("journal");
    check_holds(&journal, &acknowledged, "told to end");
    // Each segment has ended, so that the next start reads none line by line.
    assert_eq!((n_files(&journal, "ndjson"), n_files(&journal, "index")), (1, 1));
}

#[test]
fn a_second_signal_waits_for_nobody() {
    let bench = bench();
    let mut served = Served::start(&bench.path(""), SERVE);
    let mut unfinished = TcpStream::connect(served.callers).unwrap();
    unfinished
        .write_all(b"POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();
    let operator = || {
        let mut operator = Connection::open(served.operators).unwrap();
        let (status, _) = operator.call("GET /readyz", ("", "")).unwrap();
        let (_, metrics) = operator.call("GET /metrics", ("", "")).unwrap();
        (status, metrics.contains("pointsman_in_flight 1"))
    };
    while operator() != (200, true) {}
    served.terminate();
    while operator() != (503, true) {}
    served.terminate();
    assert!(served.ended().success());
    check_holds(&bench.path("journal"), &BTreeSet::new(), "told twice");
}

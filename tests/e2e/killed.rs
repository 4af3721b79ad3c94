//! The service is killed at any instant under load, again and again, on one journal.
//!
//! `POINTSMAN_SERVE_KILLS` asks for more kills than usual.

use crate::{
    served::{Connection, Served},
    tables::{CATALOG, POLICY},
    workbench::Workbench,
};
use pointsman_log::{
    journal::{Damage, read},
    record::Record,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env,
    net::SocketAddr,
    path::Path,
    sync::mpsc::{self, Sender},
    thread,
};

const SERVE: &str = "--policy policy.safetensors --catalog catalog.toml --journal journal \
                     --config pointsman.toml";

/// Small segments, so that some end under load.
const SETTINGS: &str = "[explore]\nhow = \"epsilon:0.5\"\nshare = 1.0\n\
                        [journal]\nsegment_bytes = 200000\n";

/// Callers at once, so that records are written together.
const N_CALLERS: usize = 8;

/// Calls until the service is gone; says the id of every decision that was acknowledged.
pub(crate) fn call(address: SocketAddr, told: &Sender<String>) {
    let Ok(mut connection) = Connection::open(address) else { return };
    while let Ok((status, reply)) = connection.post("/route", r#"{"prompt":"Hello there"}"#) {
        assert_eq!(status, 200, "{reply}");
        let reply: Value = serde_json::from_str(&reply).unwrap();
        assert_eq!(reply["logged"], true);
        if told.send(reply["decision_id"].as_str().unwrap().to_owned()).is_err() {
            return;
        }
    }
}

/// Kills a service once so many decisions were acknowledged; all that were.
fn acknowledged(folder: &Path, n: usize) -> Vec<String> {
    let mut served = Served::start(folder, SERVE);
    let (told, heard) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..N_CALLERS {
            let (told, address) = (told.clone(), served.callers);
            scope.spawn(move || call(address, &told));
        }
        drop(told);
        let mut ids: Vec<String> = heard.iter().take(n).collect();
        served.kill();
        ids.extend(heard.iter());
        ids
    })
}

#[track_caller]
pub(crate) fn check_holds(journal: &Path, acknowledged: &BTreeSet<String>, what: &str) {
    let mut reader = read(journal).unwrap();
    let mut found = Vec::new();
    for record in reader.by_ref() {
        match record.unwrap() {
            Record::Decision(decision) => found.push(decision.id),
            Record::Outcome(outcome) => panic!("{what}: an outcome of {}", outcome.decision_id),
        }
    }
    assert_eq!(reader.damage(), Damage::default(), "{what}");
    let distinct: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(distinct.len(), found.len(), "{what}: an id came twice");
    let n_lost = acknowledged.difference(&distinct).count();
    assert_eq!(n_lost, 0, "{what}: of {} acknowledged", acknowledged.len());
}

#[test]
fn no_kill_of_the_service_loses_what_it_acknowledged() {
    let n_kills: u64 = env::var("POINTSMAN_SERVE_KILLS").map_or(5, |n| n.parse().unwrap());
    let bench = Workbench::with(&[
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
        ("pointsman.toml", SETTINGS.as_bytes()),
    ]);
    let (mut all, mut draw) = (BTreeSet::new(), 7_u64);
    for kill in 0..n_kills {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let n = usize::try_from(draw >> 33).unwrap() % 600;
        all.extend(acknowledged(&bench.path(""), n));
        let what = format!("kill {kill} after {n} acknowledgements");
        // A journal that is opened again is mended, and holds all that went before.
        let mut served = Served::start(&bench.path(""), SERVE);
        served.kill();
        check_holds(&bench.path("journal"), &all, &what);
    }
    println!("{n_kills} kills, {} records acknowledged, 0 lost", all.len());
}

//! A disk that runs full: what is not in the journal is never called logged, nothing is explored,
//! and it goes on by itself once there is room.

use crate::{
    disk::bench,
    escalating::reader,
    workbench::{artifact, loaded_from},
};
use std::sync::atomic::Ordering;

const CALL: &str = r#"{"prompt":"Hello"}"#;

#[test]
fn a_full_disk_is_served_through_without_exploring() {
    let (bench, faults) = bench("");
    let explored = |n: usize| (0..n).filter(|_| bench.route(CALL)["explored"] == true).count();
    assert!(0 < explored(20));
    let id = bench.route(CALL)["decision_id"].as_str().unwrap().to_owned();
    faults.is_full.store(true, Ordering::Relaxed);
    for _ in 0..20 {
        let reply = bench.route(CALL);
        assert_eq!((&reply["logged"], &reply["model"]), (&false.into(), &"large".into()));
        assert_eq!((&reply["explored"], &reply["propensity"]), (&false.into(), &1.0.into()));
        let drawn = &reply["candidates"][0]["probability"];
        assert_eq!(drawn, 1.0);
    }
    assert_eq!(bench.get("/readyz").json()["logging"], false);
    let outcome = bench.post("/outcome", format!(r#"{{"decision_id":"{id}","quality":1}}"#));
    assert_eq!(outcome.problem(), (503, "journal_unavailable".to_owned()));
    assert_eq!(outcome.headers["retry-after"], "1");
    faults.is_full.store(false, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], true);
    assert!(0 < explored(20), "it explores again");
    assert_eq!(bench.get("/readyz").json()["logging"], true);
    assert_eq!(bench.lines().len(), 20 + 1 + 1 + 20);
}

#[test]
fn the_log_of_the_service_is_told_once_of_each_change() {
    let (bench, faults) = bench("");
    let told = || -> Vec<String> {
        let all = bench.service.upkeep();
        all.into_iter().filter(|problem| problem.starts_with("the journal takes")).collect()
    };
    bench.route(CALL);
    assert_eq!(told(), [""; 0]);
    faults.is_full.store(true, Ordering::Relaxed);
    bench.route(CALL);
    let problems = told();
    assert!(problems.len() == 1 && problems[0].contains("no records"), "{problems:?}");
    assert_eq!(told(), [""; 0]);
    faults.is_full.store(false, Ordering::Relaxed);
    bench.route(CALL);
    let again = "the journal takes records again; since the start 1 decision was not logged";
    assert_eq!(told(), [again]);
}

#[test]
fn a_full_disk_is_refused_where_that_is_wanted() {
    let (bench, faults) = bench("when_full = \"refuse\"");
    faults.is_full.store(true, Ordering::Relaxed);
    let answer = bench.post("/route", CALL);
    assert_eq!(answer.problem(), (503, "journal_unavailable".to_owned()));
    faults.is_full.store(false, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], true);
    assert_eq!(bench.lines().len(), 1);
}

#[test]
fn a_decision_that_could_not_be_made_durable_is_not_called_logged() {
    let (bench, faults) = bench("decisions = \"fsync\"\noutcomes = \"os\"");
    assert_eq!(bench.route(CALL)["logged"], true);
    faults.is_full.store(true, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], false);
    faults.is_full.store(false, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], true);
}

/// The first call is written before the disk fails, and the next ones are not.
#[test]
fn a_disk_that_makes_nothing_durable_is_served_through_without_exploring() {
    let (bench, faults) = bench("decisions = \"fsync\"");
    faults.is_forgetful.store(true, Ordering::Relaxed);
    for _ in 0..20 {
        let reply = bench.route(CALL);
        assert_eq!((&reply["logged"], &reply["model"]), (&false.into(), &"large".into()));
        assert_eq!((&reply["explored"], &reply["propensity"]), (&false.into(), &1.0.into()));
    }
    assert_eq!(bench.get("/readyz").json()["logging"], false);
    let batch = bench.post("/route/batch", format!(r#"{{"requests":[{CALL}]}}"#));
    assert_eq!(batch.json()["results"][0]["logged"], false);
    faults.is_forgetful.store(false, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], true);
    assert_eq!(bench.get("/readyz").json()["logging"], true);
}

#[test]
fn what_is_not_durable_is_refused_where_that_is_wanted() {
    let (bench, faults) = bench("decisions = \"fsync\"\nwhen_full = \"refuse\"");
    faults.is_forgetful.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let answer = bench.post("/route", CALL);
        assert_eq!(answer.problem(), (503, "journal_unavailable".to_owned()));
    }
    faults.is_forgetful.store(false, Ordering::Relaxed);
    assert_eq!(bench.route(CALL)["logged"], true);
}

#[test]
fn a_step_that_could_not_be_made_durable_is_not_called_logged() {
    let (bench, faults) = bench("decisions = \"fsync\"");
    bench.service.swap(loaded_from(artifact(1).with_readers(&[reader()]).unwrap()));
    let decided = bench.route(r#"{"prompt":"Hello","candidates":["small"]}"#);
    let id = &decided["decision_id"];
    let body = format!(r#"{{"prompt":"Hello","decision_id":{id},"answer":""}}"#);
    let step = || bench.post("/escalate", body.clone()).json()["logged"].clone();
    assert_eq!(step(), true);
    faults.is_forgetful.store(true, Ordering::Relaxed);
    assert_eq!([step(), step()], [false, false]);
    faults.is_forgetful.store(false, Ordering::Relaxed);
    assert_eq!(step(), true);
}

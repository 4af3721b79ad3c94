//! Policies change under load: no call fails, and every decision is of one policy.

use crate::workbench::{Bench, CATALOG, artifact, artifact_of, loaded, loaded_from};
use axum::{body::Body, http::Request};
use pointsman_core::catalog::Catalog;
use pointsman_serve::loaded::Loaded;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

#[test]
fn reload_and_rollback_change_the_policy_in_force() {
    let bench = Bench::new("");
    let operate = |path: &str| bench.operate(Request::post(path).body(Body::empty()).unwrap());
    let digest =
        || bench.route(r#"{"prompt":"x"}"#)["policy"]["digest"].as_str().unwrap().to_owned();
    let (first, second) = (artifact(1).digest().to_owned(), artifact(2).digest().to_owned());
    assert_eq!(operate("/admin/rollback").problem(), (409, "reload_refused".to_owned()));
    assert_eq!(digest(), first);
    assert_eq!(operate("/admin/reload").json()["digest"], *second);
    assert_eq!(digest(), second);
    assert_eq!(operate("/admin/rollback").json()["digest"], *first);
    assert_eq!(digest(), first);
    operate("/admin/rollback");
    assert_eq!(digest(), second);
    bench.service.refuse("the file is damaged");
    let ready = bench.get("/readyz").json();
    assert_eq!(
        (&ready["ready"], &ready["last_load_error"]),
        (&true.into(), &"the file is damaged".into())
    );
    assert_eq!(ready["policy"]["digest"], second);
    assert_eq!(digest(), second);
}

/// Files are read again whenever one of them is touched; that must not take away the way back.
#[test]
fn rollback_goes_to_the_last_policy_that_was_another_one() {
    let bench = Bench::new("");
    let roll_back = || {
        let request = Request::post("/admin/rollback").body(Body::empty()).unwrap();
        bench.operate(request).json()["digest"].as_str().unwrap().to_owned()
    };
    let (first, second) = (artifact(1).digest().to_owned(), artifact(2).digest().to_owned());
    for seed in [2, 2, 2] {
        bench.service.swap(loaded(seed));
    }
    assert_eq!(roll_back(), first);
    bench.service.swap(loaded(1));
    assert_eq!(roll_back(), second);
    assert_eq!(roll_back(), first);
    // The same file at other prices is another policy.
    let cost = || bench.route(r#"{"prompt":"x"}"#)["candidates"][0]["cost_usd"].clone();
    let before = cost();
    let dearer = Catalog::from_toml(&CATALOG.replace("10.0", "20.0")).unwrap();
    bench.service.swap(Loaded::new(artifact(1), &dearer, None).unwrap());
    assert_ne!(cost(), before);
    assert_eq!(roll_back(), first);
    assert_eq!(cost(), before);
}

/// Policies that differ in what they predict, and one in how many models it has.
fn policy(round: usize) -> Loaded {
    let intercepts: [&[f32]; 4] =
        [&[0.9, 0.8, 0.7, 0.4], &[0.8, 0.9, 0.7], &[0.7, 0.8, 0.9, 0.1], &[0.2, 0.3, 0.4, 0.5]];
    loaded_from(artifact_of(1, intercepts[round % 4]))
}

const CALL: &str = r#"{"prompt":"x"}"#;

#[test]
fn a_thousand_reloads_fail_no_call_and_mix_no_policy() {
    let bench = Bench::new("[limits]\nin_flight = 100");
    // What each policy says of the call, by its digest.
    let mut said = BTreeMap::new();
    for round in 0..4 {
        bench.service.swap(policy(round));
        let reply = bench.route(CALL);
        said.insert(reply["policy"]["digest"].to_string(), reply["candidates"].clone());
    }
    assert_eq!(said.len(), 4);
    let check = |of: &Value| {
        assert_eq!(said.get(&of["policy"]["digest"].to_string()), Some(&of["candidates"]), "{of}");
    };
    let is_over = AtomicBool::new(false);
    let ready = Barrier::new(3);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    let mut n = 0;
                    while !is_over.load(Ordering::Relaxed) || n < 100 {
                        check(&bench.route(CALL));
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        ready.wait();
        for round in 0..1000 {
            bench.service.swap(policy(round));
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(100 <= caller.join().unwrap());
        }
    });
    let lines = bench.lines();
    assert!(204 <= lines.len());
    lines.iter().for_each(check);
}

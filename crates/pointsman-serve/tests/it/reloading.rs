//! Policies change under load: no call fails, and every decision is of one policy.

use crate::workbench::{Bench, artifact, loaded};
use axum::{body::Body, http::Request};
use std::{
    collections::BTreeSet,
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
    assert_eq!(digest(), second);
}

#[test]
fn a_thousand_reloads_fail_no_call_and_mix_no_policy() {
    let bench = Bench::new("[limits]\nin_flight = 100");
    let is_over = AtomicBool::new(false);
    let ready = Barrier::new(3);
    let digests: BTreeSet<String> = (0..4).map(|seed| artifact(seed).digest().to_owned()).collect();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    ready.wait();
                    let mut n = 0;
                    while !is_over.load(Ordering::Relaxed) || n < 100 {
                        let reply = bench.route(r#"{"prompt":"x"}"#);
                        assert!(digests.contains(reply["policy"]["digest"].as_str().unwrap()));
                        n += 1;
                    }
                    n
                })
            })
            .collect();
        ready.wait();
        for round in 0..1000 {
            bench.service.swap(loaded(round % 4));
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(100 <= caller.join().unwrap());
        }
    });
    for line in bench.lines() {
        assert!(digests.contains(line["policy"]["digest"].as_str().unwrap()));
        assert_eq!(line["candidates"].as_array().unwrap().len(), 4);
    }
}

//! What a running service makes of files that change under it: a good policy is put in force, anything
//! else leaves the old one serving, and a key that is gone from the settings is refused.

#[cfg(unix)]
use crate::tables::{QUICK, TABLE};
use crate::{
    served::{Connection, Served},
    tables::{CATALOG, POLICY},
    workbench::Workbench,
};
use serde_json::Value;
use std::fs;
#[cfg(unix)]
use std::process::Command;

const SERVE: &str =
    "--policy policy.safetensors --catalog catalog.toml --config pointsman.toml --journal journal";

/// A key and what `printf %s KEY | sha256sum` prints of it.
const FIRST: (&str, &str) =
    ("sk-caller-canary-1f0d", "caffd6b212b9d6ed0044468f0ecf3b839b7c8b85d78242584205164c9608e0cd");
const SECOND: (&str, &str) =
    ("sk-other-canary-77aa", "6b4060f491c7bc3f5206c2878e3fb3029dea7db7770a39b34f3bedcbfc2dde23");

/// Files are looked at only when a reload is asked for.
fn settings(keys: &[(&str, &str)]) -> String {
    let key = |(index, (_, digest)): (usize, &(&str, &str))| {
        format!("[[keys]]\nname = \"key-{index}\"\nsha256 = \"{digest}\"\n")
    };
    let keys: String = keys.iter().enumerate().map(key).collect();
    format!("watch_s = 0\n{keys}")
}

fn bench(settings: &str) -> Workbench {
    Workbench::with(&[
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
        ("pointsman.toml", settings.as_bytes()),
    ])
}

fn reload(served: &Served) -> (u16, String) {
    Connection::open(served.operators).unwrap().post("/admin/reload", "{}").unwrap()
}

fn digest_in_force(served: &Served) -> String {
    let (status, reply) =
        Connection::open(served.callers).unwrap().post("/route", r#"{"prompt":"Hello"}"#).unwrap();
    assert_eq!(status, 200, "{reply}");
    let reply: Value = serde_json::from_str(&reply).unwrap();
    reply["policy"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_no_policy_leaves_the_old_one_serving() {
    let bench = bench(&settings(&[]));
    let served = Served::start(&bench.path(""), SERVE);
    let digest = digest_in_force(&served);
    let policy = bench.path("policy.safetensors");
    let half = POLICY.len() / 2;
    let refused = |what: &str| {
        let (status, reply) = reload(&served);
        assert_eq!(status, 409, "{what}: {reply}");
        assert!(reply.contains("the old policy stays in force"), "{what}: {reply}");
        assert_eq!(digest_in_force(&served), digest, "{what}");
    };
    fs::write(&policy, &POLICY[..half]).unwrap();
    refused("half of it");
    fs::write(&policy, "").unwrap();
    refused("an empty file");
    fs::remove_file(&policy).unwrap();
    refused("no file");
    fs::create_dir(&policy).unwrap();
    refused("a folder");
    fs::remove_dir(&policy).unwrap();
    bench.write("catalog.toml", b"models = 7");
    bench.write("policy.safetensors", &POLICY);
    refused("another catalog");
    bench.write("catalog.toml", CATALOG.as_bytes());
    let (status, reply) = reload(&served);
    assert_eq!(status, 200, "whole again: {reply}");
    assert_eq!(digest_in_force(&served), digest);
}

/// Policies in folders of their own, and a link that is put in the place of another one.
#[cfg(unix)]
#[test]
fn a_link_that_changes_is_followed_and_one_to_nowhere_is_refused() {
    let bench = bench(&settings(&[]));
    let link = |target: &str| {
        let (new, policy) = (bench.path("new"), bench.path("policy.safetensors"));
        std::os::unix::fs::symlink(target, &new).unwrap();
        fs::rename(&new, &policy).unwrap();
    };
    bench.write("first.safetensors", &POLICY);
    link("first.safetensors");
    let served = Served::start(&bench.path(""), SERVE);
    let digest = digest_in_force(&served);
    link("nowhere.safetensors");
    assert_eq!(reload(&served).0, 409);
    assert_eq!(digest_in_force(&served), digest);
    bench.write("table.ndjson", TABLE.as_bytes());
    bench.done(&format!("train --table table.ndjson --name other --out other.safetensors {QUICK}"));
    link("other.safetensors");
    let (status, reply) = reload(&served);
    assert_eq!(status, 200, "{reply}");
    assert_ne!(digest_in_force(&served), digest);
}

#[cfg(unix)]
fn n_reloads(served: &Served) -> u64 {
    let mut operator = Connection::open(served.operators).unwrap();
    let (status, metrics) = operator.call("GET /metrics", ("", "")).unwrap();
    assert_eq!(status, 200, "{metrics}");
    let name = "pointsman_reloads_total ";
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

#[cfg(unix)]
#[test]
fn a_signal_and_a_changed_file_reload_too() {
    let bench = bench("watch_s = 1\n");
    let served = Served::start(&bench.path(""), SERVE);
    assert_eq!(n_reloads(&served), 0);
    let told = Command::new("kill").args(["-HUP", &served.id().to_string()]).status().unwrap();
    assert!(told.success());
    while n_reloads(&served) < 1 {}
    bench.write("catalog.toml", format!("{}\n", *CATALOG).as_bytes());
    while n_reloads(&served) < 2 {}
    assert!(!digest_in_force(&served).is_empty());
}

#[test]
fn a_key_that_is_gone_from_the_settings_is_refused_once_they_are_read_again() {
    let bench = bench(&settings(&[FIRST, SECOND]));
    let served = Served::start(&bench.path(""), SERVE);
    let statuses = || {
        [FIRST, SECOND].map(|(key, _)| {
            let headers = format!("authorization: Bearer {key}\r\n");
            let mut caller = Connection::open(served.callers).unwrap();
            caller.call("POST /route", (&headers, r#"{"prompt":"Hello"}"#)).unwrap().0
        })
    };
    assert_eq!(statuses(), [200, 200]);
    bench.write("pointsman.toml", settings(&[SECOND]).as_bytes());
    assert_eq!(statuses(), [200, 200], "not before a reload");
    // A key is gone even where the policy cannot be read.
    bench.write("policy.safetensors", b"no policy");
    assert_eq!(reload(&served).0, 409);
    assert_eq!(statuses(), [401, 200]);
    bench.write("pointsman.toml", settings(&[]).as_bytes());
    let (status, reply) = reload(&served);
    assert_eq!(status, 409, "{reply}");
    assert!(reply.contains("`keys` is gone"), "{reply}");
    assert_eq!(statuses(), [401, 200]);
}

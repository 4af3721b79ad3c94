//! What a running service makes of files that change under it: a good policy is put in force, anything
//! else leaves the old one serving, and a key that is gone from the settings is refused.

#[cfg(unix)]
use crate::tables::QUICK;
use crate::{
    served::{Connection, Served},
    tables::{CATALOG, POLICY, TABLE},
    workbench::Workbench,
};
use serde_json::Value;
#[cfg(unix)]
use std::process::Command;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

const SERVE: &str =
    "--policy policy.safetensors --catalog catalog.toml --config pointsman.toml --journal journal";

/// A key and what `printf %s KEY | sha256sum` prints of it.
pub(crate) const FIRST: (&str, &str) =
    ("sk-caller-canary-1f0d", "caffd6b212b9d6ed0044468f0ecf3b839b7c8b85d78242584205164c9608e0cd");
pub(crate) const SECOND: (&str, &str) =
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

const CALL: &str = r#"{"prompt":"Sort these words, please."}"#;

/// What policies say of a call, by their digests.
type SaidBy = BTreeMap<String, Value>;

/// Whether a reply or a record says what its policy says.
#[track_caller]
fn check_unmixed(said: &SaidBy, of: &Value) {
    let digest = of["policy"]["digest"].as_str().unwrap();
    assert_eq!(said.get(digest), Some(&of["candidates"]), "{of}");
}

/// Ends the calls, however the reloads end.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls until the reloads are over; how often it did.
fn call_on(address: SocketAddr, said: &SaidBy, is_over: &AtomicBool) -> usize {
    let mut caller = Connection::open(address).unwrap();
    let mut n_calls = 0;
    while !is_over.load(Ordering::Relaxed) || n_calls < 10 {
        let (status, reply) = caller.post("/route", CALL).unwrap();
        assert_eq!(status, 200, "{reply}");
        check_unmixed(said, &serde_json::from_str(&reply).unwrap());
        n_calls += 1;
    }
    n_calls
}

/// Of two files in turn, by an operator's call, while others call on connections that they keep.
/// `POINTSMAN_RELOADS` asks for more reloads than usual, such as a thousand.
#[test]
fn reloads_of_changing_files_fail_no_call_and_mix_no_policy() {
    let n_reloads = env::var("POINTSMAN_RELOADS").map_or(200, |n| n.parse().unwrap());
    let bench = bench(&settings(&[]));
    bench.write("table.ndjson", TABLE.as_bytes());
    bench.done("train --table table.ndjson --name other --out other.safetensors --buckets 10");
    let policies = [POLICY.to_vec(), bench.read("other.safetensors")];
    let mut served = Served::start(&bench.path(""), SERVE);
    let put = |round: usize| {
        // By a rename, so that nobody reads half of it.
        bench.write("new", &policies[round % 2]);
        fs::rename(bench.path("new"), bench.path("policy.safetensors")).unwrap();
        let (status, reply) = reload(&served);
        assert_eq!(status, 200, "{reply}");
    };
    let mut said = SaidBy::new();
    for round in 0..2 {
        put(round);
        let reply = Connection::open(served.callers).unwrap().post("/route", CALL).unwrap().1;
        let reply: Value = serde_json::from_str(&reply).unwrap();
        let digest = reply["policy"]["digest"].as_str().unwrap().to_owned();
        said.insert(digest, reply["candidates"].clone());
    }
    let distinct: BTreeSet<String> = said.values().map(Value::to_string).collect();
    assert_eq!(distinct.len(), 2, "the policies differ in what they predict");
    let is_over = AtomicBool::new(false);
    let call = || call_on(served.callers, &said, &is_over);
    let n_calls: usize = thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(call)).collect();
        let over = Over(&is_over);
        (0..n_reloads).for_each(put);
        drop(over);
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    });
    served.kill();
    let mut n_records = 0;
    for entry in fs::read_dir(bench.path("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ndjson") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                check_unmixed(&said, &serde_json::from_str(line).unwrap());
                n_records += 1;
            }
        }
    }
    assert_eq!(n_records, n_calls + 2);
    println!("{n_reloads} reloads, {n_calls} calls, none failed and none mixed");
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
    // To nowhere, to itself, and through a file: nobody may open these, whoever runs the service.
    for target in ["nowhere.safetensors", "policy.safetensors", "first.safetensors/inside"] {
        link(target);
        let (status, reply) = reload(&served);
        assert_eq!(status, 409, "{target}: {reply}");
        assert!(reply.contains("the old policy stays in force"), "{target}: {reply}");
        assert_eq!(digest_in_force(&served), digest, "{target}");
    }
    bench.write("table.ndjson", TABLE.as_bytes());
    bench.done(&format!("train --table table.ndjson --name other --out other.safetensors {QUICK}"));
    link("other.safetensors");
    let (status, reply) = reload(&served);
    assert_eq!(status, 200, "{reply}");
    assert_ne!(digest_in_force(&served), digest);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_leaves_the_old_policy_serving() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = bench(&settings(&[]));
    let served = Served::start(&bench.path(""), SERVE);
    let digest = digest_in_force(&served);
    for file in ["policy.safetensors", "catalog.toml", "pointsman.toml"] {
        let path = bench.path(file);
        let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        allow(0o000);
        if fs::read(&path).is_ok() {
            println!("skipped: this process may read every file, as root may");
            return;
        }
        let (status, reply) = reload(&served);
        assert_eq!(status, 409, "{file}: {reply}");
        assert!(reply.contains(file) && reply.contains("in force"), "{file}: {reply}");
        assert_eq!(digest_in_force(&served), digest, "{file}");
        allow(0o600);
        let (status, reply) = reload(&served);
        assert_eq!(status, 200, "{file}: {reply}");
    }
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

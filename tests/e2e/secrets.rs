//! Keys and prompts that are sent to a running service, well and badly, are in nothing that it says
//! or keeps: no reply, no metric, no line of its log, no record.

use crate::{
    reloads::{FIRST, SECOND},
    served::{Connection, Served},
    tables::{CATALOG, POLICY},
    workbench::Workbench,
};
use std::{fs, net::SocketAddr};

const SERVE: &str =
    "--policy policy.safetensors --catalog catalog.toml --config pointsman.toml --journal journal";

/// A key and what `printf %s KEY | sha256sum` prints of it.
const OPERATOR: (&str, &str) =
    ("sk-operator-canary-93be", "4a8e9e8b0c915f57dcaafa651309f95f3884fe911814b8e391960a53b6e6d75f");

fn settings(last_line: &str) -> String {
    format!(
        "watch_s = 0\nadmin_key_sha256 = \"{}\"\n[[keys]]\nname = \"app\"\nsha256 = \"{}\"\n\
         {last_line}\n",
        OPERATOR.1, FIRST.1
    )
}

fn ask(address: SocketAddr, key: &str, (what, body): (&str, &str)) -> (u16, String) {
    let headers = format!("authorization: Bearer {key}\r\n");
    Connection::open(address).unwrap().call(what, (&headers, body)).unwrap()
}

/// Calls with a prompt where it belongs, and where it does not.
const CALLS: [(&str, &str); 9] = [
    ("POST /route", r#"{"prompt":"prompt-canary-5c2e"}"#),
    ("POST /route", r#"{"prompt":"prompt-canary-5c2e"#),
    ("POST /route", r#"{"messages":"prompt-canary-5c2e"}"#),
    ("POST /route", r#"{"messages":["prompt-canary-5c2e"]}"#),
    ("POST /route", r#"{"prompt":"x","max_tokens":"prompt-canary-5c2e"}"#),
    ("POST /route/batch", r#"{"requests":"prompt-canary-5c2e"}"#),
    ("POST /escalate", r#"{"prompt":"prompt-canary-5c2e","decision_id":"x","answer":"canary"}"#),
    ("POST /outcome", r#"{"decision_id":"x","quality":"prompt-canary-5c2e"}"#),
    ("POST /feedback", r#"{"prompt-canary-5c2e":1}"#),
];

#[test]
fn secrets_are_in_nothing_that_a_service_says_or_keeps() {
    let bench = Workbench::with(&[
        ("catalog.toml", CATALOG.as_bytes()),
        ("policy.safetensors", &POLICY),
        ("pointsman.toml", settings("").as_bytes()),
    ]);
    let mut served = Served::start(&bench.path(""), SERVE);
    let keys = [FIRST.0, SECOND.0, OPERATOR.0, "sk-wrong-canary"];
    let mut seen = Vec::new();
    for key in keys {
        for call in CALLS {
            seen.push(ask(served.callers, key, call).1);
            seen.push(ask(served.operators, key, call).1);
        }
    }
    assert!(seen[0].contains("decision_id"), "{}", seen[0]);
    // Settings in which a key stands itself.
    for line in
        [r#"key = "sk-raw-canary""#, r#"sha256 = "sk-raw-canary"#, r#"name = "sk-raw-canary""#]
    {
        bench.write("pointsman.toml", settings(line).as_bytes());
        let (status, reply) = ask(served.operators, OPERATOR.0, ("POST /admin/reload", ""));
        assert_eq!(status, 409, "{reply}");
        seen.push(reply);
        seen.push(ask(served.callers, "", ("GET /readyz", "")).1);
    }
    for what in ["GET /metrics", "GET /admin/status", "GET /endpoints", "GET /readyz"] {
        seen.push(ask(served.operators, OPERATOR.0, (what, "")).1);
    }
    served.terminate();
    assert!(served.ended().success());
    let log = served.log();
    assert!(log.contains("\"stopped\""), "{log}");
    seen.push(log);
    for entry in fs::read_dir(bench.path("journal")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        seen.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for text in seen {
        assert!(!text.contains("canary"), "{text}");
    }
}

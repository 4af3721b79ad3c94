//! `pointsman catalog` and `pointsman results`: what others wrote, as catalogs and outcome tables.

use crate::workbench::{Finished, Workbench};

const LIST: &str = r#"{"north": {"models": {
    "swift": {"tool_call": true, "cost": {"input": 0.15, "output": 0.6, "cache_read": 0.075},
        "limit": {"context": 128000, "output": 16384}},
    "owl": {"cost": {"input": 3, "output": 15}},
    "gift": {"cost": {"input": 0, "output": 0}},
    "painter": {"modalities": {"input": ["text"], "output": ["image"]}}}},
  "south": {"models": {"swift": {"tool_call": true, "cost": {"input": 0.2, "output": 0.6}}}}}"#;

/// The list after `owl` became cheaper and `heron` came.
fn later() -> String {
    LIST.replace("\"input\": 3,", "\"input\": 1.5,")
        .replace("\"gift\"", "\"heron\": {\"cost\": {\"input\": 1, \"output\": 2}}, \"gift\"")
}

#[track_caller]
fn check_refusal(arguments: &str, expected: &str) {
    let later = later();
    let bench = Workbench::with(&[
        ("list.json", LIST.as_bytes()),
        ("later.json", later.as_bytes()),
        ("odd.json", b"{\"a\": 1}"),
        ("cut.json", b"{\"data\": ["),
    ]);
    bench.done("catalog import list.json --as-of 2026-05-01 --out dated.toml");
    let before = bench.files();
    let Finished { code, stdout: _, stderr } = bench.run(&format!("catalog {arguments}"));
    assert_eq!(code, Some(2), "{arguments}\n{stderr}");
    assert!(stderr.contains(expected), "{arguments}\nfound    {stderr}expected {expected}");
    assert!(before == bench.files(), "{arguments} changed a file");
}

#[test]
fn a_list_becomes_a_catalog_with_a_history() {
    let later = later();
    let bench =
        Workbench::with(&[("list.json", LIST.as_bytes()), ("later.json", later.as_bytes())]);
    let said = bench.done("catalog import list.json --as-of 2026-04-01 --out catalog.toml");
    assert!(
        said.contains("read a list of models.dev: 5 entries; 2 models with 3 endpoints"),
        "{said}"
    );
    assert!(said.contains("left out: 1 (free of charge), such as `gift at north`"), "{said}");
    let first = bench.text("catalog.toml");
    bench.done("catalog import list.json --as-of 2026-04-01 --into catalog.toml");
    assert_eq!(bench.text("catalog.toml"), first, "the same list of the same day changes nothing");

    let said = bench.done("catalog import later.json --as-of 2026-05-01 --into catalog.toml");
    assert!(said.contains("another price since then: 1, such as `owl at north`"), "{said}");
    assert!(said.contains("in the list and not in the catalog: 1 endpoint;"), "{said}");
    let shown = bench.done("catalog show catalog.toml --models owl");
    assert!(shown.contains("$1.5") && !shown.contains("swift"), "{shown}");
    let shown = bench.done("catalog show catalog.toml --like o* --as-of 2026-04-30");
    assert!(shown.contains("$3") && !shown.contains("$1.5"), "{shown}");
    let shown = bench.done("catalog show catalog.toml --as-of 2026-01-01");
    assert!(shown.contains("the price of owl at north on 2026-01-01 is not known"), "{shown}");

    bench.write("before.toml", first.as_bytes());
    bench.done("catalog diff before.toml catalog.toml --json diff.json");
    let changes = bench.json("diff.json");
    let [only] = &changes["changes"].as_array().unwrap()[..] else { panic!("{changes}") };
    assert_eq!((&only["of"], &only["what"]), (&"owl at north".into(), &"input price".into()));
    assert_eq!(only["per_cent"], -50.0);
    bench.done("catalog import later.json --as-of 2026-05-01 --into catalog.toml --models heron");
    assert!(bench.text("catalog.toml").contains("id = \"heron\""));
}

#[test]
fn both_forms_say_the_same() {
    let bench = Workbench::with(&[("list.json", LIST.as_bytes())]);
    bench.done("catalog import list.json --out catalog.toml --from models.dev");
    bench.done("catalog import list.json --out catalog.json --json found.json");
    let said = bench.done("catalog diff catalog.toml catalog.json");
    assert!(said.contains("the same models"), "{said}");
    assert_eq!(bench.json("found.json")["n_endpoints"], 3);
}

#[test]
fn every_mistake_gets_a_sentence() {
    check_refusal("import cut.json --out new.toml", "cut.json: it is not JSON");
    check_refusal("import odd.json --out new.toml", "odd.json: it is no price list");
    check_refusal("import gone.json --out new.toml", "cannot read gone.json");
    check_refusal("import list.json --from openrouter --out new.toml", "it has no `data`");
    check_refusal(
        "import list.json --models swfit --out new.toml",
        "list.json has no model `swfit`; did you mean `swift`?",
    );
    check_refusal("import list.json --providers nroth --out new.toml", "did you mean `north`?");
    check_refusal("import list.json --like z* --out new.toml", "--like z* fits no model");
    check_refusal("import list.json --like a[ --out new.toml", "--like a[: ");
    check_refusal("import list.json --models gift --out new.toml", "no model of the list");
    check_refusal("import list.json --out list.json", "list.json is named twice");
    check_refusal("import list.json", "--out");
    check_refusal("import list.json --into dated.toml", "--as-of");
    check_refusal(
        "import list.json --as-of 2026-02-30 --out new.toml",
        "`2026-02-30` is not a day",
    );
    check_refusal(
        "import later.json --as-of 2026-04-30 --into dated.toml",
        "it holds the prices of 2026-05-01 already; import price lists oldest first",
    );
    check_refusal(
        "show dated.toml --models olw",
        "dated.toml has no model `olw`; did you mean `owl`?",
    );
    check_refusal("show list.json", "unknown field `north`");
    check_refusal("diff dated.toml gone.toml", "cannot read gone.toml");
}

#[test]
fn a_wide_table_becomes_an_outcome_table() {
    let wide = "sample_id,prompt,eval_name,small,large,small|total_cost,large|total_cost\n\
                s.1,Hi,chat,1,0.5,0.001,0.01\ns.2,Ho,chat,,1,,0.01\n";
    let bench = Workbench::with(&[("wide.csv", wide.as_bytes())]);
    let said = bench.done("results wide.csv --out table.ndjson");
    assert!(said.contains("wrote 3 rows of 1 file into table.ndjson"), "{said}");
    assert!(said.contains("no row: 1 (no score)"), "{said}");
    assert_eq!(bench.text("table.ndjson").lines().count(), 3);
    let Finished { code, stdout: _, stderr } = bench.run("results gone.csv --out new.ndjson");
    let gone = "pointsman: `gone.csv` cannot be read: there is no such file; check the path\n";
    assert_eq!((code, stderr.as_str()), (Some(2), gone));
    let Finished { code, stdout: _, stderr } = bench.run("results wide.csv --out new.csv");
    assert!(code == Some(2) && stderr.contains("name it .ndjson"), "{stderr}");
    assert_eq!(bench.files().len(), 2, "nothing half-written is left");
    bench.done("results wide.csv --out new/table.ndjson");
    assert_eq!(bench.text("new/table.ndjson"), bench.text("table.ndjson"), "its folder is made");
}

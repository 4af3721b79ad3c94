//! Logs of bandits through a whole import: recognised, named by place, idempotent.
#![cfg(test)]

use std::{fs, ops::ControlFlow, path::Path};

use pointsman_import::{ColumnMap, Imported, Options, Origin, import};

const DSJSON: &str = r#"{"_label_cost":-1,"_label_probability":0.5,"_label_Action":1,"EventId":"e-1","Timestamp":"2026-01-01T00:00:00Z","a":[1,2],"p":[0.5,0.5],"c":{"u":{"x":1},"_multi":[{"_tag":"a"},{"_tag":"b"}]}}
{"_label_cost":0,"_label_probability":0.5,"_label_Action":2,"EventId":"e-2","Timestamp":"2026-01-01T00:00:01Z","a":[2,1],"p":[0.5,0.5],"c":{"u":{"x":2},"_multi":[{"_tag":"a"},{"_tag":"b"}]},"_skipLearn":true}
"#;
const JSON: &str = r#"{"u":{"x":1},"_multi":[{"_tag":"a","_label":{"Action":1,"Cost":-1,"Probability":0.5}},{"_tag":"b"}]}
{"u":{"x":1},"_multi":[{"_tag":"a","_label":{"Action":1,"Cost":-1,"Probability":0.5}},{"_tag":"b"}]}
"#;
const TEXT: &str = "shared |u x\n0:-1:0.5 'a |\n'b |\n\nshared |u x\n0:-1:0.5 'a |\n'b |\n";
const CSV: &str = "action,pscore,reward,n_actions,f\n0,0.5,1,2,x\n1,0.5,0,2,y\n";

fn run(folder: &Path, name: &str, text: &str) -> Imported {
    let input = folder.join(name);
    if !input.exists() {
        fs::write(&input, text).unwrap();
    }
    let options = Options {
        inputs: vec![input],
        origin: Origin::Auto,
        out: folder.join(format!("{name}.log")),
        messages: Vec::new(),
        map: ColumnMap::default(),
        rules: None,
        score: None,
        open_table: None,
        catalog: None,
        max_row_bytes: Options::MAX_ROW_BYTES,
        part_bytes: Options::PART_BYTES,
        settings: Vec::new(),
    };
    import(&options, &mut |_| ControlFlow::Continue(())).unwrap()
}

#[track_caller]
fn check(name: &str, text: &str, format: &str, (n_rows, n_kept): (u64, u64)) {
    let folder = tempfile::tempdir().unwrap();
    let found = run(folder.path(), name, text);
    assert_eq!(found.files[0].format, format, "{found:?}");
    assert_eq!((found.survey.n_rows, found.survey.n_kept), (n_rows, n_kept), "{found:?}");
    assert_eq!(found.survey.n_duplicates, 0, "equal rows are different decisions");
    assert!(run(folder.path(), name, text).was_done, "a second run has nothing to do");
}

#[test]
fn logs_of_bandits_are_recognised_and_imported() {
    check("a.dsjson", DSJSON, "vw-dsjson", (2, 1));
    check("a.json", JSON, "vw-json", (2, 2));
    check("a.txt", TEXT, "vw-text", (2, 2));
    check("a.csv", CSV, "open-bandit", (2, 2));
}

//! Columns of a map that lines of JSON do not have: no header tells of them.

use super::*;

const MAP: &str = "[columns]\nid = \"ref\"\nmodel = \"call.model\"\ntime = \"at\"\ncost_usd = \"usd\"\n\
                   [scores]\nstars = \"stars\"";

fn mapped(path: PathBuf, out: &Path) -> Options {
    let map = ColumnMap::from_toml(MAP).unwrap();
    Options { origin: Origin::Columns, map, ..options(&[path], out) }
}

/// The columns that are told to be in no row of `lines`, or the refusal.
fn unseen(lines: &str) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log.ndjson", lines.as_bytes());
    let imported = run(&mapped(path, &dir.path().join("out")));
    imported.map(|imported| imported.files[0].unseen.clone()).map_err(|error| error.to_string())
}

fn line(n: u32, others: &str) -> String {
    let at = 1_767_225_600 + n;
    format!("{{\"at\":{at},\"call\":{{\"model\":\"wren\"}},\"ref\":\"c-{n}\"{others}}}\n")
}

#[test]
fn a_column_that_no_row_has_is_told() {
    let all = format!("{}{}", line(1, ",\"usd\":0.5"), line(2, ",\"stars\":3"));
    assert_eq!(unseen(&all), Ok(Vec::new()));
    assert_eq!(unseen(&line(1, ",\"usd\":null")), Ok(vec!["stars".to_owned()]));
    let both = vec!["stars".to_owned(), "usd".to_owned()];
    assert_eq!(unseen(&format!("no json\n[3]\n{}", line(1, ""))), Ok(both));
}

#[test]
fn a_column_that_every_call_needs_is_refused_where_no_row_has_it() {
    let lines = format!("{}{}", line(1, ",\"usd\":-1"), line(2, ""));
    let mistyped = lines.replace("\"model\"", "\"modell\"");
    let message = unseen(&mistyped).unwrap_err();
    let expected = "has the key `call.model`, which the map names for the model of a call; the first \
                    has `at`, `call`, `ref`, `usd`";
    assert!(message.starts_with("no row of `") && message.ends_with(expected), "{message}");
    // Where a row has it, the others are dropped and counted.
    assert!(unseen(&format!("{mistyped}{}", line(3, ""))).is_ok());
    // What is no row of the map at all is told as such.
    let message = unseen("no json\n").unwrap_err();
    assert!(message.starts_with("the only row of `"), "{message}");
}

/// What earlier runs saw counts too.
#[test]
fn columns_that_a_file_had_before_it_grew_are_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let first = line(1, ",\"usd\":0.5");
    let path = written(dir.path(), "log.ndjson", first.as_bytes());
    let grown = mapped(path, &dir.path().join("out"));
    assert_eq!(run(&grown).unwrap().files[0].unseen, ["stars"]);
    written(dir.path(), "log.ndjson", format!("{first}{}", line(2, "")).as_bytes());
    assert_eq!(run(&grown).unwrap().files[0].unseen, ["stars"]);
    let all = format!("{first}{}{}", line(2, ""), line(3, ",\"stars\":1"));
    written(dir.path(), "log.ndjson", all.as_bytes());
    assert!(run(&grown).unwrap().files[0].unseen.is_empty());
    assert!(run(&grown).unwrap().files[0].unseen.is_empty(), "nothing to do");
}

/// A header tells itself what is missing, and a cell that is empty is no missing column.
#[test]
fn columns_of_a_header_are_there() {
    let header = "ref,call.model,at,usd,stars\nc-1,wren,1767225600,,\n";
    assert_eq!(unseen(header), Ok(Vec::new()));
}

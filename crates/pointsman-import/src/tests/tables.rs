//! Tables of columns, as whoever opens them hands them over: here lines of JSON after Parquet's mark.

use super::*;
use std::{error::Error, io};

/// Lines after the first one as rows; one that is `damaged` cannot be read.
fn open_lines(
    path: &Path,
    columns: &[String],
    n_passed: u64,
) -> Result<Table, Box<dyn Error + Send + Sync>> {
    let text = fs::read_to_string(path)?;
    let lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    let first: serde_json::Value = serde_json::from_str(&lines[0])?;
    if let Some(missing) = columns.iter().find(|column| first.get(column.as_str()).is_none()) {
        return Err(format!("`table` has no column `{missing}`").into());
    }
    let n_rows = lines.len() as u64;
    let rows = lines.into_iter().skip(usize::try_from(n_passed)?).map(|line| match line.as_str() {
        "damaged" => Err(io::Error::new(io::ErrorKind::InvalidData, "a bad page")),
        _ => Ok(line.into_bytes()),
    });
    Ok(Table { n_rows, rows: Box::new(rows) })
}

/// A table of LiteLLM's calls, which a map has to name.
fn table(dir: &Path, name: &str, edit: impl FnOnce(String) -> String) -> PathBuf {
    written(dir, name, edit(format!("PAR1\n{}", calls(300))).as_bytes())
}

fn mapped(path: PathBuf, out: &Path) -> Options {
    let map = "[columns]\nid = \"id\"\nmodel = \"model\"\ntime = \"startTime\"\n\
               prompt = \"messages\"\ncost_usd = \"response_cost\"";
    Options {
        origin: Origin::Columns,
        map: ColumnMap::from_toml(map).unwrap(),
        open_table: Some(open_lines),
        part_bytes: 8 << 10,
        ..options(&[path], out)
    }
}

#[test]
fn a_table_gives_what_its_lines_give() {
    let dir = tempfile::tempdir().unwrap();
    let of_table = mapped(table(dir.path(), "table", |text| text), &dir.path().join("a"));
    let imported = run(&of_table).unwrap();
    assert_eq!((imported.survey.n_rows, imported.survey.n_duplicates), (300, 6));
    assert_eq!(imported.files[0].format, "columns");
    let lines = written(dir.path(), "lines", calls(300).as_bytes());
    let of_lines = mapped(lines, &dir.path().join("b"));
    run(&of_lines).unwrap();
    assert_eq!(records(&of_table.out), records(&of_lines.out));
    assert!(run(&of_table).unwrap().was_done);
}

#[test]
fn a_killed_run_goes_on_within_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = table(dir.path(), "table", |text| text);
    let whole = mapped(path, &dir.path().join("whole"));
    let expected = run(&whole).unwrap();
    let cut = Options { out: dir.path().join("cut"), ..whole.clone() };
    for allowed in [40, 90, 130, 200, 290] {
        let mut n_most = 0;
        let stopped = import(&cut, &mut |progress| {
            n_most = n_most.max(progress.n_bytes);
            if progress.n_rows < allowed {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        let length = fs::metadata(&cut.inputs[0]).unwrap().len();
        assert!(n_most <= length, "progress ends with the file");
        assert!(matches!(stopped, Err(ImportError::Stopped { .. }) | Ok(_)), "{stopped:?}");
    }
    let imported = run(&cut).unwrap();
    assert_eq!(records(&cut.out), records(&whole.out));
    assert_eq!(imported.survey, expected.survey);
}

/// What was read before a damaged page stays, and the whole file goes on from there.
#[test]
fn a_damaged_table_is_said_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let damaged = |text: String| {
        let line = |(n, line): (usize, &str)| match n {
            200 => "damaged\n".to_owned(),
            _ => format!("{line}\n"),
        };
        text.lines().enumerate().map(line).collect::<String>()
    };
    let path = table(dir.path(), "table", damaged);
    let options = mapped(path, &dir.path().join("out"));
    let message = run(&options).unwrap_err().to_string();
    assert!(message.contains("damaged after 199 rows (a bad page)"), "{message}");
    let whole = mapped(table(dir.path(), "whole", |text| text), &dir.path().join("whole-out"));
    run(&whole).unwrap();
    // Beside the page that is repaired, the file is what it was; the state of a file goes by its name,
    // its length and its head, of which the damage is a part in so small a file.
    assert!(records(&whole.out).starts_with(&records(&options.out)));
}

#[track_caller]
fn check(edit: impl FnOnce(&mut Options), expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = table(dir.path(), "table", |text| text);
    let mut options = mapped(path, &dir.path().join("out"));
    edit(&mut options);
    let message = run(&options).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains('\n'), "one sentence: {message}");
}

#[test]
fn tables_that_cannot_be_are_one_sentence() {
    check(|one| one.origin = Origin::Auto, "write a map of them");
    check(|one| one.origin = Origin::Format(find("litellm").unwrap()), "write a map of them");
    check(|one| one.open_table = None, "is Parquet, which cannot be read here");
    let of_auto = |one: &mut Options| (one.origin, one.open_table) = (Origin::Auto, None);
    check(of_auto, "is Parquet, which cannot be read here");
    check(|one| one.map = ColumnMap::default(), "needs a map");
    let odd = "[columns]\nid = \"id\"\nmodel = \"model\"\ntime = \"startTime\"\n[tags]\na = \"b\"";
    let odd = ColumnMap::from_toml(odd).unwrap();
    check(|one| one.map = odd, "`table` has no column `b`");
}

/// The candidates of a column of maps are pairs of a key and a value.
#[test]
fn candidates_come_in_every_form() {
    let map = "[columns]\nid = \"id\"\nmodel = \"m\"\ntime = \"t\"\ncandidates = \"c\"\npropensity = \"p\"";
    let found = |candidates: &str| {
        let dir = tempfile::tempdir().unwrap();
        let row = format!(
            "{{\"id\":\"a\",\"m\":\"wren\",\"t\":1767225600,\"p\":0.75,\"c\":{candidates}}}"
        );
        let path = written(dir.path(), "log", row.as_bytes());
        let options = Options {
            origin: Origin::Columns,
            map: ColumnMap::from_toml(map).unwrap(),
            ..options(&[path], &dir.path().join("out"))
        };
        let survey = run(&options).unwrap().survey;
        let reason = survey.dropped.keys().next().cloned();
        reason
            .unwrap_or_else(|| records(&options.out).lines().next().unwrap_or_default().to_owned())
    };
    for candidates in [
        r#"{"wren":0.75,"heron":0.25}"#,
        r#"[{"key":"wren","value":0.75},{"key":"heron","value":0.25}]"#,
        r#"["wren","heron"]"#,
        r#""[\"heron\",\"wren\"]""#,
    ] {
        let found = found(candidates);
        for one in
            [r#"{"model":"heron","probability":0.25}"#, r#"{"model":"wren","probability":0.75}"#]
        {
            assert!(found.contains(one), "{candidates}: {found}");
        }
    }
    let neither = "candidates that are neither names nor probabilities";
    for (candidates, reason) in [
        (r#"[{"model":"wren"}]"#, neither),
        (r#"["wren",3]"#, neither),
        (r#"{"wren":null}"#, "a candidate without a probability"),
        (r#"{"wren":0.5,"heron":0.5}"#, "a propensity that is not the drawn model's probability"),
        ("null", "a propensity without candidates"),
    ] {
        assert_eq!(found(candidates), reason, "{candidates}");
    }
}

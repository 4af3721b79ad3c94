use super::*;
use std::{fs, path::PathBuf};
use tempfile::TempDir;

fn parquet(mut frame: DataFrame, group_rows: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    ParquetWriter::new(fs::File::create(&path).unwrap())
        .with_row_group_size(Some(group_rows))
        .finish(&mut frame)
        .unwrap();
    (folder, path)
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&name| name.to_owned()).collect()
}

/// The rows of a file as texts, without the columns that `columns` do not name.
fn rows(path: &Path, columns: &[&str], n_passed: u64) -> Vec<String> {
    let rows = json_rows(path, &names(columns), n_passed).unwrap();
    rows.map(|row| String::from_utf8(row.unwrap()).unwrap()).collect()
}

#[track_caller]
fn check(column: Series, expected: &[&str]) {
    let n_rows = column.len();
    let frame = DataFrame::new(n_rows, vec![column.into_column()]).unwrap();
    let (_folder, path) = parquet(frame, 100);
    assert_eq!(rows(&path, &["c"], 0), expected);
}

fn moments(counts: &[i64], dtype: &DataType) -> Series {
    Series::new("c".into(), counts).cast(dtype).unwrap()
}

#[test]
fn every_type_becomes_json() {
    let name = || PlSmallStr::from("c");
    check(Series::new(name(), [Some("a \"b\"\n"), None]), &[r#"{"c":"a \"b\"\n"}"#, "{}"]);
    check(
        Series::new(name(), [Some(i64::MAX), None, Some(-1)]),
        &[r#"{"c":9223372036854775807}"#, "{}", r#"{"c":-1}"#],
    );
    check(Series::new(name(), [true, false]), &[r#"{"c":true}"#, r#"{"c":false}"#]);
    check(Series::new(name(), [0.5, f64::NAN]), &[r#"{"c":0.5}"#, "{}"]);
    check(Series::new(name(), [None::<&str>, None]), &["{}", "{}"]);
    let millis = DataType::Datetime(TimeUnit::Milliseconds, None);
    check(
        moments(&[1_767_225_600_123, 0, -1], &millis),
        &[
            r#"{"c":"2026-01-01T00:00:00.123Z"}"#,
            r#"{"c":"1970-01-01T00:00:00.000Z"}"#,
            r#"{"c":"before 1970"}"#,
        ],
    );
    let micros = DataType::Datetime(TimeUnit::Microseconds, None);
    check(moments(&[1_767_225_661_001_999], &micros), &[r#"{"c":"2026-01-01T00:01:01.001Z"}"#]);
    let days = Series::new(name(), [20_454i32]).cast(&DataType::Date).unwrap();
    check(days, &[r#"{"c":"2026-01-01T00:00:00.000Z"}"#]);
}

#[test]
fn lists_and_structs_keep_what_they_hold() {
    let texts = Series::new("".into(), [Some("x"), None]);
    let none = Series::new("".into(), Vec::<Option<&str>>::new());
    check(Series::new("c".into(), [texts, none]), &[r#"{"c":["x",null]}"#, r#"{"c":[]}"#]);
    let roles = Series::new("role".into(), ["user", "assistant"]);
    let contents = Series::new("content".into(), [Some("Why?"), None]);
    let messages =
        StructChunked::from_series("m".into(), 2, [roles, contents].iter()).unwrap().into_series();
    check(
        Series::new("c".into(), [messages]),
        &[r#"{"c":[{"role":"user","content":"Why?"},{"role":"assistant"}]}"#],
    );
}

#[test]
fn rows_come_in_order_from_any_row_on() {
    let frame = df!(
        "n" => (0..1_000i64).collect::<Vec<_>>(), "other" => vec!["x"; 1_000],
    )
    .unwrap();
    let (_folder, path) = parquet(frame, 70);
    let all = rows(&path, &["n"], 0);
    assert_eq!(all.len(), 1_000);
    assert!(all.iter().zip(0..).all(|(row, n)| *row == format!("{{\"n\":{n}}}")));
    for n_passed in [1, 69, 70, 999, 1_000, 5_000] {
        let n_left = all.len().saturating_sub(n_passed);
        let left = rows(&path, &["n"], n_passed as u64);
        assert_eq!(left, all[all.len() - n_left..], "{n_passed}");
    }
    assert_eq!(json_rows(&path, &names(&["n"]), 7).map(|rows| rows.n_rows()).unwrap(), 1_000);
}

#[track_caller]
fn check_refusal(path: &Path, columns: &[&str], expected: &str) {
    let folder = format!("{}/", path.parent().unwrap().display());
    let found = json_rows(path, &names(columns), 0).err().unwrap().to_string();
    let found = found.replace(&folder, "");
    assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
}

#[test]
fn what_cannot_be_read_is_said() {
    let frame = df!("id" => ["a"], "t.x" => [1i64]).unwrap();
    let (folder, path) = parquet(frame, 10);
    assert_eq!(rows(&path, &["id", "t.x"], 0), [r#"{"id":"a","t.x":1}"#]);
    check_refusal(&path, &["id", "price"], "`t.parquet` has no column `price`; its columns are id");
    check_refusal(&path, &["use.input"], "`t.parquet` has no column `use.input`");
    let bytes = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.parquet");
    fs::write(&cut, &bytes[..bytes.len() - 9]).unwrap();
    check_refusal(&cut, &["id"], "`cut.parquet` is cut off");
    fs::write(&cut, b"id\na\n").unwrap();
    check_refusal(&cut, &["id"], "`cut.parquet` is not a Parquet file");
    let clock = Series::new("c".into(), [1i64]).cast(&DataType::Time).unwrap();
    let frame = DataFrame::new(1, vec![clock.into_column()]).unwrap();
    let (_folder, path) = parquet(frame, 10);
    check_refusal(&path, &["c"], "column `c` of `t.parquet` has type time");
}

#[test]
fn a_damaged_page_is_an_error_and_the_last_row() {
    let texts: Vec<String> = (0..160_000).map(|n| format!("row {n} of many")).collect();
    let frame = df!("id" => texts).unwrap();
    let (_folder, path) = parquet(frame, 40_000);
    let whole = fs::read(&path).unwrap();
    let length = whole.len();
    let footer = u32::from_le_bytes(whole[length - 8..length - 4].try_into().unwrap());
    let end = length - 8 - usize::try_from(footer).unwrap();
    let spoil = |from: usize, to: usize| {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xff);
        fs::write(&path, bytes).unwrap();
        json_rows(&path, &names(&["id"]), 0)
    };
    assert!(matches!(spoil(4, end / 10), Err(DataError::Damaged { .. })), "the first batch");
    let found: Vec<_> = spoil(end * 9 / 10, end).unwrap().collect();
    let n_whole = found.iter().take_while(|row| row.is_ok()).count();
    assert_eq!((n_whole, found.len()), (120_000, 120_001), "the batches before stay");
    assert!(matches!(found.last(), Some(Err(DataError::Damaged { .. }))));
}

use std::{fmt::Write as _, fs, path::PathBuf};

use polars::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::matrix::OutcomeMatrix;
use crate::parts::train_test_parts;

/// A CSV file of that text, in a folder that lives as long as the first part.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn parquet(mut frame: DataFrame) -> (TempDir, PathBuf) {
    let (folder, path) = file("t.parquet", "");
    ParquetWriter::new(fs::File::create(&path).unwrap()).finish(&mut frame).unwrap();
    (folder, path)
}

fn read(path: &Path) -> Result<(OutcomeTable, Vec<String>), DataError> {
    let mut texts = Vec::new();
    let table =
        read_outcomes(&[path.to_path_buf()], &ReadOptions::default(), &mut |index, request| {
            assert_eq!(index, texts.len());
            texts.push(request.messages.iter().map(|m| &*m.text).collect::<Vec<_>>().join("|"));
        })?;
    Ok((table, texts))
}

/// The error for a file, with its folder left out of the sentence.
#[track_caller]
fn check_refusal(name: &str, content: impl AsRef<[u8]>, expected: &str) {
    let (folder, path) = file(name, content);
    check_error(&folder, read(&path), expected);
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(folder: &TempDir, result: Result<T, DataError>, expected: &str) {
    let error = result.expect_err("should be refused").to_string();
    let error = error.replace(&format!("{}/", folder.path().display()), "");
    assert!(error.starts_with(expected), "found    {error}\nexpected {expected}");
}

const HEAD: &str = "prompt_id,prompt,model,quality,cost_usd,output_tokens,fold\n";

#[test]
fn one_id_cannot_stand_for_two_prompts() {
    let rows = "p1,Hello,b,1,0,0,0\np1,Hello!,a,1,0,0,0\n";
    check_refusal("t.csv", format!("{HEAD}{rows}"), "prompt_id `p1` stands for one prompt");
}

#[test]
fn csv_is_read_with_its_gaps() {
    let rows = "p1,\"Hi,\nthere\",b,1,0.5,10,0\np1,,a,0.25,,,0\np2,,a,1,0.1,1,1\np2,,b,,0,0,1\n\
                ,x,a,1,0,0,0\np1,,,1,0,0,0\np1,,a,1,0,0,0\n";
    let (_folder, path) = file("t.csv", format!("{HEAD}{rows}"));
    let (table, texts) = read(&path).unwrap();
    assert_eq!(texts, ["Hi,\nthere", ""]);
    assert_eq!(table.models, ["a", "b"]);
    assert_eq!(table.n_rows_read, 7);
    let found: Vec<_> = table
        .outcomes
        .iter()
        .map(|o| (o.prompt, o.model, o.quality, o.cost_usd, o.output_tokens))
        .collect();
    assert_eq!(
        found,
        [
            (0, 1, 1.0, Some(0.5), Some(10)),
            (0, 0, 0.25, None, None),
            (1, 0, 1.0, Some(0.1), Some(1))
        ]
    );
    let dropped: Vec<_> = table.dropped.iter().map(|(why, n)| (why.as_str(), *n)).collect();
    assert_eq!(
        dropped,
        [
            ("duplicate of an earlier row", 1),
            ("model is null", 1),
            ("prompt_id is null", 1),
            ("quality is null", 1)
        ]
    );
    assert_eq!((table.prompts[0].fold, table.prompts[0].is_empty), (Some(0), false));
    assert_eq!((table.prompts[1].fold, table.prompts[1].is_empty), (Some(1), true));
    assert_eq!(table.digest.len(), 64);
}

#[test]
fn the_same_table_in_three_formats_is_the_same() {
    let (_a, csv) = file("t.csv", format!("{HEAD}1,Hi,b,1,0.5,10,0\n1,Hi,a,0,0.25,,0\n"));
    let (_b, ndjson) = file(
        "t.ndjson",
        "{\"prompt_id\":1,\"prompt\":\"Hi\",\"model\":\"b\",\"quality\":true,\"cost_usd\":0.5,\"output_tokens\":10,\"fold\":0}\n\n\
         {\"prompt_id\":\"1\",\"prompt\":\"Hi\",\"model\":\"a\",\"quality\":0,\"cost_usd\":0.25,\"fold\":0}\n",
    );
    let frame = df!(
        "prompt_id" => [1i8, 1], "prompt" => ["Hi", "Hi"], "model" => ["b", "a"],
        "quality" => [1f32, 0.0], "cost_usd" => [0.5, 0.25], "output_tokens" => [Some(10u16), None],
        "fold" => [0i64, 0], "other" => ["x", "y"]
    )
    .unwrap();
    let mut frame = frame;
    let split = Series::full_null("split".into(), 2, &DataType::Null);
    frame.with_column(split.into_column()).unwrap();
    let (_c, parquet) = parquet(frame);
    let (first, _) = read(&csv).unwrap();
    assert_eq!(read(&ndjson).unwrap().0, first);
    assert_eq!(read(&parquet).unwrap().0, first);
}

#[test]
fn types_of_the_wild_are_taken() {
    let frame = df!(
        "prompt_id" => ["p", "p"], "prompt" => [None::<&str>, None], "model" => ["a", "b"],
        "quality" => [true, false], "input_tokens" => [3f64, 4.0], "latency_ms" => ["12.5", ""]
    )
    .unwrap();
    let mut frame = frame;
    let categories = Categories::global();
    let dtype = DataType::from_categories(categories);
    let models = frame.column("model").unwrap().cast(&dtype).unwrap();
    frame.with_column(models).unwrap();
    let (_folder, path) = parquet(frame);
    let (table, texts) = read(&path).unwrap();
    assert_eq!(texts, [""]);
    let found: Vec<_> =
        table.outcomes.iter().map(|o| (o.quality, o.input_tokens, o.latency_ms)).collect();
    assert_eq!(found, [(1.0, Some(3), Some(12.5)), (0.0, Some(4), None)]);
}

#[test]
fn conversations_are_read_from_json_and_from_lists() {
    let json = r#"[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]"#;
    let roles = Series::new("role".into(), ["system", "user"]);
    let contents = Series::new("content".into(), ["Be brief.", "Hi"]);
    let talk =
        StructChunked::from_series("m".into(), 2, [roles, contents].iter()).unwrap().into_series();
    let frame = |messages: Series| {
        let mut frame = df!("prompt_id" => ["p"], "model" => ["a"], "quality" => [1.0]).unwrap();
        frame.with_column(messages.into_column()).unwrap();
        frame
    };
    for messages in [Series::new("messages".into(), [json]), Series::new("messages".into(), [talk])]
    {
        let (_folder, path) = parquet(frame(messages));
        assert_eq!(read(&path).unwrap().1, ["Be brief.|Hi"]);
    }
    let line = format!("{{\"prompt_id\":\"p\",\"model\":\"a\",\"quality\":1,\"messages\":{json}}}");
    let (_folder, path) = file("t.jsonl", line);
    assert_eq!(read(&path).unwrap().1, ["Be brief.|Hi"]);
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    check_refusal("t.csv", "", "`t.csv` is empty");
    check_refusal("t.csv", HEAD, "`t.csv` is empty");
    check_refusal("t.xls", "abc", "`t.xls` is neither Parquet, CSV nor NDJSON");
    check_refusal("t.parquet", "hello, I am text", "`t.parquet` is not a Parquet file");
    check_refusal("t.parquet", "PAR1 and then nothing", "`t.parquet` is cut off");
    check_refusal(
        "t.csv",
        "prompt_id,model\n1,a\n",
        "`t.csv` has no column `prompt`; its columns are prompt_id, model",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p1,Hi,a,1,0,1,0\np1,Hi,m,7,0,1,0\n"),
        "`t.csv`: quality 7 of prompt `p1`, model `m` (row 2) is outside [0, 1]; pass --quality-range 0..10 if that is its scale",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,-0.5,0,1,0\n"),
        "`t.csv`: quality -0.5 of prompt `p`, model `a` (row 1) is outside [0, 1]; pass --quality-range -1..1",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,NaN,0,1,0\n"),
        "`t.csv`: quality NaN of prompt `p`, model `a` (row 1) is outside [0, 1]; leave it empty",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,good,0,1,0\n"),
        "column `quality` of `t.csv` holds `good` in row 1; it has to be a number",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,1,-1,1,0\n"),
        "`t.csv`: cost_usd -1 of prompt `p`, model `a` (row 1) is not a number from zero up",
    );
    check_refusal("t.csv", format!("{HEAD}p,Hi,a,1,nan,1,0\n"), "`t.csv`: cost_usd NaN of");
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,1,0,1.5,0\n"),
        "column `output_tokens` of `t.csv` holds 1.5 in row 1; it has to be a whole number",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,1,0,1,300\n"),
        "column `fold` of `t.csv` holds 300 in row 1; it has to be a whole number below 256",
    );
    check_refusal(
        "t.csv",
        format!("{HEAD}p,Hi,a,,0,1,0\n"),
        "not even the only row in `t.csv` can be used: quality is null (1)",
    );
    check_refusal(
        "t.csv",
        [HEAD.as_bytes(), b"p,\xff\xfe,a,1,0,1,0\n"].concat(),
        "`t.csv` is not UTF-8",
    );
    check_refusal("t.ndjson", b"{\"prompt_id\":\"\xff\"}", "`t.ndjson` is not UTF-8 (row 1)");
    check_refusal(
        "t.ndjson",
        "{\"prompt_id\"",
        "`t.ndjson` is damaged or in a form that cannot be read: row 1 is not a JSON object",
    );
    check_refusal(
        "t.ndjson",
        "{\"prompt_id\":\"p\",\"messages\":\"Hi\",\"model\":\"a\",\"quality\":1}",
        "column `messages` of `t.ndjson` holds something else in row 1",
    );
}

#[test]
fn files_are_named_and_matched() {
    let (folder, path) = file("a.csv", format!("{HEAD}p,Hi,a,1,0,1,0\n"));
    fs::write(folder.path().join("b.csv"), format!("{HEAD}p,hi ,b,1,0,1,0\n")).unwrap();
    let (table, _) = read(&folder.path().join("*.csv")).unwrap();
    assert_eq!((table.models.len(), table.prompts.len()), (2, 1));
    check_error(&folder, read(&folder.path().join("*.parquet")), "no file matches `*.parquet`");
    check_error(&folder, read(&folder.path().join("no.csv")), "no file matches `no.csv`");
    assert!(matches!(read(folder.path()), Err(DataError::Folder { .. })));
    fs::write(folder.path().join("b.csv"), format!("{HEAD}p,Bye,b,1,0,1,0\n")).unwrap();
    let error = read(&folder.path().join("*.csv"));
    check_error(
        &folder,
        error,
        "prompt_id `p` stands for one prompt in `a.csv` and for another in `b.csv`",
    );
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_scale_is_mapped_to_the_unit() {
    let (folder, path) = file("t.csv", format!("{HEAD}p,Hi,a,7.5,0,1,0\n"));
    let options = |low, high| ReadOptions { quality_range: (low, high) };
    let table =
        read_outcomes(std::slice::from_ref(&path), &options(5.0, 10.0), &mut |_, _| {}).unwrap();
    assert!((table.outcomes[0].quality - 0.5).abs() < 1e-12);
    let error = read_outcomes(&[path], &options(1.0, 1.0), &mut |_, _| {});
    check_error(&folder, error, "the quality range 1..1 has no width");
}

/// Rows of `prompt_id, prompt, model, quality, cost, tokens, fold, split`.
fn table_of(rows: &str) -> OutcomeTable {
    let head = "prompt_id,prompt,model,quality,cost_usd,output_tokens,fold,split\n";
    let (_folder, path) = file("t.csv", format!("{head}{rows}"));
    read(&path).unwrap().0
}

#[test]
fn the_matrix_keeps_what_has_no_holes() {
    let mut rows = String::new();
    for prompt in 0..40 {
        for model in ["b", "a"] {
            let cost = if prompt == 3 { String::new() } else { format!("0.{prompt:02}") };
            writeln!(rows, "p{prompt},text {prompt},{model},1,{cost},5,0,").unwrap();
        }
    }
    rows += "p1,,c,1,0,5,0,\n"; // a model with one answer
    let table = table_of(&rows.replace("p7,text 7,a,1,0.07,5,0,\n", "")); // one prompt with a hole
    let OutcomeMatrix {
        models,
        prompts,
        quality,
        cost_usd,
        models_left_out,
        n_prompts_left_out,
        ..
    } = table.matrix().unwrap();
    assert_eq!(
        (models, models_left_out),
        (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()])
    );
    assert_eq!((prompts.len(), n_prompts_left_out, quality.len()), (39, 1, 78));
    assert!(!prompts.contains(&7));
    let mean = (0..40).filter(|p| ![3, 7].contains(p)).sum::<u32>();
    let expected = f64::from(mean) / 100.0 / 38.0;
    assert!((cost_usd.unwrap()[6] - expected).abs() < 1e-12, "the hole of p3 is the mean");
}

#[test]
fn one_model_is_nothing_to_route() {
    let table = table_of("p,x,m,1,0,0,0,\n");
    let error = table.matrix().unwrap_err().to_string();
    assert_eq!(error, "the table has one model (`m`); routing needs at least two");
}

#[track_caller]
fn check_parts(prompts: &[(&str, &str, &str)], expected: &[(&[u32], &[u32], usize)]) {
    let mut rows = String::new();
    for (index, (text, fold, split)) in prompts.iter().enumerate() {
        for model in ["a", "b"] {
            writeln!(rows, "p{index},{text},{model},1,0,0,{fold},{split}").unwrap();
        }
    }
    let table = table_of(&rows);
    let parts = train_test_parts(&table, &table.matrix().unwrap());
    let found: Vec<_> = parts
        .iter()
        .map(|part| (part.train.as_slice(), part.test.as_slice(), part.n_leaked))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn parts_follow_the_split_then_the_folds() {
    check_parts(
        &[
            ("x", "", "train"),
            ("y", "", "test"),
            ("Y ", "", "train"),
            ("z", "", "ood"),
            ("", "", "train"),
            ("", "", "test"),
        ],
        &[(&[0, 4], &[1, 5], 1)], // `Y ` leaks, empty prompts do not
    );
    check_parts(
        &[("x", "0", "train"), ("y", "2", "train"), ("z", "0", ""), ("X", "2", ""), ("w", "", "")],
        &[(&[1, 4], &[0, 2], 1), (&[2, 4], &[1, 3], 1)],
    );
}

#[test]
fn without_folds_the_prompt_decides() {
    let rows: String = (0..50)
        .flat_map(|p| ["a", "b"].map(|m| format!("p{p},text {},{m},1,0,0,,\n", p / 2)))
        .collect();
    let table = table_of(&rows);
    let parts = train_test_parts(&table, &table.matrix().unwrap());
    assert_eq!(parts.len(), 5);
    assert_eq!(parts.iter().map(|part| part.test.len()).sum::<usize>(), 50);
    assert!(
        parts.iter().all(|part| part.n_leaked == 0 && part.train.len() + part.test.len() == 50)
    );
}

#[test]
fn a_prompt_comes_when_its_first_row_says() {
    let head = "prompt_id,prompt,model,quality,ts_ms\n";
    let rows = "p1,Hi,a,1,1767225600000\np1,Hi,b,1,5\np2,Ho,a,1,\np2,Ho,b,1,7\n";
    let (_folder, path) = file("t.csv", format!("{head}{rows}"));
    let (table, _) = read(&path).unwrap();
    let times: Vec<Option<u64>> = table.prompts.iter().map(|prompt| prompt.ts_ms).collect();
    assert_eq!(times, [Some(1_767_225_600_000), None]);
    check_refusal("t.csv", format!("{head}p1,Hi,a,1,-5\n"), "`t.csv`: ts_ms -5 of");
}

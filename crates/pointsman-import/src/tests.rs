//! Whole imports: what each fixture becomes, and what becomes of runs that go wrong.

mod columns;
mod odd;
mod tables;
mod untrue;

use super::*;
use std::{
    fs,
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

fn options(inputs: &[PathBuf], out: &Path) -> Options {
    Options {
        inputs: inputs.to_vec(),
        origin: Origin::Auto,
        out: out.to_path_buf(),
        messages: Vec::new(),
        map: ColumnMap::default(),
        rules: None,
        score: None,
        open_table: None,
        catalog: None,
        max_row_bytes: Options::MAX_ROW_BYTES,
        part_bytes: Options::PART_BYTES,
        settings: Vec::new(),
    }
}

fn run(options: &Options) -> Result<Imported, ImportError> {
    import(options, &mut |_| ControlFlow::Continue(()))
}

/// All parts, in their order.
fn records(out: &Path) -> String {
    let mut parts: Vec<PathBuf> = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    parts.sort();
    parts.iter().map(|part| fs::read_to_string(part).unwrap()).collect()
}

/// The records of some fixtures, and what was counted.
fn told(names: &[&str], edit: impl FnOnce(&mut Options)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("log");
    let inputs: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    let mut options = options(&inputs, &out);
    edit(&mut options);
    let imported = run(&options).unwrap();
    let Survey { known, dropped, n_rows, n_kept, n_duplicates, n_unjoined, rules, .. } =
        imported.survey;
    let mut text = records(&out);
    text += &format!("rows {n_rows}, kept {n_kept}, duplicates {n_duplicates}\n");
    text += &format!("{known:?}, unjoined {n_unjoined}\n");
    for (reason, rows) in dropped {
        text += &format!("dropped {}: {reason}\n", rows.n);
    }
    for (rule, n) in rules {
        text += &format!("{n} by {rule}\n");
    }
    // Every record can be read back.
    let log = records(&out);
    assert!(pointsman_log::ndjson::read(log.as_bytes()).all(|record| record.is_ok()));
    text
}

#[test]
fn fixtures_become_records() {
    let plain = |_: &mut Options| {};
    insta::assert_snapshot!("litellm", told(&["litellm.ndjson"], plain));
    insta::assert_snapshot!("litellm-spend", told(&["litellm-spend.csv"], plain));
    insta::assert_snapshot!("openrouter", told(&["openrouter.ndjson"], plain));
    insta::assert_snapshot!("openrouter-broadcast", told(&["openrouter-broadcast.json"], plain));
    insta::assert_snapshot!("openai", told(&["openai.json"], plain));
    insta::assert_snapshot!("langfuse-api", told(&["langfuse-api.json"], plain));
    insta::assert_snapshot!("helicone", told(&["helicone.ndjson"], plain));
    insta::assert_snapshot!("otel", told(&["otel.json"], plain));
}

#[test]
fn prompts_come_from_files_of_their_own() {
    let text = told(&["openai.json"], |one| one.messages = vec![fixture("openai-messages.json")]);
    let line = text.lines().find(|line| line.contains("\"id\":\"chatcmpl-2\"")).unwrap();
    assert!(line.contains("Be careful.") && line.contains("Do herons dance?"), "{line}");
    let line = text.lines().find(|line| line.contains("\"id\":\"chatcmpl-1\"")).unwrap();
    assert!(line.contains("Do wrens sing?"), "the prompt of the row itself stays: {line}");
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&[fixture("openai.json")], dir.path());
    options.messages = vec![fixture("openai-messages.json")];
    let survey = run(&options).unwrap().survey;
    assert_eq!(survey.n_with_text_from_beside, 1);
    assert!(survey.n_with_text_from_beside <= survey.n_prompts_beside, "{survey:?}");
}

#[test]
fn scores_find_their_calls() {
    let files = ["langfuse-scores.ndjson", "langfuse-observations.ndjson"];
    insta::assert_snapshot!("langfuse", told(&files, |one| one.score = Some("correct".to_owned())));
    let tables = [
        "tensorzero-feedback.ndjson",
        "tensorzero-chat-inference.ndjson",
        "tensorzero-model-inference.ndjson",
    ];
    insta::assert_snapshot!("tensorzero", told(&tables, |_| {}));
}

#[test]
fn columns_are_read_by_their_map() {
    let map = fs::read_to_string(fixture("columns.toml")).unwrap();
    let text = told(&["columns.csv"], |options| {
        options.map = ColumnMap::from_toml(&map).unwrap();
        options.origin = Origin::Columns;
        options.score = Some("stars".to_owned());
    });
    insta::assert_snapshot!("columns", text);
}

#[test]
fn rules_give_a_quality() {
    let rules = fs::read_to_string(fixture("rules.toml")).unwrap();
    let text = told(&["openai.json"], |one| one.rules = Some(Rules::from_toml(&rules).unwrap()));
    insta::assert_snapshot!("rules", text);
}

/// `n` calls of LiteLLM's form, some of them twice, the clock going backwards now and then.
fn calls(n: usize) -> String {
    let line = |number: usize| {
        let at = 1_767_225_600 + number - number % 7 * 3;
        format!(
            "{{\"id\":\"c-{number}\",\"call_type\":\"acompletion\",\"startTime\":{at},\"endTime\":{},\
             \"model\":\"wren-{}\",\"response_cost\":0.001,\"prompt_tokens\":5,\"completion_tokens\":2,\
             \"messages\":[{{\"role\":\"user\",\"content\":\"Question {number}?\"}}]}}\n",
            at + 1,
            number % 3,
        )
    };
    (0..n).map(|number| line(if number % 50 == 49 { number - 10 } else { number })).collect()
}

fn written(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Wherever a run is killed, the same command goes on from there to the same bytes.
#[test]
fn a_killed_run_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let rules =
        || Some(Rules::from_toml("[[rules]]\nwhen = \"otherwise\"\nquality = 0.5").unwrap());
    let one = written(dir.path(), "one.ndjson", calls(300).as_bytes());
    let two = written(dir.path(), "two.ndjson.gz", &gzip(calls(400).as_bytes()));
    let inputs =
        [one, two, fixture("langfuse-scores.ndjson"), fixture("langfuse-observations.ndjson")];
    let whole = Options {
        part_bytes: 8 << 10,
        rules: rules(),
        ..options(&inputs, &dir.path().join("whole"))
    };
    let expected = run(&whole).unwrap();
    assert_eq!(expected.survey.n_duplicates, 308, "the second file repeats the first");
    for stop_every in [1, 7, 90, 350] {
        let cut = Options { out: dir.path().join(format!("cut-{stop_every}")), ..whole.clone() };
        let mut n_runs = 0;
        // Each run dies so many rows after the part that the one before had finished.
        let imported = loop {
            n_runs += 1;
            assert!(n_runs < 2000, "no end in sight");
            let allowed = stop_every * n_runs;
            let stopped = import(&cut, &mut |progress| {
                if progress.n_rows < allowed {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            match stopped {
                Ok(imported) => break imported,
                Err(ImportError::Stopped { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            // What a kill may leave behind.
            fs::create_dir_all(&cut.out).unwrap();
            written(&cut.out, "part-00077.ndjson", b"half a li");
            written(&cut.out, "part-00078.partial", b"");
        };
        assert_eq!(records(&cut.out), records(&whole.out), "{stop_every}");
        assert_eq!(imported.survey, expected.survey, "{stop_every}");
    }
    let again = run(&whole).unwrap();
    assert!(again.was_done && again.n_new_rows == 0);
    assert_eq!(again.survey, expected.survey);
}

#[test]
fn a_file_that_has_grown_is_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let text = calls(40);
    let (first, _) = text.split_at(text.len() / 2);
    let path = written(dir.path(), "log.ndjson", first.as_bytes());
    let grown = options(std::slice::from_ref(&path), &dir.path().join("grown"));
    let half = run(&grown).unwrap();
    assert_eq!(half.survey.dropped.len(), 1, "a line is torn");
    written(dir.path(), "log.ndjson", text.as_bytes());
    let found = run(&grown).unwrap().survey;
    let whole = options(std::slice::from_ref(&path), &dir.path().join("whole"));
    assert_eq!(found, run(&whole).unwrap().survey, "the line that was torn counts once");
    assert_eq!(records(&grown.out), records(&whole.out));
    // A file that begins otherwise is another file.
    written(dir.path(), "log.ndjson", text.replace("c-0", "d-0").as_bytes());
    let message = run(&grown).unwrap_err().to_string();
    assert!(message.contains("is not the file that was imported before"), "{message}");
}

/// However a file ends within a row, that row counts once when it has grown.
#[test]
fn a_row_that_is_read_again_counts_once() {
    let csv = "request_id,call_type,spend,startTime,endTime,model,messages\n\
               a,acompletion,0.5,2026-01-01 00:00:10,2026-01-01 00:00:12,wren,\n\
               b,acompletion,0.5,2026-01-01 00:00:20,2026-01-01 00:00:22,wren,\"two\nlines\"\n";
    let other = calls(2).replace("acompletion", "aembedding");
    let (lines, whole) = (calls(3) + &other, calls(2));
    let (lines, whole) = (lines.as_str(), whole.as_str());
    for (text, n_missing) in [(csv, 5), (lines, 1), (lines, 9), (whole, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path(), "log", &text.as_bytes()[..text.len() - n_missing]);
        let grown = options(std::slice::from_ref(&path), &dir.path().join("grown"));
        let first = run(&grown).unwrap();
        assert_eq!(run(&grown).unwrap().survey, first.survey, "nothing to do");
        written(dir.path(), "log", text.as_bytes());
        let found = run(&grown).unwrap().survey;
        let whole = options(&[path], &dir.path().join("whole"));
        assert_eq!(found, run(&whole).unwrap().survey, "{text}");
        assert_eq!(records(&grown.out), records(&whole.out), "{text}");
    }
}

#[test]
fn packed_files_are_read_as_plain_ones() {
    let dir = tempfile::tempdir().unwrap();
    let text = calls(500);
    let zstd = zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    let (half, rest) = text.split_at(text.find("{\"id\":\"c-250").unwrap());
    let members = [gzip(half.as_bytes()), gzip(rest.as_bytes())].concat();
    let mut found = Vec::new();
    for (name, bytes) in [("plain", text.clone().into_bytes()), ("zstd", zstd), ("gzip", members)] {
        let path = written(dir.path(), name, &bytes);
        let options = options(&[path], &dir.path().join(format!("{name}-log")));
        run(&options).unwrap();
        found.push(records(&options.out));
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

/// A download that was cut off is said, and what is there of it is kept for when the rest comes.
#[test]
fn a_cut_file_is_said_and_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let text: String = calls(3000);
    let packed = gzip(text.as_bytes());
    let path = written(dir.path(), "log.gz", &packed[..packed.len() / 2]);
    let options = options(&[path], &dir.path().join("log"));
    let message = run(&options).unwrap_err().to_string();
    assert!(message.contains("is cut off or damaged"), "{message}");
    assert!(!message.contains('\n'));
    written(dir.path(), "log.gz", &packed);
    assert_eq!(run(&options).unwrap().survey.known.n_decisions, 3000 - 60);
    let packed = zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    let path = written(dir.path(), "log.zst", &packed[..packed.len() - 100]);
    let options = Options { inputs: vec![path], out: dir.path().join("other"), ..options };
    let message = run(&options).unwrap_err().to_string();
    assert!(message.contains("is cut off or damaged"), "{message}");
}

#[track_caller]
fn check_refusal(bytes: &[u8], edit: impl FnOnce(&mut Options), expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log", bytes);
    let mut options = options(&[path], &dir.path().join("out"));
    edit(&mut options);
    let message = run(&options).unwrap_err().to_string();
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains('\n'), "one sentence: {message}");
}

#[test]
fn every_mistake_gets_a_sentence() {
    let plain = |_: &mut Options| {};
    let named = |name: &'static str| {
        move |one: &mut Options| one.origin = Origin::Format(find(name).unwrap())
    };
    check_refusal(b"", plain, "is empty; leave it out");
    check_refusal(b"PAR1....PAR1", plain, "is Parquet, which cannot be read here");
    check_refusal(b"{\"a\":1}\n", plain, "its first row has `a`");
    check_refusal(b"hello\n", plain, "its first row has no JSON object");
    check_refusal(b"[]", plain, "is not recognised: it has no row that can be read; name it");
    check_refusal(&[0x1f, 0x8b, 8, 0], plain, "is cut off or damaged");
    let zstd = |bytes: &[u8]| zstd::stream::encode_all(bytes, 1).unwrap();
    let packed = gzip(calls(3).as_bytes());
    check_refusal(
        &gzip(&packed),
        plain,
        "is gzip within gzip, and one packing is undone; unpack it",
    );
    check_refusal(&zstd(&packed), plain, "is gzip within Zstandard");
    check_refusal(&gzip(&zstd(b"{}")), plain, "is Zstandard within gzip");
    check_refusal(&gzip(b"PAR1....PAR1"), plain, "is Parquet within gzip");
    check_refusal(calls(3).as_bytes(), named("langfuse"), "is not Langfuse: `call_type`");
    check_refusal(calls(3).as_bytes(), named("langfuse"), "use --from litellm");
    check_refusal(b"{\"a\":1}\n{\"a\":2}\n", named("litellm"), "none of the 2 rows");
    check_refusal(b"\xff\xfe\n", named("litellm"), "has no JSON object (not UTF-8: ");
    check_refusal(calls(3).as_bytes(), |one| one.origin = Origin::Columns, "needs a map");
    check_refusal(calls(3).as_bytes(), |one| one.inputs = Vec::new(), "no input was named");
    check_refusal(
        calls(3).as_bytes(),
        |one| one.inputs = vec!["none".into()],
        "`none` cannot be read",
    );
    let folder = |one: &mut Options| one.inputs = vec![".".into()];
    check_refusal(calls(3).as_bytes(), folder, "`.` cannot be read");
    let map = "[columns]\nid = \"nothing\"\nmodel = \"model\"\ntime = \"startTime\"";
    let mapped = |one: &mut Options| {
        one.origin = Origin::Columns;
        one.map = ColumnMap::from_toml(map).unwrap();
    };
    check_refusal(calls(3).as_bytes(), mapped, "has the key `nothing`, which the map names");
    let lacking =
        "has no column `nothing`, which the map names; its columns are at, model, startTime";
    check_refusal(b"at,model,startTime\n1,wren,1767225600\n", mapped, lacking);
    let twice = b"nothing,model,startTime,nothing\n1,wren,1767225600,2\n";
    check_refusal(twice, mapped, "has two columns `nothing`, and the map names one");
    let foreign = |one: &mut Options| {
        fs::create_dir_all(&one.out).unwrap();
        written(&one.out, "thesis.tex", b"");
    };
    check_refusal(calls(3).as_bytes(), foreign, "holds `thesis.tex`, which no import wrote");
    let broken = |one: &mut Options| {
        fs::create_dir_all(&one.out).unwrap();
        written(&one.out, "import.json", b"{");
    };
    check_refusal(calls(3).as_bytes(), broken, "is not a manifest that can be read");
}

#[test]
fn other_settings_and_a_second_import_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log", calls(3).as_bytes());
    let first = options(&[path], &dir.path().join("out"));
    run(&first).unwrap();
    let other = Options { score: Some("thumbs".to_owned()), ..first.clone() };
    let message = run(&other).unwrap_err().to_string();
    assert!(message.contains("was written with other settings (--score)"), "{message}");
    let other = Options { settings: vec![("--map".to_owned(), String::new())], ..first.clone() };
    let message = run(&other).unwrap_err().to_string();
    assert!(message.contains("was written with other settings (--map)"), "{message}");
    let held = manifest::Lock::take(&first.out).unwrap();
    let message = run(&first).unwrap_err().to_string();
    assert!(message.contains("another import writes into"), "{message}");
    drop(held);
    assert!(run(&first).unwrap().was_done);
}

/// What is refused, or was killed, leaves nothing behind that keeps another import away.
#[test]
fn a_refused_import_leaves_the_folder_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "log", b"{\"a\":1}\n");
    let refused = options(&[path], &dir.path().join("out"));
    run(&refused).unwrap_err();
    assert!(!refused.out.exists(), "a folder that was made for it");
    fs::create_dir(&refused.out).unwrap();
    run(&refused).unwrap_err();
    assert_eq!(fs::read_dir(&refused.out).unwrap().count(), 0);
    // The lock of a process that is gone.
    written(&refused.out, "import.lock", b"");
    let path = written(dir.path(), "calls", calls(3).as_bytes());
    run(&options(&[path], &refused.out)).unwrap();
    let entries = fs::read_dir(&refused.out).unwrap();
    let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap().path())).collect();
    names.sort();
    assert_eq!(names, ["import.json", "part-00000.ndjson"]);
}

#[test]
fn a_bandits_own_choice_is_no_other_model() {
    let dir = tempfile::tempdir().unwrap();
    let rows = b"shared |u lang=en\n|a id=wren\n0:-0.7:0.6 |a id=heron\n\n";
    let path = written(dir.path(), "log", rows);
    let imported = run(&options(&[path], &dir.path().join("out"))).unwrap();
    assert_eq!((imported.survey.n_kept, imported.survey.n_served_otherwise), (1, 0));
}

#[test]
fn maps_are_checked() {
    for (text, expected) in [
        ("columns = 3", "the column map:"),
        ("[columns]\nid = \"a\"", "missing field `model`"),
        (
            "[columns]\nid = \"a\"\nmodel = \"b\"\ntime = \"c\"\nprice = \"d\"",
            "line 5: unknown field `price`",
        ),
        (
            "[columns]\nid = \"a\"\nmodel = \"b\"\ntime = \"c\"\npropensity = \"d\"",
            "without `candidates`",
        ),
        (
            "[columns]\nid = \"a\"\nmodel = \"b\"\ntime = \"c\"\nkept_answer = \"d\"",
            "without `answer`",
        ),
    ] {
        let message = ColumnMap::from_toml(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

/// Rows that are of no use are counted one by one, and spoil no other.
#[test]
fn bad_rows_are_counted_and_shown() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = calls(20).into_bytes();
    bytes.extend(b"{\"id\":\"\xff\xfe\",\"call_type\":\"x\"}\nnot json\n{}\n");
    bytes.extend(b"{\"traceId\":\"t\",\"startTime\":\"2026-01-01\",\"type\":\"GENERATION\"}\n");
    bytes.extend(format!("{{\"id\":\"{}\"}}\n", "x".repeat(5000)).as_bytes());
    bytes.extend(calls(25).as_bytes());
    let path = written(dir.path(), "log.ndjson", &bytes);
    let options = Options { max_row_bytes: 2000, ..options(&[path], &dir.path().join("out")) };
    let survey = run(&options).unwrap().survey;
    let n_of = |reason: &str| survey.dropped.get(reason).map_or(0, |rows| rows.n);
    assert_eq!((survey.n_rows, survey.n_kept), (50, 25));
    assert_eq!(survey.known.n_decisions, 25);
    assert_eq!(survey.n_duplicates, 20);
    assert_eq!((n_of("not UTF-8"), n_of("not JSON"), n_of("it has no id")), (1, 1, 1));
    let example = &survey.dropped["a row of another format"].examples[0];
    assert!(
        example.ends_with("row 24: `traceId`, `startTime`, `type` are of Langfuse"),
        "{example}"
    );
    assert_eq!(n_of("longer than the limit of a row"), 1);
    assert!(0 < survey.n_backwards, "the clock went backwards");
    let example = &survey.dropped["not JSON"].examples[0];
    assert!(example.contains("log.ndjson, row 22: "), "{example}");
}

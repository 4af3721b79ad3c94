//! What the command line says of itself: completions, manual pages, settings, version.

use crate::workbench::{Workbench, command};
use serde_json::Value;

#[test]
fn every_shell_gets_its_completions() {
    let bench = Workbench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bench.done(&format!("completions {shell}"));
        for word in ["train", "catalog", "admin-listen"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(bench.run("completions tcsh").code, Some(2));
}

#[test]
fn every_command_gets_a_manual_page() {
    let bench = Workbench::new();
    bench.done("man --out pages");
    let pages = std::fs::read_dir(bench.path("pages")).unwrap();
    let mut names: Vec<String> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in [
        "pointsman.1",
        "pointsman-train.1",
        "pointsman-serve.1",
        "pointsman-catalog.1",
        "pointsman-catalog-import.1",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} in {names:?}");
    }
    let text = bench.text("pages/pointsman-train.1");
    assert!(text.contains(".TH") && text.contains("catalog"), "{text}");
}

#[test]
fn settings_come_from_flags_before_the_file_before_defaults() {
    let toml = b"listen = \"127.0.0.1:1\"\n[journal]\nprompts = \"redact\"\nfolder = \"a\"\n";
    let bench = Workbench::with(&[("pointsman.toml", toml)]);
    bench.done("config --config pointsman.toml --journal b --json settings.json");
    let settings = bench.json("settings.json");
    let of = |name: &str| {
        let all = settings["settings"].as_array().unwrap();
        let found = all.iter().find(|one| one["setting"] == name).unwrap();
        (found["value"].clone(), found["from"].as_str().unwrap().to_owned())
    };
    for (name, value, from) in [
        ("listen", Value::from("127.0.0.1:1"), "file"),
        ("journal.prompts", Value::from("redact"), "file"),
        ("journal.folder", Value::from("b"), "flag"),
        ("explore.how", Value::from("greedy"), "default"),
        ("objective", Value::Null, "default"),
    ] {
        assert_eq!(of(name), (value, from.to_owned()), "{name}");
    }
}

#[test]
fn settings_that_cannot_be_are_shown_and_refused() {
    let bench = Workbench::with(&[("pointsman.toml", b"[explore]\nhow = \"igw:100\"\n")]);
    let finished = bench.run("config --config pointsman.toml");
    assert_eq!(finished.code, Some(2));
    assert!(finished.stdout.contains("igw:100"), "{}", finished.stdout);
    assert!(finished.stderr.contains("explores, but nothing is logged"), "{}", finished.stderr);
}

#[test]
fn the_version_names_the_release() {
    let said = Workbench::new().done("--version");
    let version = said.trim().strip_prefix("pointsman ").unwrap();
    let number = version.split(' ').next().unwrap();
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    let Some(commit) = version.strip_prefix(number).map(str::trim).filter(|text| !text.is_empty())
    else {
        return;
    };
    let commit = commit.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap();
    assert!(commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{said}");
}

#[test]
fn tables_fit_the_columns_that_are_asked_for() {
    let config = |columns: &str| {
        let output = command(["config"]).env("COLUMNS", columns).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    let wide = config("400");
    assert!(config("30") <= 30 && 30 < wide, "{wide}");
    assert_eq!(config("none"), wide, "what is no number asks for nothing");
}

#[test]
fn no_colour_goes_into_files() {
    for arguments in [&["--help"][..], &["config"], &["train", "--nothing"]] {
        let output = command(arguments).env_remove("NO_COLOR").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty() && !said.contains(&0x1b), "{arguments:?}");
    }
}

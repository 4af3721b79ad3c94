//! What documents tell people to type works: the blocks of each page are run in their order, in a
//! folder of the page's own that has the project's `datasets` in it and nothing else.
//!
//! A fence of `sh` is run as it stands. Of a `console`, lines after `$ ` are run, and the others
//! have to be in what is printed, in their order. A block that cannot be run says why, as in
//! `sh no-run: needs logs of your own`. The words of a `text shown` have to be among those that the
//! block above it prints, in their order, so that a page may shorten and wrap.

use crate::workbench::{Workbench, binary, root};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Folders that hold no page of the project.
const PASSED_OVER: [&str; 5] = ["target", "reports", "node_modules", ".git", ".venv"];

/// Pages that a newcomer follows: something on them has to be run.
const FOLLOWED: [&str; 3] = ["README.md", "docs/getting-started.md", "docs/operations.md"];

/// Something to run.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    /// Where its fence opens, from 1.
    line: usize,
    script: String,
    /// What has to be printed, in this order.
    shown: Vec<String>,
    /// Words that have to be printed, in this order.
    words: Vec<String>,
}

#[test]
fn what_the_documents_say_works() {
    let tools = Workbench::new();
    symlink(fs::canonicalize(binary()).unwrap(), tools.path("pointsman")).unwrap();
    write_cargo(&tools.path("cargo"));
    let mut problems = Vec::new();
    for page in pages(root()) {
        let name = page.strip_prefix(root()).unwrap().display().to_string();
        let text = fs::read_to_string(&page).unwrap();
        match blocks(&text) {
            Err(problem) => problems.push(format!("{name}: {problem}")),
            Ok(blocks) => {
                let is_followed = FOLLOWED.contains(&name.as_str());
                assert!(!blocks.is_empty() || !is_followed, "nothing of {name} is run");
                problems.extend(run(&name, &blocks, &tools.path("")));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// A `cargo` whose `run -- ARGUMENTS` is the binary that was built already.
fn write_cargo(path: &Path) {
    fs::write(path, "#!/bin/sh\nshift 2\nexec pointsman \"$@\"\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a page; what went wrong first, if anything did.
fn run(name: &str, blocks: &[Block], tools: &Path) -> Option<String> {
    if blocks.is_empty() {
        return None;
    }
    let bench = Workbench::new();
    symlink(root().join("datasets"), bench.path("datasets")).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    for Block { line, script, shown, words } in blocks {
        let output = Command::new("sh")
            .args(["-euc", script])
            .current_dir(bench.path(""))
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("HOME", bench.path(""))
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Some(format!("{name}:{line}: {}\n{complained}", output.status));
        }
        if let Some(missing) = first_missing(shown, &format!("{printed}{complained}")) {
            return Some(format!("{name}:{line}: does not print `{missing}`, but\n{printed}"));
        }
        if let Some(missing) = first_missing_word(words, &printed) {
            return Some(format!(
                "{name}:{line}: does not print the word `{missing}`, but\n{printed}"
            ));
        }
    }
    None
}

/// The first of some lines that does not follow the ones before it in what was printed.
fn first_missing<'a>(shown: &'a [String], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines().map(str::trim_end);
    shown.iter().map(String::as_str).find(|&line| !printed.any(|found| found == line))
}

/// The first of some words that does not follow the ones before it in what was printed.
fn first_missing_word<'a>(words: &'a [String], printed: &str) -> Option<&'a str> {
    let mut printed = printed.split_whitespace();
    words.iter().map(String::as_str).find(|&word| !printed.any(|found| found == word))
}

/// What is to be run of a page.
fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((index, opening)) = lines.next() {
        let Some(info) = opening.trim_start().strip_prefix("```") else { continue };
        let line = index + 1;
        let mut inside = Vec::new();
        loop {
            let Some((_, text)) = lines.next() else {
                return Err(format!("line {line} opens a block that nothing closes"));
            };
            if text.trim() == "```" {
                break;
            }
            inside.push(text);
        }
        let (language, mark) = info.split_once(' ').unwrap_or((info, ""));
        match language {
            "sh" | "console" => {}
            "text" if mark.trim() == "shown" => {
                let Some(Block { words, .. }) = found.last_mut() else {
                    return Err(format!("line {line}: nothing is run above that could print it"));
                };
                let all = inside.iter().flat_map(|text| text.split_whitespace());
                words.extend(all.map(str::to_owned));
                continue;
            }
            "bash" | "shell" | "zsh" => return Err(format!("line {line}: write `sh`")),
            _ => continue,
        }
        match mark.trim().strip_prefix("no-run") {
            Some(reason) if reason.strip_prefix(": ").is_some_and(|why| !why.is_empty()) => {}
            None if mark.is_empty() => found.push(block(line, language, &inside)),
            Some(_) | None => {
                return Err(format!("line {line}: `{mark}`; write `no-run: ` and the reason"));
            }
        }
    }
    Ok(found)
}

fn block(line: usize, language: &str, inside: &[&str]) -> Block {
    if language == "sh" {
        return Block { line, script: inside.join("\n"), shown: Vec::new(), words: Vec::new() };
    }
    let commands: Vec<&str> = inside.iter().filter_map(|text| text.strip_prefix("$ ")).collect();
    let shown = inside.iter().filter(|text| !text.starts_with("$ ") && !text.is_empty());
    Block {
        line,
        script: commands.join("\n"),
        shown: shown.map(|text| text.trim_end().to_owned()).collect(),
        words: Vec::new(),
    }
}

/// Every page below a folder, in the order of their names.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || PASSED_OVER.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn blocks_are_found_with_their_marks() {
    let block = |line, script: &str, shown: &[&str]| Block {
        line,
        script: script.to_owned(),
        shown: shown.iter().map(|&text| text.to_owned()).collect(),
        words: Vec::new(),
    };
    let saying = |block: Block, words: &[&str]| Block {
        words: words.iter().map(|&word| word.to_owned()).collect(),
        ..block
    };
    for (page, expected) in [
        ("text", Ok(vec![])),
        ("a\n```sh\nx\ny\n```\n", Ok(vec![block(2, "x\ny", &[])])),
        ("```console\n$ x\nprinted\n\n$ y\n```", Ok(vec![block(1, "x\ny", &["printed"])])),
        ("```sh no-run: a synopsis\nx\n```\n```text\n```sh\n```", Ok(vec![])),
        (
            "```sh\nx\n```\n```text shown\na b\nc\n```",
            Ok(vec![saying(block(1, "x", &[]), &["a", "b", "c"])]),
        ),
        ("```text shown\na\n```", Err("line 1: nothing is run above that could print it")),
        ("```sh no-run\nx\n```", Err("line 1: `no-run`; write `no-run: ` and the reason")),
        ("```sh norun\nx\n```", Err("line 1: `norun`; write `no-run: ` and the reason")),
        ("```bash\nx\n```", Err("line 1: write `sh`")),
        ("```sh\nx\n", Err("line 1 opens a block that nothing closes")),
    ] {
        assert_eq!(blocks(page), expected.map_err(str::to_owned), "{page}");
    }
}

#[test]
fn what_is_shown_has_to_be_printed_in_order() {
    let shown = ["a", "b"].map(str::to_owned);
    for (printed, expected) in
        [("a\nb", None), ("x\na  \ny\nb\n", None), ("b\na", Some("b")), ("a b", Some("a"))]
    {
        assert_eq!(first_missing(&shown, printed), expected, "{printed}");
    }
    for (printed, expected) in [("x a y\nb", None), ("b a", Some("b")), ("ab", Some("a"))] {
        assert_eq!(first_missing_word(&shown, printed), expected, "{printed}");
    }
}

#[test]
fn a_block_that_fails_is_reported() {
    let tools = Workbench::new();
    let page = blocks("```sh\ntrue\n```\n\n```sh\nfalse\ntrue\n```\n").unwrap();
    let problem = run("page.md", &page, &tools.path("")).unwrap();
    assert!(problem.starts_with("page.md:5: exit status: 1"), "{problem}");
}

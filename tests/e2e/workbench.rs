//! A folder to work in, and the binary under test.
//!
//! The binary is built by the cargo and the profile that built this test, so that it is never an
//! old one; where nothing has changed that takes half a second. `POINTSMAN_UNDER_TEST` names
//! another one, such as a release. Its weakness: a build inside of a test waits for whoever else
//! builds in the same target folder.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
};
use tempfile::TempDir;

static BINARY: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::var_os("POINTSMAN_UNDER_TEST").map_or_else(build, PathBuf::from));

/// A folder of its own for one test; commands run inside of it, so that paths in their output are
/// short and the same everywhere.
pub(crate) struct Workbench {
    folder: TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Workbench {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A folder with these files.
    pub(crate) fn with(files: &[(&str, &[u8])]) -> Self {
        let bench = Self::new();
        for (name, bytes) in files {
            bench.write(name, bytes);
        }
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The names of all files and their bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(name, if path.is_dir() { Vec::new() } else { fs::read(&path).unwrap() });
        }
        files
    }

    /// Runs `pointsman` with arguments that are separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Finished {
        self.run_with(arguments, b"")
    }

    /// As [`Self::run`], with something on standard input.
    pub(crate) fn run_with(&self, arguments: &str, stdin: &[u8]) -> Finished {
        let mut child = command(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // A command that fails early closes its end; that is not this thread's business.
        let writer = std::thread::spawn(move || drop(input.write_all(&stdin)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Finished {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that has to succeed, and returns its standard output.
    #[track_caller]
    pub(crate) fn done(&self, arguments: &str) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "pointsman {arguments}\n{}", finished.stderr);
        finished.stdout
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    BINARY.as_path()
}

/// The binary with some arguments, both outputs piped, and nothing of the terminal's size.
pub(crate) fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(&*BINARY);
    command.args(arguments).env_remove("COLUMNS").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What cargo tells a test about its package. Build scripts (of ring, for one) ask cargo to run them
/// again where one of these changes, and half of the tree would be compiled again for it.
const ABOUT_THIS_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"];

/// Runs cargo in the workspace, as a person would, and returns its standard output.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ABOUT_THIS_PACKAGE.iter().any(|beginning| name.starts_with(beginning)) {
            cargo.env_remove(&*name);
        }
    }
    let output = cargo.args(arguments).current_dir(root()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn build() -> PathBuf {
    // …/target/<profile>/deps/e2e-<hash>
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.ancestors().nth(2).unwrap();
    let target_folder = profile_folder.parent().unwrap().to_str().unwrap();
    let profile = match profile_folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let messages = cargo(&[
        "build",
        "--locked",
        "--package=pointsman-cli",
        "--bin=pointsman",
        "--message-format=json",
        &format!("--profile={profile}"),
        &format!("--target-dir={target_folder}"),
    ]);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back();
    executable.expect("cargo names the binary that it built")
}

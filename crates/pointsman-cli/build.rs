//! Tells a release which commit it was built from: that of `POINTSMAN_COMMIT`, of the repository
//! around it, or of the package that it came in. Where there is none, the version stands alone; and
//! so it does in other builds, which would be made anew with every commit.

use std::{
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How much of a commit's name is shown.
const SHOWN: usize = 12;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "cargo::rerun-if-env-changed=POINTSMAN_COMMIT")?;
    writeln!(out, "cargo::rerun-if-changed=build.rs")?;
    let of_release = || {
        let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
        is_release.then(|| of_repository(&mut out).or_else(of_package)).flatten()
    };
    let commit = env::var("POINTSMAN_COMMIT").ok().or_else(of_release);
    let commit = commit.filter(|commit| {
        SHOWN <= commit.len() && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = commit
        .map_or_else(|| version.clone(), |commit| format!("{version} ({})", &commit[..SHOWN]));
    writeln!(out, "cargo::rustc-env=POINTSMAN_VERSION={version}")
}

fn manifest_dir() -> Option<PathBuf> {
    env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)
}

/// The commit that is checked out, where this is a checkout.
fn of_repository(out: &mut impl Write) -> Option<String> {
    let mut watch = |path: &Path| {
        // A script whose output nobody reads says nothing.
        drop(writeln!(out, "cargo::rerun-if-changed={}", path.display()));
    };
    let root = manifest_dir()?.ancestors().nth(2)?.to_owned();
    let dot_git = root.join(".git");
    let git = match fs::read_to_string(&dot_git) {
        // A worktree's is a file that names the folder.
        Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot_git,
    };
    let head = git.join("HEAD");
    let text = fs::read_to_string(&head).ok()?;
    watch(&head);
    let Some(name) = text.strip_prefix("ref:") else { return Some(text.trim().to_owned()) };
    let name = name.trim();
    let common = fs::read_to_string(git.join("commondir"))
        .map_or_else(|_| git.clone(), |common| git.join(common.trim()));
    let loose = common.join(name);
    if let Ok(commit) = fs::read_to_string(&loose) {
        watch(&loose);
        return Some(commit.trim().to_owned());
    }
    let packed = common.join("packed-refs");
    watch(&packed);
    let packed = fs::read_to_string(&packed).ok()?;
    let line = packed.lines().find(|line| line.ends_with(&format!(" {name}")))?;
    line.split(' ').next().map(str::to_owned)
}

/// The commit that a package was made from, as cargo writes it down.
fn of_package() -> Option<String> {
    let text = fs::read_to_string(manifest_dir()?.join(".cargo_vcs_info.json")).ok()?;
    let after = text.split("\"sha1\"").nth(1)?;
    after.split('"').nth(1).map(str::to_owned)
}

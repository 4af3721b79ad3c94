//! Runs every comparison with other programs and puts them on one page, `index.html` and
//! `compare.md`.
//!
//! Each is a script beside this crate that installs what it needs into an environment of its own.
//! One that fails is on the page with what it said last, and the others go on.

use pointsman_benches::compare::{Comparison, Measured, Section, last_line, to_html, to_markdown};
use std::{
    env,
    error::Error,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

/// A script, what it compares, and its arguments but for the number of runs.
struct Script {
    name: &'static str,
    title: &'static str,
    arguments: &'static [&'static str],
    /// The flag that says how many turns there are; nothing for what is measured once.
    turns: &'static [&'static str],
}

const SCRIPTS: [Script; 5] = [
    Script { name: "vw_compare", title: "Vowpal Wabbit", arguments: &[BINARY], turns: &["--runs"] },
    Script {
        name: "sklearn_compare",
        title: "scikit-learn",
        arguments: &[BINARY],
        turns: &["--runs"],
    },
    Script {
        name: "ope_compare",
        title: "Open Bandit Pipeline",
        arguments: &[],
        turns: &["--runs"],
    },
    Script {
        name: "router_compare",
        title: "LiteLLM's router and RouteLLM",
        arguments: &[],
        turns: &["--runs"],
    },
    Script {
        name: "reference_compare",
        title: "Reference routers",
        arguments: &[BINARY],
        turns: &[],
    },
];

/// Stands for the flag that names our binary.
const BINARY: &str = "--pointsman";

const USAGE: &str = "usage: compare [--runs N] [--out FOLDER] [--only SCRIPT]...";

struct Options {
    runs: u32,
    out: PathBuf,
    only: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(env::args().skip(1))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    say("building pointsman")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package=pointsman-cli", "--bin=pointsman"])
        .current_dir(&root)
        .status()?;
    if !built.success() {
        return Err("pointsman cannot be built".into());
    }
    let machine = machine();
    let mut sections = Vec::new();
    for script in &SCRIPTS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == script.name) {
            continue;
        }
        say(&format!("{}: {}", script.name, script.title))?;
        sections.push(section(script, &options, (&root, &target))?);
    }
    let comparison = Comparison { machine, sections };
    let out = root.join(&options.out);
    fs::create_dir_all(&out)?;
    fs::write(out.join("compare.md"), to_markdown(&comparison))?;
    fs::write(out.join("index.html"), to_html(&comparison))?;
    say(&format!("the page is {}", out.join("index.html").display()))
}

fn say(text: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut arguments = arguments.skip_while(|word| word == "compare");
    let mut options = Options { runs: 5, out: PathBuf::from("reports/compare"), only: Vec::new() };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--runs" => options.runs = value.parse().map_err(|_| USAGE)?,
            "--out" => options.out = PathBuf::from(value),
            "--only" if SCRIPTS.iter().any(|script| script.name == value) => {
                options.only.push(value);
            }
            _ => return Err(format!("{flag} {value}: {USAGE}").into()),
        }
    }
    Ok(options)
}

/// Runs one script and reads what it measured.
fn section(
    script: &Script,
    options: &Options,
    (root, target): (&Path, &Path),
) -> Result<Section, Box<dyn Error>> {
    let Script { name, title, arguments, turns } = script;
    let results = target.join("compare").join(format!("{name}.json"));
    if results.exists() {
        fs::remove_file(&results)?;
    }
    let mut command = Command::new("python3");
    command.arg(root.join("benches").join(format!("{name}.py"))).arg("--json").arg(&results);
    for argument in *arguments {
        command.arg(argument);
        if *argument == BINARY {
            command.arg(target.join("release").join("pointsman"));
        }
    }
    for flag in *turns {
        command.arg(flag).arg(options.runs.to_string());
    }
    let failed = |why: String| Section::Failed { title: (*title).to_owned(), why };
    let run = command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::inherit()).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => return Ok(failed(format!("python3: {error}"))),
    };
    if !output.status.success() {
        return Ok(failed(last_line(&String::from_utf8_lossy(&output.stderr))));
    }
    let text = fs::read_to_string(&results)?;
    Ok(Section::Measured(serde_json::from_str::<Measured>(&text)?))
}

/// What Linux says of the machine; what it does not say is not shown.
fn machine() -> Vec<(String, String)> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let of = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processors = thread::available_parallelism().map(|n| n.to_string()).ok();
    let load = read("/proc/loadavg");
    let release = read("/proc/sys/kernel/osrelease");
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    [
        ("processor", of(&read("/proc/cpuinfo"), "model name")),
        ("processors", processors),
        ("memory", of(&read("/proc/meminfo"), "MemTotal")),
        ("kernel", some(release.trim())),
        ("load before", some(load.trim())),
        ("pointsman", Some(format!("{}, release profile", env!("CARGO_PKG_VERSION")))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

//! Runs every comparison with other programs and puts them on one page, `index.html` and
//! `compare.md`.
//!
//! Each is a script beside this crate that installs what it needs into an environment of its own.
//! One that fails, or takes too long, is on the page with what it said last, and the others go on.
//! Our side is built once, as a release, unless `--built` says where it is.

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

/// A script, and what it compares.
struct Script {
    name: &'static str,
    title: &'static str,
    ours: Ours,
    /// The flag that says how many turns there are; nothing for what is measured once.
    turns: &'static [&'static str],
}

/// How a script is told of our side.
#[derive(Clone, Copy)]
enum Ours {
    /// It asks for the binary.
    Binary,
    /// It asks for the folder of all our programs.
    Folder,
}

const SCRIPTS: [Script; 5] = [
    Script {
        name: "router_compare",
        title: "LiteLLM's router and RouteLLM",
        ours: Ours::Folder,
        turns: &["--runs"],
    },
    Script { name: "vw_compare", title: "Vowpal Wabbit", ours: Ours::Binary, turns: &["--runs"] },
    Script {
        name: "sklearn_compare",
        title: "scikit-learn",
        ours: Ours::Binary,
        turns: &["--runs"],
    },
    Script {
        name: "ope_compare",
        title: "Open Bandit Pipeline",
        ours: Ours::Folder,
        turns: &["--runs"],
    },
    Script {
        name: "reference_compare",
        title: "Reference routers",
        ours: Ours::Binary,
        turns: &[],
    },
];

/// Our programs that the scripts run.
const PROGRAMS: [&str; 3] = ["pointsman", "ope-speed", "decide-budget"];

const USAGE: &str = "usage: compare [--runs N] [--out FOLDER] [--built FOLDER] [--only SCRIPT]...";

struct Options {
    runs: u32,
    out: PathBuf,
    built: Option<PathBuf>,
    only: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(env::args().skip(1))?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = root.join(target);
    let built = match &options.built {
        Some(folder) => root.join(folder),
        None => build(&root, &target)?,
    };
    if let Some(missing) = PROGRAMS.iter().find(|name| !built.join(name).is_file()) {
        return Err(format!("{} has no {missing}; leave --built out", built.display()).into());
    }
    let machine = machine(&built.join("pointsman"));
    let mut sections = Vec::new();
    for script in &SCRIPTS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == script.name) {
            continue;
        }
        say(&format!("{}: {}", script.name, script.title))?;
        sections.push(section(script, options.runs, (&root, &target, &built))?);
    }
    let comparison = Comparison { command: command(&options), machine, sections };
    let out = root.join(&options.out);
    fs::create_dir_all(&out)?;
    fs::write(out.join("compare.md"), to_markdown(&comparison))?;
    fs::write(out.join("index.html"), to_html(&comparison))?;
    say(&format!("the page is {}", out.join("index.html").display()))
}

/// Builds our side; the folder that it is in.
fn build(root: &Path, target: &Path) -> Result<PathBuf, Box<dyn Error>> {
    say("building our side")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked"]);
    command.args(["--package=pointsman-cli", "--package=pointsman-benches"]);
    for name in PROGRAMS {
        command.args(["--bin", name]);
    }
    if !command.current_dir(root).status()?.success() {
        return Err("our side cannot be built".into());
    }
    Ok(target.join("release"))
}

fn say(text: &str) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut arguments = arguments.skip_while(|word| word == "compare");
    let out = PathBuf::from("reports/compare");
    let mut options = Options { runs: 5, out, built: None, only: Vec::new() };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--runs" => options.runs = value.parse().map_err(|_| USAGE)?,
            "--out" => options.out = PathBuf::from(value),
            "--built" => options.built = Some(PathBuf::from(value)),
            "--only" if SCRIPTS.iter().any(|script| script.name == value) => {
                options.only.push(value);
            }
            _ => return Err(format!("{flag} {value}: {USAGE}").into()),
        }
    }
    Ok(options)
}

/// What makes the page again; where files lie here is nobody else's concern.
fn command(options: &Options) -> String {
    let Options { runs, only, out: _, built: _ } = options;
    let mut command = format!("cargo run -p pointsman-benches -- compare --runs {runs}");
    for name in only {
        command += &format!(" --only {name}");
    }
    command
}

/// Runs one script and reads what it measured.
fn section(
    script: &Script,
    runs: u32,
    (root, target, built): (&Path, &Path, &Path),
) -> Result<Section, Box<dyn Error>> {
    let Script { name, title, ours, turns } = script;
    let results = target.join("compare").join(format!("{name}.json"));
    if results.exists() {
        fs::remove_file(&results)?;
    }
    let mut command = Command::new("python3");
    command.arg(root.join("benches").join(format!("{name}.py"))).arg("--json").arg(&results);
    match ours {
        Ours::Binary => command.arg("--pointsman").arg(built.join("pointsman")),
        Ours::Folder => command.arg("--built").arg(built),
    };
    for flag in *turns {
        command.arg(flag).arg(runs.to_string());
    }
    let failed = |why: String| Ok(Section::Failed { title: (*title).to_owned(), why });
    command.env("CARGO_TARGET_DIR", target).current_dir(root);
    let run = command.stdin(Stdio::null()).stdout(Stdio::inherit()).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => return failed(format!("python3: {error}")),
    };
    if !output.status.success() {
        return failed(last_line(&String::from_utf8_lossy(&output.stderr)));
    }
    let text = match fs::read_to_string(&results) {
        Ok(text) => text,
        Err(error) => return failed(format!("{}: {error}", results.display())),
    };
    match serde_json::from_str::<Measured>(&text) {
        Ok(measured) => Ok(Section::Measured(measured)),
        Err(error) => failed(format!("{} is not as it should be: {error}", results.display())),
    }
}

/// The first line that a program prints, if it runs and prints one.
fn said_by(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// What Linux says of the machine, and what was built of itself; what is not said is not shown.
fn machine(pointsman: &Path) -> Vec<(String, String)> {
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
        ("day", said_by(Path::new("date"), &["-u", "+%Y-%m-%d"])),
        ("ours", said_by(pointsman, &["--version"])),
        ("compiler", said_by(Path::new("rustc"), &["--version"])),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

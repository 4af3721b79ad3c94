"""What the comparisons with other programs share: an environment with their packages, processor time of
a command, and results that `cargo run -p pointsman-benches -- compare` puts on one page."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}

# Of one script, its installation included. What takes longer is on the page as such, and the next one begins.
MINUTES = 60


def workplace(name):
    """The folder of a comparison, below the target folder."""
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def enter_venv(work, packages, then=None, key=""):
    """Starts the running script again inside a virtual environment of `work`; see `make_venv`."""
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"took more than {MINUTES} minutes"))
    if Path(sys.prefix).resolve() == (work / "venv").resolve():
        return
    signal.alarm(60 * MINUTES)  # survives the new start
    python = make_venv(work / "venv", packages, then, key)
    os.execv(python, [python, *sys.argv])


def make_venv(venv, packages, then=None, key=""):
    """The Python of a virtual environment that has the packages; ends the script where one cannot be had.

    `then(pip, site_packages)` does what else is needed once; `key` says what that is.
    """
    python, done = venv / "bin" / "python", venv / "packages"
    wanted = " ".join([*packages, key]).strip()
    if done.exists() and done.read_text() == wanted:
        return python
    made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True)
    if made.returncode != 0:
        sys.exit(f"python3 cannot make a virtual environment: {last_line(made.stdout + made.stderr)}")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install(pip, packages)
    if then is not None:
        then(pip, next((venv / "lib").glob("python*")) / "site-packages")
    done.write_text(wanted)
    return python


def install(pip, packages):
    """Installs packages, or ends the script with what pip said last."""
    done = subprocess.run([*pip, *packages], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(packages)} cannot be installed: {last_line(done.stderr)}")


def last_line(said):
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def newest_binary():
    """The newest `pointsman` that can learn; one of the service alone is passed over."""
    found = [path for path in TARGET.glob("*/pointsman") if path.is_file() and can_learn(path)]
    if not found:
        sys.exit(f"no */pointsman in {TARGET} that has `train`; build it: cargo build -p pointsman-cli")
    return max(found, key=lambda path: path.stat().st_mtime)


def can_learn(binary):
    return subprocess.run([binary, "train", "--help"], capture_output=True).returncode == 0


def with_built(parser):
    """Adds the flag that says where our programs are; without it they are built."""
    parser.add_argument("--built", type=Path, metavar="FOLDER", help="where our programs are; built as a release otherwise")
    return parser


def program(name, package, built):
    """The path of one of our programs: in the folder `built`, or a release that is built now."""
    if built is None:
        build = ["cargo", "build", "--quiet", "--release", "--locked", "--package", package, "--bin", name]
        subprocess.run(build, cwd=ROOT, check=True)
        return TARGET / "release" / name
    path = built / name
    if not path.is_file():
        sys.exit(f"{path} is not there; build it: cargo build --release --package {package} --bin {name}")
    return path


def cpu_seconds(command, one_thread=False):
    """User and system time of a command, in seconds, and what it printed."""
    environment = {**os.environ, **(ONE_THREAD if one_thread else {})}
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as errors:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        try:
            out = running.stdout.read().decode()
            _, status, usage = os.wait4(running.pid, 0)
        except BaseException:
            running.kill()
            raise
        running.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = " ".join(errors.read().decode(errors="replace").split())
    if running.returncode != 0:
        sys.exit(f"{command[0]} ended with {running.returncode}: {said}")
    return usage.ru_utime + usage.ru_stime, out


def with_json(parser):
    """Adds the flag by which the page gets its results."""
    parser.add_argument("--json", type=Path, help="also write the runs to this file")
    return parser


def pair(what, unit, theirs, ours):
    """Runs of both sides, made in turns, as (name, list of numbers); less is better."""
    sides = [{"name": name, "runs": [float(run) for run in runs]} for name, runs in (theirs, ours)]
    return {"what": what, "unit": unit, "theirs": sides[0], "ours": sides[1]}


def write(path, title, packages, pairs, notes=(), skipped=(), tables=(), behind=(), versions=None):
    """Writes the results of a comparison, where they are asked for; see `pair`.

    `tables` are (header, rows) of text, `behind` says in sentences where ours is worse beyond the pairs, and
    `versions` are of packages in other environments.
    """
    if path is None:
        return
    versions = dict(versions or {})
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    versions["python"] = sys.version.split()[0]
    arguments = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--json", "--built", "--pointsman"):  # where files lie here is nobody else's concern
            next(words, None)
        else:
            arguments.append(word)
    command = shlex.join(["python3", f"benches/{Path(sys.argv[0]).name}", *arguments])
    result = {
        "title": title, "command": command, "versions": versions,
        "pairs": list(pairs), "notes": list(notes), "skipped": list(skipped),
        "tables": [{"header": list(header), "rows": [list(row) for row in rows]} for header, rows in tables],
        "behind": list(behind),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")

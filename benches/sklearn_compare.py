"""One fit of the same size in scikit-learn and in Pointsman: CPU seconds from a file to a model, and of
the fit alone.

Fair play. Both read the same Parquet table and learn every model's quality from all its prompts at one
strength of regularisation, with words and pairs of words hashed into 2^18 buckets, weighted by inverse
document frequency. Scikit-learn hashes, weights and solves as its documentation has it (HashingVectorizer,
TfidfTransformer, Ridge with a sparse solver), saves its coefficients uncompressed, and what it takes to
start Python and import is measured alone and taken off. Pointsman is the command line as it comes, and
pays for its start, its dense features, its digests and checks, and for writing the policy. One thread each.

Pointsman's fit alone is not timed inside: it is the whole run less one that reads the same file into
2^8 buckets of words, which leaves next to nothing to fit. `train` with all its selection is measured too.
CPU seconds are user and system time of a child process. Nothing is asserted: figures depend on the
machine, and a busy one takes more CPU seconds for the same work.

    python3 benches/sklearn_compare.py [--runs N] [--pointsman PATH] [TABLE...]
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
WORK = TARGET / "sklearn-compare"
VENV = WORK / "venv"
PACKAGES = ["scikit-learn==1.9.1", "pandas==3.1.1", "pyarrow", "numpy"]

TABLES = ["mmlu_pro", "ulab_llmrouter"]
STRENGTH = 10
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def main():
    options = parse_options()
    if options.child:
        return child(options.child, Path(options.tables[0]))
    if not options.inside and Path(sys.prefix).resolve() != VENV.resolve():
        enter_venv()
    WORK.mkdir(parents=True, exist_ok=True)
    binary = options.pointsman or newest_binary()
    print(f"pointsman is {binary}; least of {options.runs} runs, CPU seconds")
    for name in options.tables:
        table = DATA / f"{name}.parquet"
        if table.exists():
            measure(binary, table, options.runs)
        else:
            print(f"{name}: skipped, {table} is not there")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE", help="names, without .parquet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pointsman", type=Path, help="the binary; the newest of target/ otherwise")
    parser.add_argument("--inside", action="store_true", help="the packages are here; make no virtual environment")
    parser.add_argument("--child", choices=["idle", "fit"], help=argparse.SUPPRESS)
    return parser.parse_args()


def enter_venv():
    """Starts this script again inside a virtual environment that has the packages."""
    python = VENV / "bin" / "python"
    done = VENV / "packages"
    if not done.exists() or done.read_text() != " ".join(PACKAGES):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        done.write_text(" ".join(PACKAGES))
    os.execv(python, [python, *sys.argv])


def newest_binary():
    found = [path for path in TARGET.glob("*/pointsman") if path.is_file()]
    if not found:
        sys.exit(f"no */pointsman in {TARGET}; build it: cargo build -p pointsman-cli")
    return max(found, key=lambda path: path.stat().st_mtime)


def child(what, table):
    """What scikit-learn does; the CPU seconds of its steps as JSON."""
    import numpy as np
    import pandas as pd
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import Ridge

    if what == "idle":
        return
    clock = [time.process_time()]
    columns = ["prompt_id", "prompt", "model", "quality"]
    rows = pd.read_parquet(table, columns=columns).drop_duplicates(["prompt_id", "model"])
    quality = rows.pivot(index="prompt_id", columns="model", values="quality")
    quality = quality.loc[:, quality.notna().mean() > 0.95].dropna()
    prompts = rows.drop_duplicates("prompt_id").set_index("prompt_id")["prompt"].loc[quality.index].fillna("")
    clock.append(time.process_time())
    words = HashingVectorizer(n_features=2**18, ngram_range=(1, 2), norm=None, alternate_sign=False, binary=True)
    matrix = TfidfTransformer().fit_transform(words.transform(prompts))
    clock.append(time.process_time())
    model = Ridge(alpha=STRENGTH).fit(matrix, quality.to_numpy(float))
    clock.append(time.process_time())
    np.savez(WORK / "sklearn.npz", coefficients=model.coef_, intercepts=model.intercept_)
    clock.append(time.process_time())
    steps = [after - before for before, after in zip(clock, clock[1:])]
    print(json.dumps(dict(zip(["read", "features", "fit", "save"], steps))))


def measure(binary, table, runs):
    policy = WORK / "policy.safetensors"
    train = [binary, "train", "--table", table, "--out", policy]
    own = [sys.executable, __file__, "--inside", "--child"]
    jobs = {
        "idle": [*own, "idle", table],
        "sklearn": [*own, "fit", table],
        "ours": [*train, "--penalty", STRENGTH],
        "ours, hardly a fit": [*train, "--penalty", STRENGTH, "--words-only", "--buckets", 8],
        "ours, all selection": train,
    }
    seconds, steps = {name: [] for name in jobs}, []
    for _ in range(runs):
        for name, command in jobs.items():
            used, out = cpu_seconds(command)
            seconds[name].append(used)
            if name == "sklearn":
                steps.append(json.loads(out))
    least = {name: min(values) for name, values in seconds.items()}
    parts = {step: min(run[step] for run in steps) for step in steps[0]}
    theirs, ours = least["sklearn"] - least["idle"], least["ours"]
    fit = max(ours - least["ours, hardly a fit"], 0.01)
    print(f"\n{table.stem}")
    print(f"  file to model, scikit-learn   {theirs:8.2f}   ({', '.join(f'{step} {value:.2f}' for step, value in parts.items())}; {least['idle']:.2f} for starting taken off)")
    print(f"  file to model, pointsman      {ours:8.2f}   {theirs / ours:.1f} times fewer")
    print(f"  fit alone, scikit-learn       {parts['fit']:8.2f}")
    print(f"  fit alone, pointsman          {fit:8.2f}   {parts['fit'] / fit:.1f} times fewer")
    print(f"  train with all selection      {least['ours, all selection']:8.2f}")


def cpu_seconds(command):
    """User and system time of a command, in seconds, and what it printed."""
    environment = {**os.environ, **ONE_THREAD}
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as running:
        out = running.stdout.read().decode()
        errors = running.stderr.read().decode()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode != 0:
        sys.exit(f"{command[0]} ended with {running.returncode}:\n{errors}")
    return usage.ru_utime + usage.ru_stime, out


if __name__ == "__main__":
    main()

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

    python3 benches/sklearn_compare.py [--runs N] [--pointsman PATH] [--json FILE] [TABLE...]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import peers

DATA = peers.SHARED / "data"
WORK = peers.workplace("sklearn-compare")
PACKAGES = ["scikit-learn==1.9.1", "pandas==3.1.1", "pyarrow", "numpy"]

TABLES = ["mmlu_pro", "ulab_llmrouter"]
STRENGTH = 10


def main():
    options = parse_options()
    if options.child:
        return child(options.child, Path(options.tables[0]))
    if not options.inside:
        peers.enter_venv(WORK, PACKAGES)
    binary = options.pointsman or peers.newest_binary()
    pairs, skipped = [], []
    print(f"pointsman is {binary}; least of {options.runs} runs, CPU seconds")
    for name in options.tables:
        table = DATA / f"{name}.parquet"
        if table.exists():
            pairs.extend(measure(binary, table, options.runs))
        else:
            skipped.append(f"{name}: {table} is not there")
            print(f"{name}: skipped, {table} is not there")
    notes = [
        "2^18 buckets of words and pairs on both sides, one strength, one thread; starting Python is taken off theirs",
        "our fit alone is the whole run less one that has hardly anything to fit",
    ]
    peers.write(options.json, "Learning from a table, against scikit-learn", ["scikit-learn", "pandas", "numpy"], pairs, notes, skipped)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE", help="names, without .parquet")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pointsman", type=Path, help="the binary; the newest of target/ otherwise")
    parser.add_argument("--inside", action="store_true", help="the packages are here; make no virtual environment")
    parser.add_argument("--child", choices=["idle", "fit"], help=argparse.SUPPRESS)
    return peers.with_json(parser).parse_args()


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
            used, out = peers.cpu_seconds(command, one_thread=True)
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
    theirs_runs = [run - least["idle"] for run in seconds["sklearn"]]
    hardly = least["ours, hardly a fit"]
    return [
        peers.pair(f"{table.stem}, file to model", "CPU s", ("scikit-learn", theirs_runs), ("pointsman", seconds["ours"])),
        peers.pair(
            f"{table.stem}, fit alone", "CPU s",
            ("scikit-learn", [run["fit"] for run in steps]), ("pointsman", [max(run - hardly, 0.01) for run in seconds["ours"]]),
        ),
        peers.pair(f"{table.stem}, with all selection of ours", "CPU s", ("scikit-learn", theirs_runs), ("pointsman", seconds["ours, all selection"])),
    ]


if __name__ == "__main__":
    main()

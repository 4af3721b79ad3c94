"""Trains on one log of 100,000 decisions with Vowpal Wabbit and with Pointsman, and prints rows per
CPU second of each. Both read the log from a file and parse it; both learn from words alone.

CPU seconds are user and system time of a child process. Vowpal Wabbit runs inside Python, because
that is how its package comes; what importing it takes is measured alone and taken off its time.
Nothing is asserted: figures depend on the machine.

    python3 benches/vw_compare.py [--rows N] [--runs N] [--pointsman PATH] [--json FILE]
"""

import argparse
import random
import statistics
import sys
from pathlib import Path

import peers

WORK = peers.workplace("vw-compare")
PACKAGES = ["vowpalwabbit==9.11.9", "pyarrow", "numpy"]

N_MODELS = 5
N_WORDS = 20_000
MEAN_WORDS_PER_ROW = 50
VW_ARGUMENTS = f"--cb {N_MODELS} --cb_type ips -b 20 --quiet --no_stdin"
IMPORT_ONLY = "from vowpalwabbit import Workspace"


def pointsman_command(binary, log, policy, selection):
    """The one place that knows the command line of `pointsman train`."""
    command = [binary, "train", "--log", log, "--words-only", "--out", policy]
    return command if selection else [*command, "--penalty", "10"]


def main():
    options = parse_options()
    peers.enter_venv(WORK, PACKAGES)
    binary = options.pointsman or peers.newest_binary()
    vw_file, parquet_file = write_logs(options.rows)
    print(f"{options.rows} rows, about {MEAN_WORDS_PER_ROW} words each, {N_MODELS} models")
    print(f"pointsman is {binary}")

    train_vw = [sys.executable, "-c", f"{IMPORT_ONLY}\nWorkspace({f'{VW_ARGUMENTS} -d {vw_file}'!r}).finish()"]
    idle_vw = [sys.executable, "-c", f"{IMPORT_ONLY}\nWorkspace({VW_ARGUMENTS!r}).finish()"]
    policy = WORK / "policy.safetensors"
    ours = pointsman_command(binary, parquet_file, policy, selection=False)
    ours_selecting = pointsman_command(binary, parquet_file, policy, selection=True)
    jobs = {"vw idle": idle_vw, "vw": train_vw, "ours": ours, "ours, all selection": ours_selecting}
    seconds = {name: [] for name in jobs}
    for _ in range(options.runs):
        for name, command in jobs.items():
            seconds[name].append(peers.cpu_seconds(command)[0])
    report(options.rows, seconds)
    theirs = ("vw --cb, ips", seconds["vw"])
    pairs = [
        peers.pair("one fixed strength", "CPU s", theirs, ("pointsman", seconds["ours"])),
        peers.pair("with all selection of ours", "CPU s", theirs, ("pointsman", seconds["ours, all selection"])),
    ]
    notes = [
        f"{options.rows} rows of about {MEAN_WORDS_PER_ROW} words, {N_MODELS} models, file to model file",
        "starting Python and importing is measured alone, and its least time taken off vw's",
        "vw makes one pass over its text format; pointsman reads Parquet without compression, solves until the residual is 0.002 of the right-hand side, checks, and writes digests",
    ]
    peers.write(options.json, "Learning from a log, against Vowpal Wabbit", ["vowpalwabbit"], pairs, notes)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--pointsman", type=Path, help="the binary; the newest of target/ otherwise")
    return peers.with_json(parser).parse_args()


def write_logs(n_rows):
    """Writes the same log twice; returns the text for `vw` and the Parquet file for us."""
    vw_file, parquet_file = WORK / f"log-{n_rows}.vw", WORK / f"log-{n_rows}.parquet"
    if vw_file.exists() and parquet_file.exists():
        return vw_file, parquet_file
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(7)
    words = np.array(vocabulary())
    popularity = 1.0 / (np.arange(N_WORDS) + 2.7)
    popularity /= popularity.sum()
    # Some words favour some models.
    effects = rng.normal(0.0, 0.06, (N_WORDS, N_MODELS)) * (rng.random((N_WORDS, 1)) < 0.2)
    lengths = rng.poisson(MEAN_WORDS_PER_ROW - 5, n_rows) + 5
    probabilities = rng.dirichlet(np.full(N_MODELS, 4.0), n_rows) * 0.9 + 0.1 / N_MODELS
    columns = {name: [] for name in ("decision_id", "prompt", "drawn", "propensity", "quality")}
    with vw_file.open("w") as out:
        for row in range(n_rows):
            drawn_words = rng.choice(N_WORDS, lengths[row], p=popularity)
            text = " ".join(words[drawn_words])
            model = int(rng.choice(N_MODELS, p=probabilities[row]))
            mean = 0.5 + 0.04 * model + effects[drawn_words, model].sum()
            quality = float(rng.random() < mean)
            propensity = float(probabilities[row, model])
            out.write(f"{model + 1}:{-quality}:{propensity:.6f} | {text}\n")
            values = (f"d{row}", text, f"model-{model}", propensity, quality)
            for column, value in zip(columns.values(), values):
                column.append(value)
    columns["candidate_models"] = [[f"model-{model}" for model in range(N_MODELS)]] * n_rows
    columns["candidate_probabilities"] = probabilities.tolist()
    pq.write_table(pa.table(columns), parquet_file, compression="none")  # as is the text that vw reads
    return vw_file, parquet_file


def vocabulary():
    """Different words of letters alone, so that both programs see the same ones."""
    generator, words = random.Random(7), {}
    while len(words) < N_WORDS:
        n_syllables = generator.randint(1, 2 + len(words) // 4000)
        syllable = lambda: generator.choice("bcdfghlmnprstv") + generator.choice("aeiou") + generator.choice(["", "n", "r", "s"])
        words["".join(syllable() for _ in range(n_syllables))] = None
    return list(words)


def report(n_rows, seconds):
    idle = min(seconds.pop("vw idle"))
    seconds["vw"] = [value - idle for value in seconds["vw"]]
    print(f"taken off vw for starting Python: {idle:.2f} s")
    print(f"{'':<22}{'least s':>9}{'median s':>10}{'rows/s (least)':>16}{'rows/s (median)':>17}")
    for name, values in seconds.items():
        least, median = min(values), statistics.median(values)
        print(f"{name:<22}{least:>9.2f}{median:>10.2f}{n_rows / least:>16,.0f}{n_rows / median:>17,.0f}")
    for summary, of in (("least", min), ("median", statistics.median)):
        ratio, selecting = (of(seconds["vw"]) / of(seconds[name]) for name in ("ours", "ours, all selection"))
        print(f"ours over vw, by {summary} time: {ratio:.2f}; with all selection {selecting:.2f}")


if __name__ == "__main__":
    main()

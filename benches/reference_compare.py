"""Runs the reference routers of ../shared/baselines beside ours, on the same rows with the same figures,
and prints one table: how much of the way from the best single model to the oracle each router goes.

The reference code is imported from where it stands and runs as it is; only its function `figures` is
listened to, so that every router's predictions are known row by row. Our predictions come from
`pointsman benchmark --predictions` and go through that same function.

The gap share of a router is (figure - best_single) / (oracle - best_single), where the figure is
`frontier_area`, or `quality` where the table has no costs. The rival is the one reference method, at
one setting, whose share is the best on average over all tables. The difference to it has a paired
bootstrap over test prompts; the weights of the sweep stay those of all rows. Nothing is asserted.

    python3 benches/reference_compare.py [--cached] [--keep FOLDER] [--pointsman PATH] [--json FILE]
                                        [TABLE...]

`--keep` remembers the references' predictions, which take most of the time; `--cached` takes the
references' figures from results.json and runs only ours, without differences row by row.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import peers

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

SHARED = peers.SHARED
WORK = peers.workplace("reference-compare")
PACKAGES = ["scikit-learn==1.9.1", "pandas==3.1.1", "pyarrow", "numpy"]

TABLES = ["ulab_llmrouter", "mmlu_pro", "routerbench_train", "routellm_mmlu", "routellm_gsm8k", "routerdc7", "alpaca_eval2"]
LEARNER = "pointsman"
N_RESAMPLES = 1000
SEED = 0


def main():
    options = parse_options()
    if not (SHARED / "baselines" / "baselines.py").exists():
        sys.exit(f"nothing to compare with: {SHARED / 'baselines'} is not there")
    if not options.inside:
        peers.enter_venv(WORK, PACKAGES)
    global np, pd
    import numpy as np
    import pandas as pd

    baselines = load_baselines()
    wanted = [SHARED / "data" / f"{name}.parquet" for name in options.tables]
    tables = [table for table in wanted if table.exists()]
    skipped = [f"{table.stem}: {table} is not there" for table in wanted if not table.exists()]
    if not tables:
        sys.exit(f"nothing to compare on: {SHARED / 'data'} has none of {', '.join(options.tables)}")
    references = cached_references(tables) if options.cached else run_references(baselines, tables, options.keep)
    if options.references_only:
        return
    ours = run_ours(options.pointsman or peers.newest_binary(), tables)
    found, behind, notes = report([compare(baselines, table, references[table.stem], ours[table.stem]) for table in tables])
    title = "Quality of routers, against references of scikit-learn"
    peers.write(options.json, title, ["scikit-learn", "pandas", "numpy"], [], notes, skipped, [found], behind)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE", help="names, without .parquet; all seven otherwise")
    parser.add_argument("--cached", action="store_true", help="the references' figures from results.json")
    parser.add_argument("--keep", type=Path, help="a folder for the references' predictions")
    parser.add_argument("--references-only", action="store_true", help="fill --keep and stop")
    parser.add_argument("--pointsman", type=Path, help="the binary; the newest of target/ otherwise")
    parser.add_argument("--inside", action="store_true", help="the packages are here; make no virtual environment")
    return peers.with_json(parser).parse_args()


def load_baselines():
    spec = importlib.util.spec_from_file_location("baselines", SHARED / "baselines" / "baselines.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cached_references(tables):
    """The figures alone, by table and method."""
    results = json.loads((SHARED / "baselines" / "results.json").read_text())
    return {table.stem: {"figures": results[table.stem]["routers"], "predicted": {}} for table in tables}


def run_references(baselines, tables, keep):
    """Figures and predictions by table and method; predictions are (quality, cost) by test row."""
    return {table.stem: references_of(baselines, table, keep) for table in tables}


def references_of(baselines, table, keep):
    kept = keep and keep / f"{table.stem}.npz"
    if kept and kept.exists():
        arrays = np.load(kept)
        figures = json.loads(str(arrays["figures"]))
        methods = [name for name in figures if f"{name}/quality" in arrays]
        return {"figures": figures, "predicted": {name: (arrays[f"{name}/quality"], arrays[f"{name}/cost"]) for name in methods}}
    heard, measure = [], baselines.figures

    def listening(predicted, predicted_cost, *rest):
        heard.append((predicted, predicted_cost))
        return measure(predicted, predicted_cost, *rest)

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        arguments, sys.argv = sys.argv, ["baselines.py", str(table), "--out", str(out)]
        baselines.figures = listening
        try:
            with contextlib.redirect_stdout(sys.stderr):
                baselines.main()
        finally:
            sys.argv, baselines.figures = arguments, measure
        figures = json.loads(out.read_text())[table.stem]["routers"]
    if len(heard) != len(figures):
        sys.exit(f"{table.stem}: {len(heard)} routers were measured and {len(figures)} reported; has baselines.py changed?")
    predicted = dict(zip(figures, heard))
    if kept:
        keep.mkdir(parents=True, exist_ok=True)
        arrays = {f"{name}/{what}": array for name, pair in predicted.items() for what, array in zip(("quality", "cost"), pair)}
        np.savez_compressed(kept, figures=json.dumps(figures), **arrays)
    return {"figures": figures, "predicted": predicted}


def run_ours(binary, tables):
    """Our predictions and the binary's own figures, by table."""
    predictions, figures = WORK / "predictions.parquet", WORK / "figures.json"
    command = [binary, "benchmark", *tables, "--learner", LEARNER, "--predictions", predictions, "--json", figures]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    rows = pd.read_parquet(predictions)
    rows = rows[rows["router"] == LEARNER]
    report = json.loads(figures.read_text())["tables"]
    return {name: (part, report[name]["routers"][LEARNER]) for name, part in rows.groupby("table", observed=True)}


def compare(baselines, table, reference, ours):
    """Everything that is known of one table: figures by router, and ours against each reference."""
    quality, cost, meta, has_cost = baselines.outcome_matrix(table)
    test = np.concatenate([part for _, part in baselines.folds(meta)])
    rows, own_figures = ours
    predicted = pivot(rows, "quality", quality, test)
    predicted_cost = pivot(rows, "cost_usd", quality, test) if has_cost else predicted * 0.0
    actual, actual_cost = quality.to_numpy(float)[test], cost.to_numpy(float)[test]
    figure = "frontier_area" if has_cost else "quality"
    figures = {name: values[figure] for name, values in reference["figures"].items()}
    figures[LEARNER] = baselines.figures(predicted, predicted_cost, actual, actual_cost, has_cost)[figure]
    if abs(figures[LEARNER] - own_figures[figure]) > 1e-6:
        print(f"{table.stem}: our {figure} is {figures[LEARNER]:.6f} by the reference code and {own_figures[figure]:.6f} by our own")
    resampled = Resampled(baselines, actual, actual_cost, has_cost)
    mine = resampled.figures(predicted, predicted_cost)
    differences = {}
    for name, (their_quality, their_cost) in reference["predicted"].items():
        if name != "oracle":
            differences[name] = mine - resampled.figures(their_quality, their_cost)
    return {"table": table.stem, "n_test": len(test), "figure": figure, "figures": figures, "differences": differences}


def pivot(rows, column, like, test):
    """Our long rows as a matrix of the test rows, in the order of the reference's."""
    wide = rows.pivot(index="prompt_id", columns="model", values=column).reindex(index=like.index[test], columns=like.columns)
    if wide.isna().any().any():
        sys.exit(f"our predictions of {column} do not cover the reference's rows; is it the same table?")
    return wide.to_numpy(float)


class Resampled:
    """Bootstrap over test prompts: the same resamples for every router."""

    def __init__(self, baselines, quality, cost, has_cost):
        self.baselines, self.quality, self.cost, self.has_cost = baselines, quality, cost, has_cost
        n = len(quality)
        generator = np.random.default_rng(SEED)
        self.counts = generator.multinomial(n, np.full(n, 1.0 / n), size=N_RESAMPLES).astype(float) / n
        self.singles = self.counts @ quality, self.counts @ cost

    def figures(self, predicted, predicted_cost):
        """The router's figure on every resample."""
        rows = np.arange(len(self.quality))
        weights = self.baselines.LAMBDAS / self.cost.mean(0).max() if self.has_cost else [0.0]
        picks = [(predicted - weight * predicted_cost).argmax(1) for weight in weights]
        quality = self.counts @ np.stack([self.quality[rows, pick] for pick in picks], axis=1)
        if not self.has_cost:
            return quality[:, 0]
        cost = self.counts @ np.stack([self.cost[rows, pick] for pick in picks], axis=1)
        return np.array([self.area(*resample) for resample in zip(cost, quality, self.singles[1], self.singles[0])])

    def area(self, cost, quality, single_cost, single_quality):
        points = list(zip(cost, quality)) + list(zip(single_cost, single_quality))
        upper = self.baselines.hull(points)
        grid = np.linspace(single_cost.min(), single_cost.max(), 1001)
        return float(np.interp(grid, [c for c, _ in upper], [q for _, q in upper]).mean())


def report(tables):
    methods = [name for name in tables[0]["figures"] if all(name in table["figures"] for table in tables)]
    shares = {name: [share(table, name) for table in tables] for name in methods}
    average = {name: sum(values) / len(values) for name, values in shares.items()}
    others = [name for name in methods if name not in ("best_single", "oracle", LEARNER)]
    rival = max(others, key=average.get)
    order = ["best_single", *sorted(others, key=average.get), LEARNER, "oracle"]
    print("\nfigure (frontier_area, or quality where the table has no costs)")
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in order))
    for table in tables:
        print(f"{table['table']:<20}" + "".join(f"{table['figures'][name]:>18.4f}" for name in order))
    print("\nshare of the gap from the best single model to the oracle")
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in order))
    for index, table in enumerate(tables):
        print(f"{table['table']:<20}" + "".join(f"{shares[name][index]:>18.4f}" for name in order))
    print(f"{'average':<20}" + "".join(f"{average[name]:>18.4f}" for name in order))
    print(f"\n{LEARNER} over {rival}, the best single reference method: {average[LEARNER] / average[rival]:.3f} times its share")
    notes = [
        f"{LEARNER} reaches {average[LEARNER]:.4f} of the way from the best single model to the oracle on average, {rival} {average[rival]:.4f}",
        f"{rival} is the best of {len(others)} reference methods on average over these tables, chosen by these figures; the best reference is chosen on each table by its own",
        f"intervals: 95 %, paired bootstrap over test prompts, {N_RESAMPLES} resamples; nothing is corrected for the number of tables",
    ]
    behind, rows, n_even = [], [], 0
    for table in tables:
        best = max((name for name in table["figures"] if name in others), key=table["figures"].get)
        ends = table["figures"]["best_single"], table["figures"]["oracle"]
        mine, theirs = table["figures"][LEARNER], table["figures"][best]
        n_even += bool(table["differences"]) and ends_of(table, best)[0] <= 0.0
        # References from results.json have no predictions by row.
        less = [difference(table, name) if table["differences"] else "not measured" for name in (best, rival)]
        rows.append([
            table["table"], table["figure"], str(table["n_test"]), f"{ends[0]:.4f}", f"{best} {theirs:.4f}", f"{mine:.4f}", f"{ends[1]:.4f}", *less,
        ])
        if mine < theirs:
            behind.append(f"{table['table']}: {best} reaches a {table['figure']} of {theirs:.4f}, ours {mine:.4f}; ours less theirs {less[0]}")
    if n_even:
        behind.append(f"on {n_even} of {len(tables)} tables ours is not shown to be better than that table's best reference: the interval of the difference reaches zero or below")
    header = ["table", "figure", "test rows", "best single", "best reference", LEARNER, "oracle", "ours less best reference", f"ours less {rival}"]
    if not any(table["differences"] for table in tables):
        return (header, rows), behind, notes
    print(f"\n{LEARNER} less {rival}, and less best_single: figure, standard error, 95 % (paired bootstrap over prompts, {N_RESAMPLES} resamples)")
    for table in tables:
        print(f"{table['table']:<20}{difference(table, rival):>44}{difference(table, 'best_single'):>46}")
    return (header, rows), behind, notes


def difference(table, name):
    found = table["differences"][name]
    low, high = ends_of(table, name)
    value = table["figures"][LEARNER] - table["figures"][name]
    return f"{value:+.4f} se {found.std(ddof=1):.4f} [{low:+.4f}, {high:+.4f}]"


def ends_of(table, name):
    return np.quantile(table["differences"][name], [0.025, 0.975])


def share(table, name):
    low, high = table["figures"]["best_single"], table["figures"]["oracle"]
    return (table["figures"][name] - low) / (high - low)


if __name__ == "__main__":
    main()

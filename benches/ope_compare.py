"""Nine point estimates and a bootstrap of DR of one log with Open Bandit Pipeline and with Pointsman:
CPU seconds of each, reading excluded on both sides, the largest difference between their values, both
bootstrap intervals, and the peak memory of `pointsman ope` on the same rows as Parquet.

Open Bandit Pipeline comes into a virtual environment of its own. Its package asks for an older
Python than it needs and for torch, which these estimators never use; a stub stands in for it.
Pointsman's side is `ope-speed`, a release build, which takes the same columns on standard input; memory
is that of the command itself, as the operating system counts it when the process ends.
Nothing is asserted: figures depend on the machine.

    python3 benches/ope_compare.py [--rows N] [--actions K] [--runs N] [--resamples 1000]
                                  [--parts estimates,bootstrap,memory] [--intervals normal,default,all]
                                  [--built FOLDER] [--json FILE]

With another number of resamples, the time of Open Bandit Pipeline is scaled to 1,000 of them and said to be.
`--parts` leaves out the rest: `memory` alone needs no Open Bandit Pipeline. Memory is measured for each of
`--intervals`, of a release build or of what `--built` holds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import peers

WORK = peers.workplace("ope-compare")
PACKAGES = ["numpy<2", "pyarrow<20", "scipy", "scikit-learn", "pandas", "matplotlib", "seaborn", "pyyaml", "tqdm"]
MEMORY_PACKAGES = ["numpy<2", "pyarrow<20"]
OBP = "obp==0.5.7"
RESAMPLES = 1000
PARTS = ["estimates", "bootstrap", "memory"]
INTERVALS = ["normal", "default", "all"]

# A run is the least of so many, as it is in `ope-speed`.
N_REPEATS = 5

# Attributes that obp names while it is imported.
TORCH_STUB = """
class _Anything:
    def __getattr__(self, name): return _Anything()
    def __call__(self, *arguments, **named): return _Anything()
    def __mro_entries__(self, bases): return (object,)
import sys, types
class _Module(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"): raise AttributeError(name)
        return _Anything()
for name in ("nn", "nn.functional", "optim", "utils", "utils.data"):
    sys.modules["torch." + name] = _Module("torch." + name)
sys.modules["torch"].__class__ = _Module
"""


# Runs a command and prints its peak memory and seconds. A process of its own, since the system counts for
# a child what its parent held when it was started.
MEASURE = """
import json, os, subprocess, sys, time
before = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
if child.returncode:
    raise SystemExit(f"{sys.argv[1]} ended with {child.returncode}")
print(json.dumps([usage.ru_maxrss / 1024.0, time.monotonic() - before]))
"""


def main():
    options = parse_options()
    if options.parts == ["memory"]:
        peers.enter_venv(peers.workplace("ope-memory"), MEMORY_PACKAGES)
    else:
        peers.enter_venv(WORK, PACKAGES, add_obp, OBP)
    columns = simulate(options.rows, options.actions)
    pairs, notes = [], []
    if options.parts != ["memory"]:
        compare(options, columns, pairs, notes)
    if "memory" in options.parts:
        binary = peers.program("pointsman", "pointsman-cli", options.built)
        rounds = write_rounds(columns)
        del columns
        for which in options.intervals:
            mebibytes, seconds = peak_memory(binary, rounds, which)
            notes.append(f"peak memory of pointsman ope --intervals {which}: {mebibytes:.0f} MiB")
            print(f"{notes[-1]}, {seconds:.1f} s")
    skipped = [f"{part} (--parts)" for part in PARTS if part not in options.parts]
    title = "Off-policy estimates, against Open Bandit Pipeline"
    peers.write(options.json, title, ["obp", "numpy"], pairs, notes, skipped)


def compare(options, columns, pairs, notes):
    """Adds what both sides take, and prints it."""
    speed = peers.program("ope-speed", "pointsman-benches", options.built)
    job = prepare(columns)
    theirs_runs, ours_runs, our_bootstraps = [], [], []
    ours, our_interval, theirs = {}, [], {}
    for _ in range(options.runs):
        if "estimates" in options.parts:
            seconds, theirs = with_obp(columns)
            theirs_runs.append(seconds)
        seconds, ours, (bootstrap, *our_interval) = with_pointsman(speed, job)
        ours_runs.append(seconds)
        our_bootstraps.append(bootstrap)
    notes.append(f"{options.rows} rounds in memory on both sides; every check included on ours, a release build")
    if "estimates" in options.parts:
        theirs_seconds, ours_seconds = min(theirs_runs), min(ours_runs)
        difference = max(abs(ours[name] / theirs[name] - 1.0) for name in ours)
        print(f"{options.rows} rounds, {options.actions} actions, nine point estimates, CPU seconds")
        print(f"  obp        {theirs_seconds:.3f}")
        print(f"  pointsman  {ours_seconds:.3f}")
        print(f"  ratio      {theirs_seconds / ours_seconds:.1f}")
        print(f"  largest relative difference of a value {difference:.1e}")
        what = f"nine estimates, {options.actions} actions"
        pairs.append(peers.pair(what, "CPU s", ("obp", theirs_runs), ("pointsman", ours_runs)))
        notes.append(f"values differ by at most {difference:.1e}, relative to obp's")
        notes.append("each run of the estimates is the least of five in one process, on both sides")
    if "bootstrap" in options.parts:
        our_bootstrap = statistics.median(our_bootstraps)
        their_bootstrap, their_interval = obp_bootstrap(columns, options.resamples)
        scaled = "" if options.resamples == RESAMPLES else f", scaled from {options.resamples}"
        print(f"bootstrap of dr, {RESAMPLES} resamples, CPU seconds")
        print(f"  obp        {their_bootstrap:.3f}  {interval(their_interval)}{scaled}")
        print(f"  pointsman  {our_bootstrap:.3f}  {interval(our_interval)}")
        print(f"  ratio      {their_bootstrap / our_bootstrap:.1f}")
        what = f"bootstrap of dr, {RESAMPLES} resamples"
        sides = (f"obp{scaled}", [their_bootstrap]), ("pointsman", [our_bootstrap])
        pairs.append(peers.pair(what, "CPU s", *sides))
        notes.append("the bootstrap of obp runs once, and stands beside the median of our runs")


def interval(ends):
    return "[{:.4f}, {:.4f}]".format(*ends)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--actions", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--parts", type=among(PARTS), default=PARTS, help="what to measure, of " + ",".join(PARTS))
    parser.add_argument("--intervals", type=among(INTERVALS), default=INTERVALS, help="of which to measure memory")
    return peers.with_json(peers.with_built(parser)).parse_args()


def among(known):
    """A list of some of these, separated by commas."""

    def parse(text):
        found = text.split(",")
        unknown = [name for name in found if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return [name for name in known if name in found]

    return parse


def simulate(n_rows, n_actions):
    import numpy as np

    rng = np.random.default_rng(7)

    def distributions(spread):
        scores = np.exp(rng.normal(0.0, spread, (n_rows, n_actions)))
        return scores / scores.sum(1, keepdims=True)

    logger, policy = distributions(0.7), distributions(1.0)
    draws = rng.random((n_rows, 1))
    action = np.minimum((draws > logger.cumsum(1)).sum(1), n_actions - 1)
    predictions = rng.random((n_rows, n_actions))
    rows = np.arange(n_rows)
    reward = (rng.random(n_rows) < 0.2 + 0.5 * predictions[rows, action]).astype(float)
    return action, logger[rows, action], reward, policy, predictions


def add_obp(pip, packages):
    peers.install([*pip, "--no-deps", "--ignore-requires-python"], [OBP])
    (packages / "torch").mkdir(exist_ok=True)
    (packages / "torch" / "__init__.py").write_text(TORCH_STUB)


def with_obp(columns):
    from obp import ope

    action, propensity, reward, policy, predictions = columns
    estimators = {
        "ipw": ope.InverseProbabilityWeighting(),
        "snipw": ope.SelfNormalizedInverseProbabilityWeighting(),
        "dm": ope.DirectMethod(),
        "dr": ope.DoublyRobust(),
        "sndr": ope.SelfNormalizedDoublyRobust(),
        "switch-dr": ope.SwitchDoublyRobust(lambda_=10.0),
        "dr-os": ope.DoublyRobustWithShrinkage(lambda_=100.0),
        "sg-ipw": ope.SubGaussianInverseProbabilityWeighting(lambda_=0.1),
        "sg-dr": ope.SubGaussianDoublyRobust(lambda_=0.1),
    }
    arguments = {
        "reward": reward,
        "action": action,
        "pscore": propensity,
        "action_dist": policy[:, :, None],
        "estimated_rewards_by_reg_model": predictions[:, :, None],
    }
    least, values = float("inf"), {}
    for _ in range(N_REPEATS):
        before = time.process_time()
        values = {name: one.estimate_policy_value(**arguments) for name, one in estimators.items()}
        least = min(least, time.process_time() - before)
    return least, values


def obp_bootstrap(columns, n_resamples):
    """CPU seconds of as many resamples as Pointsman draws, and the interval."""
    from obp import ope

    action, propensity, reward, policy, predictions = columns
    before = time.process_time()
    found = ope.DoublyRobust().estimate_interval(
        reward=reward,
        action=action,
        pscore=propensity,
        action_dist=policy[:, :, None],
        estimated_rewards_by_reg_model=predictions[:, :, None],
        n_bootstrap_samples=n_resamples,
        random_state=7,
    )
    seconds = (time.process_time() - before) * RESAMPLES / n_resamples
    return seconds, [end for name, end in found.items() if "CI" in name]


def write_rounds(columns):
    """The columns as Parquet: plain pages, since numbers drawn at random do not compress."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    action, propensity, reward, policy, predictions = columns
    n_actions = policy.shape[1]

    def lists(matrix):
        return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), n_actions)

    table = {"action": action, "pscore": propensity, "reward": reward}
    table |= {"pi_e": lists(policy), "q_hat": lists(predictions)}
    path = peers.workplace("ope-compare") / "rounds.parquet"
    pq.write_table(pa.table(table), path, row_group_size=20_000, compression="none", use_dictionary=False, write_statistics=False)
    return path


def peak_memory(binary, rounds, intervals):
    """Mebibytes that `pointsman ope` takes at most, with everything that the columns allow, and its seconds."""
    command = [binary, "ope", "--quiet", "--rounds", rounds, "--policy", "pi_e"]
    command += ["--qhat", "q_hat", "--intervals", intervals]
    if intervals != "normal":
        command += ["--reward-range", "0..1"]
    measure = [sys.executable, "-c", MEASURE, *map(str, command)]
    done = subprocess.run(measure, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit("the memory of pointsman ope is not known")
    return json.loads(done.stdout)


def prepare(columns):
    """The columns as our side takes them."""
    import numpy as np

    n_rows, n_actions = columns[3].shape
    log = np.array([n_rows, n_actions], dtype="<u8").tobytes()
    log += b"".join(np.ascontiguousarray(column, dtype="<f8").tobytes() for column in columns)
    return log


def with_pointsman(speed, log):
    done = subprocess.run([speed], input=log, capture_output=True, check=True)
    seconds, bootstrap, *values = (line.split() for line in done.stdout.decode().splitlines())
    values = {name: float(value) for name, value in values}
    return float(seconds[1]), values, [float(cell) for cell in bootstrap[1:]]


if __name__ == "__main__":
    main()

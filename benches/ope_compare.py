"""Nine point estimates of one log with Open Bandit Pipeline and with Pointsman: CPU seconds of each,
reading excluded on both sides, and the largest difference between their values.

Open Bandit Pipeline comes into a virtual environment of its own. Its package asks for an older
Python than it needs and for torch, which these estimators never use; a stub stands in for it.
Pointsman's side is `ope-speed`, a release build, which takes the same columns on standard input.
Nothing is asserted: figures depend on the machine.

    python3 benches/ope_compare.py [--rows N] [--actions K] [--runs N] [--json FILE]
"""

import argparse
import subprocess
import time

import peers

WORK = peers.workplace("ope-compare")
PACKAGES = ["numpy<2", "scipy", "scikit-learn", "pandas", "matplotlib", "seaborn", "pyyaml", "tqdm"]
OBP = "obp==0.5.7"

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


def main():
    options = parse_options()
    peers.enter_venv(WORK, PACKAGES, add_obp, OBP)
    columns = simulate(options.rows, options.actions)
    job = prepare(columns)
    theirs_runs, ours_runs = [], []
    for _ in range(options.runs):
        seconds, theirs = with_obp(columns)
        theirs_runs.append(seconds)
        seconds, ours = with_pointsman(job)
        ours_runs.append(seconds)
    theirs_seconds, ours_seconds = min(theirs_runs), min(ours_runs)
    difference = max(abs(ours[name] / theirs[name] - 1.0) for name in ours)
    print(f"{options.rows} rounds, {options.actions} actions, nine point estimates, CPU seconds")
    print(f"  obp        {theirs_seconds:.3f}")
    print(f"  pointsman  {ours_seconds:.3f}")
    print(f"  ratio      {theirs_seconds / ours_seconds:.1f}")
    print(f"  largest relative difference of a value {difference:.1e}")
    pairs = [peers.pair(f"nine estimates, {options.actions} actions", "CPU s", ("obp", theirs_runs), ("pointsman", ours_runs))]
    notes = [
        f"{options.rows} rounds in memory on both sides; every check included on ours",
        f"values differ by at most {difference:.1e}, relative to obp's",
        "each run is the least of five in one process, on both sides; ours is a release build",
    ]
    peers.write(options.json, "Off-policy estimates, against Open Bandit Pipeline", ["obp", "numpy"], pairs, notes)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--actions", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    return peers.with_json(parser).parse_args()


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
    subprocess.run([*pip, "--no-deps", "--ignore-requires-python", OBP], check=True)
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


def prepare(columns):
    """Builds our side, and puts the columns as it takes them."""
    import numpy as np

    build = ["cargo", "build", "--quiet", "--release", "-p", "pointsman-benches", "--bin", "ope-speed"]
    subprocess.run(build, cwd=peers.ROOT, check=True)
    n_rows, n_actions = columns[3].shape
    log = np.array([n_rows, n_actions], dtype="<u8").tobytes()
    log += b"".join(np.ascontiguousarray(column, dtype="<f8").tobytes() for column in columns)
    return log


def with_pointsman(log):
    done = subprocess.run([peers.TARGET / "release" / "ope-speed"], input=log, capture_output=True, check=True)
    seconds, *values = (line.split() for line in done.stdout.decode().splitlines())
    return float(seconds[1]), {name: float(value) for name, value in values}


if __name__ == "__main__":
    main()

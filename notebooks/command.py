"""Runs `pointsman` and reads what it writes; for the notebooks, which define no figure themselves."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "datasets" / "sample"
WORK = ROOT / "reports" / "notebooks"
WORK.mkdir(parents=True, exist_ok=True)


def pointsman(*arguments, allowed=(0,), stdin=""):
    """What the command prints. `POINTSMAN` names the binary, where it is not on the path."""
    command = [os.environ.get("POINTSMAN", "pointsman"), "--quiet", *map(str, arguments)]
    done = subprocess.run(command, cwd=WORK, input=stdin, capture_output=True, text=True)
    if done.returncode not in allowed:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def as_json(*arguments, **options):
    """What the command writes with `--json`."""
    return json.loads(pointsman(*arguments, "--json", "-", **options))

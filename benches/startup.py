"""How large binaries of `pointsman` are, and how long each takes to start: until `--version` is printed, and
until `serve` answers `/readyz`, with the policy and the catalog that are given and no journal.

Size is that of the file as it is built; `strip` makes it smaller and changes nothing else. Seconds are of the
clock, median of some starts and in brackets the least and the most; memory is what a service holds once it is
ready. Nothing is asserted: figures depend on the machine.

    python3 benches/startup.py --policy FILE --catalog FILE [--starts 20] BINARY...
"""

import argparse
import json
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", nargs="+", type=Path, metavar="BINARY")
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=20)
    options = parser.parse_args()
    print(f"policy of {options.policy.stat().st_size / 1e6:.2f} MB; milliseconds, median of {options.starts} starts")
    for binary in options.binaries:
        versions = [version_ms(binary) for _ in range(options.starts)]
        served = [ready_ms(binary, options) for _ in range(options.starts)]
        print(f"{binary}: {binary.stat().st_size / 1e6:.1f} MB")
        print(f"  --version      {spread(versions)}")
        print(f"  serve, ready   {spread([took for took, _ in served])}")
        print(f"  memory         {statistics.median(held for _, held in served):.1f} MiB")


def spread(runs):
    return f"{statistics.median(runs):.1f} [{min(runs):.1f}, {max(runs):.1f}]"


def version_ms(binary):
    before = time.monotonic()
    subprocess.run([binary, "--version"], check=True, stdout=subprocess.DEVNULL)
    return 1e3 * (time.monotonic() - before)


def ready_ms(binary, options):
    """Milliseconds until the service is ready, and the mebibytes that it holds then."""
    anywhere = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    command = [binary, "serve", "--policy", options.policy, "--catalog", options.catalog, *anywhere]
    before = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            said = ""
            for line in running.stderr:
                said = line
                if '"listening"' in line:
                    break
            else:
                raise SystemExit(f"{binary} does not serve: {said.strip()}")
            wait_for(f"http://{json.loads(said)['callers']}/readyz")
            return 1e3 * (time.monotonic() - before), resident_mib(running.pid)
        finally:
            running.terminate()


def wait_for(url):
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.0005)


def resident_mib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc does not say what the service holds")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What overload does to the service: goodput, memory, health and recovery at five times its capacity.

Capacity is what `wrk` gets from it with CONNECTIONS (16) connections. Overload is five such tools at once, each
with five times the connections, for SECONDS_OVER (60) seconds. Prints one line a goal and ends with 1 where one
is missed. Needs wrk. APART=1 gives the service a processor of its own, in both measurements. Weakness: wrk waits for each answer, so that a slow service is asked less; and the tools
take the processor time that the service would have had, so that on few cores goodput falls by their share.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
SECONDS = int(os.environ.get("SECONDS_OVER", "60"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "16"))
MOST_HEALTH_MS = 50
MOST_GROWTH_MB = 256

# Straight to this machine, whatever proxy the environment names.
STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def on(processor):
    """With APART=1 the service has the first processor to itself, and the tools share the second."""
    return ["taskset", "-c", str(processor)] if os.environ.get("APART") == "1" else []


def build():
    subprocess.run(
        ["cargo", "build", "--release", "-q", "-p", "pointsman-cli", "-p", "pointsman-benches",
         "--no-default-features", "--features", "pointsman-cli/serve",
         "--bin", "pointsman", "--bin", "serve-files"],
        cwd=ROOT, check=True)


def binary(name):
    return os.path.join(TARGET, "release", name)


def write_files(folder):
    """A policy, its catalog, a body of 2 KiB, and what wrk sends."""
    subprocess.run([binary("serve-files"), folder], check=True)
    with open(os.path.join(folder, "post.lua"), "w", encoding="utf-8") as lua:
        lua.write(f'wrk.method = "POST"\nwrk.body = io.open("{folder}/body.json"):read("*a")\n')


def start(folder, settings):
    """A service with these settings, and the addresses of callers and of operators."""
    with open(os.path.join(folder, "pointsman.toml"), "w", encoding="utf-8") as file:
        file.write(settings)
    service = subprocess.Popen(
        [*on(0), binary("pointsman"), "serve", "--policy", f"{folder}/policy.safetensors",
         "--catalog", f"{folder}/catalog.toml", "--config", f"{folder}/pointsman.toml",
         "--journal", f"{folder}/journal", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE, text=True)
    for line in service.stderr:
        event = json.loads(line)
        if event.get("event") == "listening":
            threading.Thread(target=service.stderr.read, daemon=True).start()
            return service, event["callers"], event["operators"]
    sys.exit("the service did not begin")


def wrk(address, folder, connections, seconds):
    return subprocess.Popen(
        [*on(1), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", f"{folder}/post.lua",
         f"http://{address}/route"], stdout=subprocess.PIPE, text=True)


def good(tool):
    """Answers of a finished wrk that were 2xx, a second."""
    said, _ = tool.communicate()
    n, seconds = re.search(r"(\d+) requests in ([\d.]+)(m|s)", said).group(1, 2)
    minutes = re.search(r"requests in [\d.]+m", said)
    seconds = float(seconds) * (60 if minutes else 1)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return (int(n) - (int(bad.group(1)) if bad else 0)) / seconds


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def health_ms(address):
    begun = time.monotonic()
    STRAIGHT.open(f"http://{address}/healthz", timeout=5).read()
    return 1000 * (time.monotonic() - begun)


def overloaded(service, addresses, folder):
    """Goodput, the largest memory and the slowest answer of /healthz while there is too much."""
    callers, operators = addresses
    tools = [wrk(callers, folder, 5 * CONNECTIONS, SECONDS) for _ in range(5)]
    most_mb, slowest_ms = 0.0, 0.0
    while any(tool.poll() is None for tool in tools):
        most_mb = max(most_mb, resident_mb(service.pid))
        slowest_ms = max(slowest_ms, health_ms(operators))
        time.sleep(0.2)
    return sum(good(tool) for tool in tools), most_mb, slowest_ms


def recovery_s(address, folder):
    """Seconds until a call is answered as fast as on a service at rest."""
    with open(f"{folder}/body.json", "rb") as body:
        body = body.read()
    begun = time.monotonic()
    while True:
        asked = time.monotonic()
        try:
            STRAIGHT.open(f"http://{address}/route", data=body, timeout=10).read()
        except urllib.error.HTTPError:
            # Turned away: it has not recovered yet.
            time.sleep(0.01)
            continue
        if time.monotonic() - asked < 0.05:
            return time.monotonic() - begun


def main():
    build()
    with tempfile.TemporaryDirectory() as folder:
        write_files(folder)
        settings = "[limits]\nin_flight = 64\n[journal]\nkeep_bytes = 1000000000\n"
        service, callers, operators = start(folder, settings)
        try:
            peak = good(wrk(callers, folder, CONNECTIONS, 10))
            before_mb = resident_mb(service.pid)
            goodput, most_mb, slowest_ms = overloaded(service, (callers, operators), folder)
            recovered_s = recovery_s(callers, folder)
        finally:
            service.terminate()
            service.wait()
    goals = [
        (f"goodput {goodput:.0f}/s of {peak:.0f}/s, 80 % wanted", 0.8 * peak <= goodput),
        (f"memory {most_mb:.0f} MB after {before_mb:.0f} MB, {MOST_GROWTH_MB} MB more allowed",
         most_mb - before_mb <= MOST_GROWTH_MB),
        (f"/healthz within {slowest_ms:.1f} ms, {MOST_HEALTH_MS} allowed", slowest_ms <= MOST_HEALTH_MS),
        (f"recovered after {recovered_s:.2f} s, 2 allowed", recovered_s <= 2),
    ]
    for sentence, is_met in goals:
        print("met   " if is_met else "MISSED", sentence)
    sys.exit(0 if all(is_met for _, is_met in goals) else 1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What the service does on a disk that is really full: a file system of 8 MiB, filled up under load and emptied again.

While it is full every decision has to be the best model's and say that it is not logged, outcomes that no longer fit
have to be refused, and with `when_full = "refuse"` calls have to be a 503 with `Retry-After`. Within five seconds of there
being room again decisions have to be logged, without a restart; and in the end the journal has to hold each decision
and outcome that was acknowledged, once. Prints one line a goal and ends with 1 where one is missed. Needs the right
to mount a tmpfs (root, or `unshare -rm python3 …`).

    python3 benches/full_disk.py --policy FILE --catalog FILE BINARY
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

N_CALLERS = 4
MOST_RECOVERY_S = 5

# Straight to this machine, whatever proxy the environment names.
STRAIGHT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(address, path, body):
    """The status, the headers and the object that come back."""
    data = json.dumps(body).encode()
    try:
        with STRAIGHT.open(f"http://{address}{path}", data=data, timeout=10) as reply:
            return reply.status, reply.headers, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, json.load(refused)


class Service:
    """A running service with its journal in a folder."""

    def __init__(self, options, folder, when_full):
        settings = Path(folder, "pointsman.toml")
        settings.write_text(
            '[explore]\nhow = "epsilon:0.5"\nshare = 1.0\n[journal]\nfolder = '
            f'"{folder}/journal"\nwhen_full = "{when_full}"\nsegment_bytes = 1000000\n', encoding="utf-8")
        command = [options.binary, "serve", "--policy", options.policy, "--catalog", options.catalog,
                   "--config", settings, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == "listening":
                self.callers = event["callers"]
                break
        else:
            sys.exit("the service did not begin")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def route(self):
        return post(self.callers, "/route", {"prompt": "Hello there"})

    def stop(self):
        self.process.terminate()
        self.process.wait()


def called(service, n, until=lambda reply: False):
    """Replies of several callers at once: `n` of each, or up to the first that is waited for."""
    replies, done = [], threading.Event()

    def call():
        for _ in range(n):
            reply = service.route()
            replies.append(reply)
            if until(reply) or done.is_set():
                done.set()
                return

    callers = [threading.Thread(target=call) for _ in range(N_CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return replies


def fill(folder, room):
    """Takes all of the disk but some bytes."""
    free = os.statvfs(folder)
    with open(Path(folder, "filler"), "wb") as filler:
        filler.write(b"\0" * max(0, free.f_bavail * free.f_frsize - room))


def is_logged(reply):
    return reply[0] == 200 and reply[2]["logged"]


def grade(service, decision_id):
    return post(service.callers, "/outcome", {"decision_id": decision_id, "quality": 1})[0]


def recovery_s(service):
    begun = time.monotonic()
    while time.monotonic() - begun < 2 * MOST_RECOVERY_S:
        if is_logged(service.route()):
            break
        time.sleep(0.01)
    return time.monotonic() - begun


def kept(folder):
    """The ids of decisions and of outcomes, in the order of the journal."""
    ids = {"decision": [], "outcome": []}
    for segment in sorted(Path(folder, "journal").glob("*.ndjson")):
        for line in segment.read_bytes().splitlines():
            record = json.loads(line)
            ids[record["kind"]].append(record.get("id") or record["decision_id"])
    return ids


def served_through(options, folder):
    service = Service(options, folder, "serve")
    try:
        before = called(service, 50)
        fill(folder, 100_000)
        filling = called(service, 2000, until=lambda reply: not is_logged(reply))
        full = called(service, 50)
        # The last bytes of the disk may still take some of them.
        graded = [reply[2]["decision_id"] for reply in before]
        graded = {id: grade(service, id) for id in graded}
        Path(folder, "filler").unlink()
        took_s = recovery_s(service)
        after = called(service, 50)
        graded_after = {id: grade(service, id) for id in graded}
    finally:
        service.stop()
    n_refused = sum(status == 503 for status in graded.values())
    logged = [reply[2]["decision_id"] for reply in before + filling + full + after if is_logged(reply)]
    ids = kept(folder)
    plain = all(reply[0] == 200 and not reply[2]["logged"] and not reply[2]["explored"]
                and reply[2]["propensity"] == 1 for reply in full)
    lost = len(set(logged) - set(ids["decision"]))
    twice = len(ids["decision"]) - len(set(ids["decision"]))
    return [
        ("it was full after records had been logged", any(map(is_logged, filling)) and not all(map(is_logged, filling))),
        (f"{len(full)} calls on a full disk: answered, not logged, not explored", plain),
        (f"{len(graded)} outcomes on a full disk: {n_refused} refused, the others taken", 0 < n_refused and set(
            graded.values()) <= {200, 503}),
        (f"logged again after {took_s:.2f} s, {MOST_RECOVERY_S} allowed", took_s <= MOST_RECOVERY_S),
        ("then every call is logged, and every outcome taken",
         all(map(is_logged, after)) and set(graded_after.values()) == {200}),
        (f"{len(logged)} acknowledged, {lost} lost, {twice} twice", lost == 0 and twice == 0),
        ("each outcome is there once", sorted(ids["outcome"]) == sorted(graded)),
    ]


def refused_where_wanted(options, folder):
    service = Service(options, folder, "refuse")
    try:
        before = called(service, 10)
        fill(folder, 0)
        called(service, 2000, until=lambda reply: reply[0] != 200)
        full = called(service, 20)
        Path(folder, "filler").unlink()
        took_s = recovery_s(service)
    finally:
        service.stop()
    are_refused = all(status == 503 and headers["retry-after"] for status, headers, _ in full)
    return [
        ("to refuse: calls on a full disk are a 503 with Retry-After", all(map(is_logged, before)) and are_refused),
        (f"to refuse: answered again after {took_s:.2f} s", took_s <= MOST_RECOVERY_S),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path, metavar="BINARY")
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--catalog", type=Path, required=True)
    options = parser.parse_args()
    goals = []
    for check in [served_through, refused_where_wanted]:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=True)
            try:
                goals += check(options, folder)
            finally:
                subprocess.run(["umount", folder], check=True)
    for sentence, is_met in goals:
        print("met   " if is_met else "MISSED", sentence)
    sys.exit(0 if all(is_met for _, is_met in goals) else 1)


if __name__ == "__main__":
    main()

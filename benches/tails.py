#!/usr/bin/env python3
"""What reloads, slow callers, wrong keys and long prompts take, and what loading a policy takes of memory.

Calls are sent one after the other at RATE (5000) a second, each timed from when it was due, for SECONDS (10) before
and after each disturbance, and through it: N_RELOADS (1000) reloads, PAUSE_MS (0) apart; N_SLOW (1000) connections that
never end their headers, and that are opened again when they are cut. Wrong keys that begin like the right one and wrong
keys that do not are sent in turns, N_KEYS (20000) of each. Memory is the peak of `inspect` and of a service that has
begun, above that of a run without a policy. Prints each figure beside its goal; nothing is asserted of them, since they
depend on the machine: only a quiet one tells. Weakness: the caller is one thread of Python and shares the processors with
the service; with a reload that goes on they are three, so that on two processors one of them waits for its turn. APART=1
gives the service a processor of its own, as overload.py does.
"""

import collections
import hashlib
import json
import multiprocessing
import os
import random
import resource
import selectors
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import overload

RATE = int(os.environ.get("RATE", "5000"))
SECONDS = float(os.environ.get("SECONDS", "10"))
N_RELOADS = int(os.environ.get("N_RELOADS", "1000"))
PAUSE_MS = float(os.environ.get("PAUSE_MS", "0"))
N_SLOW = int(os.environ.get("N_SLOW", "1000"))
N_KEYS = int(os.environ.get("N_KEYS", "20000"))
MOST_TIMES_P99 = 2
MOST_ROLLBACK_MS = 100
N_LONGEST_BYTES = 10_000_000
MOST_LONGEST_MS = 50
MOST_KEY_SHARE = 0.05
MOST_TIMES_FILE = 2
# The service's own limit, and what it may take to see that it is over.
HEADER_S = 10
MOST_SLOW_S = 10.5


class Caller:
    """A connection that is kept, and one call at a time on it."""

    def __init__(self, address, key=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key = key

    def request(self, line, body=b"", key=None):
        key = key or self.key
        authorization = f"authorization: Bearer {key}\r\n" if key else ""
        head = f"{line} HTTP/1.1\r\nhost: x\r\n{authorization}content-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def send(self, request):
        """The status of the reply, once all of it is here."""
        self.socket.sendall(request)
        reply = b""
        while (end := reply.find(b"\r\n\r\n")) < 0:
            reply += self.more()
        length = next(int(line.split(b":")[1]) for line in reply[:end].split(b"\r\n")
                      if line.lower().startswith(b"content-length:"))
        missing = end + 4 + length - len(reply)
        while 0 < missing:
            missing -= len(self.more())
        return int(reply.split(b" ", 2)[1])

    def more(self):
        some = self.socket.recv(1 << 16)
        if not some:
            raise ConnectionError("the service closed the connection")
        return some


def paced(caller, request, until):
    """Milliseconds of each call, one every 1/RATE seconds, until there are enough; and how many were not answered
    with 200. A call that is late because the one before it took long is timed from when it was due."""
    took, n_failed, due = [], 0, time.perf_counter()
    while not until(len(took)):
        due += 1 / RATE
        wait = due - time.perf_counter()
        begun = due
        if 0 < wait:
            time.sleep(wait)
            begun = time.perf_counter()
        n_failed += caller.send(request) != 200
        took.append(1000 * (time.perf_counter() - begun))
    return took, n_failed


def p99(took):
    return statistics.quantiles(took, n=100)[98]


def reload_often(address, told):
    caller = Caller(address)
    request = caller.request("POST /admin/reload")
    n_refused = 0
    for _ in range(N_RELOADS):
        n_refused += caller.send(request) != 200
        time.sleep(PAUSE_MS / 1000)
    told.send(n_refused)


class Slow:
    """A connection that never ends its headers."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setblocking(False)
        self.socket.send(b"POST /route HTTP/1.1\r\nhost: x\r\n")
        self.begun = time.monotonic()


def be_slow(address, told):
    """Keeps N_SLOW connections open and sends a little on each every second, one after the other, until it is told to
    end; says how many were cut, and the longest life of one."""
    open_ones, waiting = selectors.DefaultSelector(), collections.deque()
    n_cut, longest_s = 0, 0.0

    def begin():
        slow = Slow(address)
        open_ones.register(slow.socket, selectors.EVENT_READ, slow)
        waiting.append(slow)

    def end(slow):
        nonlocal n_cut, longest_s
        n_cut += 1
        longest_s = max(longest_s, time.monotonic() - slow.begun)
        open_ones.unregister(slow.socket)
        slow.socket.close()
        begin()

    due = time.monotonic()
    while not told.poll():
        if len(open_ones.get_map()) < N_SLOW:
            begin()
            if len(open_ones.get_map()) == N_SLOW:
                told.send("open")
        for ready, _ in open_ones.select(timeout=0):
            end(ready.data)
        slow = waiting.popleft()
        if slow.socket.fileno() != -1:  # it was not cut meanwhile
            waiting.append(slow)
            try:
                slow.socket.send(b"a: b\r\n")
            except OSError:
                end(slow)
        due += 1 / N_SLOW
        time.sleep(max(0, due - time.monotonic()))
    told.send((n_cut, longest_s))


def disturbed(callers, body, disturb, address):
    """Calls before, during and after what another process does; steady p99, disturbed p99, calls that failed, and
    what the other process said."""
    caller = Caller(callers)
    request = caller.request("POST /route", body)
    n_steady = int(RATE * SECONDS)
    paced(caller, request, lambda n: RATE <= n)  # to warm up
    before, _ = paced(caller, request, lambda n: n_steady <= n)
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.Process(target=disturb, args=(address, theirs))
    other.start()
    if disturb is be_slow:
        ours.recv()
        # Long enough for all to be cut and opened again.
        during, n_failed = paced(caller, request, lambda n: max(n_steady, 1.5 * HEADER_S * RATE) <= n)
        ours.send("end")
    else:
        during, n_failed = paced(caller, request, lambda n: 100 <= n and ours.poll())
    said = ours.recv()
    other.join()
    after, _ = paced(caller, request, lambda n: n_steady <= n)
    return p99(before + after), p99(during), n_failed, said


def goal_of(what, steady, through, n_failed):
    sentence = (f"{what}: p99 {through:.3f} ms, {steady:.3f} ms before and after ({through / steady:.2f} times, "
                f"{MOST_TIMES_P99} allowed), {n_failed} calls failed")
    return sentence, through <= MOST_TIMES_P99 * steady and n_failed == 0


def rollback_ms(folder, operators):
    """How long it takes to go back to the policy before the last one, which has other prices."""
    catalog = Path(folder, "catalog.toml")
    text = catalog.read_text(encoding="utf-8")
    price = "input_usd_per_million = "
    catalog.write_text(text.replace(price, price + "9", 1), encoding="utf-8")
    operator = Caller(operators)
    assert operator.send(operator.request("POST /admin/reload")) == 200
    begun = time.perf_counter()
    assert operator.send(operator.request("POST /admin/rollback")) == 200
    return 1000 * (time.perf_counter() - begun)


def longest_ms(callers):
    """The slowest of five calls with as long a prompt as may be sent."""
    body = json.dumps({"prompt": "ten bytes " * (N_LONGEST_BYTES // 10), "input_tokens": 1}).encode()
    caller, slowest = Caller(callers), 0
    request = caller.request("POST /route", body)
    for _ in range(5):
        begun = time.perf_counter()
        assert caller.send(request) == 200
        slowest = max(slowest, 1000 * (time.perf_counter() - begun))
    return slowest


def tails(folder):
    body = Path(folder, "body.json").read_bytes()
    service, callers, operators = overload.start(folder, "[journal]\nkeep_bytes = 1000000000\n")
    try:
        *reloaded, n_refused = disturbed(callers, body, reload_often, operators)
        *slowed, (n_cut, longest_s) = disturbed(callers, body, be_slow, callers)
        back_ms, long_ms = rollback_ms(folder, operators), longest_ms(callers)
    finally:
        service.terminate()
        service.wait()
    return [
        goal_of(f"{N_RELOADS} reloads, {n_refused} refused", *reloaded),
        goal_of(f"{N_SLOW} slow connections", *slowed),
        (f"a prompt of {N_LONGEST_BYTES} bytes within {long_ms:.1f} ms, {MOST_LONGEST_MS} allowed",
         long_ms <= MOST_LONGEST_MS),
        (f"rolled back in {back_ms:.1f} ms, {MOST_ROLLBACK_MS} allowed", back_ms <= MOST_ROLLBACK_MS),
        (f"{n_cut} slow connections cut, none later than after {longest_s:.1f} s, {MOST_SLOW_S} allowed",
         N_SLOW <= n_cut and longest_s <= MOST_SLOW_S),
    ]


def wrong_keys(folder):
    """Refusals of keys that begin like the right one, against those of keys that do not."""
    right = os.urandom(32).hex()
    digest = hashlib.sha256(right.encode()).hexdigest()
    settings = f'[[keys]]\nname = "app"\nsha256 = "{digest}"\n[journal]\nkeep_bytes = 1000000000\n'
    service, callers, _ = overload.start(folder, settings)
    try:
        caller = Caller(callers)
        near = right[:-1] + ("0" if right[-1] != "0" else "1")
        far = "".join("0" if digit != "0" else "1" for digit in right)
        requests = [caller.request("GET /policy", key=key) for key in [near, far]]
        assert caller.send(caller.request("GET /policy", key=right)) == 200
        took = [[], []]
        for _ in range(N_KEYS):
            # In a random order, so that neither is always the second.
            for which in random.sample([0, 1], 2):
                begun = time.perf_counter_ns()
                assert caller.send(requests[which]) == 401
                took[which].append(time.perf_counter_ns() - begun)
    finally:
        service.terminate()
        service.wait()
    near_us, far_us = (statistics.median(times) / 1000 for times in took)
    share = abs(near_us / far_us - 1)
    return [(f"wrong keys: {near_us:.2f} µs where all but the last digit is right, {far_us:.2f} µs where none is "
             f"({share:.2%} apart, {MOST_KEY_SHARE:.0%} allowed)", share <= MOST_KEY_SHARE)]


def peak_mb(command):
    """The most that a command held, once it has ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, command
    return used.ru_maxrss / 1024


def serving_peak_mb(service):
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def loading(folder):
    policy = Path(folder, "policy.safetensors")
    file_mb = policy.stat().st_size / (1 << 20)
    pointsman = overload.binary("pointsman")
    service, _, _ = overload.start(folder, "[journal]\nkeep_bytes = 1000000000\n")
    try:
        serving = serving_peak_mb(service)
    finally:
        service.terminate()
        service.wait()
    without = peak_mb([pointsman, "config", "--config", f"{folder}/pointsman.toml"])
    inspecting = peak_mb([pointsman, "inspect", policy])
    return [
        (f"{what}: {peak - without:.1f} MB above {without:.1f} MB for a policy of {file_mb:.1f} MB "
         f"({(peak - without) / file_mb:.2f} times, {MOST_TIMES_FILE} wanted)", peak - without <= MOST_TIMES_FILE * file_mb)
        for what, peak in [("inspect", inspecting), ("serve", serving)]
    ]


def main():
    overload.build()
    if overload.on(1):
        os.sched_setaffinity(0, [1])
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder:
        overload.write_files(folder)
        for part in [tails, wrong_keys, loading]:
            for sentence, is_met in part(folder):
                print("met   " if is_met else "MISSED", sentence, flush=True)


if __name__ == "__main__":
    main()

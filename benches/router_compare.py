"""How long routers of others take to choose, beside a decision of ours; and which of them can be run.

They do different work. LiteLLM's router chooses among deployments of one model and does not read the prompt;
ours reads 2 KiB of prompt and predicts quality, length and cost of 32 models. The comparison says what a choice
costs, not who chooses better. RouteLLM's learned routers ask an embedding service, or load weights from a
hub, so without those only whether it imports is found out. Microseconds of processor time for one choice;
ours from `decide-budget`, a release build, which reads the clock. Nothing is asserted.

    python3 benches/router_compare.py [--runs N] [--built FOLDER] [--json FILE]
"""

import argparse
import os
import subprocess
import sys
import time

import peers

WORK = peers.workplace("router-compare")
PACKAGES = ["litellm==1.106.2"]
ROUTELLM = "routellm==0.2.0"
N_DEPLOYMENTS = 32
N_CHOICES = 500
STRATEGIES = ["simple-shuffle", "latency-based-routing"]
# The row of `decide-budget`: models, bytes, prices, kind.
OURS = ["32", "2048", "catalog", "prose"]
MEDIAN_COLUMN = 5


def main():
    options = parse_options()
    peers.enter_venv(WORK, PACKAGES, add_routellm, ROUTELLM)
    skipped = []
    routers = {}
    for strategy in STRATEGIES:
        try:
            routers[strategy] = litellm_router(strategy)
        except Exception as error:  # whatever a package of others comes up with
            skipped.append(f"LiteLLM's router with {strategy}: {one_line(error)}")
    theirs, ours = {strategy: [] for strategy in routers}, []
    budget = peers.program("decide-budget", "pointsman-benches", options.built)
    for _ in range(options.runs):
        for strategy, router in routers.items():
            theirs[strategy].append(microseconds(router))
        ours.append(our_microseconds(budget))
    skipped.append(why_not_routellm())
    pairs = [
        peers.pair(f"one choice, LiteLLM's {strategy}", "µs", (f"litellm, {N_DEPLOYMENTS} deployments", runs), ("pointsman, 32 models", ours))
        for strategy, runs in theirs.items()
    ]
    for one in pairs:
        print(f"{one['what']}: {min(one['theirs']['runs']):.1f} µs, pointsman {min(one['ours']['runs']):.1f} µs")
    for sentence in skipped:
        print(f"skipped: {sentence}")
    notes = [
        "not the same work: LiteLLM's router does not read the prompt, ours reads 2 KiB of it and predicts every model",
        "a process of one's own in both cases: no network, no journal",
    ]
    peers.write(options.json, "One choice, beside LiteLLM's router and RouteLLM", ["litellm", "routellm"], pairs, notes, skipped)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    return peers.with_json(peers.with_built(parser)).parse_args()


def add_routellm(pip, _packages):
    """Without what it asks for, gigabytes of which only serve training; whether it imports is found out."""
    subprocess.run([*pip, "--no-deps", ROUTELLM], check=False)


def litellm_router(strategy):
    # Else importing asks the network for prices.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm import Router

    deployments = [
        {"model_name": "chat", "litellm_params": {"model": f"openai/model-{index}", "api_key": "none"}}
        for index in range(N_DEPLOYMENTS)
    ]
    router = Router(model_list=deployments, routing_strategy=strategy)
    choose(router)
    return router


def choose(router):
    messages = [{"role": "user", "content": "word " * 400}]
    return router.get_available_deployment(model="chat", messages=messages, request_kwargs={})


def microseconds(router):
    before = time.process_time()
    for _ in range(N_CHOICES):
        choose(router)
    return 1e6 * (time.process_time() - before) / N_CHOICES


def our_microseconds(budget):
    done = subprocess.run([budget], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        words = line.split()
        if words[: len(OURS)] == OURS:
            return float(words[MEDIAN_COLUMN]) / 1000.0
    sys.exit("decide-budget prints no such row; has it changed?")


def why_not_routellm():
    tried = subprocess.run([sys.executable, "-c", "import routellm.controller"], capture_output=True, text=True)
    if tried.returncode != 0:
        last = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
        return f"RouteLLM, installed without the packages that it asks for (gigabytes, torch among them), does not import: {last}"
    return "RouteLLM imports, but its learned routers need an embedding service or weights from a hub"


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    main()

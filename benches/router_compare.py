"""How long routers of others take to choose, beside a decision of ours; and which of them can be run.

They do different work. LiteLLM's router chooses among deployments of one model and does not read the prompt;
ours reads 2 KiB of prompt and predicts quality, length and cost of 32 models. The comparison says what a choice
costs, not who chooses better. RouteLLM chooses between two models. Its learned routers ask an embedding service,
or load weights from a hub; without those two things can be timed: its random router, and what its matrix
factorisation computes once it has an embedding, with weights of its shape that learned nothing. It asks for
gigabytes of packages, so it has an environment of its own, and `--without-routellm` leaves it out.
Microseconds of processor time for one choice; ours from `decide-budget`, a release build, which reads the
clock. Nothing is asserted.

    python3 benches/router_compare.py [--runs N] [--without-routellm] [--built FOLDER] [--json FILE]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

import peers

WORK = peers.workplace("router-compare")
PACKAGES = ["litellm==1.106.2"]
ROUTELLM = "routellm==0.2.0"
# What its packages take on the disk, and what pip needs beside that while it unpacks them.
ROUTELLM_BYTES = 12 * 2**30
# The shape of its matrix factorisation as its own router makes it.
FACTORS = {"dim": 128, "num_models": 64, "text_dim": 1536, "num_classes": 1, "use_proj": True}
N_DEPLOYMENTS = 32
N_CHOICES = 500
PROMPT = "word " * 400
STRATEGIES = ["simple-shuffle", "latency-based-routing"]
# The row of `decide-budget`: models, bytes, prices, kind.
OURS = ["32", "2048", "catalog", "prose"]
MEDIAN_COLUMN = 5


def main():
    options = parse_options()
    if options.child:
        print(json.dumps(with_routellm()))
        return
    peers.enter_venv(WORK, PACKAGES)
    python, skipped = routellm_python(options.without_routellm)
    routers = {}
    for strategy in STRATEGIES:
        try:
            routers[strategy] = litellm_router(strategy)
        except Exception as error:  # whatever a package of others comes up with
            skipped.append(f"LiteLLM's router with {strategy}: {one_line(error)}")
    theirs, ours, learned = {strategy: [] for strategy in routers}, [], {}
    budget = peers.program("decide-budget", "pointsman-benches", options.built)
    for _ in range(options.runs):
        for strategy, router in routers.items():
            theirs[strategy].append(microseconds(lambda: choose(router)))
        if python:
            try:
                for router, run in from_child(python).items():
                    learned.setdefault(router, []).append(run)
            except RuntimeError as why:
                python, learned = None, {}
                skipped.append(str(why))
        ours.append(our_microseconds(budget))
    pairs = [
        peers.pair(f"one choice, LiteLLM's {strategy}", "µs", (f"litellm, {N_DEPLOYMENTS} deployments", runs), ("pointsman, 32 models", ours))
        for strategy, runs in theirs.items()
    ] + [
        peers.pair(f"one choice, RouteLLM's {router}", "µs", ("routellm, 2 models", runs), ("pointsman, 32 models", ours))
        for router, runs in learned.items()
    ]
    for one in pairs:
        print(f"{one['what']}: {min(one['theirs']['runs']):.1f} µs, pointsman {min(one['ours']['runs']):.1f} µs")
    for sentence in skipped:
        print(f"skipped: {sentence}")
    notes = [
        "not the same work: LiteLLM's router does not read the prompt, ours reads 2 KiB of it and predicts every model",
        "a process of one's own in both cases: no network, no journal",
        f"a run of theirs is the mean of {N_CHOICES} choices, one of ours the median choice of `decide-budget`",
    ]
    if python:
        notes.append("RouteLLM's matrix factorisation is timed without the call for the embedding that every choice of it needs, and with weights that learned nothing")
        skipped.append("RouteLLM's quality, and its other routers: they need an embedding service or weights from a hub")
    peers.write(options.json, "One choice, beside LiteLLM's router and RouteLLM", ["litellm"], pairs, notes, skipped, versions=routellm_versions(python))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without-routellm", action="store_true", help="do not install RouteLLM, which asks for gigabytes")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return peers.with_json(peers.with_built(parser)).parse_args()


def routellm_python(is_left_out):
    """The Python of an environment in which RouteLLM imports, or nothing; and why there is none."""
    if is_left_out:
        return None, ["RouteLLM: left out by --without-routellm"]
    venv = WORK / "routellm-venv"
    free = shutil.disk_usage(WORK).free
    if not venv.exists() and free < ROUTELLM_BYTES:
        return None, [f"RouteLLM: its packages need {ROUTELLM_BYTES >> 30} GiB while they are installed, and {free >> 30} GiB are free"]
    try:
        python = peers.make_venv(venv, [ROUTELLM])
    except SystemExit as why:
        return None, [f"RouteLLM: {why}"]
    tried = subprocess.run([python, "-c", "import routellm.controller"], capture_output=True, text=True, env=offline())
    if tried.returncode != 0:
        return None, [f"RouteLLM does not import: {peers.last_line(tried.stderr)}"]
    return python, []


def offline():
    """What keeps packages from asking the network; RouteLLM wants a key where it is imported."""
    return {**os.environ, **peers.ONE_THREAD, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "none"}


def routellm_versions(python):
    if python is None:
        return {}
    ask = "from importlib.metadata import version as v; import json; print(json.dumps({p: v(p) for p in ('routellm', 'torch')}))"
    return json.loads(subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout)


def from_child(python):
    done = subprocess.run([python, __file__, "--child"], capture_output=True, text=True, env=offline())
    if done.returncode != 0:
        raise RuntimeError(f"RouteLLM fails: {peers.last_line(done.stderr)}")
    return json.loads(done.stdout.splitlines()[-1])


def with_routellm():
    """Microseconds of one choice by router; runs where RouteLLM is installed."""
    from types import SimpleNamespace

    import torch
    from routellm.controller import Controller
    from routellm.routers.matrix_factorization import model as factors

    torch.set_num_threads(1)
    torch.manual_seed(0)
    embedding = torch.randn(FACTORS["text_dim"]).tolist()
    answer = SimpleNamespace(data=[SimpleNamespace(embedding=embedding)])
    factors.OPENAI_CLIENT = SimpleNamespace(embeddings=SimpleNamespace(create=lambda **_: answer))
    controller = Controller(routers=["random"], strong_model="strong", weak_model="weak")
    model = factors.MFModel(**FACTORS).eval()
    strong, weak = factors.MODEL_IDS["gpt-4-1106-preview"], factors.MODEL_IDS["mixtral-8x7b-instruct-v0.1"]
    choices = {
        "random router": lambda: controller.route(prompt=PROMPT, router="random", threshold=0.5),
        "matrix factorisation, its embedding given": lambda: model.pred_win_rate(strong, weak, PROMPT),
    }
    return {name: microseconds(choice) for name, choice in choices.items()}


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
    messages = [{"role": "user", "content": PROMPT}]
    return router.get_available_deployment(model="chat", messages=messages, request_kwargs={})


def microseconds(choice):
    choice()  # what is done once is not of a choice
    before = time.process_time()
    for _ in range(N_CHOICES):
        choice()
    return 1e6 * (time.process_time() - before) / N_CHOICES


def our_microseconds(budget):
    done = subprocess.run([budget], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        words = line.split()
        if words[: len(OURS)] == OURS:
            return float(words[MEDIAN_COLUMN]) / 1000.0
    sys.exit("decide-budget prints no such row; has it changed?")


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


if __name__ == "__main__":
    main()

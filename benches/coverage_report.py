"""Adds up what the binary `coverage` wrote and prints the tables and the plot of docs/coverage.md:
`coverage_report.py docs/coverage.md docs/coverage.svg RUNS.csv ...`.

The page keeps its text; only what stands between its two marks is replaced. Needs nothing but
Python.
"""

import csv
import math
import pathlib
import re
import sys

COUNTS = ("runs", "covered", "above", "asymptotic", "asymptotic_covered")
MARGINS = (0.0, 0.02, 0.05, 0.1)
FINITE = (
    "betting + support unknown",
    "betting + full support",
    "betting + predictions",
    "betting in order",
    "log smoothing",
    "empirical Bernstein",
    "sequence",
)
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
NOISE = 2.576


def read(paths):
    """Cells by (table, logger, policy, rival, outcome, n) and method, added up over files."""
    cells = {}
    for path in paths:
        for row in csv.DictReader(open(path)):
            key = tuple(row[it] for it in ("table", "logger", "policy", "rival", "outcome"))
            cell = cells.setdefault((*key, int(row["n"]), row["method"]), {"width": 0.0})
            for name in COUNTS:
                cell[name] = cell.get(name, 0) + int(row[name])
            cell["width"] += float(row["width"]) * int(row["runs"])
            shipped = [int(it) for it in row["shipped"].split("|")]
            before = cell.get("shipped", [0] * len(shipped))
            cell["shipped"] = [a + b for a, b in zip(before, shipped)]
    return cells


def below_95(covered, runs):
    """The chance of so few hits or fewer at 95 %."""
    logs = [
        math.lgamma(runs + 1) - math.lgamma(k + 1) - math.lgamma(runs - k + 1)
        + k * math.log(0.95) + (runs - k) * math.log(0.05)
        for k in range(covered + 1)
    ]
    return min(1.0, sum(map(math.exp, logs)))


def holm(p_values):
    """How many of these are rejected at 5 % with Holm's correction."""
    rejected = 0
    for rank, p in enumerate(sorted(p_values)):
        if p > 0.05 / (len(p_values) - rank):
            break
        rejected += 1
    return rejected


def share(cell):
    return cell["covered"] / cell["runs"]


def pooled(cells, name="covered", of="runs"):
    return sum(it[name] for it in cells) / max(1, sum(it[of] for it in cells))


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def finite_sample(cells, lengths):
    rows = []
    for method in FINITE:
        for n in lengths:
            found = [c for k, c in cells.items() if k[6] == method and k[5] == n and k[3] == "none"]
            if found:
                p_values = [below_95(c["covered"], c["runs"]) for c in found]
                rows.append([
                    method, f"{n:,}", str(len(found)), str(max(c["runs"] for c in found)),
                    f"{min(map(share, found)):.3f}", f"{pooled(found):.4f}", str(holm(p_values)),
                ])
    return table(["bound", "n", "cells", "logs per cell", "lowest", "all cells",
                  "below 95 % (Holm)"], rows)


def narrow(cells, method, n, least_share=0.9):
    """Cells in which nearly every log got the asymptotic interval."""
    return [
        (k, c) for k, c in cells.items()
        if k[6] == method and k[5] == n and c["asymptotic"] >= least_share * c["runs"]
    ]


def default(cells, lengths):
    rows = []
    for method in ("default", "default + predictions"):
        for n in lengths:
            every = [c for k, c in cells.items() if k[6] == method and k[5] == n]
            found = [c for _, c in narrow(cells, method, n)]
            if not every:
                continue
            extremes = "–"
            outside = 0
            if found:
                shares = [c["asymptotic_covered"] / c["asymptotic"] for c in found]
                extremes = f"{min(shares):.3f} – {max(shares):.3f}"
                for c, s in zip(found, shares):
                    noise = NOISE * math.sqrt(0.95 * 0.05 / c["asymptotic"])
                    outside += s < 0.93 - noise or 0.97 + noise < s
            rows.append([
                method, f"{n:,}", f"{pooled(every, 'asymptotic'):.3f}", f"{pooled(every):.4f}",
                str(len(found)), extremes,
                f"{pooled(found, 'asymptotic_covered', 'asymptotic'):.4f}" if found else "–",
                str(outside),
            ])
    return table(["interval", "n", "share asymptotic", "coverage, all logs", "cells asymptotic",
                  "coverage in them", "all of them", "outside 93–97 % beyond noise"], rows)


def widths(cells, lengths):
    rows = []
    peers = ("VW gaussian", "VW cressieread", "OBP bootstrap + ipw", "OBP bootstrap + snipw",
             "normal SNIPS")
    for n in lengths:
        for peer in peers:
            ratios, covers = [], []
            for key, cell in narrow(cells, "default", n):
                other = cells.get((*key[:6], peer))
                if other is None:
                    continue
                covers.append(share(other))
                both = 0.93 <= share(other) and 0.93 <= share(cell)
                if both:
                    own, theirs = cell["width"] / cell["runs"], other["width"] / other["runs"]
                    ratios.append(own / theirs)
            if covers:
                middle = f"{sorted(ratios)[len(ratios) // 2]:.2f}" if ratios else "–"
                spread = f"{min(ratios):.2f} – {max(ratios):.2f}" if ratios else "–"
                narrower = f"{sum(r < 1 for r in ratios)} of {len(ratios)}"
                rows.append([peer, f"{n:,}", f"{min(covers):.3f}", middle, spread, narrower])
    return table(["peer", "n", "its lowest coverage", "median width ratio", "range",
                  "default is narrower in"], rows)


def gate(cells, lengths):
    rows = []
    for rival in ("logged", "best single"):
        for method in ("gate", "gate + predictions", "gate by betting"):
            for n in lengths:
                found = [c for k, c in cells.items()
                         if k[3] == rival and k[6] == method and k[5] == n]
                if found:
                    most = max(c["shipped"][0] / c["runs"] for c in found)
                    runs = sum(c["runs"] for c in found)
                    shipped = [sum(c["shipped"][i] for c in found) / runs for i in range(4)]
                    rows.append([rival, method, f"{n:,}", str(max(c["runs"] for c in found)),
                                 f"{most:.3f}"] + [f"{it:.3f}" for it in shipped])
    return table(["against", "bound", "n", "logs per cell", "most in one cell"]
                 + [f"ships at +{100 * it:.0f} %" for it in MARGINS], rows)


def plot(cells, lengths):
    methods = ("default", "default + predictions", *FINITE, "skew-corrected t", "normal SNIPS",
               "OBP bootstrap + ipw", "OBP bootstrap + snipw", "VW gaussian", "VW cressieread")
    left, width, row_height, top = 190, 560, 22, 46
    low, high = 0.6, 1.0

    def x(value):
        return left + width * (max(low, value) - low) / (high - low)

    body, at = [], top
    for method in methods:
        body.append(f'<text class="t" x="{left - 10}" y="{at + 4}" text-anchor="end">{method}</text>')
        for place, n in enumerate(lengths):
            found = [c for k, c in cells.items()
                     if k[6] == method and k[5] == n and k[3] == "none"]
            if not found:
                continue
            y = at + 6 * (place - (len(lengths) - 1) / 2)
            shares = sorted(map(share, found))
            body.append(f'<line class="n{place}" x1="{x(shares[0]):.1f}" x2="{x(shares[-1]):.1f}" '
                        f'y1="{y:.1f}" y2="{y:.1f}"/>')
            body.append(f'<circle class="f{place}" cx="{x(pooled(found)):.1f}" cy="{y:.1f}" r="3"/>')
        at += row_height
    ticks = []
    for tick in (0.6, 0.7, 0.8, 0.9, 0.95, 1.0):
        kind = "g" if tick == 0.95 else "a"
        ticks.append(f'<line class="{kind}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 14}" '
                     f'y2="{at}"/>')
        ticks.append(f'<text class="t" x="{x(tick):.1f}" y="{at + 16}" text-anchor="middle">'
                     f'{100 * tick:.0f} %</text>')
    legend = "".join(
        f'<circle class="f{place}" cx="{left + 10 + 110 * place}" cy="16" r="4"/>'
        f'<text class="t" x="{left + 20 + 110 * place}" y="20">n = {n:,}</text>'
        for place, n in enumerate(lengths))
    style = (
        "text{font:12px system-ui,sans-serif}.t{fill:#333}.a{stroke:#ddd}"
        ".g{stroke:#b00;stroke-dasharray:4 3}"
        ".n0,.n1,.n2{stroke-width:2}.n0{stroke:#88a}.n1{stroke:#27a}.n2{stroke:#084}"
        ".f0{fill:#88a}.f1{fill:#27a}.f2{fill:#084}"
        "@media (prefers-color-scheme:dark){.t{fill:#ddd}.a{stroke:#444}.g{stroke:#f77}"
        ".n0{stroke:#99b}.n1{stroke:#6bf}.n2{stroke:#5d9}.f0{fill:#99b}.f1{fill:#6bf}.f2{fill:#5d9}}"
    )
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {at + 28}" '
            f'role="img" aria-label="Coverage of each interval: a line from the worst to the best '
            f'cell, a dot for all cells"><style>{style}</style>{legend}{"".join(ticks)}'
            f'{"".join(body)}</svg>\n')


def main(page, picture, paths):
    cells = read(paths)
    lengths = sorted({key[5] for key in cells})
    figures = "\n".join([
        "### Finite-sample bounds\n", finite_sample(cells, lengths),
        "### The default interval\n", default(cells, lengths),
        "### Width beside the peers\n", widths(cells, lengths),
        "### The gate\n", gate(cells, lengths),
    ])
    page = pathlib.Path(page)
    text = re.sub(re.escape(BEGIN) + ".*" + re.escape(END),
                  lambda _: BEGIN + "\n" + figures + "\n" + END, page.read_text(), flags=re.DOTALL)
    page.write_text(text)
    pathlib.Path(picture).write_text(plot(cells, lengths))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

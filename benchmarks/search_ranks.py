"""How well a search's estimates rank candidates, and how long each part of its engine takes.

    python benchmarks/search_ranks.py MODEL --data DATA [--board BOARD] [--count 12] [--folder DIR] [--json FILE]

A float model's candidates are one choice everywhere, where layers have it, and then mixtures drawn at random. Each is
built and measured. What the tables said of it before stands beside its figures. --folder keeps losses of layers, from
which a second run goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgekc.errors import EdgekcError
from edgekc.exploration import costs, sensitivity, solve, space, truth
from edgekc.exploration.candidate import Candidate
from edgekc.exploration.problem import Problem


def some(choices: dict[str, tuple[str, ...]], count: int, seed: int) -> list[Candidate]:
    """Candidates: each choice that most layers have, then mixtures."""
    names = list(dict.fromkeys(choice for own in choices.values() for choice in own))
    often = [name for name in names if 2 * sum(name in own for own in choices.values()) > len(choices)]
    found = [{layer: name if name in own else space.DENSE for layer, own in choices.items()} for name in often]
    rng = random.Random(seed)
    while len(found) < count:
        found.append({layer: rng.choice([c for c in own if "svd" not in c]) for layer, own in choices.items()})
    return [Candidate(tuple(layers.items())) for layers in found[:count]]


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Times in seconds of wall clock, a row for each candidate, and rank correlations."""
    seconds, rows = {}, []
    start = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        now = time.perf_counter()
        seconds[name], start = round(now - start, 1), now
        print(f"{name}: {seconds[name]} s", flush=True)

    problem = Problem.open(arguments.model, arguments.data, board=arguments.board, log=print)
    choices = space.choices(problem.graph, epochs=1)  # learned steps too, as they are before training
    lap("open")
    cost = costs.table(problem, choices)
    lap("costs")
    losses = sensitivity.table(problem, choices, folder=arguments.folder)
    lap("sensitivity")
    for i, candidate in enumerate(some(choices, arguments.count, arguments.seed)):
        said = solve.predicted(cost, losses, candidate)
        rows.append({"layers": dict(candidate.layers), "said": asdict(said)})
        rows[-1]["found"] = asdict(truth.measure(problem, candidate)[1])
        lap(f"candidate {i}")
        print(json.dumps(rows[-1]), flush=True)
    pairs = {"loss": ("proxy", "loss"), **{name: (name, name) for name in ("flash", "ram", "cycles")}}
    ranks = {
        name: asdict(solve.rank_correlation([r["said"][a] for r in rows], [r["found"][b] or 0 for r in rows]))
        for name, (a, b) in pairs.items()
    }
    print(json.dumps(ranks, indent=1))
    return {"board": arguments.board, "seconds": seconds, "ranks": ranks, "candidates": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--board", default="nucleo-l4r5zi")
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    try:
        found = run(arguments)
    except EdgekcError as error:
        raise SystemExit(f"error: {error}") from None
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

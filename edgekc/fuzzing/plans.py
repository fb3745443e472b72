"""Random networks of images, and plans by chance: for little code, for little RAM, or which layers run by rows."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from ..generate.choice import choose_kernel
from ..generate.goals import check_goal, plan_for
from ..generate.plan import Plan, base_of, placed
from ..generate.row_groups import RowGroup, group_of
from ..generate.row_search import Search
from ..generate.rows import row_layer
from ..graph.ir import Graph
from . import building as rb
from .layers import Builder, Layer, body, conv2d, depthwise, grouped_conv2d, pool
from .moves import binary, logistic, relu
from .nets import RandomNet, outputs_of
from .values import tensor

ROWS_KIND = "rows"
GOALS = {"speed": 0.88, "size": 0.07, "ram": 0.05}  # and their shares of the other networks
ROWS = (1, 1, 1, 2, 2, 3, 4, 5, 8)
LAYERS: dict[Layer, float] = {
    conv2d: 3, body: 5, depthwise: 2, grouped_conv2d: 1, pool: 2, relu: 1, logistic: 0.5, binary: 4,
}  # fmt: skip


def row_net(seed: int) -> RandomNet:
    """A network of one image and up to nine layers that mostly read the one before them."""
    rng = np.random.default_rng([seed, 23])
    b = Builder(rng, extreme=bool(rng.random() < 0.3))
    shape = (1, b.between(5, 17), b.between(1, 12), int(rng.choice([1, 3, 4, 8, 12, 16])))
    image = tensor("image", shape, b.quant())
    b.live.append(image)
    names, weights = list(LAYERS), np.array(list(LAYERS.values()))
    wanted = b.between(3, 12)
    for _ in range(8 * wanted):
        if len(b.views) >= wanted:
            break
        names[rng.choice(len(names), p=weights / weights.sum())](b, b.live[-1] if b.chance(0.85) else b.live[-2:][0])
    outputs = outputs_of(b)
    return RandomNet(seed, tuple(b.views), (image,) if image.name in b.read else (), outputs, ROWS_KIND)


def goal_of(kind: str, seed: int) -> str:
    """By what goal a network is planned: speed, as usual, or one of GOALS."""
    rng = np.random.default_rng([seed, 24])
    return "rows" if kind == ROWS_KIND else str(rng.choice(list(GOALS), p=list(GOALS.values())))


def planned(job: rb.Job, kind: str, seed: int) -> rb.Job:
    """The job with the plan of its goal."""
    goal, graph, features = goal_of(kind, seed), job.packed.graph, job.family.features
    if goal == "rows":
        return next(iter(row_jobs([job], seed)), job)
    if goal == "speed":
        return job
    return replace(job, plan=plan_for(check_goal(goal), graph, features, None, job.plan).plan)


def row_jobs(jobs: list[rb.Job], seed: int) -> list[rb.Job]:
    """The jobs once more, where any of their layers can run by rows, under other names."""
    found = []
    for job in jobs:
        planned = by_rows(job.packed.graph, job.family.features, random.Random(f"{seed} {job.name}"))
        if planned.groups:
            found.append(replace(job, plan=planned))
    return found


def by_rows(graph: Graph, features: frozenset[str], rng: random.Random) -> Plan:
    """Up to three groups of layers; every layer's rows are its own."""
    base = base_of(graph, features)
    search = Search(base, features)
    runs = [(a, b) for a in range(len(base.layers)) for b in range(a + 1, len(base.layers)) if _possible(search, a, b)]
    groups: list[RowGroup] = []
    taken: set[int] = set()
    chosen = rng.sample(runs, min(len(runs), 8))
    if rng.random() < 0.7:
        chosen.sort(key=lambda run: run[0] - run[1])  # long ones first
    for first, last in chosen:
        steps = set(range(first, last + 1))
        if taken & steps or len(groups) == 3:
            continue
        layers = [row_layer(base.layers[i][0], features, rng.choice(ROWS), choose_kernel) for i in sorted(steps)]
        made = [layer for layer in layers if layer is not None]
        if len(made) == len(steps):
            fed = first == 0 and len(graph.inputs) == 1 and search.read_by((first, last))
            groups.append(group_of(made, rng.choice((0, 1, 2, 5)) if fed else 0))
            taken |= steps
    return placed(base, groups)


def _possible(search: Search, first: int, last: int) -> bool:
    return all(search.layer(i, 1) is not None for i in range(first, last + 1)) and search.is_run((first, last))

"""A graph and the RAM that it may take to the plan that is estimated to cost least of those that fit.

One run of layers goes by rows: from a layer at or before the first that needs too much, to one at or behind the last.
How many rows each makes in a call is then raised where that saves most cycles for its bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from ..graph.ir import Graph, Node
from ..graph.op import Kernel, View
from ..ops import OPS
from .arena import ALIGNMENT, lower_bound, usage
from .choice import Choice, choose_kernel, cost_of, more_cost, scratch_of, with_little_scratch
from .plan import Base, Plan, base_of, blocks_of, placed, usual_choice
from .row_costs import CALL, group_cost, layer_cost
from .row_groups import RowGroup, group_of, may_end_onto
from .rows import SAME, RowLayer, row_layer

ROWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # of output, in a call
_RUNS, _PAIRS = 16, 4  # that are looked at, the shortest; of so many also as two
_COUNTED = (
    0.5,
    0.42,
    0.34,
    0.26,
    0.18,
    0.1,
)  # of the arena, for one layer's scratch, where several kernels' costs are counted
_CAPS = 12  # sizes of scratch that are tried where they are not
_CLOSELY = 4  # of these, the cheapest, whose rows are chosen
_MUCH = 0.5  # of a layer's cycles, that a kernel may take more for it where it need not run by rows then

Run = tuple[int, int]  # the first and the last step


@dataclass
class Search:
    """The layers of a graph by rows, each of them made once."""

    base: Base
    features: frozenset[str]
    fed: bool = False  # the network's input comes in rows, to a group of the first layers
    choose: Choice = choose_kernel
    _layers: dict[tuple[int, int], RowLayer | None] = field(default_factory=dict)
    _least: dict[Run, tuple[int, RowGroup] | None] = field(default_factory=dict)

    def layer(self, index: int, rows: int) -> RowLayer | None:
        key = index, rows
        if key not in self._layers:
            self._layers[key] = row_layer(
                self.base.layers[index][0], self.features, rows, self.choose, self.base.layers[index][1]
            )
        return self._layers[key]

    def group(self, first: int, rows: Sequence[int]) -> RowGroup | None:
        """None where a layer cannot make so many rows at a time."""
        layers = [self.layer(first + i, n) for i, n in enumerate(rows)]
        made = [layer for layer in layers if layer is not None]
        if len(made) < len(layers):
            return None
        feed = made[0].window.stride * made[0].rows if self.fed and first == 0 else 0
        groups = [group_of(made, feed)]
        if not groups[0].over and not feed and may_end_onto(made):
            groups.append(group_of(made, onto=True))
        return groups[0] if len(groups) == 1 else min(groups, key=lambda group: self.bytes((group,)))

    def bytes(self, groups: Sequence[RowGroup]) -> int:
        """Of the arena, at least."""
        return lower_bound(blocks_of(self.base, groups).spans)[0]

    def cost(self) -> float:
        """What its kernels cost more than the fastest, each layer in one call."""
        return sum(more_cost(v, k, choose_kernel(v, self.features)) for v, k in self.base.layers)

    def least(self, run: Run) -> tuple[int, RowGroup] | None:
        """A row at a time: bytes of the arena, and the group."""
        if run not in self._least:
            group = self.group(run[0], [1] * (run[1] - run[0] + 1))
            self._least[run] = None if group is None else (self.bytes((group,)), group)
        return self._least[run]

    def alone(self) -> list[int]:
        """Bytes of the arena in use during each step, without rows."""
        used = usage(blocks_of(self.base).spans)
        return [used.get(i, 0) for i in range(len(self.base.layers))]

    def runs(self, first: int, last: int) -> Iterator[Run]:
        """Those that begin at or before one step and end at or behind another."""
        for begin in range(first, -1, -1):
            if self.layer(begin, 1) is None:
                return
            for end in range(begin + 1, len(self.base.layers)):
                if self.layer(end, 1) is None:
                    break
                if end >= last and self.is_run((begin, end)):
                    yield begin, end

    def read_by(self, run: Run) -> bool:
        """Whether no other step reads the network's input."""
        base = self.base
        outside = [view for i, (view, _) in enumerate(base.layers) if not run[0] <= i <= run[1]]
        read = {base.storage.root(t.name) for view in outside for t in view.inputs if t.data is None}
        return not read & set(base.graph.inputs)

    def is_run(self, run: Run) -> bool:
        """Whether one tensor comes in, which may be read more than once, and one goes out."""
        base, (begin, end) = self.base, run
        inside = [view for view, _ in base.layers[begin : end + 1]]
        made = {view.out.name: view.out for view in inside}
        before = [t for view in inside for t in view.inputs if t.data is None and t.name not in made]
        if len({(base.storage.root(t.name), t.shape) for t in before}) != 1:
            return False
        if self.fed and begin == 0 and not self.read_by(run):
            return False
        inner = list(made)[:-1]
        if any(base.storage.root(name) != name or base.storage.space(name) != "arena" for name in inner):
            return False
        kept = set(base.graph.outputs)
        outside = {n for node in base.graph.nodes if node.outputs[0] not in made for n in node.inputs}
        return not any(name in kept or name in outside for name in inner)


def find(graph: Graph, features: frozenset[str], arena_bytes: int, fed: bool = False) -> tuple[Plan, float] | None:
    """The plan with the least estimated cycles beyond those of the fastest, of those whose arena is no larger.

    Args:
        fed: the first layers run by rows in any case, and their input comes so.

    Returns:
        The plan and these cycles; None where no plan by rows fits.
    """
    found: list[tuple[float, Plan]] = []
    counted, caps = _scratch_caps(graph, features, arena_bytes)
    left = _left_by_rows(graph, features, arena_bytes) if counted and not fed else 0
    sparing = [with_little_scratch(left, at_any_cost=True)] if left > 0 else []
    for choose in (None, *sparing, *map(with_little_scratch, caps)):
        for search in _searches(graph, features, fed, choose, arena_bytes):
            over = _over(search, arena_bytes)
            if not over:
                found.append((search.cost(), placed(search.base)))
                continue
            for runs in _cheapest(search, over, arena_bytes):
                groups = _with_more_rows(search, runs, arena_bytes)
                plan = placed(search.base, groups)
                if plan.arena_bytes <= arena_bytes:
                    found.append((search.cost() + sum(map(group_cost, groups)), plan))
        if found and not counted:
            break  # other kernels are slower by far
    return min(((plan, cost) for cost, plan in found), key=lambda pair: pair[1], default=None)


def _over(search: Search, arena_bytes: int) -> list[int]:
    """The steps that need too much by themselves."""
    return [i for i, size in enumerate(search.alone()) if size > arena_bytes or (search.fed and i == 0)]


def _scratch_caps(graph: Graph, features: frozenset[str], arena_bytes: int) -> tuple[bool, list[int]]:
    """Whether there is a choice of kernels whose costs are counted, and most bytes of a layer's scratch to try."""
    layers = base_of(graph, features).layers
    if any(kernel.counted_cost is not None for _, kernel in layers):
        return True, [*(int(arena_bytes * part) for part in _COUNTED), 0]
    sizes = sorted({scratch_of(kernel, view) for view, kernel in layers}, reverse=True)[1:]
    return False, [*sizes[:: -(-len(sizes) // _CAPS) or 1], 0]


def _left_by_rows(graph: Graph, features: frozenset[str], arena_bytes: int) -> int:
    """Bytes that the buffers of a run that must go by rows, a row at a time, leave for scratch, of the best run."""
    left = 0
    for search in _searches(graph, features, False, with_little_scratch(0), arena_bytes):
        over = _over(search, arena_bytes)
        runs = sorted(search.runs(over[0], over[-1]), key=lambda run: run[1] - run[0]) if over else []
        for least in map(search.least, runs[:_RUNS]):
            if least is not None:
                left = max(left, arena_bytes - least[0] + max(size for size, _, _ in least[1].scratch) - ALIGNMENT)
    return left


def _cheapest(search: Search, over: Sequence[int], arena_bytes: int) -> list[tuple[Run, ...]]:
    """Runs, and pairs of neighbours in their place, that fit a row at a time; those that cost least so."""
    found: dict[tuple[Run, ...], float] = {}
    shortest = sorted(search.runs(over[0], over[-1]), key=lambda run: run[1] - run[0])
    for i, (first, last) in enumerate(shortest[:_RUNS]):
        pairs = [((first, cut), (cut + 1, last)) for cut in range(first + 1, last - 1) if i < _PAIRS]
        for runs in (((first, last),), *(pair for pair in pairs if all(map(search.is_run, pair)))):
            parts = [least for run in runs if (least := search.least(run)) is not None]
            if len(parts) < len(runs):
                continue
            groups = [group for _, group in parts]
            if (parts[0][0] if len(parts) == 1 else search.bytes(groups)) <= arena_bytes:
                found[runs] = sum(map(group_cost, groups))
    return sorted(found, key=lambda runs: found[runs])[:_CLOSELY]


def smallest(graph: Graph, features: frozenset[str], fed: bool = False) -> Plan | None:
    """The plan of the smallest arena; None where the input cannot come in rows, but must."""
    usual = usual_choice(graph, features)
    best = None if fed else placed(base_of(graph, features, usual))
    searches = [_searches(graph, features, fed, choose, 0) for choose in (None, with_little_scratch(0))]
    for search in chain(*searches):
        alone = search.alone()
        if not alone:
            continue
        peak = alone.index(max(alone))
        runs = sorted((max([0, *alone[:a], *alone[b + 1 :]]), a, b) for a, b in search.runs(0 if fed else peak, peak))
        kept: tuple[int, RowGroup] | None = None
        for outside, *run in runs:
            if kept is not None and outside >= kept[0]:
                break
            least = search.least((run[0], run[1]))
            if least is not None and (kept is None or least[0] < kept[0]):
                kept = least
        if fed and kept is None:
            continue
        plan = placed(search.base, () if kept is None else (kept[1],))
        best = plan if best is None else min(best, plan, key=lambda p: p.arena_bytes)
    return best


def _searches(
    graph: Graph, features: frozenset[str], fed: bool, choose: Choice | None, arena_bytes: int
) -> Iterator[Search]:
    """In the order of the graph, and in one that keeps less in memory, if there is such a one.

    Args:
        choose: kernels of layers that run by rows, or do not fit by themselves. None: as for all others.
    """
    usual = usual_choice(graph, features)
    orders = [graph]
    if not graph.states and (nodes := _thrifty_order(graph)) != graph.nodes:
        orders.append(replace(graph, nodes=nodes))
    for ordered in orders:
        fastest = Search(base_of(ordered, features, usual), features, fed, usual)
        if choose is None:
            yield fastest
            continue
        sizes = zip(fastest.base.layers, fastest.alone(), strict=True)
        large = {
            view.node.name: size - scratch_of(kernel, view) for (view, kernel), size in sizes if size > arena_bytes
        }
        yield Search(base_of(ordered, features, _for_some(choose, large, usual)), features, fed, choose)
        if arena_bytes:
            left = {name: arena_bytes - size for name, size in large.items() if size < arena_bytes}
            alone = _for_some(_each_with(left, choose), large, usual)
            yield Search(base_of(ordered, features, alone), features, fed, choose)


def _each_with(scratch: Mapping[str, int], otherwise: Choice) -> Choice:
    """For each layer the kernel that does with so many bytes of scratch, if there is one that is not much slower."""

    def choose(view: View, features: frozenset[str]) -> Kernel:
        most = scratch.get(view.node.name, 0)
        usual, found = choose_kernel(view, features), with_little_scratch(most)(view, features)
        much = more_cost(view, found, usual) > _MUCH * cost_of(view, usual)
        if scratch_of(found, view) > most or (much and scratch_of(otherwise(view, features), view) > most):
            return otherwise(view, features)
        return found

    return choose


def _for_some(choose: Choice, names: Collection[str], usual: Choice) -> Choice:
    return lambda view, features: (choose if view.node.name in names else usual)(view, features)


def _thrifty_order(graph: Graph) -> tuple[Node, ...]:
    """The nodes in an order in which the next one is always one behind which least is in use."""
    storage = base_of(graph, frozenset()).storage
    left = {node.name: node for node in graph.nodes}
    readers: dict[str, set[str]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            if graph.tensors[name].data is None:
                readers.setdefault(storage.root(name), set()).add(node.name)
    kept = {storage.root(name) for name in graph.outputs}
    there = {name for name, tensor in graph.tensors.items() if tensor.data is not None} | set(graph.sources)
    order: list[Node] = []
    while left:
        ready = [node for node in left.values() if all(name in there for name in node.inputs)]

        def grows(node: Node) -> int:
            size = 0 if OPS[node.op].view else graph.tensors[node.outputs[0]].nbytes
            roots = {storage.root(name) for name in node.inputs if graph.tensors[name].data is None}
            return size - sum(graph.tensors[r].nbytes for r in roots - kept if readers[r] == {node.name})

        chosen = min(ready, key=grows)  # the first of several
        order.append(left.pop(chosen.name))
        there.update(chosen.outputs)
        for rest in readers.values():
            rest.discard(chosen.name)
    return tuple(order)


def _with_more_rows(search: Search, runs: Sequence[Run], arena_bytes: int) -> list[RowGroup]:
    """The groups with as many rows in each call as pay and fit."""
    groups = [least[1] for run in runs if (least := search.least(run)) is not None]
    for g in range(len(groups)):
        _more_rows(search, groups, g, runs[g][0], arena_bytes)
    return groups


def _more_rows(search: Search, groups: list[RowGroup], g: int, first: int, arena_bytes: int) -> None:
    """More rows in the calls of one group, whose first step is `first`."""
    units, stuck = _units(groups[g]), set[tuple[int, int]]()
    rows = [1] * len(groups[g].layers)
    while True:
        best, options = groups[g], []
        for u, unit in enumerate(units):
            k = unit[0]
            more = next((n for n in ROWS if n > rows[k]), None)
            if more is None or (u, more) in stuck or rows[k] >= best.layers[k].whole.out.shape[1]:
                continue
            layers = [layer for k in unit if (layer := search.layer(first + k, more)) is not None]
            if len(layers) < len(unit):
                stuck.add((u, more))
                continue
            saved = sum(_cost(best.layers[k]) - _cost(layer) for k, layer in zip(unit, layers, strict=True))
            size = sum(best.tensors[t].row_bytes for k in unit for t in (k + 1, *best.inputs[k]))
            options.append((saved / size, u, more))
        if not options:
            return
        gain, u, more = max(options)
        tried = [more if k in units[u] else n for k, n in enumerate(rows)]
        group = search.group(first, tried) if gain > 0 else None
        if (
            group is None
            or group_cost(group) >= group_cost(best)
            or search.bytes([*groups[:g], group, *groups[g + 1 :]]) > arena_bytes - ALIGNMENT
        ):
            stuck.add((u, more))
        else:
            groups[g], rows = group, tried


def _cost(layer: RowLayer) -> float:
    return layer_cost(layer) + CALL * len(layer.calls)


def _units(group: RowGroup) -> list[list[int]]:
    """Layers that make as many rows as the one before them: those that read just what it made, row by row."""
    units: list[list[int]] = []
    for k, layer in enumerate(group.layers):
        if units and layer.window == SAME and units[-1][-1] + 1 in group.inputs[k]:
            units[-1].append(k)
        else:
            units.append([k])
    return units

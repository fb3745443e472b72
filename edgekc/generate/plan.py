"""An INTEGER graph and a core's features to a Plan: which kernel runs each layer, and where each buffer lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..graph.ir import Graph
from ..graph.op import Kernel, View, view_of
from ..ops import OPS
from .arena import Block, Span, allocate
from .choice import Choice, choose_kernel, scratch_of
from .code_size import spared
from .row_groups import HELD_BYTES, RowGroup
from .rows import RowLayer
from .storage import Storage
from .thrift import Offer, offers, thriftier


@dataclass(frozen=True, slots=True)
class Location:
    """Where a buffer begins: `offset` bytes into the arena, the state, or the caller's input or output."""

    space: str  # "arena", "state", "input", "output"
    offset: int


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call."""

    view: View
    kernel: Kernel
    inputs: tuple[Location, ...]  # activations only
    output: Location
    scratch: Location | None
    scratch_bytes: int
    in_place: bool
    macs: int
    rows: RowLayer | None = None  # it runs by rows: input and output are where the buffers of its tensors begin
    parts: RowLayer | None = None  # its calls may run at the same time, each with scratch of its own


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that run by rows, all of them between the steps before and those behind."""

    first: int
    rows: RowGroup
    held: Location  # which rows each tensor has: ek_rows_held for each
    places: tuple[Location, ...]  # of the tensors' buffers

    @property
    def steps(self) -> range:
        return range(self.first, self.first + len(self.rows.layers))


@dataclass(frozen=True, slots=True)
class Ram:
    """What the user asked, and the plans at both ends. Bytes of arena, state and stack, as `fits.model_ram` counts."""

    asked: int
    least: int
    fastest: int
    more_cycles: int  # about, on a Cortex-M4, than the fastest takes


@dataclass(frozen=True, slots=True)
class Plan:
    graph: Graph
    steps: tuple[Step, ...]
    arena_bytes: int
    lower_bound: int  # bytes: the most that is in use during one step
    peak_layer: str
    input_offsets: tuple[int, ...]  # bytes into the caller's input, one per graph input
    output_offsets: tuple[int, ...]
    input_bytes: int
    output_bytes: int
    state_offsets: tuple[int, ...] = ()  # bytes into the state, one per state of the graph
    state_bytes: int = 0
    groups: tuple[Group, ...] = ()
    ram: Ram | None = None  # where it was asked for
    most_parts: int = 0  # of a layer; 0: none has any, and the C knows nothing of threads


@dataclass(frozen=True, slots=True)
class Base:
    """A graph with a kernel for each layer, before anything has a place."""

    graph: Graph
    storage: Storage
    layers: tuple[tuple[View, Kernel], ...]  # in the order in which they run


@dataclass(frozen=True, slots=True)
class Blocks:
    """What needs a place in the arena."""

    spans: tuple[Block, ...]
    of: Mapping[str, int]  # roots of activations to their blocks
    fed: Mapping[str, int]  # inputs of the network of which the arena holds rows, to their blocks
    in_place: frozenset[str]  # nodes
    scratch: Mapping[str, int]  # nodes to blocks
    held: tuple[int, ...]  # blocks of the groups
    times: int  # that each step has; a group's calls are times of its first step


def base_of(graph: Graph, features: frozenset[str], choose: Choice = choose_kernel) -> Base:
    chosen = {n.name: choose(view_of(graph, n), features) for n in graph.nodes if not OPS[n.op].view}
    storage = Storage(graph, chosen)
    views = [view_of(graph, node) for node in storage.steps()]
    return Base(graph, storage, tuple((v, chosen.get(v.node.name) or choose(v, features)) for v in views))


def plan(graph: Graph, features: frozenset[str], choose: Choice = choose_kernel) -> Plan:
    """Choose kernels and place every activation and scratch buffer."""
    return placed(base_of(graph, features, choose))


def placed(base: Base, groups: Sequence[RowGroup] = ()) -> Plan:
    """A place for every activation and scratch buffer.

    Args:
        groups: layers that run by rows.
    """
    storage, blocks = base.storage, blocks_of(base, groups)
    allocation = allocate(blocks.spans)
    by_rows = _by_rows(groups)

    buffers = {t.name: group.tensors[t.buffer].name for group in groups for t in group.tensors}

    def locate(name: str) -> Location:
        if name in blocks.fed:
            return Location("arena", allocation.offsets[blocks.fed[name]])
        root = storage.root(buffers.get(name, name))
        space = storage.space(root)
        return Location(space, allocation.offsets[blocks.of[root]] if space == "arena" else storage.offset(root))

    steps = []
    for view, kernel in base.layers:
        name = view.node.name
        block, rows = blocks.scratch.get(name), by_rows.get(name)
        needed = scratch_of(kernel, view) if rows is None else rows.scratch_bytes
        steps.append(
            Step(
                view,
                kernel if rows is None else rows.kernel,
                tuple(locate(t.name) for t in view.inputs if t.data is None),
                locate(view.node.outputs[0]),
                None if block is None else Location("arena", allocation.offsets[block]),
                0 if block is None else needed,
                name in blocks.in_place,
                OPS[view.node.op].macs(view),
                rows,
            )
        )
    first = {step.view.node.name: i for i, step in enumerate(steps)}
    found = tuple(
        Group(
            first[group.layers[0].whole.node.name],
            group,
            Location("arena", allocation.offsets[block]),
            tuple(locate(t.name) for t in group.tensors),
        )
        for group, block in zip(groups, blocks.held, strict=True)
    )
    peak = steps[allocation.peak_step // blocks.times].view.node.name if steps else ""
    return Plan(
        base.graph,
        tuple(steps),
        allocation.total,
        allocation.lower_bound,
        peak,
        storage.input_offsets,
        storage.output_offsets,
        storage.input_bytes,
        storage.output_bytes,
        storage.state_offsets,
        storage.state_bytes,
        found,
    )


def _by_rows(groups: Sequence[RowGroup]) -> dict[str, RowLayer]:
    return {layer.whole.node.name: layer for group in groups for layer in group.layers}


def blocks_of(base: Base, groups: Sequence[RowGroup] = ()) -> Blocks:
    """What needs a place, and when."""
    storage, by_rows = base.storage, _by_rows(groups)
    # The steps of a group are one step, as long as all its calls.
    order = {view.node.name: i for i, (view, _) in enumerate(base.layers)}
    for group in groups:
        first = order[group.layers[0].whole.node.name]
        order.update({layer.whole.node.name: first for layer in group.layers})
    step_of = storage.lifetimes(order)
    times = max((group.calls for group in groups), default=1)
    lives = {root: (first * times, last * times + times - 1) for root, (first, last) in step_of.items()}
    outputs = {storage.root(group.tensors[-1].name): group for group in groups}
    inner = {t.name for group in groups for t in group.tensors[1:-1]}

    members: list[list[Span]] = []
    block_of: dict[str, int] = {}
    in_place: set[str] = set()
    scratch: dict[str, int] = {}
    for view, kernel in base.layers:
        name, out = view.node.name, storage.root(view.node.outputs[0])
        step = order[name]
        if out not in inner and storage.space(out) == "arena":
            by_group = outputs.get(out)
            if by_group is not None:
                over = _read(by_group, storage, step_of, step)
            else:
                over = _overwritten(view, kernel, storage, step_of, step)
            if over is None:
                block_of[out] = len(members)
                members.append([])
            else:
                block_of[out] = block_of[over]
                in_place.update(() if by_group is not None else (name,))
            whole = Span(view.out.nbytes, *lives[out])
            members[block_of[out]] += [whole] if by_group is None else _grown(by_group, *lives[out])
        if name not in by_rows and (needed := scratch_of(kernel, view)):
            scratch[name] = len(members)
            members.append([Span(needed, step * times, step * times + times - 1)])
    held = []
    fed = {}
    for group in groups:
        at = order[group.layers[0].whole.node.name] * times
        scratch.update({x.whole.node.name: len(members) for x in group.layers if x.scratch_bytes})
        members += [spans] if (spans := [Span(n, at + a, at + b) for n, a, b in group.scratch if n]) else []
        for tensor in group.tensors[1:-1]:
            if group.tensors[tensor.buffer] is tensor:
                block_of[tensor.name] = len(members)
                members.append([Span(tensor.bytes, at + tensor.begin, at + tensor.end)])
        if group.feed:
            fed[group.tensors[0].name] = len(members)
            members.append([Span(group.tensors[0].bytes, at + group.tensors[0].begin, at + group.tensors[0].end)])
        held.append(len(members))
        members.append([Span(HELD_BYTES * len(group.tensors), at, at + times - 1)])
    return Blocks(tuple(tuple(b) for b in members), block_of, fed, frozenset(in_place), scratch, tuple(held), times)


def _read(group: RowGroup, storage: Storage, lives: Mapping[str, tuple[int, int]], step: int) -> str | None:
    """The root of what a group reads, if what it makes may lie there."""
    root = storage.root(group.tensors[0].name)
    return root if group.over and storage.space(root) == "arena" and lives[root][1] == step else None


def _grown(group: RowGroup, first: int, last: int) -> list[Span]:
    """The rows of a group's output come one after the other: what lies behind them may still be in use."""
    spans = [Span(size, first + begin, first + end) for size, begin, end in group.grows]
    return [*spans[:-1], replace(spans[-1], last=last)]


def usual_choice(graph: Graph, features: frozenset[str]) -> Choice:
    """`choose_kernel`, without kernels that hardly any of the graph's work needs (`code_size.py`)."""
    views = [view_of(graph, node) for node in graph.nodes if not OPS[node.op].view]
    kernels = spared([(view, choose_kernel(view, features)) for view in views])
    return lambda view, features: kernels.get(view.node.name) or choose_kernel(view, features)


def plan_within(graph: Graph, features: frozenset[str], most_bytes: int | None) -> tuple[Plan, list[str]]:
    """As `plan`, by `usual_choice`.

    While arena, inputs and outputs are more than `most_bytes`, the layer at the peak gets a thriftier kernel: the one
    that costs least of those that save enough there (`thrift.py`). The plan may still be too large: it is the smallest
    that was found.

    Returns:
        The plan, and the layers whose kernels are not the fastest.
    """
    usual, kernels = usual_choice(graph, features), dict[str, Kernel]()

    def choose(view: View, features: frozenset[str]) -> Kernel:
        return kernels.get(view.node.name) or usual(view, features)

    fastest = best = found = plan(graph, features, choose)
    known: dict[str, tuple[Offer, ...]] = {}
    while most_bytes is not None and found.steps and buffer_bytes(found) > most_bytes:
        peak = next(step for step in found.steps if step.view.node.name == found.peak_layer)
        choice = known.setdefault(found.peak_layer, offers(peak.view, features))
        over = buffer_bytes(found) - most_bytes
        offer = thriftier(choice, peak.scratch_bytes, peak.scratch_bytes - over)
        if offer is None:
            break
        kernels[found.peak_layer] = offer.kernel
        found = plan(graph, features, choose)
        best = min(best, found, key=buffer_bytes)
    first = {step.view.node.name: step.kernel for step in fastest.steps}
    names = [s.view.node.name for s in best.steps if s.kernel is not first.get(s.view.node.name, s.kernel)]
    return best, names


def buffer_bytes(plan: Plan) -> int:
    """Of arena, inputs, outputs and state."""
    return plan.arena_bytes + plan.input_bytes + plan.output_bytes + plan.state_bytes


def _overwritten(
    view: View, kernel: Kernel, storage: Storage, lives: dict[str, tuple[int, int]], step: int
) -> str | None:
    """The root of the operand that the output takes the place of, None where it needs a place of its own."""
    for position in kernel.in_place(view):
        root = storage.root(view.inputs[position].name)  # an activation, by the contract of Kernel.in_place
        free_after = storage.space(root) == "arena" and lives[root][1] == step
        # Another operand that shares the buffer would be overwritten while it is read.
        others = [t for i, t in enumerate(view.inputs) if i != position and t.data is None]
        if free_after and not any(storage.root(t.name) == root for t in others):
            return root
    return None

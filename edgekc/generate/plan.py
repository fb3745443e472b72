"""An INTEGER graph and a core's features to a Plan: which kernel runs each layer, and where each buffer lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.ir import Graph, Node
from ..graph.op import Kernel, View, view_of
from ..ops import OPS
from .arena import Allocation, Span, allocate
from .choice import Choice, accepting, choose_kernel, scratch_of
from .row_groups import HELD_BYTES, RowGroup
from .rows import RowLayer
from .storage import Storage


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


def plan(
    graph: Graph,
    features: frozenset[str],
    choose: Choice = choose_kernel,
    groups: Sequence[RowGroup] = (),
) -> Plan:
    """Choose kernels and place every activation and scratch buffer.

    Args:
        groups: layers that run by rows, in the order of the steps that `steps_of` gives.
    """
    chosen = {n.name: choose(view_of(graph, n), features) for n in graph.nodes if not OPS[n.op].view}
    by_rows = {layer.whole.node.name: layer for group in groups for layer in group.layers}
    chosen.update({name: layer.kernel for name, layer in by_rows.items()})
    storage = Storage(graph, chosen)
    kernels: list[tuple[Node, View, Kernel]] = []
    for node in storage.steps():
        view = view_of(graph, node)
        kernels.append((node, view, chosen.get(node.name) or choose(view, features)))
    # The steps of a group are one step, as long as all its calls.
    order = {node.name: i for i, (node, _, _) in enumerate(kernels)}
    first_of = [order[group.layers[0].whole.node.name] for group in groups]
    for first, group in zip(first_of, groups, strict=True):
        order.update({layer.whole.node.name: first for layer in group.layers})
    step_of = storage.lifetimes(order)
    times = max((group.calls for group in groups), default=1)  # of each step
    lives = {root: (first * times, last * times + times - 1) for root, (first, last) in step_of.items()}
    inner = {t.name for group in groups for t in group.tensors[1:-1]}

    members: list[list[Span]] = []  # arena blocks
    block_of: dict[str, int] = {}
    in_place: set[str] = set()
    scratch_block: dict[str, int] = {}
    for node, view, kernel in kernels:
        step, out = order[node.name], storage.root(node.outputs[0])
        if out not in inner and storage.space(out) == "arena":
            over = None if node.name in by_rows else _overwritten(view, kernel, storage, step_of, step)
            if over is not None:
                in_place.add(node.name)
                block_of[out] = block_of[over]
            else:
                block_of[out] = len(members)
                members.append([])
            members[block_of[out]].append(Span(view.out.nbytes, *lives[out]))
        if node.name not in by_rows and (needed := scratch_of(kernel, view)):
            scratch_block[node.name] = len(members)
            members.append([Span(needed, step * times, step * times + times - 1)])
    held_block: list[int] = []
    in_place_of: dict[str, str] = {}  # tensors of groups, and those in whose buffers they lie
    for step, group in zip(first_of, groups, strict=True):
        at, last = step * times, storage.root(group.tensors[-1].name)
        scratch = [Span(size, at + begin, at + end) for size, begin, end in group.scratch if size]
        scratch_block.update({x.whole.node.name: len(members) for x in group.layers if x.scratch_bytes})
        members += [scratch] if scratch else []
        if storage.space(last) == "arena":  # its rows come one after the other: what lies behind them may be in use
            begin = at + group.grows[0][1]
            spans = [Span(size, at + first, at + end) for size, first, end in group.grows]
            spans[-1] = Span(spans[-1].size, spans[-1].first, lives[last][1])
            members[block_of[last]] = [
                *(s for s in members[block_of[last]] if s.last < begin or s.first > begin),
                *spans,
            ]
        for tensor in group.tensors[1:-1]:
            if group.tensors[tensor.buffer] is tensor:
                block_of[tensor.name] = len(members)
                members.append([Span(tensor.bytes, at + tensor.begin, at + tensor.end)])
        for tensor in group.tensors[1:-1]:
            if group.tensors[tensor.buffer] is not tensor:
                in_place_of[tensor.name] = storage.root(group.tensors[tensor.buffer].name)
        held_block.append(len(members))
        members.append([Span(HELD_BYTES * len(group.tensors), at, at + times - 1)])

    allocation = allocate([tuple(block) for block in members])
    offsets = allocation.offsets

    def locate(name: str) -> Location:
        root = in_place_of.get(name, storage.root(name))
        space = storage.space(root)
        return Location(space, offsets[block_of[root]] if space == "arena" else storage.offset(root))

    steps = []
    for node, view, kernel in kernels:
        block = scratch_block.get(node.name)
        steps.append(
            Step(
                view,
                kernel,
                tuple(locate(t.name) for t in view.inputs if t.data is None),
                locate(node.outputs[0]),
                None if block is None else Location("arena", offsets[block]),
                0 if block is None else _scratch(by_rows.get(node.name), kernel, view),
                node.name in in_place,
                OPS[node.op].macs(view),
                by_rows.get(node.name),
            )
        )
    placed = [
        Group(first, group, Location("arena", offsets[block]), tuple(locate(t.name) for t in group.tensors))
        for first, group, block in zip(first_of, groups, held_block, strict=True)
    ]
    return _finish(graph, tuple(steps), allocation, storage, tuple(placed), times)


def plan_within(graph: Graph, features: frozenset[str], most_bytes: int | None) -> tuple[Plan, list[str]]:
    """As `plan`; while arena, inputs and outputs are more than that, the layer at the peak gets a thriftier kernel.

    That is the one with the next less scratch. The plan may still be too large: it is the smallest that was found.

    Returns:
        The plan, and the layers whose kernels are not the fastest.
    """
    fastest = best = found = plan(graph, features)
    kernels = {step.view.node.name: step.kernel for step in fastest.steps}
    while most_bytes is not None and found.steps and _buffers(found) > most_bytes:
        peak = next(step for step in found.steps if step.view.node.name == found.peak_layer)
        thrifty = [k for k in accepting(peak.view, features) if scratch_of(k, peak.view) < peak.scratch_bytes]
        if not thrifty:
            break
        kernels[found.peak_layer] = max(thrifty, key=lambda k: scratch_of(k, peak.view))
        found = plan(graph, features, lambda view, _: kernels.get(view.node.name) or choose_kernel(view, features))
        best = min(best, found, key=_buffers)
    first = {step.view.node.name: step.kernel for step in fastest.steps}
    names = [s.view.node.name for s in best.steps if s.kernel is not first.get(s.view.node.name, s.kernel)]
    return best, names


def _buffers(plan: Plan) -> int:
    return plan.arena_bytes + plan.input_bytes + plan.output_bytes + plan.state_bytes


def _scratch(rows: RowLayer | None, kernel: Kernel, view: View) -> int:
    return scratch_of(kernel, view) if rows is None else rows.scratch_bytes


def steps_of(graph: Graph, features: frozenset[str], choose: Choice = choose_kernel) -> tuple[Storage, list[Node]]:
    """Where activations lie, and the nodes that run, in their order."""
    storage = Storage(graph, {n.name: choose(view_of(graph, n), features) for n in graph.nodes if not OPS[n.op].view})
    return storage, storage.steps()


def _finish(
    graph: Graph, steps: tuple[Step, ...], allocation: Allocation, storage: Storage, groups: tuple[Group, ...], times: int
) -> Plan:
    peak = steps[allocation.peak_step // times].view.node.name if steps else ""
    return Plan(
        graph,
        steps,
        allocation.total,
        allocation.lower_bound,
        peak,
        storage.input_offsets,
        storage.output_offsets,
        storage.input_bytes,
        storage.output_bytes,
        storage.state_offsets,
        storage.state_bytes,
        groups,
    )


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

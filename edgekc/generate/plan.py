"""An INTEGER graph and a core's features to a Plan: which kernel runs each layer, and where each buffer lies."""

from __future__ import annotations

from dataclasses import dataclass

from ..graph.ir import Graph, Node
from ..graph.op import Kernel, View, view_of
from ..ops import OPS
from .arena import Allocation, Span, allocate
from .choice import Choice, choose_kernel, scratch_of
from .code_size import spared
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


def plan(graph: Graph, features: frozenset[str], choose: Choice = choose_kernel) -> Plan:
    """Choose kernels and place every activation and scratch buffer."""
    chosen = {n.name: choose(view_of(graph, n), features) for n in graph.nodes if not OPS[n.op].view}
    storage = Storage(graph, chosen)
    kernels: list[tuple[Node, View, Kernel]] = []
    for node in storage.steps():
        view = view_of(graph, node)
        kernels.append((node, view, chosen.get(node.name) or choose(view, features)))
    order = {node.name: i for i, (node, _, _) in enumerate(kernels)}
    lives = storage.lifetimes(order)

    members: list[list[Span]] = []  # arena blocks
    block_of: dict[str, int] = {}
    in_place: set[str] = set()
    scratch_block: dict[str, int] = {}
    for node, view, kernel in kernels:
        step, out = order[node.name], storage.root(node.outputs[0])
        if storage.space(out) == "arena":
            over = _overwritten(view, kernel, storage, lives, step)
            if over is not None:
                in_place.add(node.name)
                block_of[out] = block_of[over]
            else:
                block_of[out] = len(members)
                members.append([])
            members[block_of[out]].append(Span(view.out.nbytes, *lives[out]))
        if needed := scratch_of(kernel, view):
            scratch_block[node.name] = len(members)
            members.append([Span(needed, step, step)])

    allocation = allocate([tuple(block) for block in members])
    offsets = allocation.offsets

    def locate(name: str) -> Location:
        root = storage.root(name)
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
                0 if block is None else members[block][0].size,
                node.name in in_place,
                OPS[node.op].macs(view),
            )
        )
    return _finish(graph, tuple(steps), allocation, storage)


def plan_within(graph: Graph, features: frozenset[str], most_bytes: int | None) -> tuple[Plan, list[str]]:
    """As `plan`, without kernels that hardly any work needs (`code_size.py`).

    While arena, inputs and outputs are more than `most_bytes`, the layer at the peak gets a thriftier kernel: the one
    that costs least of those that save enough there (`thrift.py`). The plan may still be too large: it is the smallest
    that was found.

    Returns:
        The plan, and the layers whose kernels are not the fastest.
    """
    views = [view_of(graph, node) for node in graph.nodes if not OPS[node.op].view]
    kernels = spared([(view, choose_kernel(view, features)) for view in views])

    def choose(view: View, features: frozenset[str]) -> Kernel:
        return kernels.get(view.node.name) or choose_kernel(view, features)

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


def _finish(graph: Graph, steps: tuple[Step, ...], allocation: Allocation, storage: Storage) -> Plan:
    peak = steps[allocation.peak_step].view.node.name if steps else ""
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

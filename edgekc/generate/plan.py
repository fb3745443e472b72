"""An INTEGER graph and a core's features to a Plan: which kernel runs each layer, and where each buffer lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UnsupportedError
from ..graph.ir import Graph, Node
from ..graph.op import Kernel, View, view_of
from ..graph.scratch import scratch_bytes
from ..ops import OPS
from .arena import Allocation, Span, allocate


@dataclass(frozen=True, slots=True)
class Location:
    """Where a buffer begins: `offset` bytes into the arena, or into the caller's input or output."""

    space: str  # "arena", "input", "output"
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


Choice = Callable[[View, frozenset[str]], Kernel]


def choose_kernel(view: View, features: frozenset[str]) -> Kernel:
    """The best kernel that the core can run and that accepts the layer: the first, or one for the same core if cheaper.

    Cheaper is what `Kernel.counted_cost` says, where the first kernel has one.
    """
    kernels = _accepting(view, features)
    if not kernels:
        raise UnsupportedError(f"no kernel of {view.node.op} accepts this layer on this core", where=view.node.name)
    if kernels[0].counted_cost is None:
        return kernels[0]
    alike = [k for k in kernels if k.needs == kernels[0].needs]
    counted = [(k.counted_cost(view), i) for i, k in enumerate(alike) if k.counted_cost is not None]
    return alike[min(counted)[1]]


def _accepting(view: View, features: frozenset[str]) -> list[Kernel]:
    return [k for k in OPS[view.node.op].kernels if k.needs <= features and k.accepts(view)]


def plan(graph: Graph, features: frozenset[str], choose: Choice = choose_kernel) -> Plan:
    """Choose kernels and place every activation and scratch buffer."""
    storage = _Storage(graph)
    kernels: list[tuple[Node, View, Kernel]] = []
    for node in graph.nodes:
        view = view_of(graph, node)
        if not OPS[node.op].view or storage.needs_copy(node):
            kernels.append((node, view, choose(view, features)))
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
        if needed := _scratch(kernel, view):
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
    """As `plan`; while arena, inputs and outputs are more than that, the layer at the peak gets a thriftier kernel.

    That is the one with the next less scratch. The plan may still be too large: it is the smallest that was found.

    Returns:
        The plan, and the layers whose kernels are not the fastest.
    """
    fastest = best = found = plan(graph, features)
    kernels = {step.view.node.name: step.kernel for step in fastest.steps}
    while most_bytes is not None and found.steps and _buffers(found) > most_bytes:
        peak = next(step for step in found.steps if step.view.node.name == found.peak_layer)
        thrifty = [k for k in _accepting(peak.view, features) if _scratch(k, peak.view) < peak.scratch_bytes]
        if not thrifty:
            break
        kernels[found.peak_layer] = max(thrifty, key=lambda k: _scratch(k, peak.view))
        found = plan(graph, features, lambda view, _: kernels[view.node.name])
        best = min(best, found, key=_buffers)
    both = zip(fastest.steps, best.steps, strict=True)
    return best, [a.view.node.name for a, b in both if a.kernel is not b.kernel]


def _buffers(plan: Plan) -> int:
    return plan.arena_bytes + plan.input_bytes + plan.output_bytes


def _scratch(kernel: Kernel, view: View) -> int:
    return scratch_bytes(kernel.scratch(view)) if kernel.scratch is not None else 0


def _finish(graph: Graph, steps: tuple[Step, ...], allocation: Allocation, storage: _Storage) -> Plan:
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
    )


def _overwritten(
    view: View, kernel: Kernel, storage: _Storage, lives: dict[str, tuple[int, int]], step: int
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


class _Storage:
    """Which activations are the same bytes (views), and which of them belong to the caller."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._roots: dict[str, str] = {name: name for name in graph.inputs}
        self._copied: set[str] = set()
        taken = {*graph.inputs, *graph.outputs}  # buffers of the caller's, each for one tensor
        for node in graph.nodes:
            out = node.outputs[0]
            source = self._roots.get(node.inputs[0], node.inputs[0])
            # The caller's input, or another output, cannot be handed out as the output: the bytes must move.
            moves = OPS[node.op].view and source in taken and out in graph.outputs
            if out in graph.outputs:
                taken.add(source)
            if moves:
                self._copied.add(node.name)
            self._roots[out] = source if OPS[node.op].view and not moves else out
        self.input_offsets, self.input_bytes = _pack(graph, graph.inputs)
        self.output_offsets, self.output_bytes = _pack(graph, graph.outputs)
        self._output_of: dict[str, int] = {}
        for name, offset in zip(graph.outputs, self.output_offsets, strict=True):
            root = self._roots[name]
            if root in self._output_of or root in graph.inputs:
                raise UnsupportedError("an output that is an input or another output", where=f"{graph.name}: {name}")
            self._output_of[root] = offset

    def root(self, name: str) -> str:
        return self._roots[name]

    def needs_copy(self, node: Node) -> bool:
        return node.name in self._copied

    def space(self, root: str) -> str:
        if root in self._graph.inputs:
            return "input"
        return "output" if root in self._output_of else "arena"

    def offset(self, root: str) -> int:
        """Bytes into the caller's buffer."""
        if root in self._output_of:
            return self._output_of[root]
        return self.input_offsets[self._graph.inputs.index(root)]

    def lifetimes(self, order: dict[str, int]) -> dict[str, tuple[int, int]]:
        """Root to (first, last) step in which its bytes are in use."""
        lives: dict[str, tuple[int, int]] = {}
        for node in self._graph.nodes:
            if node.name not in order:
                continue
            step = order[node.name]
            for name in (*node.inputs, *node.outputs):
                if self._graph.tensors[name].data is None:
                    root = self._roots[name]
                    first, last = lives.get(root, (step, step))
                    lives[root] = (min(first, step), max(last, step))
        return lives


def _pack(graph: Graph, names: tuple[str, ...]) -> tuple[tuple[int, ...], int]:
    """Offsets of tensors laid one after the other, and their total bytes."""
    offsets, total = [], 0
    for tensor in graph.of(names):
        offsets.append(total)
        total += tensor.nbytes
    return tuple(offsets), total

"""Which activations of a graph are the same bytes, and which of them lie in the caller's buffers or in the state."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UnsupportedError
from ..graph.ir import Graph, Node, State, producers
from ..graph.op import Kernel, view_of
from ..ops import OPS
from .arena import ALIGNMENT


class Storage:
    """Roots of activations: of a view, the tensor whose bytes it shows; of any other, itself.

    A state's end is written where its start lies if whoever reads the start has run by then, or if the kernel that
    writes the end may overwrite the start. Else a copy at the end of the step moves it there.
    """

    def __init__(self, graph: Graph, kernels: Mapping[str, Kernel]) -> None:
        """`kernels`: of every node that computes, by its name."""
        self._graph = graph
        self._roots: dict[str, str] = {name: name for name in graph.sources}
        self._copied: set[str] = set()  # nodes that only move bytes, where bytes must move
        taken = {*graph.sources, *graph.outputs}  # buffers of the caller's, each for one tensor
        for node in graph.nodes:
            out = node.outputs[0]
            source = self._roots.get(node.inputs[0], node.inputs[0])
            # The caller's input, a state or another output cannot be handed out as the output: the bytes must move.
            moves = OPS[node.op].view and source in taken and out in graph.outputs
            if out in graph.outputs:
                taken.add(source)
            if moves:
                self._copied.add(node.name)
            self._roots[out] = source if OPS[node.op].view and not moves else out
        self.input_offsets, self.input_bytes = _pack(graph, graph.inputs)
        self.output_offsets, self.output_bytes = _pack(graph, graph.outputs)
        self.state_offsets, self.state_bytes = _pack(graph, tuple(s.start for s in graph.states), ALIGNMENT)
        self._output_of: dict[str, int] = {}
        for name, offset in zip(graph.outputs, self.output_offsets, strict=True):
            root = self._roots[name]
            if root in self._output_of or root in graph.sources:
                raise UnsupportedError("an output that is an input or another output", where=f"{graph.name}: {name}")
            self._output_of[root] = offset
        self._state_of = {s.start: at for s, at in zip(graph.states, self.state_offsets, strict=True)}
        self._late = self._place_states(kernels) if graph.states else ()

    def steps(self) -> list[Node]:
        """The nodes that run, in their order: those that compute, and copies."""
        late = {node.name for node in self._late}
        nodes = [n for n in self._graph.nodes if not OPS[n.op].view or n.name in self._copied]
        return [*(n for n in nodes if n.name not in late), *self._late]

    def root(self, name: str) -> str:
        return self._roots[name]

    def space(self, root: str) -> str:
        if root in self._graph.inputs:
            return "input"
        if root in self._state_of:
            return "state"
        return "output" if root in self._output_of else "arena"

    def offset(self, root: str) -> int:
        """Bytes into the caller's buffer, or into the state."""
        for places in (self._output_of, self._state_of):
            if root in places:
                return places[root]
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

    def _place_states(self, kernels: Mapping[str, Kernel]) -> tuple[Node, ...]:
        """Gives every end its place; the copies at the end of the step, in an order that loses nothing."""
        states, writers = self._graph.states, producers(self._graph)
        ends = {s.start: self._roots[s.end] for s in states}
        # Starts that another state takes over are read by copies at the end of the step.
        taken = {root for start, root in ends.items() if root in ends and root != start}
        copies: dict[str, str] = {}  # a start that is written at the end of the step -> what is copied there
        for state, offset in zip(states, self.state_offsets, strict=True):
            root = ends[state.start]
            if root == state.start:
                continue  # it stays as it is
            if state.start not in taken and self._direct(state, root, kernels):
                self._state_of[root] = offset
                continue
            self._copied.add(writers[state.end].name)
            copies[state.start] = root
            self._roots[state.end] = state.end
            self._state_of[state.end] = offset
        end_of = {s.start: s.end for s in states}
        return tuple(writers[end_of[start]] for start in self._ordered(copies))

    def _direct(self, state: State, root: str, kernels: Mapping[str, Kernel]) -> bool:
        """Whether `root` may be written where the state's start lies."""
        if self.space(root) != "arena":
            return False
        nodes = self._graph.nodes
        writer = next(i for i, node in enumerate(nodes) if root in node.outputs)
        for i, node in enumerate(nodes):
            if OPS[node.op].view and node.name not in self._copied:
                continue
            reads = [k for k, n in enumerate(node.inputs) if self._roots.get(n) == state.start]
            if reads and (i > writer or (i == writer and not self._over(node, reads, kernels))):
                return False
        return True

    def _over(self, node: Node, reads: list[int], kernels: Mapping[str, Kernel]) -> bool:
        """Whether the kernel may write over the one operand that is the state's start."""
        return len(reads) == 1 and reads[0] in kernels[node.name].in_place(view_of(self._graph, node))

    def _ordered(self, copies: dict[str, str]) -> list[str]:
        """The starts in an order in which each is read before it is written."""
        left, out = dict(copies), []
        while left:
            free = [start for start in left if start not in left.values()]
            if not free:
                raise UnsupportedError(
                    f"the states {', '.join(sorted(left))} take each other's values",
                    where=self._graph.name,
                    fix="compute each state from the network's own tensors",
                )
            out.append(free[0])
            del left[free[0]]
        return out


def _pack(graph: Graph, names: tuple[str, ...], alignment: int = 1) -> tuple[tuple[int, ...], int]:
    """Offsets of tensors laid one after the other, and their total bytes."""
    offsets, total = [], 0
    for tensor in graph.of(names):
        total += -total % alignment
        offsets.append(total)
        total += tensor.nbytes
    return tuple(offsets), total

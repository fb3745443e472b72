"""Networks whose layers are operators' test cases, each with a kernel of choice: many kernels in one image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from edgekc.files.output import read_manifest, write_folder
from edgekc.format.pack import pack, read
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import REAL, Array, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case, Constant, Kernel, Op, View, computed, operand_at
from edgekc.ops import OPS

ACTIVATION = Quant((0.5,), (0,))
MOST_BYTES = 220_000  # of constants in one network: with its code it fits 512 KB of flash
PORTABLE_CASES = 3  # of a kernel for every core, in a network of `sampled`


def quant_of(dtype: str) -> Quant:
    """Of an input or an output: real numbers have no other."""
    return REAL if dtype == "float32" else ACTIVATION


@dataclass(slots=True)
class Network:
    """Layers with inputs and outputs of their own, and what they compute on."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    inputs: list[Array] = field(default_factory=list)
    kernels: dict[str, Kernel] = field(default_factory=dict)  # what each layer is to get
    constant_bytes: int = 0

    def add(self, name: str, op: Op, case: Case, kernel: Kernel) -> None:
        """A layer that computes the case, unless the kernel does not take it."""
        self._add(name, op, case, kernel, _computed(op, case))

    def add_split(self, name: str, op: Op, case: Case, kernel: Kernel) -> bool:
        """Likewise, with a constant as second operand where the kernel wants one; False: it does not take it."""
        counts = reversed(computed(op, len(case.inputs)))
        return any(self._add(name, op, case, kernel, count) for count in counts)

    def _add(self, name: str, op: Op, case: Case, kernel: Kernel, count: int) -> bool:
        inputs = [_activation(f"{name}_in{i}", x) for i, x in enumerate(case.inputs[:count])]
        inputs += [constant_of(op, name, i, case.inputs[i]) for i in range(count, len(case.inputs))]
        out = Tensor(name, _shape(op, case), _type(op, case), quant_of(_type(op, case)))
        node = Node(op.name, name, tuple(t.name for t in inputs), (name,), case.attrs)
        if not kernel.accepts(View(node, tuple(inputs), (out,))):
            return False
        self.tensors.update({t.name: t for t in (*inputs, out)})
        self.nodes.append(node)
        self.sources += [t.name for t in inputs[:count]]
        self.inputs += case.inputs[:count]
        self.kernels[name] = kernel
        self.constant_bytes += sum(t.value.nbytes for t in inputs[count:])
        return True

    def graph(self) -> Graph:
        names = tuple(self.sources), tuple(n.name for n in self.nodes)
        return Graph("net", Stage.INTEGER, self.tensors, tuple(self.nodes), *names, {"tool": "test"})

    def samples(self) -> bytes:
        """One sample of each input."""
        return b"".join(v.tobytes() for v in self.inputs)


def _activation(name: str, value: Array) -> Tensor:
    return Tensor(name, value.shape, value.dtype.name, quant_of(value.dtype.name))


def _computed(op: Op, case: Case) -> int:
    """How many of the case's inputs may be computed at run time: they come first."""
    return computed(op, len(case.inputs))[-1]


def _shape(op: Op, case: Case) -> tuple[int, ...]:
    """Of the case's output."""
    return op.infer(case.attrs, [x.shape for x in case.inputs])[0]


def _type(op: Op, case: Case) -> str:
    """Of the case's output. Layers with weights keep their input's type, which saves computing them."""
    same = op.weights is not None
    return (case.inputs[0] if same else op.reference(case.attrs, list(case.inputs))[0]).dtype.name


def constant_of(op: Op, name: str, position: int, value: Array) -> Tensor:
    operand = operand_at(op, position)
    may_be_either = operand.constant is not Constant.ALWAYS
    quant = Quant((2.0**-12,), (0,)) if operand.role is Role.CENTERS else ACTIVATION if may_be_either else None
    return constant(f"{name}_{operand.name}", value, operand.role or Role.WEIGHTS, quant)


def cases(op: Op) -> Iterator[Case]:
    """The operator's test cases that are of one sample."""
    return (case for case in op.cases(np.random.default_rng(2)) if case.inputs[0].shape[0] == 1)


def networks(features: frozenset[str]) -> list[Network]:
    """A layer for each case and each kernel for the extension that accepts it; networks that fit the boards."""
    found = [Network()]
    for op in (op for op in OPS.values() if any(k.needs for k in op.kernels)):
        own = [kernel for kernel in op.kernels if kernel.needs and kernel.needs <= features]
        for case in cases(op):
            if found[-1].constant_bytes > MOST_BYTES:
                found.append(Network())
            for k, kernel in enumerate(own):
                found[-1].add(f"{op.name}_{case.name}_{k}".replace("-", "_"), op, case, kernel)
    return found


@cache
def _cases_of(op: str) -> tuple[Case, ...]:
    """Those that a network may have: the definition of a reshape keeps the first axis, as networks do."""
    return tuple(case for case in cases(OPS[op]) if _shape(OPS[op], case)[0] == 1)


@cache
def _taken(op: str, kernel: int) -> tuple[int, ...]:
    """Indices of the cases that a kernel takes: the same for every core."""
    scratch, record = Network(), OPS[op]
    every = enumerate(_cases_of(op))
    return tuple(i for i, case in every if scratch.add_split(f"c{i}", record, case, record.kernels[kernel]))


def kernels_of(features: frozenset[str], wants: Callable[[Op, Kernel], bool]) -> Iterator[tuple[Op, Kernel]]:
    """Every kernel that runs on a core and is wanted, once for each operator that has it."""
    for op in OPS.values():
        for kernel in {k.symbol: k for k in op.kernels if k.needs <= features}.values():
            if wants(op, kernel):
                yield op, kernel


def sampled(features: frozenset[str], wants: Callable[[Op, Kernel], bool], per_kernel: int, turn: int = 0) -> Network:
    """Every kernel that runs on a core, each with some of its cases, spread over all that it takes.

    Args:
        wants: which kernels.
        per_kernel: at most so many layers for a kernel of an extension; of the portable ones, PORTABLE_CASES.
        turn: other cases with another turn.
    """
    found = Network()
    for op, kernel in kernels_of(features, wants):
        all_cases, taken = _cases_of(op.name), _taken(op.name, op.kernels.index(kernel))
        count = min(len(taken), per_kernel if kernel.needs else PORTABLE_CASES)
        places = {(round(k) + turn) % len(taken) for k in np.linspace(0, len(taken) - 1, count)} if taken else ()
        for at in (taken[place] for place in sorted(places)):
            found.add_split(f"{op.name}_{at}_{kernel.symbol}", op, all_cases[at], kernel)
    return found


def written(net: Network, features: frozenset[str], folder: Path) -> Path:
    """The folder that `edgekc compile` would write for the network."""
    data = pack(net.graph())
    packed = read(data, "net.ekc")
    planned = plan(packed.graph, features, lambda view, _: net.kernels[view.node.name])
    write_folder(generate(planned, packed, data, "net", "test"), folder)
    symbols = {kernel.symbol for kernel in net.kernels.values()}
    assert {layer["kernel"] for layer in read_manifest(folder)["layers"]} == symbols
    return folder

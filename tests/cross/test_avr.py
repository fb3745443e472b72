"""Portable kernels where `int` and pointers have 16 bits: no warning, and the definition's bytes on a simulated AVR."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import avr
import numpy as np
import pytest
from kernel_networks import ACTIVATION, quant_of
from nets import Net

from edgekc.assets import runtime_file
from edgekc.files.output import write_folder
from edgekc.format.pack import pack, read
from edgekc.fuzzing.compiling import INCLUDE_FLAGS
from edgekc.generate.plan import plan
from edgekc.generate.sources import generate
from edgekc.graph.ir import Array, Graph, Node, Quant, Role, Stage, Tensor, constant
from edgekc.graph.op import Case, Kernel, Op, View, computed, operand_at
from edgekc.graph.scratch import scratch_bytes
from edgekc.ops import OPS
from edgekc.passes.lower import lower

# Of a network's constants, input, output and scratch; parameters of its layers and the stack take the rest.
NETWORK_BYTES = 10 * 1024
CASES = 8  # of each kernel, evenly over all that fit
LAYER_BYTES = 250  # of parameters, and of what the packed model says of a layer and its tensors


def is_portable(kernel: Kernel) -> bool:
    """Plain C on any core; kernels for cores without SIMD have such a twin."""
    return kernel.needs <= frozenset({"thumb1", "thumb2", "riscv"})


KERNELS = {k.symbol: k for op in OPS.values() for k in op.kernels if is_portable(k)}
SOURCES = sorted({stem for k in KERNELS.values() for stem in (k.symbol, *k.sources)})


def sources() -> list[Path]:
    return [runtime_file(f"{stem}.c") for stem in SOURCES]


@pytest.mark.parametrize("level", ["-O0", "-Os", "-O2"])
def test_no_portable_kernel_has_a_warning(tmp_path: Path, level: str) -> None:
    avr.need()
    avr.compile_sources(sources(), tmp_path, *INCLUDE_FLAGS, level)


def test_a_narrow_shift_is_seen(tmp_path: Path) -> None:
    """The check above would find it."""
    avr.need()
    source = tmp_path / "narrow.c"
    source.write_text("long f(signed char x);\nlong f(signed char x) { return x * (1 << 20); }\n")
    with pytest.raises(AssertionError, match="shift"):
        avr.compile_sources([source], tmp_path, tmp_path / "out")


def test_a_network_that_pointers_do_not_reach_is_refused(tmp_path: Path) -> None:
    """33,800 bytes of input: the compiler stops, where sizes would wrap."""
    avr.need()
    net = Net(np.random.default_rng(1), (1, 130, 130, 2))
    data = pack(replace(lower(net.graph(net.unary("relu", "input"))), metadata={"tool": "test"}))
    packed = read(data, "net.ekc")
    write_folder(generate(plan(packed.graph, frozenset()), packed, data, "net", "none"), tmp_path / "net")
    with pytest.raises(AssertionError, match="larger buffers than pointers of this machine reach"):
        avr.compile_sources([tmp_path / "net" / "src" / "net.c"], tmp_path / "out", f"-I{tmp_path / 'net' / 'include'}")


@dataclass(frozen=True, slots=True)
class Layer:
    node: Node
    tensors: tuple[Tensor, ...]  # activations, constants, output
    samples: tuple[Array, ...]  # of the activations
    expected: bytes
    kernel: Kernel

    @property
    def nbytes(self) -> int:
        view = View(self.node, self.tensors[:-1], self.tensors[-1:])
        scratch = scratch_bytes(self.kernel.scratch(view)) if self.kernel.scratch else 0
        return sum(t.nbytes for t in self.tensors) + scratch + LAYER_BYTES


def layers() -> Iterator[Layer]:
    """Each case, with each split of its inputs into computed and constant, for each portable kernel that takes it."""
    number = 0
    for op in OPS.values():
        kernels = [kernel for kernel in op.kernels if is_portable(kernel)]
        for case in op.cases(np.random.default_rng(3)):
            for count in computed(op, len(case.inputs)):
                for kernel in kernels if case.inputs[0].shape[0] == 1 else ():
                    layer = _layer(f"l{number}", op, case, count, kernel)
                    if layer is not None:
                        number += 1
                        yield layer


def _layer(name: str, op: Op, case: Case, computed: int, kernel: Kernel) -> Layer | None:
    inputs = [
        Tensor(f"{name}{chr(97 + i)}", x.shape, x.dtype.name, quant_of(x.dtype.name))
        for i, x in enumerate(case.inputs[:computed])
    ]
    for i, value in enumerate(case.inputs[computed:], computed):
        operand = operand_at(op, i)
        quant = {"centers": Quant((2.0**-12,), (0,)), "b": ACTIVATION}.get(operand.name)
        inputs.append(constant(f"{name}{chr(97 + i)}", value, operand.role or Role.WEIGHTS, quant))
    result = op.reference(case.attrs, list(case.inputs))[0]
    out = Tensor(name, result.shape, result.dtype.name, quant_of(result.dtype.name))
    node = Node(op.name, name, tuple(t.name for t in inputs), (name,), case.attrs)
    if not kernel.accepts(View(node, tuple(inputs), (out,))):
        return None
    return Layer(node, (*inputs, out), case.inputs[:computed], result.tobytes(), kernel)


def chosen() -> dict[str, list[Layer]]:
    """Of each kernel CASES layers of those that fit the RAM, or all where that is fewer."""
    fitting: dict[str, list[Layer]] = {symbol: [] for symbol in KERNELS}
    for layer in layers():
        if layer.nbytes <= NETWORK_BYTES:
            fitting[layer.kernel.symbol].append(layer)
    places = {
        symbol: np.linspace(0, len(found) - 1, min(CASES, len(found))).astype(int) for symbol, found in fitting.items()
    }
    return {symbol: [fitting[symbol][place] for place in places[symbol]] for symbol in KERNELS}


def batches(found: list[Layer]) -> Iterator[list[Layer]]:
    """Layers that fit the RAM together."""
    batch: list[Layer] = []
    for layer in found:
        if sum(other.nbytes for other in batch) + layer.nbytes > NETWORK_BYTES:
            yield batch
            batch = []
        batch.append(layer)
    if batch:
        yield batch


def network(batch: list[Layer], folder: Path) -> None:
    """A folder of C whose layers are independent of each other."""
    tensors = {t.name: t for layer in batch for t in layer.tensors}
    names = tuple(t.name for layer in batch for t in layer.tensors[: len(layer.samples)])
    nodes, kernels = tuple(layer.node for layer in batch), {layer.node.name: layer.kernel for layer in batch}
    outputs = tuple(node.name for node in nodes)
    data = pack(Graph("net", Stage.INTEGER, tensors, nodes, names, outputs, {"tool": "test"}))
    packed = read(data, "net.ekc")
    planned = plan(packed.graph, frozenset(), lambda view, _: kernels[view.node.name])
    write_folder(generate(planned, packed, data, "net", "test"), folder)


@pytest.mark.slow
def test_cases_of_every_kernel(tmp_path: Path) -> None:
    """Each portable kernel in CASES of its cases, or in all where fewer fit the RAM: from the first to the last."""
    avr.need()
    objects = avr.compile_sources(sources(), tmp_path / "kernels", *INCLUDE_FLAGS)
    of_kernel = chosen()
    assert min(map(len, of_kernel.values())) > 0 and max(map(len, of_kernel.values())) == CASES
    wrong, ran = [], Counter[str]()
    for i, batch in enumerate(batches([layer for found in of_kernel.values() for layer in found])):
        network(batch, tmp_path / str(i))
        samples = b"".join(value.tobytes() for layer in batch for value in layer.samples)
        outputs = avr.run(tmp_path / str(i), samples, tmp_path / f"{i}.built", objects)
        for layer in batch:
            got, outputs = outputs[: len(layer.expected)], outputs[len(layer.expected) :]
            if got != layer.expected:
                wrong.append(f"{layer.node.op} {layer.kernel.symbol} {layer.node.attrs}")
            ran[layer.kernel.symbol] += 1
    assert wrong == []
    assert ran == {symbol: len(found) for symbol, found in of_kernel.items()}

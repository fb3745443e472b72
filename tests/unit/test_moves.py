"""Copies of values in another order: what the passes make of several in a row, and what is generated for them."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.emulate import imported, reference
from edgekc.errors import FormatError, ModelError
from edgekc.format.pack import pack, unpack
from edgekc.generate.plan import plan
from edgekc.graph.ir import Array, AttrValue, Graph, Node, Quant, Stage, Tensor
from edgekc.graph.op import view_of
from edgekc.ops import legal
from edgekc.ops.shared.loops import Loops, merged, of_indices, of_view
from edgekc.pipeline import Target, compile_packed, to_integer

Q = Quant((0.5,), (3,))


class Net:
    """Adds one node after the other; each method returns the name of its output."""

    def __init__(self, *shape: int) -> None:
        self.tensors = {"input": Tensor("input", shape, "int8", Q)}
        self.nodes: list[Node] = []

    def add(self, op: str, inputs: tuple[str, ...], shape: tuple[int, ...], **attrs: AttrValue) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.tensors[name] = Tensor(name, shape, "int8", Q)
        self.nodes.append(Node(op, name, inputs, (name,), attrs))
        return name

    def transpose(self, x: str, *perm: int) -> str:
        shape = tuple(self.tensors[x].shape[p] for p in perm)
        return self.add("transpose", (x,), shape, perm=",".join(map(str, perm)))

    def reshape(self, x: str, *shape: int) -> str:
        return self.add("reshape", (x,), shape)

    def slice(self, x: str, axis: int, begin: int, size: int, step: int = 1) -> str:
        shape = list(self.tensors[x].shape)
        begins, steps = [0] * len(shape), [1] * len(shape)
        begins[axis], shape[axis], steps[axis] = begin, size, step
        text = [",".join(map(str, v)) for v in (begins, shape, steps)]
        return self.add("strided_slice", (x,), tuple(shape), begins=text[0], sizes=text[1], strides=text[2])

    def graph(self, *outputs: str) -> Graph:
        return Graph("net", Stage.QUANTIZED, self.tensors, tuple(self.nodes), ("input",), outputs, {})


def compiled(graph: Graph) -> Graph:
    """The INTEGER graph, which computes what the graph does."""
    packed = to_integer(graph, {})
    x = np.random.default_rng(0).integers(-128, 128, (3, *graph.tensors["input"].shape[1:])).astype(np.int8)
    wanted = imported.outputs(imported.prepare(graph), [x])
    for a, b in zip(wanted, reference.outputs(packed, [x]), strict=True):
        np.testing.assert_array_equal(a, b)
    return packed


def kinds(graph: Graph) -> list[str]:
    return [node.op for node in compiled(graph).nodes]


def test_transposes_in_a_row_are_one() -> None:
    net = Net(1, 3, 4, 5)
    out = net.transpose(net.transpose(net.transpose("input", 0, 2, 1, 3), 0, 3, 1, 2), 0, 1, 3, 2)
    assert kinds(net.graph(out)) == ["strided_copy"]


def test_transposes_that_undo_each_other_move_nothing() -> None:
    net = Net(1, 3, 4, 5)
    there = net.transpose("input", 0, 3, 1, 2)
    back = net.transpose(there, 0, 2, 3, 1)
    assert kinds(net.graph(back)) == ["reshape"]
    assert kinds(net.graph(net.slice(back, 1, 1, 2))) == ["strided_copy"]


def test_a_transpose_of_axes_of_one_is_a_reshape() -> None:
    net = Net(1, 1, 4, 5)
    assert kinds(net.graph(net.transpose("input", 0, 2, 1, 3))) == ["reshape"]


def test_channels_dealt_out_and_back_through_reshapes() -> None:
    net = Net(1, 2, 3, 8)

    def shuffled(x: str, groups: int) -> str:
        turned = net.transpose(net.reshape(x, 1, 6, groups, 8 // groups), 0, 1, 3, 2)
        return net.reshape(turned, 1, 2, 3, 8)

    assert kinds(net.graph(shuffled(shuffled("input", 2), 4)))[0] == "reshape"
    assert kinds(net.graph(shuffled(shuffled("input", 2), 2))).count("strided_copy") == 1


def test_what_others_read_stays() -> None:
    net = Net(1, 3, 4, 5)
    first = net.transpose("input", 0, 2, 1, 3)
    second = net.transpose(first, 0, 3, 2, 1)
    assert kinds(net.graph(first, second)) == ["strided_copy", "strided_copy"]


def test_one_kernel_is_linked() -> None:
    net = Net(1, 6, 4, 5)
    parts = [net.slice("input", 1, 0, 3), net.slice("input", 3, 1, 2), net.transpose("input", 0, 3, 2, 1)]
    parts.append(net.slice("input", 2, 3, 4, -1))
    files = compile_packed(
        pack(compiled(net.graph(*parts))), "net.ekc", "net", Target("a board", frozenset(), None, None)
    ).files
    assert [path for path in files if "/ek_" in path and path.endswith(".c")] == ["src/ek_strided_copy_s8.c"]


@pytest.mark.parametrize("count", [1, 4, 5, 9, 30])
def test_any_number_of_tensors_is_joined(count: int) -> None:
    net = Net(1, 2, 4, 3)
    parts = [net.slice("input", 2, i % 4, 1 + i % (4 - i % 4)) for i in range(count)]
    width = sum(net.tensors[p].shape[2] for p in parts)
    out = net.add("concat", tuple(parts), (1, 2, width, 3), axis=2, activation="none")
    packed = compiled(net.graph(out))
    assert all(len(node.inputs) <= 4 for node in packed.nodes)
    assert len(plan(packed, frozenset()).steps) == len(packed.nodes)


def test_outputs_that_show_one_anothers_bytes_are_copied() -> None:
    net = Net(1, 2, 4, 3)
    turned = net.transpose("input", 0, 2, 1, 3)
    packed = compiled(net.graph(turned, net.reshape(turned, 1, 24), net.reshape("input", 1, 24)))
    assert [step.kernel.symbol for step in plan(packed, frozenset()).steps].count("ek_copy_s8") == 2


def test_channels_go_through_copies_of_pixels() -> None:
    """A channel that nobody reads is taken out in front of a copy too."""
    net = Net(1, 4, 4, 6)
    clamped = net.add("relu", ("input",), (1, 4, 4, 6), activation="relu6")
    some = net.slice(net.transpose(clamped, 0, 2, 1, 3), 1, 1, 2)
    view = compiled(net.graph(some))
    rule = legal.op_of(view.nodes[-1]).channels
    found = rule(view_of(view, view.nodes[-1]))
    assert found is not None and found.same


def test_loops_of_indices_are_found_again() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        shape = tuple(int(v) for v in rng.integers(1, 5, 4))
        order = rng.permutation(4)
        steps = tuple(slice(None, None, int(rng.choice([1, 1, 2, -1]))) for _ in shape)

        def move(x: Array, order: Array = order, steps: tuple[slice, ...] = steps) -> Array:
            return x[steps].transpose(order)

        loops = of_view(shape, move)
        whole = np.arange(int(np.prod(shape))).reshape(shape)
        np.testing.assert_array_equal(loops.indices(), move(whole).ravel())
        again = of_indices(loops.indices())
        assert again is not None
        np.testing.assert_array_equal(again.indices(), loops.indices())
        inside, outside = shape[-1], move(whole).shape[-1]
        pairs = loops.channels(inside, outside)
        at = np.arange(loops.count) % outside
        wanted = set(zip((loops.indices() % inside).tolist(), at.tolist(), strict=True))
        assert pairs is not None and set(zip(*(p.tolist() for p in pairs), strict=True)) == wanted


def test_no_loops_where_there_are_none() -> None:
    assert of_indices(np.array([0, 1, 3, 7])) is None
    assert of_indices(np.array([5])) == Loops(5, (), ())
    assert merged(0, (2, 3, 1, 4), (12, 4, 7, 1)) == Loops(0, (24,), (1,))


DAMAGED = {
    "before": dict(offset=-1),
    "behind": dict(offset=61),
    "step": dict(step4=20),
    "passes": dict(size4=8),
    "no-passes": dict(size3=0),
    "32-bits": dict(size0=1, step0=2**31 - 1, step1=2**31 - 1),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_nothing_outside_of_the_input_is_read(case: str) -> None:
    net = Net(1, 3, 4, 5)
    packed = to_integer(net.graph(net.transpose("input", 0, 3, 2, 1)), {})
    (node,) = packed.nodes
    bad = Node(node.op, node.name, node.inputs, node.outputs, {**node.attrs, **DAMAGED[case]})
    damaged = Graph("net", Stage.INTEGER, packed.tensors, (bad,), packed.inputs, packed.outputs, {})
    with pytest.raises((ModelError, FormatError)):
        legal.check(damaged)
    legal.check(unpack(pack(packed), "net.ekc"))

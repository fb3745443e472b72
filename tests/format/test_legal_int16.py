"""INTEGER nodes with activations of 16 bits and of float32: what no kernel takes, and mixed widths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekc.errors import ModelError
from edgekc.graph.ir import REAL, Array, Graph, Node, Stage, Tensor, constant
from edgekc.graph.op import Case, operand_at
from edgekc.ops import OPS
from edgekc.ops.legal import check

ENDINGS = {"pad": "-wide", "mirror_pad": "-wide", "mean": "wrap-2-3000000000.0"}  # of the names of cases


def _graph(name: str, case: Case, *, out: str = "", first: str = "") -> Graph:
    """The case as a net of one layer; `out` and `first` are other types of its output and its first input."""
    op = OPS[name]
    (value,) = op.reference(case.attrs, case.inputs)
    tensors = {"out": Tensor("out", value.shape, out or value.dtype.name, REAL)}
    for i, x in enumerate(case.inputs):
        role = operand_at(op, i).role
        made = Tensor(f"in{i}", x.shape, x.dtype.name, REAL) if role is None else constant(f"in{i}", x, role)
        tensors[made.name] = replace(made, dtype=first) if first and i == 0 else made
    names = tuple(f"in{i}" for i in range(len(case.inputs)))
    inputs = tuple(n for n in names if tensors[n].data is None)
    node = Node(name, "layer", names, ("out",), case.attrs)
    return Graph("net", Stage.INTEGER, tensors, (node,), inputs, ("out",), {})


def _case(name: str, ending: str) -> Case:
    return next(c for c in OPS[name].cases(np.random.default_rng(0)) if c.name.endswith(ending))


@pytest.mark.parametrize("name", ["lut", "average_pool", "mean", "softmax", "fully_connected"])
def test_operators_of_bytes_take_no_int16(name: str) -> None:
    case = OPS[name].cases(np.random.default_rng(0))[0]
    check(_graph(name, case))
    for wide in (dict(out="int16"), dict(first="int16")):
        with pytest.raises(ModelError, match="has an activation of int16, which it has no kernel for"):
            check(_graph(name, case, **wide))


@pytest.mark.parametrize("name", ["strided_copy", "reshape", "pad", "mirror_pad", "take", "concat", "resize_nearest"])
def test_what_moves_bytes_moves_one_width(name: str) -> None:
    case = _case(name, "-wide")
    check(_graph(name, case))
    for narrow in (dict(out="int8"), dict(first="int8")):
        with pytest.raises(ModelError, match="int16"):
            check(_graph(name, case, **narrow))


@pytest.mark.parametrize("name", [op.name for op in OPS.values() if op.name.endswith(("_16x8", "_s16"))])
def test_operators_of_int16_take_no_bytes(name: str) -> None:
    case = OPS[name].cases(np.random.default_rng(0))[0]
    graph = _graph(name, case)
    check(graph)
    narrow = dict(first="int8") if graph.tensors["out"].dtype == "int8" else dict(out="int8")
    with pytest.raises(ModelError, match="int8"):
        check(_graph(name, case, **narrow))


@pytest.mark.parametrize(
    ("name", "attribute", "value", "said"),
    [
        ("pad", "pad_value", 3, "expected 0"),
        ("mirror_pad", "pad_front", 1, "mirrored padding of channels"),
        ("rescale_s16", "out_zero", 5, "int16 with the zero point 5"),
        ("rescale_s16", "shift", 16, "a shift of int16 is above 15"),
        ("mul_s16", "shift", 1, "above 0"),
        ("add_s16", "a_shift", 1, "at most 1/2"),
        ("add_s16", "out_shift", 0, "below 1/2"),
        ("mean_s16", "shift", 30, "overflows 32 bits"),
        ("softmax_s16", "shift", 16, "above 15"),
        ("sigmoid_s16", "right", 32, "right 32"),
        ("lut_s16", "out_bytes", 3, "out_bytes is 3"),
        ("binary_nearest_s16", "right", 63, "right 63"),
        ("binary_nearest_s16", "product", 2, "product is 2"),
        ("lut_mean", "shift", 1, "shift 1"),
        ("average_pool_nearest", "odd", 2, "odd is 2"),
        ("pool_s16", "average", 2, "average 2"),
        ("conv2d_16x8", "clamp_max", -40000, "leave no int16"),
        ("batch_matmul_s16", "multiplier", 2**15, "multiplier 32768"),
        ("mean", "multiplier", 2**31 - 1, "overflows 32 bits by its zero point"),
        ("select", "swapped", 2, "swapped is 2"),
        ("compare_f32", "when", 7, "when is 7"),
        ("top_k_f32", "places", 1, "places is 1 for an output of float32"),
    ],
)
def test_bounds_of_the_kernels(name: str, attribute: str, value: int, said: str) -> None:
    """The numbers on which 32-bit arithmetic rests."""
    graph = _graph(name, _case(name, ENDINGS.get(name, "")))
    (node,) = graph.nodes
    shapes = dict(graph.tensors)
    broken = replace(node, attrs={**node.attrs, attribute: value})
    (shape,) = OPS[name].infer(broken.attrs, [shapes[n].shape for n in node.inputs])
    shapes["out"] = replace(shapes["out"], shape=shape)
    with pytest.raises(ModelError, match=said):
        check(replace(graph, nodes=(broken,), tensors=shapes))


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        ("select", dict(out="int8"), "a choice of int8, float32, float32, int8"),
        ("select", dict(first="float32"), "a choice of float32"),
        ("compare_f32", dict(out="float32"), "compare_f32 to float32"),
        ("compare_f32", dict(first="int8"), "not float32"),
    ],
)
def test_types_of_choices(name: str, changed: dict[str, str], said: str) -> None:
    case = _case(name, "-float" if name == "select" else "")
    check(_graph(name, case))
    with pytest.raises(ModelError, match=said):
        check(_graph(name, case, **changed))


@pytest.mark.parametrize("name", ["conv2d_16x8", "fully_connected_16x8", "transpose_conv_16x8"])
def test_biases_of_two_words(name: str) -> None:
    """Where kernels have room for them, and no accumulator leaves it."""
    deep = OPS[name].deep
    case = _case(name, "-deep" if deep else "-random")
    words = case.inputs[2] if deep else np.stack([case.inputs[2], case.inputs[2]])
    far = words.copy()
    far[1, 0] = -(2**31)

    def check_with(bias: Array) -> None:
        check(_graph(name, replace(case, inputs=(*case.inputs[:2], bias, *case.inputs[3:]))))

    if not deep:
        with pytest.raises(ModelError, match=r"bias \(2, \d+\).* do not fit"):
            check_with(words)
        return
    check_with(words)
    with pytest.raises(ModelError, match="requantising channel 0 could leave 32 bits: its accumulators reach"):
        check_with(far)
    with pytest.raises(ModelError, match=r"bias \(3, \d+\).* do not fit"):
        check_with(np.stack([*words, words[0]]))

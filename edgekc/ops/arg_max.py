"""The place of the largest or smallest value along an axis, int8 to int32: definitions, lowering and C kernel.

Of equal values the first one counts. The output is a whole number: its scale is 1, its zero point 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.ir import Array, Quant
from ..graph.op import Case, IntAttrs, Kernel, Lowered, Op, Param, Shape, View
from ..graph.source import FloatHalf, SourceOp
from .shared.checks import activation_inputs
from .shared.operands import X
from .shared.testing import fills

ATTRS = ("axis",)
COUNTS = Quant((1.0,), (0,))  # of whole numbers


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, axis = shapes[0], attrs["axis"]
    if not 1 <= axis < len(x):
        raise ModelError(f"the place along axis {axis} of a tensor of shape {list(x)}")
    return [(*x[:axis], *x[axis + 1 :])]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    return [inputs[0].argmax(attrs["axis"]).astype(np.int32)]


def lower(view: View) -> Lowered:
    """Of the operator that is called as the node."""
    rank = len(view.x.shape)
    axis = view["axis"] % rank
    if axis == 0:
        raise UnsupportedError(f"{view.node.op} over the batch axis", where=view.node.name)
    if view.x.dtype != "int8":
        raise UnsupportedError(f"{view.node.op} of {view.x.dtype} ({view.x.name})", where=view.node.name)
    return Lowered(view.node.op, {"axis": axis}, activation_inputs(view))


def _params(view: View, flip: int) -> dict[str, Param]:
    shape, axis = view.x.shape, view["axis"]
    sizes: dict[str, Param] = dict(outer=math.prod(shape[:axis]), depth=shape[axis], inner=math.prod(shape[axis + 1 :]))
    return {**sizes, "flip": flip}


def kernel(flip: int) -> Kernel:
    """`flip`: 0 for the largest value, -1 for the smallest, which is the largest of all bits turned over."""
    return Kernel(
        symbol="ek_arg_max_s8",
        header="ek_arg_max.h",
        struct="ek_arg_max_params",
        fields=(*(("uint32_t", name) for name in ("outer", "depth", "inner")), ("int8_t", "flip")),
        params=lambda view: _params(view, flip),
    )


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for name, shape, axis in (
        ("scores", (1, 10), 1),
        ("one", (1, 1), 1),
        ("pixels", (1, 3, 4, 5), 3),
        ("rows", (1, 3, 4, 5), 1),
        ("columns", (1, 2, 7, 3), 2),
        ("long", (1, 300, 2), 1),
    ):
        out += [Case(f"{name}-{fill}", {"axis": axis}, (x,)) for fill, x in fills(rng, shape)]
        ties = rng.choice(np.array([-128, 127], np.int8), shape)
        out.append(Case(f"{name}-ties", {"axis": axis}, (ties,)))
    return out


def in_floats(how: str) -> FloatHalf:
    """Whole numbers in float32. `how`: what numpy and PyTorch call it; there is no gradient."""
    return FloatHalf(
        lambda view, operands: getattr(operands[0], how)(view["axis"]).astype(np.float32),
        lambda torch, view, operands: getattr(operands[0], how)(view["axis"]).to(operands[0].dtype),
        fixed_quant=COUNTS,
        counts=True,
    )


OP = Op(
    name="arg_max",
    code=56,
    attrs=ATTRS,
    operands=(X,),
    infer=infer,
    reference=reference,
    kernels=(kernel(0),),
    cases=cases,
)
SOURCE = SourceOp("arg_max", lower, in_floats("argmax"), clamps=False, makes_probabilities=True)

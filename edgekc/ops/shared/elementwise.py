"""What operators of two tensors share: broadcasting, operand order, the loop nest and the fields that describe it.

Either operand may be broadcast, and one may be a constant. It then comes last and the kernel named
`ek_<op>_const_s8` reads it through the parameter struct; both kernels run the same loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.fixedpoint import DOUBLE, clamp_int8, quantize_multiplier, requantize
from ...graph.ir import Array, Role, Tensor, constant
from ...graph.op import Field, IntAttrs, Kernel, Param, Shape, View
from . import int16
from .checks import is_constant, require_int8
from .testing import fills

LOOP_FIELDS = tuple(
    ("uint32_t", name)
    for name in ("outer", "mid", "inner", "a_outer", "a_mid", "a_inner", "b_outer", "b_mid", "b_inner")
)


def align(shape: Shape, rank: int) -> Shape:
    """A shape with its leading batch axis kept and ones put behind it."""
    if not shape:
        return (1,) * rank
    return (shape[0], *(1,) * (rank - len(shape)), *shape[1:])


def broadcast_shape(a: Shape, b: Shape) -> Shape:
    rank = max(len(a), len(b))
    pairs = list(zip(align(a, rank), align(b, rank), strict=True))
    if any(x != y and 1 not in (x, y) for x, y in pairs):
        raise ModelError(f"shapes {list(a)} and {list(b)} do not broadcast")
    return tuple(max(x, y) for x, y in pairs)


MOST_RUNS = 3  # that the loops of add and multiply have


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    out = broadcast_shape(shapes[0], shapes[1])
    runs(out, shapes[0], shapes[1], MOST_RUNS)
    return [out]


def alternates(view: View, a: Tensor, b: Tensor) -> bool:
    """Whether the axes fall into more runs than the loops of add and multiply have."""
    shapes = [(1,) * (len(view.out.shape) - len(t.shape)) + t.shape if is_constant(t) else t.shape for t in (a, b)]
    return len(_grouped(broadcast_shape(*shapes), *shapes)) > MOST_RUNS


def runs(out: Shape, a: Shape, b: Shape, most: int) -> list[tuple[int, bool, bool]]:
    """The output as `most` runs of axes that broadcast alike: (size, a has them, b has them), ones in front."""
    found = _grouped(out, a, b)
    if len(found) > most:
        raise UnsupportedError(
            f"broadcasting {list(a)} against {list(b)}: the axes alternate more than {most - 1} times"
        )
    return [(1, True, True)] * (most - len(found)) + found


def _grouped(out: Shape, a: Shape, b: Shape) -> list[tuple[int, bool, bool]]:
    found: list[tuple[int, bool, bool]] = []
    for size, in_a, in_b in zip(out, align(a, len(out)), align(b, len(out)), strict=True):
        if size == 1:
            continue
        kind = (in_a > 1, in_b > 1)
        if found and found[-1][1:] == kind:
            found[-1] = (found[-1][0] * size, *kind)
        else:
            found.append((size, *kind))
    return found


def aligned(inputs: Sequence[Array]) -> tuple[Array, Array]:
    """Both operands as int64 of the same rank."""
    a, b = inputs
    rank = max(a.ndim, b.ndim)
    wide = [x.astype(np.int64).reshape(align(x.shape, rank)) for x in (a, b)]
    return wide[0], wide[1]


def operands(view: View) -> tuple[Tensor, Tensor]:
    """The two inputs, a constant last, whether or not the operator commutes."""
    (int16.require_wide if int16.is_wide(view) else require_int8)(view)
    a, b = view.inputs
    if is_constant(a):
        a, b = b, a
    check_operands(view, a, b)
    return a, b


def check_operands(view: View, a: Tensor, b: Tensor) -> None:
    """UnsupportedError of two constants, and of ranks that no loop sees; a constant alone is `b`."""
    if is_constant(a):
        raise UnsupportedError(f"{view.node.op} of two constants", where=view.node.name)
    if not view.out.shape or max(len(a.shape), len(b.shape)) > len(view.out.shape):
        raise UnsupportedError(f"{view.node.op} with an output of rank {len(view.out.shape)}", where=view.node.name)


def lowered_inputs(
    view: View, a: Tensor, b: Tensor, infer: Callable[[IntAttrs, Sequence[Shape]], list[Shape]] = infer
) -> tuple[tuple[str, ...], tuple[Tensor, ...]]:
    """(activations, constants); a constant gets the output's rank, so that its leading axis is the batch's."""
    if not is_constant(b):
        if len({len(t.shape) for t in (a, b)}) > 1 and any(t.shape[:1] != (1,) for t in (a, b)):
            raise UnsupportedError(f"{view.node.op} of different ranks with a batch axis", where=view.node.name)
        infer({}, [a.shape, b.shape])
        return (a.name, b.name), ()
    if len(a.shape) < len(view.out.shape):
        raise UnsupportedError(f"{view.node.op} with a constant of higher rank", where=view.node.name)
    data = b.value.reshape((1,) * (len(view.out.shape) - b.value.ndim) + b.value.shape)
    infer({}, [a.shape, data.shape])
    return (a.name,), (constant(f"{view.node.name}/b", data, Role.WEIGHTS),)


def loops(view: View) -> dict[str, Param]:
    """Values for LOOP_FIELDS: the sizes of the runs, and byte strides of both operands."""
    found = runs(view.out.shape, view.x.shape, view.operand("b").shape, MOST_RUNS)
    values: dict[str, Param] = {}
    steps = {"a": 1, "b": 1}
    for axis, (size, in_a, in_b) in reversed(list(zip(("outer", "mid", "inner"), found, strict=True))):
        values[axis] = size
        for name, present in (("a", in_a), ("b", in_b)):
            values[f"{name}_{axis}"] = steps[name] if present else 0
            steps[name] *= size if present else 1
    return values


def in_place(view: View) -> tuple[int, ...]:
    """The operands that have every element of the output: each is read before it is written."""
    elements = math.prod(view.out.shape)
    whole = [not is_constant(t) and math.prod(t.shape) == elements for t in view.inputs]
    return tuple(i for i, fits in enumerate(whole) if fits)


def _has_constant(view: View) -> bool:
    return is_constant(view.inputs[1])


def kernels(
    op: str, fields: Sequence[Field], params: Callable[[View], dict[str, Param]], bits: int = 8
) -> tuple[Kernel, ...]:
    """The kernel of two activations, and that of an activation and a constant, all of 8 or 16 bits."""

    def with_constant(view: View) -> dict[str, Param]:
        b = view.inputs[1]
        return {**params(view), "constant": b.name if is_constant(b) else 0}

    symbol, stem = f"ek_{op}_s{bits}", f"ek_{op}" if bits == 8 else f"ek_{op}_s{bits}"
    variants: tuple[tuple[str, bool, tuple[str, ...]], ...]
    variants = ((symbol, False, ()), (f"ek_{op}_const_s{bits}", True, (symbol,)))
    return tuple(
        Kernel(
            symbol=name,
            header=f"{stem}.h",
            struct=f"{stem}_params",
            fields=(*fields, ("const int8_t *" if bits == 8 else "const ek_s16 *", "constant")),
            params=with_constant,
            accepts=_has_constant if constant_b else lambda view: not _has_constant(view),
            in_place=in_place,
            sources=sources,
        )
        for name, constant_b, sources in variants
    )


def activation(out_zero: int, reach: int) -> dict[str, int]:
    """Limits of a case's outputs that cut off what is further than `reach` from their zero."""
    return {"act_min": max(out_zero - reach, -128), "act_max": min(out_zero + reach, 127)}


def pairs_of_inputs(rng: np.random.Generator) -> list[tuple[str, Array, Array]]:
    """Operands for cases: every supported way to broadcast, random and extreme fills."""
    shapes: list[tuple[str, Shape, Shape]] = [
        ("same", (1, 3, 5, 7), (1, 3, 5, 7)),
        ("one-pixel", (1, 1, 1, 3), (1, 1, 1, 3)),
        ("long", (1, 3, 7, 49), (1, 3, 7, 49)),
        ("scalar", (1, 3, 4, 5), (1, 1, 1, 1)),
        ("channel", (1, 3, 4, 5), (1, 1, 1, 5)),
        ("left", (1, 1, 1, 5), (1, 3, 4, 5)),
        ("map", (1, 3, 4, 5), (1, 3, 4, 1)),
        ("row", (1, 3, 4, 5), (1, 1, 4, 5)),
        ("column", (1, 3, 4, 5), (1, 3, 1, 5)),
        ("outer-product", (1, 6, 1), (1, 1, 9)),
        ("vector", (1, 33), (1, 33)),
        ("square", (1, 6, 1), (1, 1, 6)),
    ]
    out = []
    for name, a, b in shapes:
        for (fill, x), (_, y) in zip(fills(rng, a), fills(rng, b), strict=True):
            out.append((f"{name}-{fill}", x, y))
        out.append((f"{name}-opposite", np.full(a, -128, np.int8), np.full(b, 127, np.int8)))
    return out


def fixed(real: float, prefix: str) -> dict[str, int]:
    """The attributes `<prefix>multiplier` and `<prefix>shift` of a real multiplier."""
    multiplier, shift = quantize_multiplier(real)
    return {f"{prefix}multiplier": multiplier, f"{prefix}shift": shift}


def sum_scales(a: float, b: float, out: float, left_shift: int) -> dict[str, int]:
    """Multipliers of operands and output of a sum: twice the larger scale in 2**left_shift parts is common."""
    twice = 2.0 * max(a, b)
    ratios = {"a_": a / twice, "b_": b / twice, "out_": twice / (2.0**left_shift * out)}
    attrs = {key: value for prefix, ratio in ratios.items() for key, value in fixed(ratio, prefix).items()}
    for prefix in ratios:
        if attrs[f"{prefix}multiplier"] == 0:  # nothing, whatever the shift; kernels want one to the right
            attrs[f"{prefix}shift"] = -1
    return attrs


def scaled(attrs: IntAttrs, value: Array, prefix: str) -> Array:
    return requantize(value, attrs[f"{prefix}multiplier"], attrs[f"{prefix}shift"], DOUBLE)


def to_output(attrs: IntAttrs, value: Array, prefix: str) -> Array:
    return clamp_int8(scaled(attrs, value, prefix), attrs["out_zero"], attrs["act_min"], attrs["act_max"])

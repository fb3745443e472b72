"""LSTM over the steps of a sequence, int8 with cells of 16 bits: the definition, its lowering and its C kernel.

What it keeps is an operand, and the end of its output, both as rows of bytes: the hidden values, and two rows that hold
the cells, the lower byte of each first. The output's first rows are the hidden values of every step, so that its last
three rows are what is kept for the next call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..graph.fixedpoint import DOUBLE, quantize_multiplier, requantize, rounding_divide_by_pot
from ..graph.ir import Array, Role, constant
from ..graph.op import (
    MULTIPLIER,
    RIGHT_SHIFT,
    Case,
    Constant,
    IntAttrs,
    Kernel,
    Learned,
    Lowered,
    Op,
    Operand,
    Param,
    Shape,
    View,
)
from ..graph.scratch import Region
from ..graph.source import SourceOp
from .shared import fixed16
from .shared.checks import require_int8
from .shared.operands import X
from .shared.testing import fills

# cell_bits: integer bits of a cell. clip: the most that a cell holds, 0 where all of int16 may be.
ATTRS = ("cell_bits", "clip", "hidden_multiplier", "hidden_shift", "out_zero")
GATES = 4  # input, forget, cell, output
_CELLS = dict(cell_bits=Learned(0, fixed16.MOST_BITS), clip=Learned(0, fixed16.INT16_MAX))
LIMIT = 2**30  # of scaled sums: such a sum and 16 bits fit 32

_KEPT = Operand("kept")
# Of a gate's unit, the weights of the input, then those of the hidden values; the other constants are pairs of the two.
_CONSTANTS = (
    Operand("gates", Constant.ALWAYS, Role.WEIGHTS),  # int8 (4, units, inputs + units)
    Operand("gate_bias", Constant.ALWAYS, Role.BIAS),  # int32 (4, units, 2), zero points folded in
    Operand("gate_multiplier", Constant.ALWAYS, Role.REQUANT),  # int32 (4, 2)
    Operand("gate_shift", Constant.ALWAYS, Role.REQUANT),  # int8 (4, 2)
)
_LETTERS = ("input", "forget", "cell", "output")
SOURCE_OPERANDS = (
    X,
    _KEPT,
    *(Operand(f"input_to_{gate}", Constant.ALWAYS, Role.WEIGHTS) for gate in _LETTERS),
    *(Operand(f"recurrent_to_{gate}", Constant.ALWAYS, Role.WEIGHTS) for gate in _LETTERS),
    *(Operand(f"{gate}_bias", Constant.ALWAYS, Role.BIAS) for gate in _LETTERS),
)


def infer(attrs: IntAttrs, shapes: Sequence[Shape]) -> list[Shape]:
    x, kept, gates, bias, multiplier, shift = shapes
    if len(x) != 3 or len(kept) != 3 or kept[1] != 3:
        raise ModelError(f"an LSTM of an input of shape {list(x)} that keeps {list(kept)}")
    units = kept[2]
    if tuple(gates) != (GATES, units, x[2] + units) or tuple(bias) != (GATES, units, 2):
        raise ModelError(f"weights {list(gates)} and bias {list(bias)} for {units} units of {x[2]} inputs")
    if tuple(multiplier) != (GATES, 2) or tuple(shift) != (GATES, 2):
        raise ModelError(f"multipliers {list(multiplier)} and shifts {list(shift)} of {GATES} gates")
    return [(x[0], x[1] + 2, units)]


def reference(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
    x, kept, gates, bias, multiplier, shift = inputs
    batch, steps, depth = x.shape
    hidden = kept[:, 0].astype(np.int64)
    cell = np.ascontiguousarray(kept[:, 1:]).reshape(batch, -1).view("<i2").astype(np.int64)
    weights = gates.astype(np.int64)
    rows = []
    for step in range(steps):
        gate = []
        for k in range(GATES):
            sums = (x[:, step].astype(np.int64) @ weights[k, :, :depth].T, hidden @ weights[k, :, depth:].T)
            scaled = [requantize(a + bias[k, :, i], multiplier[k, i], shift[k, i], DOUBLE) for i, a in enumerate(sums)]
            gate.append(fixed16.saturate(fixed16.saturate(scaled[0]) + scaled[1]))
        written, forgotten, shown = (fixed16.sigmoid(gate[k]) for k in (0, 1, 3))
        new = rounding_divide_by_pot(written * fixed16.tanh(gate[2], fixed16.GATE_BITS), 15 + attrs["cell_bits"])
        cell = fixed16.saturate(rounding_divide_by_pot(forgotten * cell, 15) + new)
        if attrs["clip"]:
            cell = np.clip(cell, -attrs["clip"], attrs["clip"])
        product = shown * fixed16.tanh(cell, attrs["cell_bits"])
        hidden = requantize(product, attrs["hidden_multiplier"], attrs["hidden_shift"], DOUBLE)
        hidden = np.clip(hidden + attrs["out_zero"], -128, 127)
        rows.append(hidden.astype(np.int8))
    cells = cell.astype("<i2").view(np.int8).reshape(batch, 2, -1)
    return [np.concatenate([np.stack(rows, 1), cells], 1)]


def validate(view: View) -> None:
    if not 0 <= view["cell_bits"] <= fixed16.MOST_BITS or not 0 <= view["clip"] <= fixed16.INT16_MAX:
        raise ModelError(f"an LSTM whose cells have {view['cell_bits']} integer bits, and at most {view['clip']}")
    if view["hidden_shift"] > 0:
        raise ModelError(f"an LSTM with a hidden_shift of {view['hidden_shift']}, which must not be positive")
    multiplier, shift = (view.operand(f"gate_{name}").value.astype(np.int64) for name in ("multiplier", "shift"))
    if multiplier.min() < 0 or shift.min() < -31 or shift.max() > 30:
        raise ModelError("a multiplier is negative, or a shift outside of -31 to 30")
    bound = _bound(view.operand("gates").value, view.operand("gate_bias").value, view.x.shape[2])
    if np.any(bound << np.maximum(shift, 0)[:, None] >= LIMIT):
        raise ModelError("the sums of an LSTM's gate could leave 32 bits")


def _bound(gates: Array, bias: Array, depth: int) -> Array:
    """int64 (4, units, 2): the largest magnitude of the sums over the input, and over the hidden values."""
    sizes = np.abs(gates.astype(np.int64))
    sums = np.stack([sizes[..., :depth].sum(-1), sizes[..., depth:].sum(-1)], -1)
    return np.asarray(128 * sums + np.abs(bias.astype(np.int64)))


def lower(view: View) -> Lowered:
    require_activations(view)
    x, kept, name = view.x, view.operand("kept"), view.node.name
    cell_bits = view["cell_bits"]
    if not 0 <= cell_bits <= fixed16.MOST_BITS:
        raise UnsupportedError(f"LSTM cells with a scale of 2^{cell_bits - 15}; supported: 2^-15 to 2^-9", where=name)
    single = np.float32
    gates, biases, pairs = [], [], []
    for gate in _LETTERS:
        parts = [view.operand(f"{part}_to_{gate}") for part in ("input", "recurrent")]
        rows = [t.value.astype(np.int64) for t in parts]
        bias = [view.operand(f"{gate}_bias").value.astype(np.int64), np.zeros(rows[0].shape[0], np.int64)]
        for k, side in enumerate((x, kept)):
            bias[k] = bias[k] - side.q.zero_point * rows[k].sum(1)
            # LiteRT multiplies and divides in float32; the unit of a gate is 2**-12.
            real = single(parts[k].q.scale) * single(side.q.scale) / single(2.0**-12)
            pairs.append(quantize_multiplier(float(real)))
        gates.append(np.concatenate(rows, 1))
        biases.append(np.stack(bias, -1))
    hidden = quantize_multiplier(float(single(2.0**-15) / single(view.out.q.scale) * single(2.0**-15)))
    wide, sums = np.stack(gates), np.stack(biases)
    multiplier = np.array([p[0] for p in pairs], np.int32).reshape(GATES, 2)
    shift = np.array([p[1] for p in pairs], np.int8).reshape(GATES, 2)
    scaled = _bound(wide, sums, x.shape[2]) << np.maximum(shift.astype(np.int64), 0)[:, None]
    if np.any(scaled >= LIMIT) or hidden[1] > 0:
        text = "an LSTM whose scales let the sums of a gate, or its output, leave 32 bits"
        raise UnsupportedError(text, where=name, fix="quantise the model with representative data")
    attrs = dict(cell_bits=cell_bits, clip=view["clip"], out_zero=view.out.q.zero_point)
    attrs.update(hidden_multiplier=hidden[0], hidden_shift=hidden[1])
    constants = (
        constant(f"{name}/gates", wide.astype(np.int8), Role.WEIGHTS),
        constant(f"{name}/gate_bias", sums.astype(np.int32), Role.BIAS),
        constant(f"{name}/gate_multiplier", multiplier, Role.REQUANT),
        constant(f"{name}/gate_shift", shift, Role.REQUANT),
    )
    return Lowered("lstm", attrs, (x.name, kept.name), constants)


def require_activations(view: View) -> None:
    """What is computed at run time is int8."""
    require_int8(View(view.node, view.inputs[:2], view.outputs, view.operands))
    if any(t.data is not None for t in view.inputs[:2]):
        raise UnsupportedError("an LSTM of a constant", where=view.node.name)


def _params(view: View) -> dict[str, Param]:
    sizes = dict(steps=view.x.shape[1], inputs=view.x.shape[2], units=view.out.shape[2])
    return {
        **{operand.name: view.operand(operand.name).name for operand in _CONSTANTS},
        **sizes,
        **{name: view[name] for name in ATTRS},
    }


KERNELS = (
    Kernel(
        symbol="ek_lstm_s8",
        header="ek_lstm.h",
        struct="ek_lstm_params",
        fields=(
            ("const int8_t *", "gates"),
            ("const int32_t *", "gate_bias"),
            ("const int32_t *", "gate_multiplier"),
            ("const int8_t *", "gate_shift"),
            *(("uint32_t", name) for name in ("steps", "inputs", "units")),
            *(("int32_t", name) for name in ("hidden_multiplier", "hidden_shift")),
            *(("int16_t", name) for name in ("cell_bits", "clip", "out_zero")),
        ),
        params=_params,
        scratch=lambda view: (Region("sums", 8 * view.out.shape[2], "int16 (units, 4): of the gates, in one step"),),
        # All gates of a step are known before its first value is written, and what one step keeps lies in its place.
        in_place=lambda view: (1,) if view.x.shape[1] == 1 else (),
    ),
)


def cases(rng: np.random.Generator) -> list[Case]:
    out = []
    for i, (name, steps, depth, units) in enumerate(
        (("one", 1, 1, 1), ("step", 1, 5, 3), ("sequence", 7, 3, 5), ("wide", 2, 33, 17), ("long", 40, 2, 2))
    ):
        for fill, x in fills(rng, (1, steps, depth)):
            gates = rng.integers(-127, 128, (GATES, units, depth + units)).astype(np.int8)
            bias = rng.integers(-3000, 3000, (GATES, units, 2)).astype(np.int32)
            pairs = [quantize_multiplier(float(np.exp(rng.uniform(-2, 1)))) for _ in range(2 * GATES)]
            if fill == "high":  # gates at the ends of their range
                pairs = [quantize_multiplier(20.0)] * len(pairs)
            multiplier = np.array([p[0] for p in pairs], np.int32).reshape(GATES, 2)
            shift = np.array([p[1] for p in pairs], np.int8).reshape(GATES, 2)
            hidden = quantize_multiplier(2.0**-30 / float(np.exp(rng.uniform(-6, -4))))
            attrs = dict(cell_bits=(i + len(fill)) % 7, clip=(0, 20480)[i % 2], out_zero=int(rng.integers(-128, 128)))
            attrs.update(hidden_multiplier=hidden[0], hidden_shift=hidden[1])
            kept = rng.integers(-128, 128, (1, 3, units)).astype(np.int8)
            if fill == "low":  # cells of -32768, and none
                kept[:, 1:] = np.frombuffer(np.resize([-32768, 0], units).astype("<i2"), np.int8).reshape(2, -1)
            out.append(Case(f"{name}-{fill}", attrs, (x, kept, gates, bias, multiplier, shift)))
    return out


OP = Op(
    name="lstm",
    code=60,
    attrs=ATTRS,
    operands=(X, _KEPT, *_CONSTANTS),
    infer=infer,
    reference=reference,
    kernels=KERNELS,
    macs=lambda view: view.x.shape[1] * math.prod(view.operand("gates").shape),
    validate=validate,
    learned=lambda view: dict(hidden_multiplier=MULTIPLIER, hidden_shift=RIGHT_SHIFT, **_CELLS),
    cases=cases,
)
SOURCE = SourceOp("sequence_lstm", lower, becomes="lstm", operands=SOURCE_OPERANDS)

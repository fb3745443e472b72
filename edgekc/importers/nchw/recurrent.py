"""LSTM, GRU and plain RNN over a fixed number of rows, unrolled: a step is layers and products that kernels have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...graph.ir import Array
from ..builder import Builder
from ..value import Value, constant_value
from .elements import binary, clamp, unary
from .layers import fully_connected
from .moves import concat, reshape, strided


@dataclass(frozen=True, slots=True)
class Cell:
    """Weights of one direction; the gates of an LSTM are input, output, forget, cell, those of a GRU z, r, hidden."""

    w: Array  # (gates * size, inputs)
    r: Array  # (gates * size, size)
    w_bias: Array  # (gates * size)
    r_bias: Array  # likewise
    source: str  # the weights' name in the user's model


def lstm(b: Builder, rows: Sequence[Value], cell: Cell, h: Value, c: Value) -> tuple[list[Value], Value, Value]:
    """(output of each row, last output, last state); rows, `h` and `c` are (1, size)."""
    outputs = []
    for x in rows:
        gates = _gates(b, x, cell.w, cell.w_bias + cell.r_bias, cell.source)
        gates = _add(b, gates, _gates(b, h, cell.r, np.zeros_like(cell.r_bias), ""))
        i, o, f, g = _split(b, gates, 4)
        i, o, f = (unary(b, "logistic", gate) for gate in (i, o, f))
        fresh = binary(b, "mul", i, unary(b, "tanh", g))
        c = fresh if _is_zero(c) else binary(b, "add", binary(b, "mul", f, c), fresh)
        h = binary(b, "mul", o, unary(b, "tanh", c))
        outputs.append(h)
    return outputs, h, c


def gru(b: Builder, rows: Sequence[Value], cell: Cell, h: Value, reset_after: bool) -> tuple[list[Value], Value]:
    """(output of each row, last output); `reset_after`: the reset gate scales what the state's weights give."""
    size = cell.r.shape[1]
    outputs = []
    for x in rows:
        z, r, n = _split(b, _gates(b, x, cell.w, cell.w_bias, cell.source), 3)
        if reset_after:
            z_h, r_h, n_h = _split(b, _gates(b, h, cell.r, cell.r_bias, ""), 3)
        else:
            z_h, r_h = _split(b, _gates(b, h, cell.r[: 2 * size], cell.r_bias[: 2 * size], ""), 2)
        z, r = unary(b, "logistic", _add(b, z, z_h)), unary(b, "logistic", _add(b, r, r_h))
        if reset_after:
            n = _add(b, n, binary(b, "mul", r, n_h))
        else:
            past = constant_value(np.zeros((1, size), np.float32), "") if _is_zero(h) else binary(b, "mul", r, h)
            n = _add(b, n, _gates(b, past, cell.r[2 * size :], cell.r_bias[2 * size :], ""))
        n = unary(b, "tanh", n)
        # (1 - z) * n + z * h
        kept = binary(b, "sub", h, n) if not _is_zero(h) else unary(b, "neg", n)
        h = binary(b, "add", n, binary(b, "mul", z, kept))
        outputs.append(h)
    return outputs, h


def rnn(b: Builder, rows: Sequence[Value], cell: Cell, h: Value, relu: bool) -> tuple[list[Value], Value]:
    """(output of each row, last output) of the activation of both sums: tanh, or ReLU."""
    outputs = []
    for x in rows:
        total = _gates(b, x, cell.w, cell.w_bias + cell.r_bias, cell.source)
        total = _add(b, total, _gates(b, h, cell.r, np.zeros_like(cell.r_bias), ""))
        h = clamp(b, total, 0.0, None) if relu else unary(b, "tanh", total)
        outputs.append(h)
    return outputs, h


def rows_of(b: Builder, x: Value, backwards: bool) -> list[Value]:
    """The rows of a sequence (rows, 1, size), each (1, size)."""
    count, _, size = x.shape
    rows = [reshape(b, strided(b, x, (t, 0, 0), (1, 1, size), (1, 1, 1)), (1, size)) for t in range(count)]
    return rows[::-1] if backwards else rows


def sequence_of(b: Builder, directions: Sequence[Sequence[Value]]) -> Value:
    """Outputs of each direction, in the order of the rows, as (rows, directions, 1, size)."""
    count, size = len(directions[0]), directions[0][0].shape[-1]
    parts = [reshape(b, run[t], (1, 1, 1, size)) for t in range(count) for run in directions]
    joined = concat(b, [reshape(b, part, (1, 1, size)) for part in parts], 1) if len(parts) > 1 else parts[0]
    return reshape(b, joined, (count, len(directions), 1, size))


def _gates(b: Builder, x: Value, weights: Array, bias: Array, source: str) -> Value:
    """weights x + bias; a constant where x is one."""
    if x.data is not None:
        return constant_value((x.data @ weights.T + bias).astype(np.float32), source)
    return fully_connected(b, x, constant_value(weights, source), constant_value(bias, ""))


def _add(b: Builder, x: Value, y: Value) -> Value:
    return x if _is_zero(y) else binary(b, "add", x, y)


def _is_zero(x: Value) -> bool:
    return x.data is not None and not x.data.any()


def _split(b: Builder, x: Value, count: int) -> list[Value]:
    size = x.shape[1] // count
    if x.data is not None:
        return [constant_value(part, x.source) for part in np.split(x.data, count, axis=1)]
    return [strided(b, x, (0, k * size), (1, size), (1, 1)) for k in range(count)]

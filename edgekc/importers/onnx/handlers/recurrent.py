"""LSTM, GRU and RNN, unrolled."""

from __future__ import annotations

import numpy as np

from ....graph.ir import Array
from ... import nchw
from ...value import Value, constant_value
from ..args import Args
from .common import Handler

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_ACTIVATIONS = {
    "LSTM": [["Sigmoid", "Tanh", "Tanh"]],
    "GRU": [["Sigmoid", "Tanh"]],
    "RNN": [["Tanh"], ["Relu"]],
}


def _recurrent(a: Args) -> list[Value]:
    """Outputs: (rows, directions, 1, size), the last row's, and an LSTM's last state."""
    kind, x = a.node.op, a.need(0, "X")
    direction, size = a.text("direction", "forward"), int(a.attr("hidden_size", 0))
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}.get(direction)
    names = [n.decode() if isinstance(n, bytes) else n for n in a.attr("activations", [])]
    plain = not names or names in [each * (len(ways) if ways else 1) for each in _ACTIVATIONS[kind]]
    if ways is None or not plain or a.attr("clip", 0) or a.attr("input_forget", 0) or a.get(7) is not None:
        raise a.b.unsupported(f"direction {direction!r}, activations {names}, peepholes or clip", "the plain layer")
    rows_first, after = not a.attr("layout", 0), bool(a.attr("linear_before_reset", 0))
    if not rows_first:
        x = nchw.transpose(a.b, x, (1, 0, 2))
    if len(x.shape) != 3 or x.shape[1] != 1:
        raise a.b.unsupported(f"a sequence of shape {list(x.shape)}", "a batch of one")
    lengths = a.ints(4, "sequence_lens", "lengths")
    if lengths is not None and lengths != [x.shape[0]]:
        raise a.b.unsupported(f"sequences of lengths {lengths}", "of the whole input")
    w, r, bias = (a.constant(i, what) for i, what in ((1, "W"), (2, "R"), (3, "B")))
    gates = _GATES[kind] * size
    if w is None or r is None or w.shape[:2] != (len(ways), gates) or r.shape != (len(ways), gates, size):
        raise a.b.wrong("weights do not fit hidden_size and direction")
    bias = np.zeros((len(ways), 2 * gates)) if bias is None else bias
    runs, last, states = [], [], []
    for k, backwards in enumerate(ways):
        w_bias, r_bias = (part.astype(np.float32) for part in np.split(bias[k], 2))
        source = a.need(1, "W").source if len(ways) == 1 else ""
        cell = nchw.Cell(_real(w[k]), _real(r[k]), w_bias, r_bias, source)
        rows, h = nchw.rows_of(a.b, x, backwards), _initial(a, 5, k, size, rows_first)
        if kind == "LSTM":
            outputs, h, c = nchw.lstm(a.b, rows, cell, h, _initial(a, 6, k, size, rows_first))
            states.append(c)
        elif kind == "RNN":
            outputs, h = nchw.rnn(a.b, rows, cell, h, names[:1] == ["Relu"])
        else:
            outputs, h = nchw.gru(a.b, rows, cell, h, after)
        runs.append(outputs[::-1] if backwards else outputs)
        last.append(h)
    found = [nchw.sequence_of(a.b, runs)] if a.node.outputs[0] else [last[0]]
    if not rows_first:
        found[0] = nchw.transpose(a.b, found[0], (2, 0, 1, 3))
    for ends in (last, states):
        if ends and len(a.node.outputs) > len(found) and a.node.outputs[len(found)]:
            joined = nchw.concat(a.b, [nchw.reshape(a.b, e, (1, 1, size)) for e in ends], 1)
            found.append(nchw.reshape(a.b, joined, (len(ways), 1, size) if rows_first else (1, len(ways), size)))
        elif ends:
            found.append(ends[0])
    return found


def _real(data: Array) -> Array:
    return np.asarray(data, np.float32)


def _initial(a: Args, position: int, direction: int, size: int, rows_first: bool) -> Value:
    value = a.constant(position, "an initial state")
    if value is None:
        return constant_value(np.zeros((1, size), np.float32), "")
    return constant_value(_real(value[direction] if rows_first else value[:, direction]).reshape(1, size), "")


HANDLERS: dict[str, Handler] = {"GRU": _recurrent, "LSTM": _recurrent, "RNN": _recurrent}

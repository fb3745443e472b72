"""One QUANTIZED node by its lowering and the reference of what it becomes, and that against the oracle."""

from __future__ import annotations

import numpy as np
import oracle

from edgekc.graph.ir import Array
from edgekc.graph.op import View
from edgekc.ops import LOWER, OPS


def lowered_reference(view: View, values: dict[str, Array]) -> Array:
    """What the INTEGER operator says, with the checks that every lowering must pass."""
    lowered = LOWER[view.node.op](view)
    op = OPS[lowered.op]
    assert tuple(sorted(lowered.attrs)) == tuple(sorted(op.attrs))
    assert all(type(v) is int and -(2**31) <= v < 2**31 for v in lowered.attrs.values())
    inputs = [values[name] for name in lowered.activations] + [c.value for c in lowered.constants]
    assert op.infer(lowered.attrs, [x.shape for x in inputs])[0] == view.out.shape
    result = op.reference(lowered.attrs, inputs)[0]
    assert result.dtype.name == view.out.dtype
    return result


def compare(view: View, values: dict[str, Array], note: str = "", plain: View | None = None) -> None:
    """Lowering and reference of a node against LiteRT, which is given `plain` where it does not know the operator."""
    plain = view if plain is None else plain
    free = {t.name: t for t in plain.inputs if t.data is None}
    found = oracle.run(plain, [values[name].reshape(t.shape).astype(t.dtype) for name, t in free.items()])
    expected = next((y for y, t in zip(found, plain.outputs, strict=True) if t.name == view.out.name), found[0])
    got = lowered_reference(view, values)
    assert got.shape == expected.shape
    wrong = np.flatnonzero(got != expected)
    assert not wrong.size, (
        f"{view.node.op} {note}: {wrong.size} of {got.size} differ, first {got.flat[wrong[0]]} not "
        f"{expected.flat[wrong[0]]}; attrs {dict(view.node.attrs)}, shapes {[t.shape for t in view.inputs]}"
    )

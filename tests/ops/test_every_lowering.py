"""Every lowering is held against LiteRT's reference kernels: one without a case fails, and so does one that is off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from lowered import compare
from lowering_cases import CASES

from edgekc.errors import UnsupportedError
from edgekc.graph.ir import Array
from edgekc.graph.op import IntAttrs, Lowered
from edgekc.ops import LOWER, OPS, SOURCES
from edgekc.ops.compare import TRUTH

LEAST = 20  # comparisons of each lowering
NOT_OF_LITERT = {"mean_of_table"}  # of programs that pt2e quantised: test_nearest.py

pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def without_cases() -> list[str]:
    return sorted(set(LOWER) - set(CASES) - NOT_OF_LITERT)


def hold(name: str) -> list[float]:
    """Compare all cases of a lowering with LiteRT, byte for byte; the input scales of those that it does not refuse."""
    compared = []
    for case in CASES[name]():
        assert case.view.node.op == name
        try:
            LOWER[name](case.view)
        except UnsupportedError:
            continue
        compare(case.view, case.values, plain=case.plain)
        compared.append(next((t.q.scale for t in case.view.inputs if t.quant not in (None, TRUTH)), 1.0))
    return compared


def test_every_lowering_has_cases() -> None:
    assert not without_cases(), "lowerings without a case against LiteRT: add one to CASES in lowering_cases.py"
    assert not set(CASES) - set(LOWER)


@pytest.mark.parametrize("name", CASES)
def test_lowering(name: str) -> None:
    scales = hold(name)
    assert len(scales) >= LEAST
    assert max(scales) > 1e5 * min(scales)


def test_a_lowering_without_a_case_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOWER, "celu", LOWER["logistic"])
    assert without_cases() == ["celu"]


def _off(lowered: Lowered) -> Lowered | None:
    """The same, three levels off: its table, its output's zero point, its fill, or its limits; None: it has none."""
    attrs, constants = dict(lowered.attrs), list(lowered.constants)
    if lowered.op == "lut":
        (table,) = constants
        constants = [replace(table, data=np.clip(table.value.astype(int) + 3, -128, 127).astype(np.int8))]
    elif key := next((k for k in ("out_zero", "pad_value") if k in attrs), ""):
        attrs[key] += -3 if attrs[key] > 0 else 3
    elif "act_max" in attrs:
        attrs["act_min"], attrs["act_max"] = attrs["act_min"] + 3, attrs["act_max"] - 3
    else:
        return None
    return replace(lowered, attrs=attrs, constants=tuple(constants))


@pytest.mark.parametrize("name", CASES)
def test_a_lowering_off_by_three_levels_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only moves bytes or has no zero point of its own is made to be off where it is defined."""
    right, case = LOWER[name], next(iter(CASES[name]()))
    lowered = right(case.view)
    if _off(lowered) is None:
        op = OPS[lowered.op]

        def wrong(attrs: IntAttrs, inputs: list[Array]) -> list[Array]:
            return [
                y * 2 + 1 if y.dtype == np.float32 else np.clip(y.astype(int) + 3, -128, 127).astype(y.dtype)
                for y in op.reference(attrs, inputs)
            ]

        monkeypatch.setitem(OPS, lowered.op, replace(op, reference=wrong))
    else:
        monkeypatch.setitem(LOWER, name, lambda view: _off(right(view)))
    with pytest.raises(AssertionError, match="differ"):
        hold(name)


def test_tables_are_held_over_all_inputs() -> None:
    for name, source in SOURCES.items():
        if source.becomes == "lut":
            for case in CASES[name]():
                x = case.values["x"]
                assert len(np.unique(x)) == 256**x.itemsize

"""The plain int8 model that each packed one is compared with: which it is, and when it is left out."""

from __future__ import annotations

import numpy as np
import pytest
from float_nets import FloatNet

from edgekc import recipe as rc
from edgekc.compression import walk
from edgekc.graph.ir import Graph
from edgekc.progress import unsaid

CLUSTER = rc.parse('[[compress]]\nmethod = "cluster"\nbits = 2\n')


def net() -> Graph:
    made = FloatNet(np.random.default_rng(1), (1, 6, 6, 2), "relu")
    x = made.conv("input", 8)
    return made.graph(made.fully_connected(made.reshape(x, (1, int(np.prod(made.shape_of(x))))), 4))


def labelled(count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the net itself answers, so that the float model is always right."""
    from edgekc.data import Dataset
    from edgekc.evaluate import float_answers

    x = np.random.default_rng(seed).normal(0, 1, (count, 6, 6, 2)).astype(np.float32)
    return [(x, float_answers(net(), Dataset(x, None, (), "drawn")))]


@pytest.mark.fast
def test_it_is_what_the_recipe_without_steps_makes() -> None:
    data, test = labelled(80, 0), labelled(120, 1)
    _, packed = walk.run(net(), "net", CLUSTER, data, test, unsaid)
    _, plain = walk.run(net(), "net", rc.Recipe(), data, test, unsaid)
    assert packed.judgement is not None and plain.judgement is not None
    first, beside = packed.judgement.comparisons
    assert (first.base, beside.base) == ("float", "int8") and beside.samples == 120
    assert beside.base_right == plain.judgement.packed.right > beside.right == packed.judgement.packed.right
    assert [each.base for each in plain.judgement.comparisons] == ["float"]  # it would be compared with itself


@pytest.mark.parametrize(("wanted", "there"), [(None, False), (True, True), (False, False)])
def test_it_is_left_out_where_it_costs(monkeypatch: pytest.MonkeyPatch, wanted: bool | None, there: bool) -> None:
    monkeypatch.setattr(walk, "_INT8_MACS", 1)
    lines: list[str] = []
    _, report = walk.run(net(), "net", CLUSTER, labelled(80, 0), None, lines.append, int8=wanted)
    assert report.judgement is not None
    assert [each.base for each in report.judgement.comparisons] == ["float", *(["int8"] if there else [])]
    said = [line for line in lines if line.startswith("note: not compared with the plain int8 model")]
    assert len(said) == (wanted is None)


def test_nothing_is_made_without_labels() -> None:
    lines: list[str] = []
    _, report = walk.run(net(), "net", CLUSTER, [labelled(80, 0)[0][0]], None, lines.append, int8=True)
    assert report.judgement is None and not any("plain int8" in line for line in lines)

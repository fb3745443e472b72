"""Random networks with a part in float: the C gives the definition's bits, and LiteRT is as near as it should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest
import random_sweep as sweep
from test_random_nets import emulated, plain

from edgekc.fuzzing import building as rb
from edgekc.fuzzing import comparing, file_operators
from edgekc.fuzzing.floats import float_net
from edgekc.fuzzing.subjects import Subject, subject
from edgekc.graph.ir import Array
from edgekc.graph.op import IntAttrs
from edgekc.importers.tflite.handlers import FLOAT_ONLY
from edgekc.ops import OPS

__all__ = ["plain"]  # a fixture
pytestmark = pytest.mark.skipif(bool(oracle.missing()), reason=oracle.missing())


def differs_from_litert(s: Subject) -> str:
    """The first tensor that LiteRT computes otherwise, or, in float, further away than `verify` allows."""
    return comparing.differs_from_litert(s, oracle.every_tensor(s.net.model(), s.samples))


@pytest.mark.parametrize("seed", range(2))
def test_litert_is_near(seed: int) -> None:
    net = float_net(seed)
    assert not differs_from_litert(subject(net, "dense"))


@pytest.mark.slow
def test_a_wrong_definition_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a hundred thousandth of a value, and a level of a sum."""
    op = OPS["binary_f32"]

    def wrong(attrs: IntAttrs, inputs: Sequence[Array]) -> list[Array]:
        return [y * np.float32(1.0001) for y in op.reference(attrs, inputs)]

    nets = [net for net in map(float_net, range(12)) if any(v.node.op in ("sub", "mul") for v in net.views)]
    monkeypatch.setitem(OPS, "binary_f32", replace(op, reference=wrong))
    assert any("apart, not" in differs_from_litert(subject(net, "dense")) for net in nets)


@pytest.mark.slow
def test_parts_in_float(plain: rb.Kernels, tmp_path: Path) -> None:
    """The C of 55 networks, which have every operator that LiteRT has in float alone."""
    subjects, jobs, found, operators = dict[str, Subject](), list[rb.Job](), list[str](), set[str]()
    for seed in range(55):
        net = float_net(seed)
        s = subject(net, "dense")
        found += [text] if (text := differs_from_litert(s)) else []
        operators |= {file_operators.builtin_name(view) for view in net.views}
        subjects[s.name] = s
        jobs += rb.jobs_of(s.name, s.data, s.inputs, emulated()[:1])
    found += map(str, comparing.run_jobs(jobs, subjects, plain, tmp_path))
    assert not found, "\n".join(found)
    assert set(FLOAT_ONLY) - operators <= set(file_operators.NO_REFERENCE)
    kernels = {source for job in jobs for source in job.sources}
    unreached = {name for name in sweep.kernel_files() if name.endswith("_f32.c")} - kernels
    assert not unreached

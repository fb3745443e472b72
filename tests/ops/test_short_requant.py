"""Requantisation of the DSP and Helium kernels against the definition, at the bounds of its proof and at every tie.

A fully connected layer with weights of 0 turns its bias into its output: so any accumulator goes through the C code.
"""

from __future__ import annotations

import host_kernels as host
import numpy as np
import pytest

from edgekc.graph.fixedpoint import DOUBLE, SINGLE
from edgekc.graph.ir import Array
from edgekc.graph.op import Case, View
from edgekc.ops import OPS
from edgekc.ops.shared import linear as lin

OP = OPS["fully_connected"]
KERNEL = next(k for k in OP.kernels if k.symbol == "ek_fully_connected_s8_dsp")
VECTOR = next(k for k in OP.kernels if k.needs == {"mve"})
INT32_MAX = 2**31 - 1


def layer(accumulators: Array, multiplier: Array, shift: Array, rounding: int, out_zero: int = 3) -> Case:
    channels = accumulators.shape[0]
    attrs = dict(out_zero=out_zero, act_min=-128, act_max=127, rounding=rounding)
    weights = np.zeros((channels, 4), np.int8)
    bias, multiplier = accumulators.astype(np.int32), multiplier.astype(np.int32)
    return Case("requant", attrs, (np.ones((1, 4), np.int8), weights, bias, multiplier, shift.astype(np.int8)))


def view_of(case: Case) -> View:
    return host.view_of(OP, case, 1)


@pytest.mark.parametrize("rounding", [DOUBLE, SINGLE])
@pytest.mark.parametrize("out_zero", [-128, 0, 127])
def test_random_accumulators(rounding: int, out_zero: int) -> None:
    rng = np.random.default_rng(out_zero & 0xFF)
    count = 8_000
    least, most = (-20, -1) if rounding == DOUBLE else (-24, -2)
    shift = rng.integers(least, most + 1, count)
    multiplier = rng.integers(2**30, 2**31, count) | 1  # odd: no product is half way
    shift[:4], multiplier[:4] = least, INT32_MAX
    largest = 2**30 - 1 if rounding == DOUBLE else INT32_MAX
    reach = rng.uniform(0, 300, count) * 2.0 ** (-shift) * rng.choice([-1, 1], count)
    accumulators = np.clip(reach, -largest, largest).astype(np.int64)
    accumulators[:4] = [largest, -largest, 0, -1]
    case = layer(accumulators, multiplier, shift, rounding, out_zero)
    assert KERNEL.accepts(view_of(case))
    assert KERNEL.symbol in host.check(OP, case)


def test_double_rounding_at_every_tie() -> None:
    """A multiplier of 1/2, both signs."""
    for right in (1, 2, 7, 20):
        near = near_ties(right)
        near = near[np.abs(near) < 2**30]
        ones = np.ones(near.shape[0], np.int64)
        case = layer(near, ones * 2**30, -right * ones, DOUBLE)
        assert {KERNEL.symbol, VECTOR.symbol} <= set(host.check(OP, case))


def near_ties(right: int) -> Array:
    """Accumulators around each odd multiple of half an output step, for a multiplier of 1/2 and a shift by `right`."""
    ties = (2 * np.arange(-140, 140) + 1) * 2**right
    return np.asarray((ties[:, None] + np.arange(-3, 4)).ravel())


@pytest.mark.parametrize("clamp", [(-128, 127), (-100, 90), (5, 5)])
@pytest.mark.parametrize("rounding", [DOUBLE, SINGLE])
@pytest.mark.parametrize("out_zero", [-128, 0, 127])
def test_vectors_of_random_accumulators(rounding: int, out_zero: int, clamp: tuple[int, int]) -> None:
    """Every shift, and accumulators up to the ends of 32 bits."""
    rng = np.random.default_rng(out_zero & 0xFF)
    count = 20_001
    shift = rng.integers(-31, 0 if rounding == DOUBLE else -1, count)
    multiplier = rng.integers(2**30, 2**31, count) | 1  # odd: no product is half way
    multiplier[8:12] = INT32_MAX
    reach = rng.uniform(0, 300, count) * 2.0 ** (-shift) * rng.choice([-1, 1], count)
    accumulators = np.clip(reach, -INT32_MAX, INT32_MAX).astype(np.int64)
    accumulators[:12] = 3 * [INT32_MAX, -INT32_MAX, 0, -1]
    case = layer(accumulators, multiplier, shift, rounding, out_zero)
    case = Case(case.name, {**case.attrs, "act_min": clamp[0], "act_max": clamp[1]}, case.inputs)
    assert VECTOR.symbol in host.check(OP, case)


def test_vectors_at_every_tie_of_the_double_rounding() -> None:
    for right in (1, 2, 7, 20, 24, 30, 31):
        near = near_ties(right)
        near = near[np.abs(near) <= INT32_MAX]
        near = np.concatenate([near, -near, [INT32_MAX, -INT32_MAX]])
        ones = np.ones(near.shape[0], np.int64)
        assert VECTOR.symbol in host.check(OP, layer(near, ones * 2**30, -right * ones, DOUBLE))


def test_vectors_take_a_multiplier_of_zero() -> None:
    """A channel whose scale is next to nothing has multiplier and shift 0."""
    zero = np.zeros(4, np.int64)
    assert VECTOR.symbol in host.check(OP, layer(zero + 77, zero, zero, DOUBLE))
    assert not VECTOR.accepts(view_of(layer(zero + 77, zero + 2**30, zero, DOUBLE)))


def test_vectors_of_a_single_rounding_refuse_ties() -> None:
    ones = np.ones(4, np.int64)
    for acc, accepted in [(2**4 - 1, True), (2**4, False), (-(2**4), False)]:
        case = layer(ones * acc, ones * 2**30, -4 * ones, SINGLE)
        assert lin.vector_requant(view_of(case)) is accepted
        assert (VECTOR.symbol in host.check(OP, case)) is accepted


def test_single_rounding_refuses_ties() -> None:
    """With a power of two as the multiplier some accumulators lie half way, and those the short form gets wrong."""
    one = np.ones(1, np.int64)
    for acc, accepted in [(2**4 - 1, True), (2**4, False), (-(2**4), False)]:
        case = layer(one * acc, one * 2**30, -4 * one, SINGLE)
        assert lin.shorter_requant(view_of(case)) is accepted
        assert (KERNEL.symbol in host.check(OP, case)) is accepted


@pytest.mark.parametrize(
    ("acc", "shift", "change"),
    [
        (2**30, -5, {}),
        (-(2**30), -5, {}),
        (5, 0, {}),
        (5, -21, {}),
        (5, -5, {"act_min": -127}),
        (5, -5, {"act_max": 126}),
    ],
)
def test_what_the_proof_does_not_cover_is_refused(acc: int, shift: int, change: dict[str, int]) -> None:
    one = np.ones(1, np.int64)
    case = layer(one * acc, one * (2**30 + 1), one * shift, DOUBLE)
    case = Case(case.name, {**case.attrs, **change}, case.inputs)
    assert not KERNEL.accepts(view_of(case))
    done = host.check(OP, case)
    assert KERNEL.symbol not in done and "ek_fully_connected_s8" in done

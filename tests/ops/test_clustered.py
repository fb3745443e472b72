"""Layers with clustered weights: any geometry and index width, and accumulators at the last number of 32 bits."""

from __future__ import annotations

import host_kernels as host
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.errors import ModelError
from edgekc.graph.fixedpoint import INT32_MAX
from edgekc.graph.ir import Array
from edgekc.graph.op import Case
from edgekc.ops import OPS

PROPERTY = settings(max_examples=150, deadline=None, derandomize=True)


def codes(rng: np.random.Generator, bits: int, used: int, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Indices of `bits` bits and as many centers as they can name, or fewer."""
    count = max(2**bits - used, 2 ** (bits - 1) + 1 if bits > 1 else 1)
    indices = rng.integers(0, count, shape).astype(np.uint8)
    indices.flat[0] = count - 1
    return indices, rng.integers(-(2**15), 2**15, (1, count)).astype(np.int16)


def requantisation(rng: np.random.Generator, channels: int, low: int = -20) -> tuple[Array, Array, Array]:
    count = channels if rng.random() < 0.7 else 1
    bias = rng.integers(-(2**18), 2**18, channels).astype(np.int32)
    multiplier = rng.integers(2**30, 2**31, count).astype(np.int32)
    return bias, multiplier, rng.integers(low, -8, count).astype(np.int8)


@st.composite
def conv_cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    attrs: dict[str, int] = {}
    sizes, filters = [], []
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        k, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        span = (k - 1) * dilation + 1
        attrs.update({f"dilation_{axis}": dilation, f"stride_{axis}": draw(st.integers(1, 3))})
        attrs[before], attrs[after] = draw(st.integers(0, span - 1)), draw(st.integers(0, span - 1))
        sizes.append(draw(st.integers(max(1, span - attrs[before] - attrs[after]), 8)))
        filters.append(k)
    ic, oc = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 8, 16, 24])), draw(st.integers(1, 9))
    attrs.update(pad_value=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
    attrs.update(act_min=-128, act_max=127, rounding=draw(st.sampled_from([0, 1, 1, 1])))
    x = rng.integers(-128, 128, (1, *sizes, ic)).astype(np.int8)
    stored = codes(rng, draw(st.integers(1, 8)), draw(st.integers(0, 3)), (oc, *filters, ic))
    return Case("property", attrs, (x, *stored, *requantisation(rng, oc)))


@PROPERTY
@given(conv_cases())
def test_any_convolution(case: Case) -> None:
    done = host.check(OPS["clustered_conv2d"], case)
    assert "ek_clustered_conv2d_s8" in done
    assert "ek_clustered_conv2d_s8_dsp" in done or case.attrs["rounding"] == 0


@PROPERTY
@given(st.integers(1, 70), st.integers(1, 9), st.integers(1, 3), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_any_fully_connected(ic: int, oc: int, rows: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, (rows, ic)).astype(np.int8)
    attrs = dict(out_zero=int(rng.integers(-128, 128)), act_min=-128, act_max=127, rounding=int(rng.integers(0, 2)))
    case = Case("property", attrs, (x, *codes(rng, bits, seed % 3, (oc, ic)), *requantisation(rng, oc)))
    assert host.check(OPS["clustered_fully_connected"], case)


@pytest.mark.parametrize("name", ["clustered_conv2d", "clustered_fully_connected"])
def test_the_overflow_proof_at_its_bound(name: str) -> None:
    """128 * 32768 fits 32 bits 511 times; the largest allowed bias brings the sum to the last number."""
    op, ic = OPS[name], 511
    attrs = dict(out_zero=0, act_min=-128, act_max=127, rounding=1)
    shape: tuple[int, ...] = (1, ic)
    x = np.full((1, ic), -128, np.int8)
    if name == "clustered_conv2d":
        attrs.update(stride_h=1, stride_w=1, dilation_h=1, dilation_w=1, pad_value=0)
        attrs.update(pad_top=0, pad_bottom=0, pad_left=0, pad_right=0)
        shape, x = (1, 1, 1, ic), x.reshape(1, 1, 1, ic)
    for beyond in (0, 1):
        bias = np.array([INT32_MAX - ic * 128 * 32768 + beyond], np.int32)
        stored = (np.zeros(shape, np.uint8), np.array([[-32768]], np.int16))
        requant = (np.array([2**30], np.int32), np.array([-24], np.int8))
        case = Case("edge", attrs, (x, *stored, bias, *requant))
        view = host.view_of(op, case, 1)
        if beyond:
            with pytest.raises(ModelError, match=f"could reach {INT32_MAX + 1}"):
                op.validate(view)
        else:
            op.validate(view)
            assert host.check(op, case)

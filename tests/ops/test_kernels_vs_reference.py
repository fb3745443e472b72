"""Every C kernel that runs here against its operator's reference: outputs, guards, inputs, in place, sanitizers."""

from __future__ import annotations

from pathlib import Path

import built
import host_kernels as host
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekc.errors import ModelError
from edgekc.fuzzing.compiling import SANITIZE
from edgekc.graph.fixedpoint import DOUBLE, SINGLE, quantize_multiplier
from edgekc.graph.op import Case
from edgekc.ops import OPS

PROPERTY = settings(max_examples=120, deadline=None, derandomize=True)


@pytest.mark.parametrize("name", OPS)
def test_cases(name: str) -> None:
    """All cases of an operator, and each of its kernels in at least one of them."""
    op, used = OPS[name], set()
    cases = op.cases(np.random.default_rng(0))
    assert op.view or cases
    for case in cases:
        done = host.check(op, case)
        assert done or not any(map(host.runs_here, op.kernels)), f"no kernel accepts {case.name}"
        used.update(done)
    missing = {k.symbol for k in op.kernels if host.runs_here(k)} - used
    assert not missing, f"no case reaches {missing}"


def test_cases_have_extreme_inputs() -> None:
    """Fills of the lowest and the highest level are in every operator's cases; of those in float, large numbers."""
    for op in OPS.values():
        place = 1 if op.name == "select" else 0  # whose first input is 0 or 1
        first = [case.inputs[place] for case in op.cases(np.random.default_rng(0))]
        if op.single and first[0].dtype == np.float32:
            assert any(not x.any() for x in first) and max(np.abs(x).max() for x in first) > 100, op.name
            continue
        info = np.iinfo(np.int16 if op.name.endswith(("_16x8", "_s16")) else np.int8)
        for level in (info.min, info.max):
            assert any(x.dtype == info.dtype and (x == level).all() for x in first), f"{op.name}: no fill of {level}"


def test_sanitizers(tmp_path: Path) -> None:
    """No read or write outside exactly sized buffers and no undefined arithmetic, over all cases.

    The vector kernels in portable C, and once more in this machine's instructions.
    """
    asan = built.address_sanitizer()
    own = ("-march=native", *SANITIZE, "-O1")  # at -O0 each intrinsic is a call
    libraries = [host.build(tmp_path, SANITIZE), host.build(tmp_path, own, "_vec", "vectors.so")]
    counts = host.counts_of(built.run_sanitized(asan, libraries, [host.__file__]))
    assert len(counts) == 2 and counts[0] > counts[1] > 300


def test_a_broken_kernel_is_noticed() -> None:
    """The comparison itself: a wrong parameter must not pass."""
    op = OPS["add"]
    case = op.cases(np.random.default_rng(0))[0]
    wrong = Case(case.name, {**case.attrs, "out_zero": case.attrs["out_zero"] ^ 1}, case.inputs)
    view = host.view_of(op, wrong, 2)
    kernel = next(k for k in op.kernels if k.accepts(view))
    assert host.call(kernel, view, case.inputs, None) != op.reference(case.attrs, case.inputs)[0].tobytes()


@st.composite
def window_attrs(draw: st.DrawFn, filter_limit: int = 5, dilation_limit: int = 3) -> dict[str, int]:
    """A random window over a random image: sizes, stride, dilation, padding, and a seed for the values."""
    attrs = {}
    for axis, before, after in (("h", "pad_top", "pad_bottom"), ("w", "pad_left", "pad_right")):
        filter_size = draw(st.integers(1, filter_limit))
        dilation = draw(st.integers(1, dilation_limit))
        span = (filter_size - 1) * dilation + 1
        attrs[f"filter_{axis}"], attrs[f"dilation_{axis}"] = filter_size, dilation
        attrs[f"stride_{axis}"] = draw(st.integers(1, 4))
        attrs[before], attrs[after] = draw(st.integers(0, span - 1)), draw(st.integers(0, span - 1))
        attrs[f"size_{axis}"] = draw(st.integers(max(1, span - attrs[before] - attrs[after]), 12))
    attrs["channels"] = draw(st.integers(1, 9))
    attrs["seed"] = draw(st.integers(0, 2**32 - 1))
    return attrs


def _window_case(geometry: dict[str, int], w_shape: tuple[int, ...], out_c: int) -> Case:
    rng = np.random.default_rng(geometry["seed"])
    keys = ("stride", "dilation")
    attrs = {f"{key}_{axis}": geometry[f"{key}_{axis}"] for key in keys for axis in "hw"}
    attrs.update({key: geometry[key] for key in ("pad_top", "pad_bottom", "pad_left", "pad_right")})
    attrs.update(pad_value=int(rng.integers(-128, 128)), out_zero=int(rng.integers(-128, 128)))
    low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    usual = rng.random() < 0.5  # what most layers have, and faster kernels are for
    if usual:
        low, high = -128, 127
    attrs.update(act_min=low, act_max=high, rounding=DOUBLE if usual else int(rng.choice([SINGLE, DOUBLE])))
    count = 1 if rng.random() < 0.3 else out_c
    pairs = [quantize_multiplier(float(r)) for r in np.exp(rng.uniform(-10, -1 if usual else 1, count))]
    x = rng.integers(-128, 128, (1, geometry["size_h"], geometry["size_w"], geometry["channels"])).astype(np.int8)
    w = rng.integers(-128, 128, w_shape).astype(np.int8)
    bias = rng.integers(-(2**18), 2**18, out_c).astype(np.int32)
    multiplier, shift = np.array([p[0] for p in pairs], np.int32), np.array([p[1] for p in pairs], np.int8)
    return Case("property", attrs, (x, w, bias, multiplier, shift))


@PROPERTY
@given(window_attrs(), st.integers(1, 9))
def test_any_conv2d(geometry: dict[str, int], out_c: int) -> None:
    w_shape = (out_c, geometry["filter_h"], geometry["filter_w"], geometry["channels"])
    assert host.check(OPS["conv2d"], _window_case(geometry, w_shape, out_c))


@PROPERTY
@given(window_attrs(), st.integers(1, 5), st.integers(1, 6))
def test_any_grouped(geometry: dict[str, int], groups: int, filters: int) -> None:
    reads = geometry["channels"]
    w_shape = (groups * filters, geometry["filter_h"], geometry["filter_w"], reads)
    case = _window_case({**geometry, "channels": groups * reads}, w_shape, groups * filters)
    assert host.check(OPS["grouped_conv2d"], case)


@PROPERTY
@given(window_attrs(), st.integers(1, 3))
def test_any_depthwise(geometry: dict[str, int], times: int) -> None:
    out_c = geometry["channels"] * times
    w_shape = (geometry["filter_h"], geometry["filter_w"], out_c)
    assert host.check(OPS["depthwise"], _window_case(geometry, w_shape, out_c))


@PROPERTY
@given(window_attrs(dilation_limit=1), st.sampled_from(["average_pool", "max_pool"]))
def test_any_pool(geometry: dict[str, int], name: str) -> None:
    rng = np.random.default_rng(geometry["seed"])
    attrs = {key: geometry[key] for key in OPS[name].attrs if key in geometry}
    low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    x = rng.integers(-128, 128, (1, geometry["size_h"], geometry["size_w"], geometry["channels"])).astype(np.int8)
    case = Case("property", {**attrs, "act_min": low, "act_max": high}, (x,))
    try:
        OPS[name].infer(case.attrs, [x.shape])
    except ModelError:
        return  # a window with no pixel
    assert host.check(OPS[name], case)


@PROPERTY
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.data())
def test_any_broadcast(tail: list[int], data: st.DataObject) -> None:
    """Add and multiply over every pair of shapes that broadcast in at most three runs."""
    keep = [data.draw(st.sampled_from([(1, 1), (1, 0), (0, 1)])) for _ in tail]
    a, b = ((1, *(size if k[i] else 1 for size, k in zip(tail, keep, strict=True))) for i in (0, 1))
    name = data.draw(st.sampled_from(["add", "mul"]))
    attrs = data.draw(st.sampled_from(OPS[name].cases(np.random.default_rng(3)))).attrs
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x, y = (rng.integers(-128, 128, shape).astype(np.int8) for shape in (a, b))
    assert host.check(OPS[name], Case("property", attrs, (x, y)))

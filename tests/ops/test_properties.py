"""What passes rely on: value ranges are sound, samples of a batch are independent, channels can be taken out."""

from __future__ import annotations

import functools
from dataclasses import replace

import host_kernels as host
import numpy as np
import pytest
from some_cases import MOST, some

from edgekc.errors import ModelError
from edgekc.graph.ir import Array
from edgekc.graph.op import Interval, Op, View, full_range
from edgekc.ops import OPS

Rng = np.random.Generator


def _activations(view: View) -> list[int]:
    return [i for i, t in enumerate(view.inputs) if t.data is None]


@pytest.fixture(scope="module", params=OPS)
def name(request: pytest.FixtureRequest) -> str:
    """Of an operator; all tests of one come in a row."""
    return str(request.param)


@functools.lru_cache(maxsize=1)
def _views(op: Op) -> list[tuple[View, list[Array]]]:
    """Of some cases of each kind: many differ in the rounding of a kernel alone, which tests of kernels look at."""
    cases = some(op.cases(np.random.default_rng(0)), MOST)
    return [(view, list(case.inputs)) for case in cases for view in host.views(op, case)]


def _bounded(op: Op) -> list[tuple[View, list[Array]]]:
    """Those of whole numbers: no pass asks which real numbers there are."""
    return [(view, inputs) for view, inputs in _views(op) if view.out.dtype != "float32"]


def _whole(dtype: str, of_reals: type) -> np.iinfo:  # type: ignore[type-arg]
    """The whole numbers of a type; `of_reals`: those to take for float32."""
    return np.iinfo(of_reals if dtype == "float32" else dtype)


def _interval(rng: Rng, channels: int, dtype: str) -> Interval:
    """A random interval per channel, some of them a single value."""
    info = _whole(dtype, np.int8)
    ends = np.sort(rng.integers(info.min, info.max + 1, (2, channels)), axis=0)
    ends[1] = np.where(rng.random(channels) < 0.3, ends[0], ends[1])
    return Interval(ends[0].astype(np.int64), ends[1].astype(np.int64))


def _within(rng: Rng, interval: Interval, shape: tuple[int, ...], dtype: str, mode: int) -> Array:
    """Values inside the interval: random, all at the low end, all at the high end, or at either end."""
    low, high = (np.broadcast_to(end, shape) for end in (interval.low, interval.high))
    picks = [rng.integers(low, high + 1), low, high, np.where(rng.random(shape) < 0.5, low, high)]
    return np.asarray(picks[mode]).astype(dtype)


def test_ranges_are_sound(name: str) -> None:
    op, rng = OPS[name], np.random.default_rng(4)
    for view, inputs in _bounded(op):
        known = {i: _interval(rng, view.inputs[i].shape[-1], view.inputs[i].dtype) for i in _activations(view)}
        found = op.ranges(view, [known.get(i) for i in range(len(inputs))])
        assert found.low.shape == found.high.shape == (view.out.shape[-1],)
        for mode in range(4):
            values = list(inputs)
            for i, interval in known.items():
                values[i] = _within(rng, interval, inputs[i].shape, view.inputs[i].dtype, mode)
            out = op.reference(view.node.attrs, values)[0]
            assert (out >= found.low).all() and (out <= found.high).all(), f"{name} {view.node.name}"


def _extreme(rng: Rng, view: View, inputs: list[Array]) -> View | None:
    """The node with other multipliers and shifts, from 2**-31 to 2**30; None where its operator refuses them."""
    constants = list(view.inputs)
    attrs = dict(view.node.attrs)
    if "shift" in attrs:
        attrs["shift"] = int(rng.integers(-31, 31))
    elif view.node.op.endswith("_16x8"):  # 15 bits, or two halves of 23, and fewer shifts
        parts = {"multiplier": (2**14, 2**15, np.int32), "shift": (-31, 8, np.int8)}
        if view.has("fraction"):
            parts = {"multiplier": (2**22, 2**23, np.int32), "shift": (-31, 20, np.int8)}
            parts["fraction"] = (0, 2**23, np.int32)
        names = [operand.name for operand in OPS[view.node.op].operands]
        for name, (low, high, kind) in parts.items():
            t = view.operand(name)
            constants[names.index(name)] = replace(t, data=rng.integers(low, high, t.shape).astype(kind))
    elif [t.name for t in constants[-2:]] == ["multiplier", "shift"] or len(constants) > 4:
        shift = rng.integers(-31, 27, constants[-1].shape).astype(np.int8)
        multiplier = rng.integers(2**30, 2**31 - 2**10, shift.shape).astype(np.int32)
        constants[-2:] = [replace(t, data=d) for t, d in zip(constants[-2:], (multiplier, shift), strict=True)]
    extreme = replace(view, node=replace(view.node, attrs=attrs), inputs=tuple(constants))
    try:
        OPS[view.node.op].validate(extreme)
    except ModelError:
        return None
    return extreme


def test_ranges_are_sound_where_multipliers_are_extreme(name: str) -> None:
    """Left shifts wrap: between the ends of an interval the output may be anything."""
    op, rng = OPS[name], np.random.default_rng(7)
    tried = 0
    for view, inputs in some(_bounded(op), 40):
        found = _extreme(rng, view, inputs)
        if found is None:
            continue
        tried += 1
        for narrow in (False, True):
            known = {i: _interval(rng, view.inputs[i].shape[-1], view.inputs[i].dtype) for i in _activations(view)}
            if narrow:  # a pruned network's: some four values a channel
                known = {
                    i: Interval(k.low, np.minimum(k.low + rng.integers(0, 4, k.low.shape), k.high))
                    for i, k in known.items()
                }
            ends = op.ranges(found, [known.get(i) for i in range(len(inputs))])
            for mode in range(4):
                values = [x if i not in known else _within(rng, known[i], x.shape, view.inputs[i].dtype, mode)
                          for i, x in enumerate(inputs)]  # fmt: skip
                values = [t.data if t.data is not None else x for t, x in zip(found.inputs, values, strict=True)]
                out = op.reference(found.node.attrs, values)[0]
                assert (out >= ends.low).all() and (out <= ends.high).all(), f"{name} {view.node.name}"
    assert tried >= 3 or op.ranges is full_range  # which says nothing that could be wrong


def test_nothing_known_is_sound(name: str) -> None:
    """Ranges with None for every activation hold for the case's own inputs, and stay within the type."""
    op = OPS[name]
    for view, inputs in _bounded(op):
        found, info = op.ranges(view, [None] * len(inputs)), _whole(view.out.dtype, np.int64)
        out = op.reference(view.node.attrs, inputs)[0]
        assert (out >= found.low).all() and (out <= found.high).all()
        assert (found.low >= info.min).all() and (found.high <= info.max).all()


def test_a_batch_is_its_samples(name: str) -> None:
    op, rng = OPS[name], np.random.default_rng(5)
    for view, inputs in _views(op):
        batches = list(inputs)
        for i in _activations(view):
            other = rng.integers(-128, 128, (2, *inputs[i].shape)).astype(view.inputs[i].dtype, casting="unsafe")
            batches[i] = np.concatenate([inputs[i], *other])
        together = op.reference(view.node.attrs, batches)[0]
        count = view.out.shape[0]
        for sample in range(3):
            one = [
                b[sample * len(x) : (sample + 1) * len(x)] if i in _activations(view) else x
                for i, (x, b) in enumerate(zip(inputs, batches, strict=True))
            ]
            alone = op.reference(view.node.attrs, one)[0]
            assert np.array_equal(together[sample * count : (sample + 1) * count], alone), f"{name} {view.node.name}"


def test_channels_can_be_taken_out(name: str) -> None:
    """Of operators whose channels are independent: the rest computes the same without the dropped ones."""
    op, rng = OPS[name], np.random.default_rng(6)
    for view, inputs in _views(op):
        rule = op.channels(view)
        channels = view.out.shape[-1]
        if rule is None or not rule.same or channels < 2:
            continue
        keep = rng.random(channels) < 0.6
        keep[rng.integers(channels)] = True
        activations = _activations(view)
        nothing = [None] * len(activations)
        masks = rule.needs(view, keep, nothing)
        assert all(np.array_equal(mask, keep) for mask in masks) and len(masks) == len(activations)
        values = [np.ascontiguousarray(inputs[i][..., keep]) for i in activations]
        values += [t.value for t in rule.slice(view, masks, keep, nothing)]
        attrs = {**view.node.attrs, **rule.attrs(view, int(keep.sum()))}
        full = op.reference(view.node.attrs, inputs)[0]
        assert np.array_equal(op.reference(attrs, values)[0], full[..., keep]), f"{name} {view.node.name}"


def test_cases_are_valid(name: str) -> None:
    """Every case passes its operator's own checks, and has the attributes that it declares."""
    op = OPS[name]
    names = [case.name for case in op.cases(np.random.default_rng(0))]
    assert len(set(names)) == len(names)  # layers and files are called so
    for view, inputs in _views(op):
        assert set(view.node.attrs) == set(op.attrs)
        assert op.infer(view.node.attrs, [x.shape for x in inputs])[0] == view.out.shape
        op.validate(view)
        assert op.macs(view) >= 0

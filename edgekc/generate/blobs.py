"""A Plan and its constants to a blob: what of a network is data, and all that its code knows of such data.

Data is what training changes: constants, learned numbers of kernels' parameters, scales and zero points of inputs and
outputs. Code is all else, and the identity stands for it.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..assets import runtime_file
from ..errors import UsageError
from ..format import blob
from ..format.blob import Layout, Rule
from ..graph.bits import index_bits
from ..graph.ir import REAL, Role, Tensor
from ..graph.op import LAID_OUT, MULTIPLIER, Kernel, Learned, Number, Param, View, plain_fields
from ..ops import OPS
from ..ops.kernels import center_bytes, codes, vector
from .embedded import Embedded, Part
from .initialisers import Held, Value
from .plan import Plan
from .rewritten import own

HEADER, SOURCES = "ek_blob.h", ("ek_blob_check.c", "ek_crc32.c")
SECTIONS = ("learned", "edges", "constants", "laid out")
_LEARNED, _EDGES, _CONSTANTS, _LAID_OUT = range(4)
# Of everything that an identity depends on and that is not in the code: raised when blobs get another meaning.
_MEANING = 1
_ZERO_POINTS = {"a_zero", "b_zero", "x_zero", "y_zero", "alpha_zero", "in_zero"}  # of inputs
_SHIFTS = Learned(-31, 30)
_SHIFT_NAMES = ("shift", "gate_shift", "pair_shift")
_MULTIPLIER_NAMES = ("multiplier", "gate_multiplier", "pair_multiplier")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The learned numbers of all layers, and first bytes of states, in the order of a blob.

    Attributes:
        values: what they are.
        spans: what each may be.
        places: by layer and name of the field, which of them.
        fills: by a state's start, which of them its first bytes are.
    """

    values: tuple[int, ...] = ()
    spans: tuple[Learned, ...] = ()
    places: Mapping[tuple[int, str], int] = field(default_factory=dict)
    fills: Mapping[str, int] = field(default_factory=dict)

    def held(self, layer: int, values: Mapping[str, Param]) -> dict[str, Value]:
        """A layer's parameters with learned numbers in their place."""

        def of(name: str, value: Number) -> Number | Held:
            at = self.places.get((layer, name))
            return value if at is None else Held(at)

        return {
            name: {inner: of(inner, number) for inner, number in value.items()}
            if isinstance(value, Mapping)
            else of(name, value)
            for name, value in values.items()
        }  # fmt: skip


def numbers_of(plan: Plan) -> Numbers:
    """The learned numbers of a plan; those of one range lie behind one another, so that one rule serves them."""
    found: list[tuple[Learned, tuple[int, str] | str, int]] = []
    for layer, step in enumerate(plan.steps):
        spans = spans_of(step.view)
        for name, value in _plain(step.kernel.params(step.view)):
            if name in spans and isinstance(value, int) and spans[name].low <= value <= spans[name].high:
                found.append((spans[name], (layer, name), value))
    for state in plan.graph.states:
        first = state.first_bytes()
        if first.count(first[0]) == len(first):
            found.append((Learned(0, 255), state.start, first[0]))
    found.sort(key=lambda item: (item[0].low, item[0].high, item[0].left, item[0].most))  # stable
    at = {place: i for i, (_, place, _) in enumerate(found)}
    layers = {place: i for place, i in at.items() if not isinstance(place, str)}
    fills = {place: i for place, i in at.items() if isinstance(place, str)}
    return Numbers(tuple(v for *_, v in found), tuple(s for s, *_ in found), layers, fills)


def spans_of(view: View) -> dict[str, Learned]:
    """By the name of a field, what training may make of it; a number that is not named is code."""
    op = OPS[view.node.op]
    out = np.iinfo(view.out.dtype) if view.out.dtype.startswith("int") else np.iinfo(np.int8)
    whole, byte = Learned(int(out.min), int(out.max)), Learned(-128, 127)
    far = Learned(-(2**13), 2**13 - 1) if op.far_zero else whole
    found = {"out_zero": far, "act_min": whole, "act_max": whole, "pad_value": byte}
    return {**found, **dict.fromkeys(_ZERO_POINTS, byte), **op.learned(view)}


def _plain(values: Mapping[str, Param]) -> Iterator[tuple[str, Number]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from value.items()
        else:
            yield name, value


@dataclass(frozen=True, slots=True)
class BlobView:
    """What templates write of a network whose constants are in a blob."""

    layout: Layout
    data: bytes

    @property
    def identity(self) -> str:
        """As an initialiser of an array."""
        return ", ".join(f"0x{byte:02x}" for byte in self.layout.identity)

    @property
    def rules(self) -> list[str]:
        """As initialisers of ek_blob_rule."""
        return [
            f"{{{r.offset}u, {r.count}u, {_c_int(r.low)}, {_c_int(r.high)}, {r.section}, EK_BLOB_{r.kind}, {r.bits}}}"
            for r in self.layout.rules
        ]

    def to_dict(self, name: str) -> dict[str, Any]:
        """For the manifest."""
        return {"file": f"{name}.blob", **self.layout.to_dict()}


def _c_int(value: int) -> str:
    return "INT32_MIN" if value == -(2**31) else str(value)


def blob_view(
    plan: Plan, held: Embedded, laid_out: Mapping[int, Part], numbers: Numbers, code: Iterable[Any]
) -> BlobView:
    """The blob of a plan.

    Args:
        held: its constants.
        laid_out: by layer, those in an order of its kernel's.
        code: all that the generated code says beside the numbers, as JSON takes it.
    """
    edges = [plan.graph.tensors[name] for name in (*plan.graph.inputs, *plan.graph.outputs)]
    own_order = b"".join(part.data for part in laid_out.values())
    data = [
        struct.pack(f"<{len(numbers.values)}i", *numbers.values),
        struct.pack(f"<{len(edges)}f{len(edges)}i", *(t.q.scale for t in edges), *(t.q.zero_point for t in edges)),
        held.data,
        *([own_order] if own_order else []),
    ]
    sizes = tuple(len(section) for section in data)
    rules = (*_number_rules(numbers), *_edge_rules(edges), *_constant_rules(plan, held), *_record_rules(plan, laid_out))
    told = [_MEANING, sizes, [list(vars_of(rule)) for rule in rules], [[t.shape, t.dtype] for t in edges], *code]
    identity = hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).digest()[: blob.IDENTITY_BYTES]
    layout = Layout(identity, sizes, SECTIONS[: len(sizes)], rules)
    return BlobView(layout, blob.write(layout, data))


def code_of(plan: Plan, layers: Sequence[Any], reset: Sequence[str], sources: Sequence[str]) -> list[Any]:
    """What generated code says beside learned numbers, names and comments, and what its kernels are.

    Args:
        layers: what the template writes of each, as dataclasses.
        sources: files of the runtime.
    """
    sizes = [plan.arena_bytes, plan.input_offsets, plan.output_offsets, plan.state_bytes, plan.state_offsets]
    texts = []
    for i, layer in enumerate(layers):
        text = json.dumps(_without_names(asdict(layer)))
        texts.append(re.sub(rf"\b(part_)?{layer.params}(_parts)?\b", rf"\1layer_{i}\2", text))
    runtime = [hashlib.sha256(runtime_file(source).read_bytes()).hexdigest() for source in sources]
    return [sizes, texts, list(reset), runtime]


def _without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_names(inner) for key, inner in value.items() if key not in ("comment", "params")}
    return [_without_names(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def vars_of(rule: Rule) -> tuple[int | str, ...]:
    """The fields of a rule, in their order."""
    return rule.section, rule.kind, rule.offset, rule.count, rule.low, rule.high, rule.bits


def _number_rules(numbers: Numbers) -> list[Rule]:
    rules: list[Rule] = []
    for i, span in enumerate(numbers.spans):
        last = rules[-1] if rules else None
        if last is not None and (last.low, last.high) == (span.low, span.high):
            rules[-1] = Rule(_LEARNED, "INT32", last.offset, last.count + 1, last.low, last.high)
        else:
            rules.append(Rule(_LEARNED, "INT32", 4 * i, 1, span.low, span.high))
    for (layer, _), i in numbers.places.items():
        span = numbers.spans[i]
        if span.left:
            rules.append(Rule(_LEARNED, "SHIFTED", 4 * i, 1, 4 * numbers.places[layer, span.left], span.most))
    return rules


def _edge_rules(edges: Sequence[Tensor]) -> Iterator[Rule]:
    yield Rule(_EDGES, "INT32", 0, len(edges), 1, 0x7F7FFFFF)  # bits of a finite number above 0
    for i, tensor in enumerate(edges):
        real = tensor.dtype == "float32"
        info = None if real else np.iinfo(tensor.dtype)
        low, high = (0, 0) if info is None else (int(info.min), int(info.max))
        if real:
            (one,) = struct.unpack("<i", struct.pack("<f", REAL.scale))
            yield Rule(_EDGES, "INT32", 4 * i, 1, one, one)
        yield Rule(_EDGES, "INT32", 4 * (len(edges) + i), 1, low, high)


def _constant_rules(plan: Plan, held: Embedded) -> Iterator[Rule]:
    """Of each layer's constants; layers that share one may want other things of it."""
    seen: set[Rule] = set()
    for step, rewritten in zip(plan.steps, own(plan.steps), strict=True):
        view = step.view
        names = [operand.name for operand in OPS[view.node.op].operands]
        for name, tensor in zip(names, view.inputs, strict=False):
            if tensor.data is None or tensor.name not in held.offsets:
                continue
            if tensor.name in rewritten and tensor.role is not Role.WEIGHTS:
                raise UsageError(f"--blob cannot serve {step.kernel.symbol} yet", where=view.node.name, fix=_WITHOUT)
            rule = _constant_rule(view, name, tensor, held.offsets[tensor.name])
            if rule is not None and rule not in seen:
                seen.add(rule)
                yield rule


_WITHOUT = "leave out --blob"


def _constant_rule(view: View, name: str, tensor: Tensor, at: int) -> Rule | None:
    """What a constant must be, beside bytes; None: any value only makes wrong numbers."""
    count = tensor.value.size
    if tensor.role is Role.INDEX:
        named = ("centers", 1) if view.has("centers") else ("templates", 0)
        of, axis = ("pairs", 0) if name == "pair_indices" else named
        entries, bits = view.operand(of).shape[axis], index_bits(tensor.value)
        return Rule(_CONSTANTS, "BITS", at, count, 0, entries - 1, bits) if entries < 1 << bits else None
    if tensor.role is Role.PAIRS:
        return Rule(_CONSTANTS, "HALF", at, count, 0, 0)
    if tensor.dtype == "float32":
        return Rule(_CONSTANTS, "FLOAT", at, count, 0, 0)
    usual = _SHIFTS if name in _SHIFT_NAMES else MULTIPLIER if name in _MULTIPLIER_NAMES else None
    span = OPS[view.node.op].learned(view).get(name, usual)
    if span is not None:
        return Rule(_CONSTANTS, tensor.dtype.upper(), at, count, span.low, span.high)
    return None


def _record_rules(plan: Plan, laid_out: Mapping[int, Part]) -> Iterator[Rule]:
    """Of what vector kernels read: records of 16 biases, sums, multipliers and shifts to the right, then weights."""
    for layer, part in laid_out.items():
        kernel, view = plan.steps[layer].kernel, plan.steps[layer].view
        if kernel.lays_out is None:
            continue
        blocks = -(-view.out.shape[-1] // vector.BLOCK)
        size, header = _record_bytes(kernel, view) // blocks, 4 * 4 * vector.BLOCK
        for at in range(part.offset, part.offset + blocks * size, size):
            yield Rule(_LAID_OUT, "INT32", at + 8 * vector.BLOCK, vector.BLOCK, MULTIPLIER.low, MULTIPLIER.high)
            yield Rule(_LAID_OUT, "INT32", at + 12 * vector.BLOCK, vector.BLOCK, 1, 31)
            named = "centers" in (name for _, name in plain_fields(kernel.fields))
            # Those of bytes fill groups up with an index that may lie behind the last center.
            if named and not kernel.symbol.endswith(center_bytes.ANY_INDEX):
                bits = 4 if index_bits(view.indices.value) <= codes.HALVES_BITS else 8
                entries = min(view.centers.shape[1], 1 << index_bits(view.indices.value))
                if entries < 1 << bits:
                    count = (size - header) * 8 // bits
                    yield Rule(_LAID_OUT, "BITS", at + header, count, 0, entries - 1, bits)


def _record_bytes(kernel: Kernel, view: View) -> int:
    assert kernel.lays_out is not None and LAID_OUT in dict(_plain(kernel.params(view))).values()
    return kernel.lays_out(view).nbytes

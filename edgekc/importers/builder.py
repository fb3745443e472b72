"""A FLOAT or QUANTIZED graph under construction from a source with NCHW tensors: names, constants, memory order."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ModelError, UnsupportedError
from ..files import limits
from ..graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Stage, Tensor, constant
from ..ops import SOURCES
from . import order as od
from .imported import Imported, SourceOperator, partial
from .order import Order, Shape
from .value import Value, nhwc_or_none, nhwc_shape, nwc_or_none, with_batch

MAX_DIM = 65535  # the C parameter structs hold 16-bit sizes
_MAX_ELEMENTS = 1 << 28  # of an activation; far above what any supported device holds
_MAX_NAME = 32
_PARAMETER = re.compile(r"[._/](weights?|kernel|w)(_quantized)?$", re.IGNORECASE)


class LayoutError(UnsupportedError):
    """An operator meets elements in an order that it cannot read; another layout of the inputs may fit."""


@dataclass(slots=True)
class Builder:
    """The graph so far, and the place in the source that is being read."""

    where: str  # file or model
    quantized: bool = False
    channels_last: bool = False  # the source's inputs of four dimensions are NHWC already
    rows_last: bool = False  # inputs of three dimensions (n, c, w) become (n, w, c)
    moving: bool = False  # transposes may be made where an operator meets another order than it reads
    at: str = ""  # file and node, for errors
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # nodes of each operator, for names
    places: dict[str, str] = field(default_factory=dict)  # graph tensor -> where the source makes it
    shaped: dict[tuple[str, Shape], str] = field(default_factory=dict)  # reshapes made, by tensor and shape
    moved: dict[tuple[str, Order], str] = field(default_factory=dict)  # transposes made, by tensor and new order
    moved_elements: int = 0  # of all transposes
    made_bytes: int = 0  # of constants that were computed here
    held_bytes: int = 0  # of constants that the source holds
    source: int = -1  # index of the source's operator that is being read
    refused: list[UnsupportedError] = field(default_factory=list)  # what stands in the way so far
    guessed: list[str] = field(default_factory=list)  # graph tensors for what refused operators compute

    def unsupported(self, what: str, supported: str) -> UnsupportedError:
        return UnsupportedError(f"{what}; supported: {supported}", where=self.at)

    def missing(self, supported: Iterable[str], fix: str = "") -> UnsupportedError:
        """Of an operator without a handler; only the first of a model says which operators there are."""
        what = "this operator is not implemented"
        if not any(error.what.startswith(what) for error in self.refused):
            what = f"{what}; supported: {', '.join(sorted(supported))}"
        return UnsupportedError(what, where=self.at, fix=fix)

    def wrong(self, what: str) -> ModelError:
        return ModelError(what, where=self.at)

    def count_made(self, nbytes: int) -> None:
        """Before a constant is computed: a source of a few bytes may ask for all memory."""
        self.made_bytes += nbytes
        allowed = limits.MAX_MADE_BYTES + 16 * self.held_bytes
        if self.made_bytes > allowed:
            raise self.wrong(
                f"computing its constants takes {self.made_bytes:,} bytes so far, {nbytes:,} of them here; "
                f"{allowed:,} are allowed"
            )

    def check_stated(self, shape: Shape, stated: Sequence[int | None] | None) -> None:
        """ModelError where the source itself states another shape of what is computed here; None: not stated."""
        if stated is None:
            return
        if len(stated) != len(shape) or any(s not in (None, d) for s, d in zip(stated, shape, strict=True)):
            said = ["?" if s is None else s for s in stated]
            raise ModelError(
                f"the file gives its output shape {said}, its inputs make {list(shape)}".replace("'", ""),
                where=self.at,
                fix="export the model again, with its shapes inferred anew; if this stays, it is a fault of edgekc",
            )

    def input(self, shape: Shape) -> Value:
        """A new input of the graph."""
        number = self.counts["input"]
        self.counts["input"] += 1
        name = "input" if number == 0 else f"input_{number}"
        self._check_shape(shape)
        order, stored = od.plain(shape), shape if len(shape) > 1 else with_batch(shape)
        if len(shape) == 4 and not self.channels_last:
            order, stored = od.nhwc(shape), nhwc_shape(shape)
        elif len(shape) == 3 and self.rows_last:
            order, stored = od.nwc(shape), (shape[0], shape[2], shape[1])
        self.tensors[name] = Tensor(name, stored, "float32")
        self.places[name] = self.at
        return Value(shape, order, name)

    def stored(self, value: Value, shape: Shape) -> str:
        """The tensor of a value under this shape; a reshape node where it has another."""
        if value.data is not None:
            raise self.unsupported(f"the constant {value.source!r} as an activation", "an activation")
        tensor = self.tensors[value.name]
        if tensor.shape == shape:
            return value.name
        key = (value.name, shape)
        if key not in self.shaped:
            name = self.node_name("reshape", "")
            self._add("reshape", name, (value.name,), {}, shape)
            self.tensors[name] = Tensor(name, shape, tensor.dtype, tensor.quant)
            self.shaped[key] = name
        return self.shaped[key]

    def emit(
        self,
        op: str,
        inputs: tuple[str, ...],
        attrs: Mapping[str, AttrValue],
        stored: Shape,
        shape: Shape,
        order: Order,
        name: str = "",
    ) -> Value:
        """A new node and the value that it computes: `stored` is its shape here, `shape` the source's."""
        if op not in SOURCES:
            raise self.unsupported(f"it needs {op}, which is not implemented", "those that docs/operators.md lists")
        name = name or self.node_name(op, "")
        self._check_shape(stored)
        self._add(op, name, inputs, attrs, stored)
        return Value(shape, order, name)

    def _add(self, op: str, name: str, inputs: tuple[str, ...], attrs: Mapping[str, AttrValue], shape: Shape) -> None:
        self.nodes.append(Node(op, name, inputs, (name,), dict(attrs), self.source))
        self.tensors[name] = Tensor(name, shape, "float32")
        self.places[name] = self.at

    def refuse(self, error: UnsupportedError, tensor: str) -> None:
        """Note what stands in the way, and go on: the list of a model's obstacles is complete."""
        error.operator, error.tensor = self.source, tensor
        self.refused.append(error)

    def stand_in(self, shape: Sequence[int | None] | None) -> Value | None:
        """What a refused operator computes, by the shape that the source states; None where it states none."""
        if not shape or any(d is None for d in shape[1:]):
            return None
        sizes = tuple(1 if d is None else d for d in shape)
        try:
            value = self.input(sizes)
        except UnsupportedError:
            return None
        self.guessed.append(value.name)
        return value

    def finished(
        self,
        name: str,
        inputs: list[Value],
        outputs: list[Value],
        finish: Callable[[Graph], Graph],
        operators: Sequence[SourceOperator],
    ) -> Imported:
        """The graph behind `finish`, or as far as it could be read with everything that was refused."""
        try:
            graph = self.graph(name, inputs, [v for v in outputs if v.name not in self.guessed])
            if not self.refused:
                return Imported(finish(graph), tuple(operators))
        except UnsupportedError as error:
            self.refused.append(error)
        except ModelError:  # of shapes that are not certain
            if not self.refused:
                raise
        ends = tuple(v.name for v in inputs)
        graph = Graph(name, Stage.FLOAT, self.tensors, tuple(self.nodes), ends, (), {})
        graph, guessed = partial(graph, self.guessed)
        return Imported(graph, tuple(operators), tuple(self.refused), guessed)

    def _check_shape(self, shape: Shape) -> None:
        if any(not 1 <= d <= MAX_DIM for d in shape):
            raise self.unsupported(f"a tensor of shape {list(shape)}", f"dimensions of 1 to {MAX_DIM}")
        if math.prod(shape) > _MAX_ELEMENTS:
            raise self.unsupported(f"a tensor of shape {list(shape)}", f"up to {_MAX_ELEMENTS:,} elements")
        if len(shape) > 1 and shape[0] != 1:
            what = f"batch size {shape[0]} (shape {list(shape)}); supported: 1"
            raise UnsupportedError(
                what, where=self.at, fix="export the model with a batch size of 1, and run it once for each sample"
            )

    def node_name(self, op: str, parameter: str) -> str:
        """A layer is named like its weights (`c.0.weight` -> c_0), everything else by operator and number."""
        number = self.counts[op]
        self.counts[op] += 1
        hint = re.sub(r"\W", "_", _PARAMETER.sub("", parameter), flags=re.ASCII)
        taken = self.tensors  # each node has the name of what it computes
        valid = re.fullmatch(r"[A-Za-z]\w*", hint) and len(hint) <= _MAX_NAME and hint not in taken
        if _PARAMETER.search(parameter) and valid:
            return hint
        name = f"{op}_{number}"
        while name in taken:
            number += 1
            name = f"{op}_{number}"
        return name

    def const(
        self, name: str, data: Array, role: Role, quant: Quant | None = None, source: str = "", exact: bool = False
    ) -> str:
        """A constant operand; float32, integers with their quantisation, or as it is (`exact`)."""
        if quant is None and not exact:
            with np.errstate(over="ignore"):
                data = np.asarray(data, np.float32)
            if not np.isfinite(data).all():
                what = f"tensor {source!r}" if source else name
                raise ModelError(f"the constants of {what} hold NaN or infinity", where=self.at)
        self.tensors[name] = constant(name, data, role, quant)
        return name

    def graph(self, name: str, inputs: list[Value], outputs: list[Value]) -> Graph:
        """The finished graph; outputs of four dimensions are NHWC, all others in the source's order."""
        names = []
        for k, value in enumerate(outputs):
            self.at = f"{self.where}: output {k}"
            native = self.native_shape(value)
            if len(value.shape) == 3 and value.data is None and value.order == od.nwc(value.shape):
                native = native[-3:] if len(native) == 4 else native
            elif self.moving and value.order not in (od.plain(value.shape), nhwc_or_none(value.shape)):
                value = self.ordered(value, od.plain(value.shape))
                native = self.native_shape(value)
            tensor = self.stored(value, native)
            if tensor in names or tensor in (v.name for v in inputs):  # listed twice, or nothing is computed: a copy
                tensor = self.emit("reshape", (tensor,), {}, native, value.shape, value.order).name
            if not value.order.plain and value.order not in (nhwc_or_none(value.shape), nwc_or_none(value.shape)):
                raise LayoutError(
                    f"an output of shape {list(value.shape)} made from NCHW without a layer in between; supported: "
                    "a fully connected layer, or the tensor with four dimensions",
                    where=self.at,
                )
            names.append(tensor)
        used, nodes = set(names), []
        for node in reversed(self.nodes):  # what only served operators that were merged into others goes
            if node.outputs[0] in used:
                used.update(node.inputs)
                nodes.append(node)
        used.update(v.name for v in inputs)
        tensors = {n: t for n, t in self.tensors.items() if n in used}
        stage = Stage.QUANTIZED if self.quantized else Stage.FLOAT
        layout = {} if self.channels_last else {"source_layout": "NCHW"}
        ends = tuple(v.name for v in inputs), tuple(names)
        return Graph(name, stage, tensors, tuple(reversed(nodes)), *ends, layout)

    def nhwc(self, value: Value) -> str:
        """The tensor of a value (n, c, h, w) as (n, h, w, c)."""
        if len(value.shape) != 4:
            raise self.unsupported(f"input of shape {list(value.shape)}", "4 dimensions")
        if value.shape[0] != 1:
            raise self.unsupported(f"batch size {value.shape[0]} (shape {list(value.shape)})", "1")
        if value.data is None:
            value = self.ordered(value, od.nhwc(value.shape))
        return self.stored(value, nhwc_shape(value.shape))

    def plain(self, value: Value) -> Value:
        """The value with its elements in the source's order."""
        return self.ordered(value, od.plain(value.shape))

    def ordered(self, value: Value, order: Order) -> Value:
        """The value with its elements in this order; a transpose where they lie in another."""
        if value.data is not None or value.order == order:
            return value
        if not self.moving:
            raise self.layout(value)
        key = (value.name, order)
        if key not in self.moved:
            self.moved[key] = self._transposed(value, order)
        return replace(value, order=order, name=self.moved[key])

    def _transposed(self, value: Value, order: Order) -> str:
        move = od.between(value.order, order)
        if move is None:  # the two split the elements in ways that have no common refinement
            value = self.ordered(value, od.plain(value.shape))
            move = od.between(value.order, order)
            assert move is not None
        stored = (1, *move.factors)
        perm = (0, *(p + 1 for p in move.perm))
        out = tuple(stored[p] for p in perm)
        self.moved_elements += math.prod(stored)
        attrs: dict[str, AttrValue] = {"perm": ",".join(map(str, perm))}
        return self.emit("transpose", (self.stored(value, stored),), attrs, out, value.shape, order).name

    def layout(self, value: Value) -> LayoutError:
        return LayoutError(
            f"its input {list(value.shape)} comes out of a reshape or transpose that would have to move data; "
            "supported: reshapes between channels and flat vectors in front of fully connected layers",
            where=self.at,
        )

    def native_shape(self, value: Value) -> Shape:
        """The shape in which a value is stored when nothing asks for another."""
        if not (value.order.plain and self.channels_last) and value.order == nhwc_or_none(value.shape):
            return nhwc_shape(value.shape)
        if len(value.shape) == 3 and value.shape[0] == 1 and value.order == od.nwc(value.shape):
            _, c, w = value.shape
            stored = self.tensors[value.name].shape if value.data is None else ()
            if stored in ((1, w, c), (1, 1, w, c)) and (stored != with_batch(value.shape) or not value.order.plain):
                return stored
            return with_batch(value.shape) if value.order.plain else (1, 1, w, c)
        found = self.placed(value)
        return with_batch(value.shape) if found is None or value.order.plain else found[0]

    def axes(self, value: Value) -> tuple[Value, Shape, tuple[int, ...]]:
        """(the value, its stored shape, the stored axis of each axis of the source); moved where axes are torn."""
        found = self.placed(value)
        if found is None:
            image = len(value.shape) == 4 and value.shape[0] == 1 and not self.channels_last
            value = self.ordered(value, od.nhwc(value.shape)) if image else self.plain(value)
            found = self.placed(value)
            assert found is not None
        return value, *found

    def placed(self, value: Value) -> tuple[Shape, tuple[int, ...]] | None:
        """Stored shape and stored axes, as `axes` gives them; None where axes are torn apart."""
        shape, rank = value.shape, len(value.shape)
        if not (value.order.plain and self.channels_last) and value.order == nhwc_or_none(shape):
            return nhwc_shape(shape), (0, 3, 1, 2)
        if rank == 3 and shape[0] == 1 and value.order == od.nwc(shape):
            native = self.native_shape(value)
            if native == (1, shape[2], shape[1]) and native != shape:
                return native, (0, 2, 1)
            if len(native) == 4:
                return native, (0, 3, 2)
        if value.order.plain:
            native = with_batch(shape)
            return native, tuple(range(len(native)))[-rank:] if rank else ()
        found = od.axes(value.order, shape)
        if found is None:
            return None
        rest = [a for a in range(rank) if shape[a] == 1]  # axes of one element lie anywhere: in front
        if not rest:
            return (1, *(shape[a] for a in found)), tuple(found.index(a) + 1 for a in range(rank))
        stored = [*rest, *found]
        return tuple(shape[a] for a in stored), tuple(stored.index(a) for a in range(rank))

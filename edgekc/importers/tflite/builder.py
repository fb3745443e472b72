"""The graph under construction while a .tflite file is imported, and the checks that every operator needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array, AttrValue, Graph, Node, Quant, Role, Tensor, constant
from ..imported import Imported, SourceOperator, partial
from . import numbers, shapes, types
from .file import FileModel, FileOperator, FileTensor

MAX_DIM = 65535  # the C parameter structs hold 16-bit sizes
QUANTISE = "convert the model with full integer quantisation: int8 with a representative dataset"
BATCH = "convert the model with a batch size of 1, and run it once for each sample"


class _FollowsError(UnsupportedError):
    """What a refused operator computes is not known here; nothing that the user should hear twice."""


@dataclass(slots=True)
class Builder:
    """The graph under construction, and what every handler needs to speak of the file."""

    model: FileModel
    where: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)  # file tensor index -> graph tensor name
    values: dict[int, Array] = field(default_factory=dict)  # file tensor index -> shape arithmetic, done here
    numbers: dict[int, numbers.Numbers] = field(default_factory=dict)  # file tensor index -> integers, see numbers.py
    rows: set[str] = field(default_factory=set)  # graph tensors that have a one in front of the file's shape
    unstated: set[str] = field(default_factory=set)  # graph tensors for whose shape the file has a placeholder
    phased: set[str] = field(default_factory=set)  # graph tensors between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND
    refused: list[UnsupportedError] = field(default_factory=list)  # what stands in the way so far
    guessed: list[str] = field(default_factory=list)  # graph tensors for what refused operators compute
    loose: set[int] = field(default_factory=set)  # file tensor indices that come of refused operators
    # Variables, by what file.py calls them (handlers/state.py).
    handles: dict[int, str] = field(default_factory=dict)  # file tensor index -> variable
    kept: dict[str, str] = field(default_factory=dict)  # what it holds now
    starts: dict[str, str] = field(default_factory=dict)  # what it held when the step started, of those that were read
    ends: dict[str, str] = field(default_factory=dict)  # the node that assigned it last
    in_float: bool = False  # the model is float throughout

    def walk(self, handlers: Mapping[str, Handler], missing: str) -> tuple[str, ...]:
        """Add every operator of the file through its handler; returns the names of the graph's outputs.

        Args:
            handlers: by builtin operator.
            missing: what an error says of an operator without a handler.
        """
        for op in self.model.operators:
            before = len(self.nodes)
            follows = not self.loose.isdisjoint(op.inputs)
            try:
                self._convert(op, handlers, missing)
            except (UnsupportedError, ModelError) as error:
                if isinstance(error, ModelError) and not follows:
                    raise
                if isinstance(error, UnsupportedError) and not isinstance(error, _FollowsError):
                    self.refuse(error, op)
                del self.nodes[before:]
                self._stand_in(op)
            if follows:
                self.loose.update(op.outputs)
            for k in range(before, len(self.nodes)):
                self.nodes[k] = replace(self.nodes[k], source=op.index)
        for k, i in enumerate(self.model.outputs):
            if i not in self.names and i not in self.loose:
                raise ModelError(f"output {k} is never computed", where=self.where)
        return tuple(self.names[i] for i in self.model.outputs if i in self.names)

    def _convert(self, op: FileOperator, handlers: Mapping[str, Handler], missing: str) -> None:
        if numbers.compute(self, op):
            return
        is_shape = bool(op.outputs) and all(self.model.tensors[i].dtype in ("int32", "int64") for i in op.outputs)
        if is_shape and (op.builtin == "SHAPE" or op.builtin in shapes.FOLDS):
            self.fold(op)
            return
        if op.builtin in shapes.MOVES and self._is_known(op):
            self._fold_constants(op)
            return
        if op.builtin not in handlers:
            tensor = self.model.tensors[op.outputs[0]].name[:60] if op.outputs else ""
            what = f"this operator (tensor {tensor!r}) {missing}"
            if any(missing in error.what for error in self.refused):  # the first says what there is
                raise UnsupportedError(what, where=self.at(op))
            raise self.unsupported(op, what, ", ".join(sorted(handlers)))
        handlers[op.builtin](self, op)

    def refuse(self, error: UnsupportedError, op: FileOperator | None) -> None:
        """Note what stands in the way, and go on: the list of a model's obstacles is complete."""
        if op is not None:
            error.operator = op.index
            error.tensor = self.model.tensors[op.outputs[0]].name if op.outputs else ""
        self.refused.append(error)

    def refuse_batch(self, shape: tuple[int, ...], where: str, index: int) -> None:
        """An input of several samples: one obstacle, however many operators see them."""
        what = f"batch size {shape[0]} of {list(shape)}; supported: 1"
        self.refuse(UnsupportedError(what, where=where, fix=BATCH), None)
        self.loose.add(index)
        self.guessed.append(self.names[index])

    def _stand_in(self, op: FileOperator) -> None:
        """Tensors for what a refused operator computes, as the file describes them, so that what is behind is seen."""
        for k, i in enumerate(op.outputs):
            t = self.model.tensors[i]
            self.loose.add(i)
            self.values.pop(i, None)
            if t.dtype in ("int32", "int64") or 0 in t.shape:
                continue
            name = f"{node_name(op)}_refused_{k}"
            shape = graph_shape(t.shape)
            if shape != t.shape:
                self.rows.add(name)
            self.names[i] = name
            self.tensors[name] = Tensor(name, shape, t.dtype, t.quant or Quant((1.0,), (0,)))
            self.guessed.append(name)

    def finished(self, graph: Graph) -> Imported:
        """The graph with everything that was refused."""
        graph, guessed = partial(graph, self.guessed) if self.refused else (graph, frozenset())
        return Imported(graph, operators_of(self.model), tuple(self.refused), guessed)

    def at(self, op: FileOperator) -> str:
        return f"{self.where}: operator {op.index} {op.builtin}"

    def unsupported(self, op: FileOperator, what: str, supported: str, fix: str = "") -> UnsupportedError:
        return UnsupportedError(f"{what}; supported: {supported}", where=self.at(op), fix=fix)

    def check_type(self, op: FileOperator, what: str, t: FileTensor, allowed: tuple[str, ...]) -> None:
        if t.dtype not in allowed:
            text = f"{what} (tensor {t.index} {t.name[:60]!r}) has type {t.dtype}"
            raise self.unsupported(op, text, allowed[0], QUANTISE)

    def file_tensor(self, op: FileOperator, position: int, what: str) -> FileTensor:
        if position >= len(op.inputs) or op.inputs[position] < 0:
            raise ModelError(f"operand {position} ({what}) is missing", where=self.at(op))
        return self.there(self.model.tensors[op.inputs[position]], self.at(op))

    def there(self, t: FileTensor, where: str) -> FileTensor:
        """The tensor; ModelError where it is an optional one that was left out."""
        if 0 in t.shape:
            raise ModelError(f"tensor {t.index} {t.name[:60]!r}: impossible shape {list(t.shape)}", where=where)
        return t

    def operand(
        self, op: FileOperator, position: int, what: str, *, rowwise: bool = False, may_be_constant: bool = False
    ) -> str:
        """The graph name of an int8 or uint8 operand.

        Args:
            rowwise: the operator treats a tensor as rows, and so may have any number of them in place of the batch.
        """
        t = self.file_tensor(op, position, what)
        self.check_type(op, what, t, types.of_inputs(op.builtin))
        if t.data is not None:
            if not may_be_constant and not self._is_known(op):  # else lowering computes what the operator gives
                raise self.unsupported(op, f"{what} (tensor {t.index} {t.name[:60]!r}) is a constant", "an activation")
            return self.const(op, t, what, Role.WEIGHTS)
        name = self.written(op, t)
        if name in self.rows and not rowwise:
            shape = list(self.file_shape(name))
            if t.index in self.loose:
                raise _FollowsError(f"{what} has a batch size that a refused operator gives it", where=self.at(op))
            raise self.unsupported(op, f"{what} (tensor {t.index}) has batch size {shape[0]} of {shape}", "1", BATCH)
        return name

    def file_shape(self, name: str) -> tuple[int, ...]:
        """The shape that the operators of the file see."""
        shape = self.tensors[name].shape
        return shape[1:] if name in self.rows else shape

    def written(self, op: FileOperator, t: FileTensor) -> str:
        if t.index not in self.names:
            if t.index in self.loose:
                raise _FollowsError(f"tensor {t.index} comes of a refused operator", where=self.at(op))
            raise ModelError(f"tensor {t.index} {t.name[:60]!r} is read before it is written", where=self.at(op))
        return self.names[t.index]

    def ints(self, op: FileOperator, position: int, what: str) -> list[int]:
        """The values of an int32 or int64 operand: a constant, or computed from shapes."""
        t = self.file_tensor(op, position, what)
        data = self.values.get(t.index, t.data)
        if data is None and t.index in self.loose:
            raise _FollowsError(f"{what} (tensor {t.index}) comes of a refused operator", where=self.at(op))
        if data is None or t.dtype not in ("int32", "int64"):
            raise self.unsupported(
                op, f"{what} (tensor {t.index}) that is computed at run time", "a constant int32 tensor"
            )
        return [int(v) for v in data.ravel()]

    def const(self, op: FileOperator, t: FileTensor, what: str, role: Role) -> str:
        if t.data is None and t.index in self.loose:
            raise _FollowsError(f"{what} (tensor {t.index}) comes of a refused operator", where=self.at(op))
        if t.data is None:
            raise self.unsupported(
                op, f"{what} (tensor {t.index} {t.name[:60]!r}) is computed at run time", "a constant"
            )
        name = f"{node_name(op)}/{what}"
        self.tensors[name] = constant(name, t.data, role, t.quant)
        return name

    def file_output(self, op: FileOperator, part: int | None = None) -> FileTensor:
        """The only output, or one of several."""
        if part is None and len(op.outputs) != 1:
            raise self.unsupported(op, f"{len(op.outputs)} outputs", "one")
        t = self.there(self.model.tensors[op.outputs[part or 0]], self.at(op))
        if t.index in self.names or t.index in self.values:
            raise ModelError(f"tensor {t.index} is written twice", where=self.at(op))
        return t

    def output(self, op: FileOperator, shape: tuple[int, ...] | None, phased: bool, part: int | None = None) -> str:
        """The graph name of the output. `shape`: where the importer knows better than the file, in which a
        tensor that depends on a free batch size has a placeholder."""
        t = self.file_output(op, part)
        self.check_type(op, "output", t, types.of_outputs(op.builtin))
        name = node_name(op, part)
        if shape is not None and shape != t.shape:
            self.unstated.add(name)
        shape = t.shape if shape is None else shape
        if phased:
            self.phased.add(name)
        elif graph_shape(shape) != shape:
            shape = graph_shape(shape)
            self.rows.add(name)
        return self.activation(replace(t, shape=shape), name, self.at(op))

    def fold(self, op: FileOperator) -> None:
        """Compute an operator on shapes."""
        outs = [self.file_output(op, part) for part in range(len(op.outputs))]
        if op.builtin == "SHAPE":
            t = self.file_tensor(op, 0, "input")
            shape = t.shape if t.data is not None else self.file_shape(self.written(op, t))
            self.values[outs[0].index] = np.array(shape, np.int64)
            return
        inputs = [
            np.array(self.ints(op, i, f"operand {i}"), np.int64).reshape(self.shape_of(op.inputs[i]))
            for i in range(len(op.inputs))
        ]
        try:
            found = shapes.fold(op.builtin, op.options, inputs)
            if len(found) != len(outs):
                raise ValueError(f"{len(found)} results for {len(outs)} outputs")
        except ValueError as error:
            raise self.unsupported(
                op, f"integers that edgekc cannot compute ({error})", "arithmetic on shapes"
            ) from error
        self.values.update((t.index, value) for t, value in zip(outs, found, strict=True))

    def _is_known(self, op: FileOperator) -> bool:
        """Whether all operands are constants, or computed from shapes."""
        return all(i < 0 or i in self.values or self.model.tensors[i].data is not None for i in op.inputs)

    def _fold_constants(self, op: FileOperator) -> None:
        """Move the values of constants, as a class token is repeated for a batch: the results are constants too."""
        tensors = list(self.model.tensors)
        operands = [self.values.get(i, tensors[i].data) for i in op.inputs]
        outs = [self.file_output(op, part) for part in range(len(op.outputs))]
        try:
            found = shapes.fold(op.builtin, op.options, [x for x in operands if x is not None])
        except ValueError as error:
            raise self.unsupported(op, f"constants that edgekc cannot move ({error})", "an activation") from error
        for t, value in zip(outs, found, strict=False):
            if t.dtype not in types.CONSTANTS:
                raise self.unsupported(
                    op, f"an output (tensor {t.index}) of type {t.dtype}", ", ".join(types.CONSTANTS)
                )
            tensors[t.index] = replace(t, shape=value.shape, data=value.astype(np.dtype(t.dtype)))
        self.model = replace(self.model, tensors=tuple(tensors))

    def fill(self, op: FileOperator, value: float) -> None:
        """An operator whose output is one number everywhere: a constant from here on."""
        t = self.file_output(op)
        self.check_type(op, "output", t, types.of_outputs(op.builtin))
        tensors = list(self.model.tensors)
        tensors[t.index] = replace(t, data=np.full(t.shape, value, np.dtype(t.dtype)))
        self.model = replace(self.model, tensors=tuple(tensors))

    def number(self, op: FileOperator, name: str, value: float, rank: int = 1) -> str:
        """The graph name of a constant of one float32."""
        name = f"{node_name(op)}/{name}"
        self.tensors[name] = constant(name, np.full((1,) * rank, value, np.float32), Role.WEIGHTS)
        return name

    def shape_of(self, index: int) -> tuple[int, ...]:
        """Of a tensor of integers by its number in the file."""
        return self.values[index].shape if index in self.values else self.model.tensors[index].shape

    def activation(self, t: FileTensor, name: str, where: str) -> str:
        if any(d > MAX_DIM for d in t.shape):
            raise UnsupportedError(f"a dimension of {list(t.shape)} is over {MAX_DIM}", where=where)
        if t.dtype in ("int8", "uint8", "int16"):
            if t.quant is None:
                raise ModelError(f"tensor {t.index} {t.name[:60]!r} has no quantisation", where=where)
            info = np.iinfo(t.dtype)
            if len(t.quant.scales) != 1 or not info.min <= t.quant.zero_point <= info.max:
                raise ModelError(
                    f"tensor {t.index}: an activation needs one scale, and a zero point in range", where=where
                )
        self.names[t.index] = name
        self.tensors[name] = Tensor(name, t.shape, t.dtype, t.quant)
        return name

    def add(
        self,
        op: FileOperator,
        kind: str,
        inputs: tuple[str, ...],
        attrs: Mapping[str, AttrValue],
        shape: tuple[int, ...] | None = None,
        part: int | None = None,
    ) -> None:
        """A node that writes the operator's output, or that of several which `part` says.

        Args:
            shape: see `output`.
        """
        phased = kind != "batch_to_space" and (kind == "space_to_batch" or not self.phased.isdisjoint(inputs))
        if shape is None and not phased and not self.unstated.isdisjoint(inputs):
            with suppress(ValueError):  # damaged, which lowering says
                shape = np.broadcast_shapes(*(self.file_shape(name) for name in inputs))  # each element by itself
        output = self.output(op, shape, phased, part)
        ends = [self.tensors[name].dtype for name in (inputs[0], output)]
        by_numbers = kind in ("lookup", "embedding")
        if (kinds := types.one_of(op.builtin)) and ends[0] != ends[1] and not by_numbers:
            raise self.unsupported(op, " to ".join(ends), f"one type, {' or '.join(kinds)}")
        self.nodes.append(Node(kind, node_name(op, part), inputs, (output,), dict(attrs)))

    def inner(
        self,
        op: FileOperator,
        name: str,
        kind: str,
        inputs: tuple[str, ...],
        attrs: Mapping[str, AttrValue],
        shape: tuple[int, ...],
    ) -> str:
        """A node in front of that which writes the output, and a tensor of this shape in the graph; its name.

        The tensor is quantised as the node's first input.
        """
        name = f"{node_name(op)}_{name}"
        self.tensors[name] = replace(self.tensors[inputs[0]], name=name, shape=shape)
        self.nodes.append(Node(kind, name, inputs, (name,), dict(attrs)))
        return name

    def view(self, op: FileOperator, name: str, x: str, shape: tuple[int, ...]) -> str:
        """The same bytes under a shape that the file has no tensor for."""
        return x if self.tensors[x].shape == shape else self.inner(op, name, "reshape", (x,), {}, shape)


def graph_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The first axis of every tensor in a graph is the batch; rows in its place become the second."""
    return (1, *shape) if shape and shape[0] != 1 else shape


def operators_of(model: FileModel) -> tuple[SourceOperator, ...]:
    """What the file calls its operators."""
    return tuple(
        SourceOperator(op.index, op.builtin, model.tensors[op.outputs[0]].name if op.outputs else "")
        for op in model.operators
    )


def node_name(op: FileOperator, part: int | None = None) -> str:
    """Named by operator and index, so that a user finds the layer in any .tflite viewer; `part`: of several outputs."""
    name = f"{op.builtin.lower().removesuffix('_2d').replace(' ', '_')}_{op.index}"
    return name if part is None else f"{name}_out{part}"


Handler = Callable[[Builder, FileOperator], None]

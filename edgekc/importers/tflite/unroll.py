"""A .tflite model with loops to one without: the steps of each WHILE behind one another, as often as it turns.

Keras' recurrent layers become loops that count to the number of time steps, which the file states. Integers that a loop
counts with are computed here, so that each step reads its own values of a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import ModelError, UnsupportedError
from ...graph.ir import Array
from .. import loops
from . import shapes
from .file import FileModel, FileOperator, FileTensor

# Guards against absurd files. Steps may hold operators on integers alone, which become nothing.
_MOST_EVALUATED = 1 << 18  # operators of all steps and conditions
_MOST_VALUES = 1 << 24  # of all constants that are made here
_INTEGERS = ("int32", "int64", "bool")

# Beside those of shapes.py: what a loop's condition is made of.
_CONDITIONS: Mapping[str, Callable[..., Array]] = {
    "LESS": np.less,
    "LESS_EQUAL": np.less_equal,
    "GREATER": np.greater,
    "GREATER_EQUAL": np.greater_equal,
    "EQUAL": np.equal,
    "NOT_EQUAL": np.not_equal,
    "LOGICAL_AND": np.logical_and,
    "LOGICAL_OR": np.logical_or,
    "LOGICAL_NOT": np.logical_not,
}


def unrolled(model: FileModel, where: str) -> FileModel:
    """The model without loops. Its tensors and operators keep their numbers; those of loops have numbers behind them.

    Raises:
        ModelError: the file contradicts itself.
        UnsupportedError: a loop whose number of steps the file does not state, or that becomes too many operators.
    """
    if not model.loops:
        return model
    unroller = _Unroller(model.loops, where, list(model.tensors), len(model.operators))
    outputs = unroller.main(model)
    tensors, operators = tuple(unroller.tensors), tuple(unroller.operators)
    return replace(model, tensors=tensors, operators=operators, outputs=outputs, loops={})


@dataclass(slots=True)
class _Unroller:
    """The model under construction. Its tensors are those of the main subgraph, and behind them what loops need."""

    subgraphs: Mapping[int, FileModel]
    where: str
    tensors: list[FileTensor]
    number: int  # of the next operator that comes of a loop
    operators: list[FileOperator] = field(default_factory=list)
    known: dict[int, Array] = field(default_factory=dict)  # tensor of the main subgraph -> what it holds, if computed
    # Tensor -> those that hold one value each of its first axis: a sequence of which each step writes one value. No
    # operator has put them together yet.
    rows: dict[int, tuple[int, ...]] = field(default_factory=dict)
    cut: dict[int, tuple[int, ...]] = field(default_factory=dict)  # constant -> its rows
    evaluated: int = 0  # operators of conditions and steps, those that become nothing too
    values: int = 0  # of the constants that were made

    def main(self, graph: FileModel) -> tuple[int, ...]:
        """Add the operators of the main subgraph, those of loops among them; the model's outputs."""
        now: dict[int, int] = {}  # variable of a loop -> the tensor that holds its last value
        for op in graph.operators:
            op = replace(op, inputs=_mapped(op.inputs, now))
            if op.builtin == "WHILE":
                now.update(zip(op.outputs, self._loop(op, loops.DEEPEST), strict=True))
                continue
            self._add(op)
            inputs = [self.tensors[i] for i in op.inputs if i >= 0]
            inputs = [replace(t, data=self.known.get(t.index, t.data)) for t in inputs]
            found = _integers(op, inputs, [self.tensors[i] for i in op.outputs])
            self.known.update(zip(op.outputs, found or (), strict=False))
        outputs = _mapped(graph.outputs, now)
        self._join(outputs)
        return outputs

    def _add(self, op: FileOperator) -> None:
        self._join(op.inputs)
        self.operators.append(op)

    def _join(self, tensors: Sequence[int]) -> None:
        """Put the rows of these tensors together, where they are kept apart."""
        for i in tensors:
            if rows := self.rows.pop(i, ()):
                options = {"Axis": 0, "FusedActivationFunction": 0}
                self.operators.append(FileOperator(self._number(), "CONCATENATION", rows, (i,), options))

    def _number(self) -> int:
        self.number += 1
        return self.number - 1

    def _loop(self, op: FileOperator, deepest: int) -> tuple[int, ...]:
        """Append the steps of a loop; the tensors that hold its variables behind the last one."""
        at = f"{self.where}: operator {op.index} {op.builtin}"
        test, body = (self.subgraphs.get(int(op.options[f"{part}SubgraphIndex"])) for part in ("Cond", "Body"))
        if test is None or body is None:
            raise ModelError("its condition or its body is missing", where=at)
        counts = {len(op.inputs), len(op.outputs), len(test.inputs), len(body.inputs), len(body.outputs)}
        if len(counts) > 1 or len(test.outputs) != 1 or min(op.inputs, default=-1) < 0:
            raise ModelError("its variables are not those of its condition and of its body", where=at)
        if deepest == 0:
            raise loops.too_deep("loops", at)
        variables = tuple(self._entered(i, body.tensors[k], at) for i, k in zip(op.inputs, body.inputs, strict=True))
        constants: dict[int, int] = {}  # of the body, once for all steps
        while self._goes_on(test, variables, at):
            self.evaluated += 1 + len(test.operators) + len(body.operators)
            most = self.evaluated > _MOST_EVALUATED or self.values > _MOST_VALUES
            if most or len(self.operators) + len(body.operators) > loops.MAX_OPERATORS:
                raise loops.too_long(at)
            variables = self._step(body, variables, constants, at, deepest)
        return variables

    def _entered(self, index: int, inside: FileTensor, at: str) -> int:
        """The tensor that holds a variable when the loop starts: its bytes are handed over as they are."""
        t = self.tensors[index]
        data = self.known.get(index, t.data)
        what = f"tensor {t.index} {t.name[:60]!r}"
        if t.dtype != inside.dtype or t.shape != inside.shape:
            raise UnsupportedError(
                f"{what} is {t.dtype} {list(t.shape)}, and {inside.dtype} {list(inside.shape)} inside of the loop; "
                "supported: variables that keep their type and shape",
                where=at,
            )
        if data is not None:
            return self._constant(replace(inside, name=t.name), data)
        if t.quant != inside.quant:
            raise UnsupportedError(f"{what} has another scale inside of the loop; supported: the same", where=at)
        return index

    def _constant(self, t: FileTensor, data: Array) -> int:
        value = np.asarray(data, np.dtype(t.dtype))
        self.values += value.size
        self.tensors.append(replace(t, index=len(self.tensors), shape=value.shape, data=value))
        return len(self.tensors) - 1

    def _goes_on(self, test: FileModel, variables: Sequence[int], at: str) -> bool:
        """What the condition says of the variables."""
        values = {i: t.data for i, t in enumerate(test.tensors)}
        values.update((i, self.tensors[k].data) for i, k in zip(test.inputs, variables, strict=True))
        for op in test.operators:
            inputs = [replace(test.tensors[i], data=values[i]) for i in op.inputs if i >= 0]
            results = _integers(op, inputs, [test.tensors[i] for i in op.outputs])
            values.update(zip(op.outputs, results or (), strict=False))
        found = values[test.outputs[0]]
        if found is None or found.size != 1:
            raise loops.unknown_length(
                "use a layer that always takes the same number of time steps, without masking", at
            )
        return bool(found.ravel()[0])

    def _step(
        self, body: FileModel, variables: Sequence[int], constants: dict[int, int], at: str, deepest: int
    ) -> tuple[int, ...]:
        """Append the body once; the tensors that hold the variables behind it."""
        now = {**constants, **dict(zip(body.inputs, variables, strict=True))}

        def here(i: int) -> int:
            """The model's tensor that holds the value of one of the body."""
            if i < 0 or i in now:
                return now.get(i, i)
            t = body.tensors[i]
            if t.data is None:
                raise ModelError(f"tensor {i} of the loop's body is read before it is written", where=at)
            now[i] = constants[i] = self._constant(t, t.data)
            return now[i]

        for op in body.operators:
            op = replace(op, inputs=tuple(here(i) for i in op.inputs))
            if op.builtin == "WHILE":
                now.update(zip(op.outputs, self._loop(op, deepest - 1), strict=True))
                continue
            outs = [body.tensors[i] for i in op.outputs]
            found = _integers(op, [self.tensors[i] for i in op.inputs if i >= 0], outs)
            if found is not None and len(found) == len(outs):
                now.update((t.index, self._constant(t, value)) for t, value in zip(outs, found, strict=True))
                continue
            for t in outs:
                now[t.index] = len(self.tensors)
                self.tensors.append(replace(t, index=len(self.tensors)))
            if (rows := self._rows_of(op)) is not None:
                made = now[op.outputs[0]]
                self.tensors[made] = replace(self.tensors[made], shape=(len(rows), *self._rest(op)))
                self.rows[made] = rows
                continue
            self._add(replace(op, index=self._number(), outputs=_mapped(op.outputs, now)))
        after = tuple(here(i) for i in body.outputs)
        for i, k, inside in zip(body.outputs, after, body.inputs, strict=True):
            t, start = self.tensors[k], body.tensors[inside]
            if (t.dtype, t.shape) != (start.dtype, start.shape) or (t.quant != start.quant and t.data is None):
                raise UnsupportedError(
                    f"variable {start.name[:60]!r} of the loop changes its type, shape or scale in a step; supported: "
                    "variables that keep them",
                    where=f"{at}: tensor {i} of its body",
                )
        return after

    def _rows_of(self, op: FileOperator) -> tuple[int, ...] | None:
        """The rows of what an operator gives that takes rows of a sequence, or joins some; None of any other."""
        if op.builtin == "SLICE" and len(op.inputs) == 3 and len(op.outputs) == 1:
            rows, rest = self._apart(op.inputs[0]), self._rest(op)
            begins, sizes = (self.tensors[i].data for i in op.inputs[1:])
            if rows is None or begins is None or sizes is None or not begins.size == sizes.size == 1 + len(rest):
                return None
            (first, *others), (count, *whole) = begins.ravel().tolist(), sizes.ravel().tolist()
            count = len(rows) - first if count == -1 else count
            if any(others) or any(n not in (-1, d) for n, d in zip(whole, rest, strict=True)):
                return None
            return rows[first : first + count] if 0 <= first <= first + count <= len(rows) else None
        if (
            op.builtin != "CONCATENATION"
            or any(op.options.values())
            or len(op.outputs) != 1
            or self.rows.keys().isdisjoint(op.inputs)
        ):
            return None  # of the options, axis 0 and no activation are 0
        found: list[int] = []
        for i in op.inputs:
            part = self._apart(i)
            if part is None or any(self.tensors[row].shape[1:] != self._rest(op) for row in part):
                return None
            found += part
        return tuple(found)

    def _apart(self, index: int) -> tuple[int, ...] | None:
        """The tensors that hold the rows of this one, where they are kept apart or are known; else None."""
        t = self.tensors[index]
        if index in self.rows:
            return self.rows[index]
        if t.shape[:1] == (1,):
            return (index,)
        if t.data is None or not t.data.ndim:
            return None
        if index not in self.cut:
            self.cut[index] = tuple(self._constant(t, t.data[i : i + 1]) for i in range(len(t.data)))
        return self.cut[index]

    def _rest(self, op: FileOperator) -> tuple[int, ...]:
        """The shape of a row of its first operand."""
        return self.tensors[op.inputs[0]].shape[1:]


def _mapped(indices: Sequence[int], now: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(now.get(i, i) for i in indices)


def _integers(op: FileOperator, inputs: Sequence[FileTensor], outputs: Sequence[FileTensor]) -> list[Array] | None:
    """What an operator on integers gives; None where it is none, or where its inputs are not known."""
    if any(t.dtype not in _INTEGERS for t in outputs):
        return None
    if op.builtin == "SHAPE" and len(inputs) == 1:
        return [np.array(inputs[0].shape, np.int64)]
    values = [t.data for t in inputs if t.data is not None]
    if len(values) < len(inputs) or any(value.dtype.kind not in "ib" for value in values):
        return None
    try:
        if op.builtin in _CONDITIONS:
            return [np.asarray(_CONDITIONS[op.builtin](*values))]
        return shapes.fold(op.builtin, op.options, values) if op.builtin in shapes.FOLDS else None
    except (TypeError, ValueError):  # operands that do not fit, which the importer says
        return None

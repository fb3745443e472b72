"""DEQUANTIZE, a function in float and QUANTIZE, which converters write for what has no int8 kernel, as one operator."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from .builder import Handler
from .file import FileModel, FileOperator
from .handlers.common import plain

# Of the operators that are put in the place of the three; the table that each becomes has the bytes of the three.
HANDLERS: dict[str, Handler] = {
    "FLOAT_ELU": plain("elu", in_float=1),
    "FLOAT_NEG": plain("neg"),
    "FLOAT_SIN": plain("sin"),
    "FLOAT_COS": plain("cos"),
}


def joined(model: FileModel) -> FileModel:
    """The model with an operator `FLOAT_...` of int8 tensors where nobody else reads the float tensors between."""
    writers = {i: op for op in model.operators for i in op.outputs}
    readers = Counter(i for op in model.operators for i in op.inputs)
    readers.update(model.outputs)
    operators, gone = [], set()
    for op in model.operators:
        found = _around(op, writers, readers)
        if found is None:
            operators.append(op)
            continue
        before, function = found
        gone.add(function.index)
        readers[before.outputs[0]] -= 1
        if not readers[before.outputs[0]]:
            gone.add(before.index)
        operators.append(
            replace(function, builtin=f"FLOAT_{function.builtin}", inputs=before.inputs, outputs=op.outputs)
        )
    kept = tuple(op for op in operators if op.index not in gone or op.builtin in HANDLERS)
    return replace(model, operators=kept)


def _around(
    op: FileOperator, writers: dict[int, FileOperator], readers: Counter[int]
) -> tuple[FileOperator, FileOperator] | None:
    """The DEQUANTIZE and the function before a QUANTIZE; None where it is not the end of such three."""
    if op.builtin != "QUANTIZE" or len(op.inputs) != 1 or len(op.outputs) != 1:
        return None
    function = writers.get(op.inputs[0])
    if function is None or f"FLOAT_{function.builtin}" not in HANDLERS or len(function.inputs) != 1:
        return None
    before = writers.get(function.inputs[0])
    if before is None or before.builtin != "DEQUANTIZE" or len(before.inputs) != 1 or len(before.outputs) != 1:
        return None
    return (before, function) if readers[op.inputs[0]] == 1 else None

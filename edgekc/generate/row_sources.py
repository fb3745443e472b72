"""Groups of layers that run by rows to what the template of a network writes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..graph.op import Struct
from .plan import Location, Plan, Step
from .rows import HEIGHTS, RowLayer

# Of a window, as ek_rows_call has it.
_CALLS = dict(zip(HEIGHTS, ("in_rows", "rows", "pad_top"), strict=True))
HEADER, SOURCE = "ek_rows.h", "ek_rows_next.c"


@dataclass(frozen=True, slots=True)
class RowLayerView:
    """A layer of a group: its line in the group's table, and its call."""

    index: int  # of the network's layers
    place: int  # in the group
    comment: str
    record: str
    changes: str  # the declaration of parameters that differ from call to call; empty: none do
    sets: tuple[str, ...]  # statements
    call: str
    output: str
    row_bytes: int


@dataclass(frozen=True, slots=True)
class GroupView:
    name: str
    first: int
    last: int
    held: str  # pointer to ek_rows_held
    tensors: tuple[str, ...]
    layers: tuple[RowLayerView, ...]
    feed: int
    input: str  # pointer to the rows of the network's input, where these come one after the other; else empty


def pointer(location: Location | None) -> str:
    assert location is not None
    base = {"arena": "ram", "state": "kept", "input": "in", "output": "out"}[location.space]
    return f"{base} + {location.offset}" if location.offset else base


def groups(plan: Plan, params: Sequence[str], comments: Sequence[str]) -> tuple[GroupView, ...]:
    """Args: the C name of each layer's parameters, and what a comment says of it."""
    found = []
    for number, group in enumerate(plan.groups):
        rows, layers = group.rows, []
        for place, (index, read, reader) in enumerate(zip(group.steps, rows.inputs, rows.last_readers, strict=True)):
            layer = rows.layers[place]
            window, pair = layer.window, (read * 2)[:2]
            numbers = (window.span, window.stride, window.pad, layer.rows, reader)
            record = f"{{{{{pair[0]}, {pair[1]}}}, {', '.join(map(str, numbers))}}}"
            layers.append(_layer(plan.steps[index], index, place, params[index], comments[index], record, len(read)))
        tensors = tuple(
            f"{{{at.offset if at.space == 'arena' else 0}, {t.row_bytes}, {t.height}, {t.room}, {t.buffer}}}"
            for t, at in zip(rows.tensors, group.places, strict=True)
        )
        found.append(
            GroupView(
                f"rows_{number}",
                group.steps[0],
                group.steps[-1],
                pointer(group.held),
                tensors,
                tuple(layers),
                rows.feed,
                pointer(group.places[0]) if rows.feed else "",
            )
        )
    return tuple(found)


def _layer(step: Step, index: int, place: int, params: str, comment: str, record: str, reads: int) -> RowLayerView:
    layer = step.rows
    assert layer is not None
    several = len(layer.regions) > 1
    arguments = ["&changed" if layer.varies else f"&{params}"]
    arguments += [f"{pointer(at)} + call.in[{i}]" for i, at in enumerate(step.inputs[:reads])]
    output = f"{pointer(step.output)} + call.out"
    arguments.append(output)
    if layer.kernel.scratch is not None:
        arguments.append(pointer(step.scratch) if step.scratch is not None else "NULL")
    name = layer.kernel.struct_of(layer.regions)
    most = "a row" if layer.rows == 1 else f"{layer.rows} rows"
    return RowLayerView(
        index,
        place,
        f"{comment}; {most} of output at a time",
        record,
        f"{name} changed = {params};" if layer.varies else "",
        tuple(sets_of(layer, "changed.layer" if several else "changed")) if layer.varies else (),
        f"{layer.kernel.symbol}({', '.join(arguments)});",
        output,
        step.view.out.nbytes // step.view.out.shape[1],
    )


def sets_of(layer: RowLayer, struct: str) -> list[str]:
    """C that sets what differs in the parameters of one call, which the variable `call` describes."""
    if any(isinstance(ctype, Struct) and name == "window" for ctype, name in layer.kernel.fields):
        return [f"{struct}.window.{field} = call.{has};" for field, has in _CALLS.items()]
    types = {name: ctype for ctype, name in layer.kernel.fields if isinstance(ctype, str)}
    found = []
    for name, each in layer.counts.items():
        value = f"(uint32_t)call.rows * {each}u"
        found.append(f"{struct}.{name} = {value if types[name] == 'uint32_t' else f'({types[name]})({value})'};")
    return found

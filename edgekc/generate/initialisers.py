"""A kernel's parameters to C: the designated initialisers of its struct, and those of the offsets of its scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..graph.fixedpoint import DOUBLE, SINGLE
from ..graph.op import LAID_OUT, Field, Number, Param, Struct
from ..graph.scratch import Region, offsets


@dataclass(frozen=True, slots=True)
class Held:
    """A number that the code takes from a blob: which of its learned numbers."""

    index: int


Value = Param | Held | Mapping[str, Number | Held]
_ROUNDING = {SINGLE: "EK_ROUND_SINGLE", DOUBLE: "EK_ROUND_DOUBLE"}  # ek_rounding.h


def fields_of(
    fields: Sequence[Field], values: Mapping[str, Value], places: Mapping[str, int], laid_out: int | None
) -> list[str]:
    """Designated initialisers: pointers one a line and nested structs, then numbers packed into lines."""
    missing = {name for _, name in fields} ^ set(values)
    assert not missing, f"fields and params differ in {sorted(missing)}"
    lines, numbers = [], []
    for ctype, name in fields:
        value = values[name]
        if isinstance(ctype, Struct):
            assert isinstance(value, Mapping), f"{name}: expected a value for each field of {ctype.name}"
            lines += [f".{name} = {{", *_indented(fields_of(ctype.fields, value, places, laid_out)), "},"]
        elif isinstance(value, Held):
            numbers.append(f".{name} = {'' if ctype == 'int32_t' else f'({ctype})'}LEARNED({value.index}),")
        elif isinstance(value, Mapping):
            raise AssertionError(f"{name}: {ctype} is no struct")
        elif value == LAID_OUT:
            lines.append(f".{name} = LAID_OUT({laid_out}),")
        elif isinstance(value, str):
            offset = places[value]
            macro = "WORDS" if "int32_t" in ctype else "BYTES"
            cast = "" if ctype in ("const int8_t *", "const int32_t *") else f"({ctype})"
            lines.append(f".{name} = {cast}{macro}({offset}),")
        else:
            named = _ROUNDING[value] if name == "rounding" else "NULL" if "*" in ctype and value == 0 else value
            numbers.append(f".{name} = {named},")
    return [*lines, *_packed(numbers)]


def with_regions(regions: Sequence[Region], layer: Sequence[str]) -> list[str]:
    """The layer's initialisers, or where there is more than one region of scratch, those of `Kernel.struct_of`."""
    if len(regions) < 2:
        return list(layer)
    places = offsets(regions)
    numbers = _packed([f".{region.name} = {places[region.name]}," for region in regions[1:]])
    return [".layer = {", *_indented(layer), "},", ".scratch = {", *_indented(numbers), "},"]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _packed(initialisers: Sequence[str]) -> list[str]:
    """Several in a line."""
    lines: list[str] = []
    for text in initialisers:
        if lines and len(lines[-1]) + len(text) <= 96:
            lines[-1] = f"{lines[-1]} {text}"
        else:
            lines.append(text)
    return lines

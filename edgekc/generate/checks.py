"""What a network of --check compares its constants with: CRC-32s of sections, and copies of layer tables."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .embedded import Form, Part
from .parts import PartsView
from .row_sources import GroupView

HEADER, SOURCES = "ek_check.h", ("ek_check_crc.c", "ek_crc32.c")


class Layer(Protocol):
    """What is asked of a layer."""

    @property
    def struct(self) -> str: ...
    @property
    def params(self) -> str: ...
    @property
    def fields(self) -> tuple[str, ...]: ...
    @property
    def group(self) -> GroupView | None: ...
    @property
    def parts(self) -> PartsView | None: ...


@dataclass(frozen=True, slots=True)
class SectionView:
    """Constants whose bytes are known, and so their CRC-32, that of zlib."""

    kind: str
    pointer: str
    bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class TableView:
    """Constants of the network's source file, of which a copy is kept: pointers are among them."""

    type: str
    name: str
    count: str  # behind the name of an array
    lines: tuple[str, ...]  # initialisers


@dataclass(frozen=True, slots=True)
class CheckView:
    """What the template of a network writes of its check."""

    sections: tuple[SectionView, ...]
    tables: tuple[TableView, ...]
    each_run: bool  # NAME_run compares the tables before it reads them

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        sections = [{"kind": s.kind, "bytes": s.bytes, "crc32": s.crc} for s in self.sections]
        return {"sections": sections, "tables": [table.name for table in self.tables], "each_run": self.each_run}


def check_view(
    form: Form, parts: Sequence[Part], laid_out: Sequence[Part], layers: Sequence[Layer]
) -> CheckView | None:
    """None where the form asks for no check.

    Each section is checked with the padding behind it, and all that is laid out as one.
    """
    if form.check == "none":
        return None
    found = [_section(part.kind, f"BYTES({part.offset})", part.data) for part in parts if part.data]
    if laid_out:
        found.append(_section("laid out", "LAID_OUT(0)", b"".join(part.data for part in laid_out)))
    return CheckView(tuple(found), tuple(_tables(layers)), form.check == "run")


def _tables(layers: Iterable[Layer]) -> list[TableView]:
    found: list[TableView] = []
    for layer in layers:
        found.append(TableView(layer.struct, layer.params, "", layer.fields))
        if layer.group is not None:
            name, count = layer.group.name, len(layer.group.layers)
            found += [
                _array("ek_rows_tensor", f"{name}_tensors", layer.group.tensors),
                _array("ek_rows_layer", f"{name}_layers", [row.record for row in layer.group.layers]),
                TableView("ek_rows", name, "", (f"{name}_layers, {name}_tensors, {count}, {layer.group.feed},",)),
            ]
        if layer.parts is not None:
            found.append(_array("ek_part_rows", f"{layer.params}_parts", layer.parts.records))
    return found


def _section(kind: str, pointer: str, data: bytes) -> SectionView:
    return SectionView(kind, pointer, len(data), zlib.crc32(data))


def _array(type_: str, name: str, records: Sequence[str]) -> TableView:
    return TableView(type_, name, f"[{len(records)}]", tuple(f"{record}," for record in records))

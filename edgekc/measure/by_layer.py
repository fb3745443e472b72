"""Splits the ledger of a linked image by layer: each byte that the ELF loads, and each of its RAM, in one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ToolError
from ..firmware.build import Image
from ..firmware.elf import Elf, run_ranges
from ..format import fields
from ..format.pack import Packed, read
from ..graph.ir import Role
from ..names import params_names
from .ledger import FORMAT, HARNESS, HELPERS, KERNELS, LAID_OUT, NETWORK, PADDING, STATIC, TABLES, Ledger

# What is no layer's, in the order of the report.
SHARED = "(several layers)"  # kernels that more than one layer calls
WHOLE = "(network)"  # what the model has once: entry, names, metadata, library code
OUTSIDE = "(harness)"
# Rows of RAM that others look for.
INPUT, OUTPUT, STACK = "input", "output", "stack, at least"
# The constant kinds of the .ekc file, and what else a layer can have.
CODE = "code"
COLUMNS = (
    *(kind.name.lower() for kind in fields.Kind if kind < fields.Kind.GRAPH),
    LAID_OUT,
    TABLES,
    CODE,
    FORMAT,
    PADDING,
)
_GRAPH = frozenset({fields.Kind.GRAPH.name.lower(), fields.Kind.METADATA.name.lower(), FORMAT})


@dataclass(frozen=True, slots=True)
class Row:
    """Bytes of one kind that one layer, or no layer, has in flash."""

    layer: str  # its name, or SHARED, WHOLE or OUTSIDE
    kind: str  # of COLUMNS
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RamRow:
    what: str
    size_bytes: int


def split_flash(image: Image, elf: Elf, ledger: Ledger, manifest: Mapping[str, Any], ekc: Path) -> tuple[Row, ...]:
    """The ledger's flash by layer; sums to ledger.flash_bytes exactly.

    Args:
        elf: the image's, as read_elf reads it.
        ekc: the packed model that the image embeds.

    Raises:
        ToolError: it does not sum up; FormatError: ekc is damaged.
    """
    packed = read(ekc.read_bytes(), str(ekc))
    layers = manifest["layers"]
    rows: Counter[tuple[str, str]] = Counter()
    # Where every kernel reads constants that are laid out for it, the linker drops the packed model.
    constants = _constants(packed, manifest) if elf.symbol(f"{image.name}_ekc") is not None else Counter()
    rows.update(constants)
    by_kind: Counter[str] = Counter()
    for (_, kind), size in constants.items():
        by_kind[kind] += size
    tables, code = _tables(elf, layers), _calls(elf, image.name, layers)
    for owners, kind in ((tables, TABLES), (code, CODE)):
        for layer, size in owners.items():
            rows[layer, kind] += size
    users: dict[str, list[str]] = {}
    for layer in layers:
        users.setdefault(str(layer["kernel"]), []).append(str(layer["name"]))
    for entry in ledger.flash:
        if entry.kind in by_kind:
            # Between two tensors of a section there may be bytes that align the second.
            rows[WHOLE, PADDING] += entry.size_bytes - by_kind[entry.kind]
        elif entry.kind in _GRAPH:
            rows[WHOLE, FORMAT] += entry.size_bytes
        elif entry.kind == LAID_OUT:
            sizes = {str(layer["name"]): int(layer["laid_out_bytes"]) for layer in layers}
            for name, size in sizes.items():
                rows[name, LAID_OUT] += size
            rows[WHOLE, PADDING] += entry.size_bytes - sum(sizes.values())
        elif entry.kind == TABLES:
            rows[WHOLE, TABLES] += entry.size_bytes - sum(tables.values())
        elif entry.kind == NETWORK:
            rows[WHOLE, CODE] += entry.size_bytes - sum(code.values())
        elif entry.kind == KERNELS:
            callers = users.get(entry.owner.removesuffix(".o"), [])
            rows[callers[0] if len(callers) == 1 else SHARED, CODE] += entry.size_bytes
        elif entry.kind in (HELPERS, STATIC):
            rows[WHOLE, CODE] += entry.size_bytes
        elif entry.kind in (HARNESS, PADDING):
            rows[OUTSIDE, PADDING if entry.kind == PADDING else CODE] += entry.size_bytes
        else:
            raise ToolError(f"the ledger has a kind {entry.kind}, which no layer can have", where=str(image.map))
    if any(size < 0 for size in rows.values()) or sum(rows.values()) != ledger.flash_bytes:
        raise ToolError(
            f"the layers account for {sum(rows.values())} bytes of flash, and the ELF loads {ledger.flash_bytes}",
            where=str(image.elf),
        )
    order = {name: i for i, name in enumerate([*(str(layer["name"]) for layer in layers), SHARED, WHOLE, OUTSIDE])}
    ordered = sorted(rows.items(), key=lambda item: (order[item[0][0]], COLUMNS.index(item[0][1])))
    return tuple(Row(layer, kind, size) for (layer, kind), size in ordered if size)


def split_ram(image: Image, elf: Elf, ledger: Ledger, arena_bytes: int) -> tuple[RamRow, ...]:
    """Every byte of the ELF's writable sections, the stack's included; sums to them exactly."""
    total = sum(section.size_bytes for section in elf.sections if section.writable)
    stack = sum(section.size_bytes for section in elf.sections if section.name == ".ekc_stack")
    static = sum(entry.size_bytes for entry in ledger.model_static_ram)
    rest = total - stack - static - arena_bytes - image.state_bytes - image.input_bytes - image.output_bytes
    rows = (
        RamRow("arena", arena_bytes),
        *([RamRow("state", image.state_bytes)] if image.state_bytes else []),
        RamRow(INPUT, image.input_bytes),
        RamRow(OUTPUT, image.output_bytes),
        RamRow("static data of the model", static),
        RamRow(STACK, stack),
        RamRow("harness: guards, variables, padding", rest),
    )
    if rest < 0:
        raise ToolError(f"arena, input and output are larger than the ELF's {total} bytes of RAM", where=str(elf.path))
    return rows


def _constants(packed: Packed, manifest: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Bytes of (layer, kind) that the image embeds; a constant of several layers belongs to the first of them."""
    stripped = manifest.get("embedded")
    left = None if stripped is None else {name for part in stripped for name in part["constants"]}
    graph, found, seen = packed.graph, Counter[tuple[str, str]](), set[str]()
    for node in graph.nodes:
        for tensor in graph.of(node.inputs):
            if tensor.role is Role.ACTIVATION or tensor.name in seen or (left is not None and tensor.name not in left):
                continue
            seen.add(tensor.name)
            kind = fields.Kind(fields.ROLE_CODE[tensor.role]).name.lower()
            found[node.name, kind] += packed.offsets[tensor.name][1]
    return found


def _tables(elf: Elf, layers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    sizes = {symbol.name: symbol.size_bytes for symbol in elf.symbols if symbol.kind == "object"}
    found = {}
    names = [str(layer["name"]) for layer in layers]
    for name, params in zip(names, params_names(names), strict=True):
        if params in sizes:
            found[name] = sizes[params]
    return found


def _calls(elf: Elf, name: str, layers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Bytes of the network function that belong to each layer's statement."""
    lines = [(int(first), int(last)) for first, last in (layer["source_lines"] for layer in layers)]
    found: Counter[str] = Counter()
    for piece in run_ranges(elf, name, lines):
        if piece.slot > 0:
            found[str(layers[piece.slot - 1]["name"])] += piece.high - piece.low
    return dict(found)

"""Turns a Measurement into tables for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..names import visible
from ..terminal import styled
from .by_layer import COLUMNS
from .emulated import LayerCost, Measurement
from .ledger import FORMAT, HARNESS, HELPERS, KERNELS, NETWORK, PADDING, STATIC, TABLES, Entry

# After the sections of the .ekc file, which come first by size.
_ORDER = (FORMAT, TABLES, NETWORK, KERNELS, HELPERS, STATIC, HARNESS, PADDING)
_VIOLATIONS_SHOWN = 10
# A terminal's 80 columns less what the other two columns of the flash table take.
_OWNERS_WIDTH = 44


def render(measurement: Measurement) -> RenderableType:
    """Flash, RAM and layers of one firmware image."""
    m = measurement
    parts: list[RenderableType] = [
        styled(m.name, "bold").append(
            visible(f" on {m.board}, {m.compiler}{' for size' if m.optimise == 'size' else ''}, {m.emulator}"),
            "not bold",
        ),
        _flash(m),
        _ram(m),
        _layers(m),
    ]
    if m.violations:
        parts.append(_violations(m))
    if m.note:
        parts.append(styled("no counts by layer:", "yellow").append(visible(f" {m.note}"), "default"))
    return Group(*parts)


def _table(title: str | Text, left: Sequence[str], right: Sequence[str], *, gap: int = 2) -> Table:
    # The box itself puts one space between two columns.
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, gap - 1, 0, 0))
    for name in left:
        table.add_column(name, overflow="ellipsis")  # names of layers and kernels have no place to break
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _flash(m: Measurement) -> Table:
    table = _table("Flash", ("kind", "from"), ("bytes",))
    for of_model, total in ((True, "model"), (False, "not the model's")):
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in m.ledger.flash:
            if entry.of_model == of_model:
                groups[entry.kind].append(entry)
        for kind in sorted(groups, key=lambda k: (_rank(k), -sum(e.size_bytes for e in groups[k]), k)):
            entries = groups[kind]
            table.add_row(kind, _owners(entries), f"{sum(e.size_bytes for e in entries):,}")
        size = sum(e.size_bytes for entries in groups.values() for e in entries)
        table.add_row(styled(total, "bold"), "", styled(f"{size:,}", "bold"), end_section=True)
    table.add_row(styled("all that the ELF loads", "bold"), "", styled(f"{m.ledger.flash_bytes:,}", "bold"))
    return table


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else -1


def _owners(entries: Sequence[Entry]) -> str:
    """The largest, with their sizes if there are several, as many as fit on a line."""
    largest = sorted(entries, key=lambda e: (-e.size_bytes, e.owner))
    if len(largest) == 1:
        return _owner(largest[0])
    texts = [f"{_owner(e)} {e.size_bytes:,}" for e in largest]
    for shown in range(len(texts), 1, -1):
        line = ", ".join(texts[:shown]) + _more(len(texts) - shown)
        if len(line) <= _OWNERS_WIDTH:
            return line
    return texts[0] + _more(len(texts) - 1)


def _owner(entry: Entry) -> str:
    """Object files without their ending, libc's `libg.a(lib_a-memcpy.o)` as `libg.a(memcpy)`."""
    return entry.owner.replace("(lib_a-", "(").replace(".o)", ")").removesuffix(".o")


def _more(count: int) -> str:
    return f", {count} more" if count else ""


def _ram(m: Measurement) -> Table:
    table = _table("RAM", ("what", "how it is known"), ("bytes",))
    table.add_row("arena", "compiled in", f"{m.arena_bytes:,}")
    static = sum(entry.size_bytes for entry in m.ledger.model_static_ram)
    table.add_row("static data of the model", "linker map", f"{static:,}")
    if m.stack_bytes is not None:
        table.add_row("peak stack", "traced stores, exact", _number(m.stack_bytes))
        table.add_row(
            styled("the same", "dim"), styled("painted stack", "dim"), styled(_number(m.painted_stack_bytes), "dim")
        )
    else:
        table.add_row("peak stack", "painted stack", _number(m.painted_stack_bytes))
    if m.stack_bound.size_bytes is not None:
        how = "frames of the deepest calls"
        table.add_row(styled("at most", "dim"), styled(how, "dim"), styled(f"{m.stack_bound.size_bytes:,}", "dim"))
    table.add_row(styled("model", "bold"), "", styled(_number(m.model_ram_bytes), "bold"), end_section=True)
    table.add_row("harness: input, output, guards, variables", "linked ELF", f"{m.ledger.harness_ram_bytes:,}")
    return table


def _layers(m: Measurement) -> RenderableType:
    # Not the table's own title, which would wrap where the table is narrow.
    title = styled(f"One inference, by {m.emulator}: {m.unit}", "italic")
    table = _table(
        "",
        ("layer", "kernel"),
        ("MACs", "cycles" if m.cycles else "instructions", "per MAC", "share"),
        gap=1,
    )
    total = m.counts[0] if m.counts else 0
    for layer in m.layers:
        table.add_row(layer.name, layer.kernel.removeprefix("ek_"), *_cells(layer, total))
    if m.outside is not None:
        table.add_row(styled("(entry, return)", "dim"), "", *_cells(m.outside, total))
    table.add_section()
    per_mac = f"{total / m.macs:.2f}" if m.macs and total else ""
    table.add_row(styled("all", "bold"), "", f"{m.macs:,}" if m.layers else "",
                  styled(_first(m.counts), "bold"), per_mac, "")  # fmt: skip
    if m.systick_instructions:
        table.add_row(styled("by SysTick", "dim"), "", "",
                      styled(_first(m.systick_instructions), "dim"), "", "")  # fmt: skip
    rows = [(layer.name, layer.counts) for layer in m.layers] + [("all", m.counts)]
    varying = [f"{name} {_spread(counts)}" for name, counts in rows if len(set(counts)) > 1]
    if not varying:
        return Group(title, table)
    return Group(
        title, table, f"The first of {len(m.counts)} inferences. It varies with the input: {'; '.join(varying)}."
    )


def _cells(layer: LayerCost, total: int) -> tuple[str, ...]:
    per_mac = layer.per_mac
    return (
        f"{layer.macs:,}" if layer.macs else "",
        _first(layer.counts),
        "" if per_mac is None else f"{per_mac:.2f}",
        f"{100 * layer.counts[0] / total:.1f} %" if total else "",
    )


def _first(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if values else "not known"


def _spread(values: Sequence[int]) -> str:
    return f"{min(values):,} to {max(values):,}"


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def render_ledger(measurement: Measurement) -> RenderableType:
    """Flash as layer x kind, and RAM; the sums are the ELF's."""
    m = measurement
    kinds = [kind for kind in COLUMNS if any(row.kind == kind for row in m.by_layer)]
    sizes = {(row.layer, row.kind): row.size_bytes for row in m.by_layer}
    table = _table("Flash by layer", ("layer",), (*kinds, "all"), gap=1)
    for layer in dict.fromkeys(row.layer for row in m.by_layer):
        cells = [sizes.get((layer, kind), 0) for kind in kinds]
        table.add_row(layer, *(f"{n:,}" if n else "" for n in cells), f"{sum(cells):,}")
    table.add_section()
    sums = [sum(n for (_, kind), n in sizes.items() if kind == wanted) for wanted in kinds]
    table.add_row(styled("all", "bold"), *(styled(f"{n:,}", "bold") for n in (*sums, sum(sums))))
    ram = _table("RAM of the firmware", ("what",), ("bytes",))
    for row in m.ram:
        ram.add_row(row.what, f"{row.size_bytes:,}")
    ram.add_section()
    ram.add_row(styled("all", "bold"), styled(f"{sum(row.size_bytes for row in m.ram):,}", "bold"))
    return Group(table, ram)


def _violations(m: Measurement) -> Table:
    table = _table(styled("Accesses outside of what the model may touch", "red"), ("layer", "function", "access"), ())
    found = m.violations or ()
    for v in found[:_VIOLATIONS_SHOWN]:
        layer = "none" if v.layer is None else f"{v.layer} {m.layers[v.layer].name}"
        what = "store" if v.is_store else "load"
        access = f"{what} of {v.size_bytes} bytes at 0x{v.address:08x} by 0x{v.pc:08x}"
        table.add_row(layer, v.function, access)
    if len(found) > _VIOLATIONS_SHOWN:
        table.add_row(f"and {len(found) - _VIOLATIONS_SHOWN} more", "", "")
    return table

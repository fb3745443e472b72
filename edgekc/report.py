"""Turns a Measurement into tables for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from edgekc.ledger import FORMAT, HARNESS, HELPERS, KERNELS, NETWORK, PADDING, STATIC, TABLES, Entry
from edgekc.measure import UNIT, LayerCost, Measurement

# After the sections of the .ekc file, which come first by size.
_ORDER = (FORMAT, TABLES, NETWORK, KERNELS, HELPERS, STATIC, HARNESS, PADDING)
_VIOLATIONS_SHOWN = 10


def render(measurement: Measurement) -> RenderableType:
    """Flash, RAM and layers of one firmware image."""
    m = measurement
    parts: list[RenderableType] = [
        f"[bold]{escape(m.name)}[/bold] on {escape(m.board)}, {escape(m.compiler)}, {escape(m.emulator)}",
        _flash(m),
        _ram(m),
        _layers(m),
    ]
    if m.violations:
        parts.append(_violations(m))
    if m.note:
        parts.append(f"[yellow]no counts per layer:[/yellow] {escape(m.note)}")
    return Group(*parts)


def _table(title: str, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in left:
        table.add_column(name, overflow="fold")
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
            table.add_row(escape(kind), escape(_owners(entries)), f"{sum(e.size_bytes for e in entries):,}")
        size = sum(e.size_bytes for entries in groups.values() for e in entries)
        table.add_row(f"[bold]{total}[/bold]", "", f"[bold]{size:,}[/bold]", end_section=True)
    table.add_row("[bold]all that the ELF loads[/bold]", "", f"[bold]{m.ledger.flash_bytes:,}[/bold]")
    return table


def _rank(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else -1


def _owners(entries: Sequence[Entry]) -> str:
    """The largest three, with their sizes if there are several."""
    largest = sorted(entries, key=lambda e: (-e.size_bytes, e.owner))
    if len(largest) == 1:
        return largest[0].owner
    more = f" and {len(largest) - 3} more" if len(largest) > 3 else ""
    return ", ".join(f"{e.owner} {e.size_bytes:,}" for e in largest[:3]) + more


def _ram(m: Measurement) -> Table:
    table = _table("RAM", ("what", "how it is known"), ("bytes",))
    table.add_row("arena", "compiled in", f"{m.arena_bytes:,}")
    static = sum(entry.size_bytes for entry in m.ledger.model_static_ram)
    table.add_row("static data of the model", "linker map", f"{static:,}")
    table.add_row("peak stack", "traced stores, exact", _number(m.stack_bytes))
    table.add_row("[dim]the same[/dim]", "[dim]painted stack[/dim]", f"[dim]{_number(m.painted_stack_bytes)}[/dim]")
    table.add_row("[bold]model[/bold]", "", f"[bold]{_number(m.model_ram_bytes)}[/bold]", end_section=True)
    table.add_row("harness: input, output, guards, variables", "linked ELF", f"{m.ledger.harness_ram_bytes:,}")
    return table


def _layers(m: Measurement) -> Table:
    unit = UNIT if m.resolution == 1 else f"instructions (emulated, to within {m.resolution}), not cycles"
    table = _table(
        f"Inference: {unit}",
        ("layer", "kernel"),
        ("MACs", "instructions", "per MAC", "share"),
    )
    total = m.instructions[0] if m.instructions else 0
    for number, layer in enumerate(m.layers):
        table.add_row(f"{number} {escape(layer.name)}", escape(layer.kernel), *_cells(layer, total))
    if m.outside is not None:
        table.add_row("[dim](entry, return)[/dim]", "", *_cells(m.outside, total))
    table.add_section()
    per_mac = f"{total / m.macs:.2f}" if m.macs and total else ""
    table.add_row("[bold]all[/bold]", "", f"{m.macs:,}" if m.layers else "",
                  f"[bold]{_spread(m.instructions)}[/bold]", per_mac, "")  # fmt: skip
    if m.systick_instructions:
        table.add_row("[dim]by SysTick[/dim]", "", "",
                      f"[dim]{_spread(m.systick_instructions)}[/dim]", "", "")  # fmt: skip
    return table


def _cells(layer: LayerCost, total: int) -> tuple[str, ...]:
    per_mac = layer.instructions_per_mac
    return (
        f"{layer.macs:,}" if layer.macs else "",
        _spread(layer.instructions),
        "" if per_mac is None else f"{per_mac:.2f}",
        f"{100 * layer.instructions[0] / total:.1f} %" if total else "",
    )


def _spread(values: Sequence[int]) -> str:
    """One number where all inferences took the same, else the smallest and the largest."""
    if not values:
        return "not known"
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _number(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _violations(m: Measurement) -> Table:
    table = _table("[red]Accesses outside of what the model may touch[/red]", ("layer", "function", "access"), ())
    for v in m.violations[:_VIOLATIONS_SHOWN]:
        layer = "none" if v.layer is None else f"{v.layer} {m.layers[v.layer].name}"
        what = "store" if v.is_store else "load"
        access = f"{what} of {v.size_bytes} bytes at 0x{v.address:08x} by 0x{v.pc:08x}"
        table.add_row(escape(layer), escape(v.function), access)
    if len(m.violations) > _VIOLATIONS_SHOWN:
        table.add_row(f"and {len(m.violations) - _VIOLATIONS_SHOWN} more", "", "")
    return table

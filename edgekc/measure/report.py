"""Turns a Measurement into tables for the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Group, RenderableType

from ..names import visible
from ..tables import Part, Sheet, number, size, words
from ..terminal import styled
from .by_layer import COLUMNS
from .cycles.speed import Speed
from .cycles.timing import Cycles
from .emulated import LayerCost, Measurement
from .ledger import FORMAT, HARNESS, HELPERS, KERNELS, NETWORK, PADDING, STATIC, TABLES, Entry

# After the sections of the .ekc file, which come first by size.
_ORDER = (FORMAT, TABLES, NETWORK, KERNELS, HELPERS, STATIC, HARNESS, PADDING)
_VIOLATIONS_SHOWN = 10
# A terminal's 80 columns less what the other two columns of the flash table take.
_OWNERS_WIDTH = 44


def render(measurement: Measurement) -> RenderableType:
    """Flash, RAM and layers of one firmware image, as what a console prints."""
    return Group(*parts(measurement))


def parts(measurement: Measurement) -> list[Part]:
    """Flash, RAM and layers of one firmware image."""
    m = measurement
    title = styled(m.name, "bold").append(
        visible(f" on {m.board}, {m.compiler}{' for size' if m.optimise == 'size' else ''}, {m.emulator}"),
        "not bold",
    )
    found: list[Part] = [title, _flash(m), _ram(m), *_layers(m)]
    if m.violations:
        found.append(_violations(m))
    if m.note:
        found.append(styled("no counts by layer:", "yellow").append(visible(f" {m.note}"), "default"))
    return found


def _flash(m: Measurement) -> Sheet:
    table = Sheet("Flash", "kind", words("from"), number("bytes"))
    for of_model, total in ((True, "model"), (False, "not the model's")):
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in m.ledger.flash:
            if entry.of_model == of_model:
                groups[entry.kind].append(entry)
        for kind in sorted(groups, key=lambda k: (_rank(k), -sum(e.size_bytes for e in groups[k]), k)):
            entries = groups[kind]
            table.add(kind, _owners(entries), size(sum(e.size_bytes for e in entries)))
        total_bytes = sum(e.size_bytes for entries in groups.values() for e in entries)
        table.add(styled(total, "bold"), "", styled(size(total_bytes), "bold"))
        table.rule()
    table.add(styled("all that the ELF loads", "bold"), "", styled(size(m.ledger.flash_bytes), "bold"))
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


def _ram(m: Measurement) -> Sheet:
    table = Sheet("RAM", words("what"), words("how it is known"), number("bytes"))
    table.add("arena", "compiled in", size(m.arena_bytes))
    if m.state_bytes:
        table.add("state", "compiled in", size(m.state_bytes))
    static = sum(entry.size_bytes for entry in m.ledger.model_static_ram)
    table.add("static data of the model", "linker map", size(static))
    if m.stack_bytes is not None:
        table.add("peak stack", "traced stores, exact", size(m.stack_bytes))
        table.add(styled("the same", "dim"), styled("painted stack", "dim"), styled(size(m.painted_stack_bytes), "dim"))
    else:
        table.add("peak stack", "painted stack", size(m.painted_stack_bytes))
    if m.stack_bound.size_bytes is not None:
        how = "frames of the deepest calls"
        table.add(styled("at most", "dim"), styled(how, "dim"), styled(size(m.stack_bound.size_bytes), "dim"))
    table.add(styled("model", "bold"), "", styled(size(m.model_ram_bytes), "bold"))
    table.rule()
    if m.board_ram_bytes is not None:
        known = m.stack_bound.size_bytes is not None
        buffers = "arena, state" if m.state_bytes else "arena"
        how = f"{buffers}, input, output, {'stack at most' if known else 'the least stack'}"
        table.add("a board needs, as `edgekc fit` counts", how, size(m.board_ram_bytes))
    table.add("harness: input, output, guards, variables", "linked ELF", size(m.ledger.harness_ram_bytes))
    return table


def _layers(m: Measurement) -> list[Part]:
    counted = "cycles" if m.cycles else "instructions"
    estimated = m.speed is not None
    names = (
        "MACs",
        counted,
        "per MAC",
        "share",
        *(("est. cycles",) if estimated else ()),
        *(("of est.",) if estimated and m.cycles else ()),
    )
    headings = map(number, names)
    table = Sheet(f"One inference, by {m.emulator}: {m.unit}", "layer", "kernel", *headings)
    total = m.counts[0] if m.counts else 0
    for layer in m.layers:
        table.add(layer.name, layer.kernel.removeprefix("ek_"), *_cells(layer, total))
    if m.outside is not None:
        table.add(styled("(entry, return)", "dim"), "", *_cells(m.outside, total))
    table.rule()
    per_mac = f"{total / m.macs:.2f}" if m.macs and total else ""
    cells = (size(m.macs) if m.layers else "", styled(_first(m.counts), "bold"), per_mac)
    table.add(styled("all", "bold"), "", *cells, *(("", *_estimates(m.speed.cycles, m.cycles)) if m.speed else ()))
    if m.systick_instructions:
        table.add(styled("by SysTick", "dim"), "", "", styled(_first(m.systick_instructions), "dim"))
    rows = [(layer.name, layer.counts) for layer in m.layers] + [("all", m.counts)]
    varying = [f"{name} {_spread(counts)}" for name, counts in rows if len(set(counts)) > 1]
    said: list[Part] = [table]
    if varying:
        said.append(f"The first of {len(m.counts)} inferences. It varies with the input: {'; '.join(varying)}.")
    return [*said, *(speed_lines(m.speed) if m.speed else ()), *_compared(m)]


def _compared(m: Measurement) -> list[Part]:
    """What the board counted, against the estimate at its clock."""
    if m.speed is None or not m.cycles:
        return []
    counted, estimate = m.cycles[0], m.speed.stalled
    waits = "without wait states" if m.speed.flash_wait_states is None else "wait states included"
    return [
        f"The board counted {counted / estimate.likely:.2f} times the estimate "
        f"({counted / estimate.high:.2f} to {counted / estimate.low:.2f}), {waits}."
    ]


def speed_lines(speed: Speed) -> list[Part]:
    """What is estimated, of which clock, and how far it may be off."""
    how = "roughly, as no timing of it is published" if speed.rough else "by its published timing"
    c = speed.cycles
    said = f"Estimated for {speed.core} {how}: {c.likely:,.0f} cycles ({c.low:,.0f} to {c.high:,.0f}), no wait states."
    if speed.milliseconds is None or speed.clock_hz is None:
        return [f"{said} With --clock HZ also milliseconds."]
    ms = speed.milliseconds
    waits = "; wait states are not in it" if speed.flash_wait_states is None else ""
    flash = f" and {speed.flash_wait_states} wait states of flash" if speed.flash_wait_states else ""
    energy = ""
    if speed.microjoules is not None:
        uj = speed.microjoules
        energy = f"Energy of the chip: {uj.likely:.3g} µJ ({uj.low:.3g} to {uj.high:.3g}). "
    return [
        said,
        f"At {speed.clock_hz / 1e6:g} MHz{flash}: {ms.likely:.3g} ms ({ms.low:.3g} to {ms.high:.3g}){waits}. {energy}"
        f"{'Estimates, not measurements' if energy else 'An estimate, not a measurement'}.",
    ]


def _cells(layer: LayerCost, total: int) -> tuple[str, ...]:
    per_mac = layer.per_mac
    return (
        size(layer.macs) if layer.macs else "",
        _first(layer.counts),
        "" if per_mac is None else f"{per_mac:.2f}",
        f"{100 * layer.counts[0] / total:.1f} %" if total else "",
        *(_estimates(layer.estimated_cycles, layer.cycles) if layer.estimated_cycles else ()),
    )


def _estimates(estimate: Cycles, counted: Sequence[int]) -> tuple[str, ...]:
    """The estimate, and where a board counted cycles how many times it they are."""
    ratio = (f"{counted[0] / estimate.likely:.2f}" if estimate.likely else "",) if counted else ()
    return (_about(estimate), *ratio)


def _about(cycles: Cycles) -> str:
    return f"{cycles.likely:,.0f}"


def _first(values: Sequence[int]) -> str:
    return f"{values[0]:,}" if values else "not known"


def _spread(values: Sequence[int]) -> str:
    return f"{min(values):,} to {max(values):,}"


def ledger_parts(measurement: Measurement) -> list[Part]:
    """Flash as layer x kind, and RAM; the sums are the ELF's."""
    m = measurement
    kinds = [kind for kind in COLUMNS if any(row.kind == kind for row in m.by_layer)]
    sizes = {(row.layer, row.kind): row.size_bytes for row in m.by_layer}
    table = Sheet("Flash by layer", "layer", *map(number, kinds), number("all"))
    for layer in dict.fromkeys(row.layer for row in m.by_layer):
        cells = [sizes.get((layer, kind), 0) for kind in kinds]
        table.add(layer, *(size(n) if n else "" for n in cells), size(sum(cells)))
    table.rule()
    sums = [sum(n for (_, kind), n in sizes.items() if kind == wanted) for wanted in kinds]
    table.add(styled("all", "bold"), *(styled(size(n), "bold") for n in (*sums, sum(sums))))
    ram = Sheet("RAM of the firmware", "what", number("bytes"))
    for row in m.ram:
        ram.add(row.what, size(row.size_bytes))
    ram.rule()
    ram.add(styled("all", "bold"), styled(size(sum(row.size_bytes for row in m.ram)), "bold"))
    return [table, ram]


def _violations(m: Measurement) -> Sheet:
    title = styled("Accesses outside of what the model may touch", "red")
    table = Sheet(title, "layer", "function", words("access"))
    found = m.violations or ()
    for v in found[:_VIOLATIONS_SHOWN]:
        layer = "none" if v.layer is None else f"{v.layer} {m.layers[v.layer].name}"
        what = "store" if v.is_store else "load"
        table.add(layer, v.function, f"{what} of {v.size_bytes} bytes at 0x{v.address:08x} by 0x{v.pc:08x}")
    if len(found) > _VIOLATIONS_SHOWN:
        table.add(f"and {len(found) - _VIOLATIONS_SHOWN} more")
    return table

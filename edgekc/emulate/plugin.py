"""Turns one run of a firmware image under QEMU into exact counts per inference and per layer."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..assets import RUNTIME_C
from ..errors import ToolError
from ..firmware.branches import return_addresses
from ..firmware.elf import CodeRange, Elf, entry_sp, read_elf, run_ranges
from ..firmware.objects import user_cache
from ..firmware.thumb import ends_within

_SOURCE = RUNTIME_C / "port" / "ekc_plugin.c"
_HEADERS = tuple(RUNTIME_C / "port" / name for name in ("ekc_plugin_api.h", "ekc_accesses.h", "ekc_blocks.h"))
_CFLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden")

READ, WRITE, STACK = 1, 2, 4  # as in ekc_plugin.c
MAX_VIOLATIONS = 100

# User mode: the process's stack may reach this far below and above the first store to it.
_LINUX_STACK_BELOW, _LINUX_STACK_ABOVE = 8 << 20, 1 << 20


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why the plugin cannot serve here; the caller may count with SysTick under -icount instead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Region:
    """Memory [low, high) that the network function may access."""

    name: str
    low: int
    high: int
    access: int  # sum of READ, WRITE, STACK


@dataclass(frozen=True, slots=True)
class Violation:
    """An access outside of what the network function may touch, or a write to what it may only read."""

    layer: int | None  # position in the list of layers; None: the network function outside of them
    function: str
    pc: int
    address: int
    size_bytes: int
    is_store: bool


@dataclass(frozen=True, slots=True)
class Block:
    """Code [start, end) that runs from its first to its last instruction."""

    start: int
    end: int
    slot: int  # of its layer plus 1; 0: outside of layers. The network function's own blocks: of the layer before
    runs: int
    jumps: int  # how often something else than the code behind it came next


@dataclass(frozen=True, slots=True)
class LayerCounts:
    """What one layer executed: the network function's own code for it, and all that this called."""

    instructions: tuple[int, ...]  # per inference
    loads: int  # as QEMU makes them, one or more per instruction; these four sum all inferences; 0 unless traced
    stores: int
    load_bytes: int
    store_bytes: int
    stack_low: int | None  # lowest stack address written; None: none, or not traced


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact counts of executed instructions between NAME_run's first instruction and its return."""

    instructions: tuple[int, ...]  # per inference
    outside: LayerCounts  # the network function's entry, checks and return
    layers: tuple[LayerCounts, ...]
    traced: bool
    stack_bytes: int | None  # peak below SP at the call; None unless traced and SP at the call is known
    violations: tuple[Violation, ...]  # different ones among the first MAX_VIOLATIONS
    violation_count: int  # of all inferences
    ranges: tuple[CodeRange, ...]  # which slot each of the network function's own instructions is of
    blocks: tuple[Block, ...]  # of the first inference; empty unless traced


def count(
    image: Path,
    name: str,
    layer_lines: Sequence[tuple[int, int]],
    qemu: str,
    run: Callable[[tuple[str, ...]], object],
    *,
    regions: Sequence[Region] | None,
    cache: Path | None = None,
) -> Counts | Unavailable:
    """Counts one run of the image.

    Args:
        image: ELF file, linked with -g to fixed addresses.
        name: the model's name; counting is active inside NAME_run.
        layer_lines: first and last line of each layer's statement in NAME.c.
        qemu: the emulator's executable, to see which plugin interface it has.
        run: runs the image to its end with these arguments added to qemu's; raises if that fails.
        regions: also trace memory: what may be accessed. None: count instructions only, which costs little.
        cache: where the built plugin is kept; None: the user's cache folder.
    """
    plugin = build_plugin(qemu, cache)
    if isinstance(plugin, Unavailable):
        return plugin
    elf = read_elf(image)
    if not elf.static:
        return Unavailable(f"{image} is position-independent; link it with -static -no-pie")
    entry = elf.symbol(f"{name}_run")
    ranges = run_ranges(elf, name, layer_lines)
    returns = return_addresses(elf, name)
    if entry is None or not ranges:
        return Unavailable(f"{image} has no symbol {name}_run with a size; is it stripped?")
    if not returns:
        return Unavailable(f"found no call of {name}_run in {image}")
    with tempfile.TemporaryDirectory(prefix="edgekc-count-") as folder:
        out, conf = Path(folder, "counts.json"), Path(folder, "conf.txt")
        lines = _conf(elf, out, entry.address, ranges, returns, len(layer_lines) + 1, regions)
        conf.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        # A comma inside a qemu option is written twice.
        try:
            run(("-plugin", f"{_escape(plugin)},conf={_escape(conf)}"))
        except ToolError as error:
            if "plugin" in error.what and not out.is_file():
                return Unavailable(f"{qemu} refused the plugin: {error.what}")
            raise
        if not out.is_file():
            return Unavailable(f"{qemu} ended without writing the plugin's counts")
        raw = json.loads(out.read_text(encoding="utf-8"))
    return _counts(elf, name, raw, ranges, traced=regions is not None)


def _escape(path: Path) -> str:
    return str(path).replace(",", ",,")


def _conf(
    elf: Elf,
    out: Path,
    entry: int,
    ranges: Sequence[CodeRange],
    returns: Sequence[int],
    slots: int,
    regions: Sequence[Region] | None,
) -> list[str]:
    lines = [f"out {out}", f"entry {entry:#x}", f"slots {slots}"]
    lines += [f"return {address:#x}" for address in returns]
    lines += [f"range {r.low:#x} {r.high:#x} {r.slot}" for r in sorted(ranges, key=lambda r: r.low)]
    # SysTick wraps every 2**24 ticks; its handler is the harness's, not the model's.
    handler = elf.symbol("ek_systick_handler")
    if handler is not None:
        lines.append(f"skip {handler.address:#x} {handler.address + handler.size_bytes:#x}")
    if regions is not None:
        lines.append(f"trace {MAX_VIOLATIONS}")
        lines += [f"region {r.low:#x} {r.high:#x} {r.access}" for r in regions]
        if not any(r.access & STACK for r in regions):
            lines.append(f"autostack {_LINUX_STACK_BELOW:#x} {_LINUX_STACK_ABOVE:#x}")
    return lines


def _counts(elf: Elf, name: str, raw: dict[str, Any], ranges: tuple[CodeRange, ...], *, traced: bool) -> Counts:
    rows: list[list[int]] = raw["instructions"]
    if not rows or not raw["finished"] or raw["nested"]:
        raise ToolError(
            f"saw {len(rows)} calls of {name}_run, {raw['nested']} inside another, "
            f"and the last did {'' if raw['finished'] else 'not '}return",
            where=str(elf.path),
            fix="the program ended early, or calls the function in a way that edgekc does not know",
        )
    none = 2**64 - 1  # ekc_plugin.c's "no address"
    slots = tuple(
        LayerCounts(
            tuple(row[slot] for row in rows), loads, stores, load_bytes, store_bytes,
            None if low == none else low,
        )
        for slot, (loads, stores, load_bytes, store_bytes, low) in enumerate(raw["slots"])
    )  # fmt: skip
    lows = [slot.stack_low for slot in slots if slot.stack_low is not None]
    top = entry_sp(elf, raw["first_push_pc"], raw["first_push_low"]) if lows else None
    return Counts(
        instructions=tuple(sum(row) for row in rows),
        outside=slots[0],
        layers=slots[1:],
        traced=traced,
        stack_bytes=0 if traced and not lows else None if top is None else top - min(lows),
        violations=tuple(
            dict.fromkeys(  # once, though each inference repeats it
                Violation(None if slot == 0 else slot - 1, elf.function_at(pc), pc, address, size, store)
                for slot, pc, address, size, store in raw["violations"]
            )
        ),
        violation_count=raw["all_violations"],
        ranges=ranges,
        blocks=_merged(_block(elf, *fields) for fields in raw["blocks"]),
    )


def _block(elf: Elf, start: int, end: int, slot: int, runs: int, straight: int, earlier: int) -> Block:
    """Of what the plugin says; a block may end two bytes before it says."""
    if elf.machine == "arm" and ends_within(elf.code(start, end)):
        end, straight = end - 2, earlier
    return Block(start, end, slot, runs, runs - straight)


def _merged(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The emulator may translate the same code twice."""
    visits: dict[tuple[int, int, int], tuple[int, int]] = {}
    for b in blocks:
        runs, jumps = visits.get((b.start, b.end, b.slot), (0, 0))
        visits[b.start, b.end, b.slot] = runs + b.runs, jumps + b.jumps
    return tuple(Block(*key, *visits[key]) for key in sorted(visits))


def image_regions(image: Path, arena_bytes: int) -> tuple[Region, ...]:
    """What the network function may touch in an image of edgekc's harness.

    Flash is read-only; of RAM the arena, state, input (read-only), output, stack, and what an opened blob gave
    (read-only), and nothing else: the model has no static RAM, and the harness's is none of its business.

    Args:
        image: the linked ELF.
        arena_bytes: size of the arena; the harness puts equal guards around each of its buffers, and
            this tells how wide they are.
    """
    elf = read_elf(image)
    # On Linux: constants with addresses in them, and the table with the address of the chosen memcpy.
    fixed = [s for s in elf.sections if s.loaded and (not s.writable or s.name.startswith((".got", ".data.rel.ro")))]
    regions = [Region(s.name, s.address, s.end, READ) for s in fixed]
    # On Linux, .ekc_arena is a part of .bss.
    buffers = {s.name: s for s in elf.symbols if s.section in (".ekc_arena", ".bss") and s.kind == "object"}
    guard = (buffers["arena"].size_bytes - arena_bytes) // 2 if "arena" in buffers else 0
    for name, access in (("arena", READ | WRITE), ("state", READ | WRITE), ("input", READ), ("output", READ | WRITE)):
        if name in buffers:
            low, high = buffers[name].address, buffers[name].address + buffers[name].size_bytes
            regions.append(Region(name, low + guard, high - guard, access))
    if "opened" in buffers:  # what NAME_open gave, of a network whose constants are in a blob
        low = buffers["opened"].address
        regions.append(Region("opened", low, low + buffers["opened"].size_bytes, READ))
    limit, top = elf.symbol("ek_stack_limit"), elf.symbol("ek_stack_top")
    if limit is not None and top is not None:
        regions.append(Region("stack", limit.address, top.address, READ | WRITE | STACK))
    return tuple(regions)


def build_plugin(qemu: str, cache: Path | None = None) -> Path | Unavailable:
    """The plugin as a shared library for this qemu, from the cache or built with the host's compiler."""
    path = shutil.which(qemu)
    if path is None:
        return Unavailable(f"{qemu} is not installed")
    if "-plugin" not in _stdout(path, "--help"):
        return Unavailable(f"{qemu} was built without plugin support")
    compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
    if compiler is None:
        return Unavailable("the host has no C compiler to build the plugin with")
    # Version 1 of the plugin interface was dropped by QEMU 9.0; 2 is the oldest that 9 and 10 take.
    api = 2 if _major(_stdout(path, "--version")) >= 9 else 1
    flags = (*_CFLAGS, f"-DEKC_QEMU_API={api}")
    key = hashlib.sha256(
        b"\0".join(
            (
                _SOURCE.read_bytes(),
                *(header.read_bytes() for header in _HEADERS),
                _stdout(compiler, "--version").encode(),
                " ".join(flags).encode(),
            )
        )
    ).hexdigest()[:20]
    built = (cache or user_cache()) / f"ekc_plugin-{key}.so"
    try:
        return built if built.is_file() else _compile(compiler, flags, built)
    except OSError as error:
        return Unavailable(f"cannot keep the built plugin: {error}")


def _compile(compiler: str, flags: Sequence[str], built: Path) -> Path | Unavailable:
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-", dir=built.parent) as folder:
        fresh = Path(folder, built.name)
        done = subprocess.run(
            [compiler, *flags, str(_SOURCE), "-o", str(fresh)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            return Unavailable(f"{compiler} cannot build the plugin: {done.stderr.strip()[:500]}")
        fresh.replace(built)  # atomic, so that two processes may build at once
    return built


def _stdout(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.stdout


def _major(version: str) -> int:
    """7 of 'QEMU emulator version 7.2.22 (Debian ...)'; 0 if it says something else."""
    word = version.partition(" version ")[2].partition(".")[0]
    return int(word) if word.isdecimal() else 0

"""Estimated cycles: blocks hold every executed instruction, and instructions are weighed as the manuals say."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import SimpleNamespace

import measured_folder as tiny
import pytest

from edgekc.boards.board import load_board
from edgekc.emulate.plugin import Block
from edgekc.errors import UsageError
from edgekc.firmware.toolchain import qemu_path
from edgekc.measure.cycles import timing
from edgekc.measure.cycles.decode import instructions
from edgekc.measure.cycles.estimate import estimate
from edgekc.measure.cycles.speed import parse_clock, speed_of
from edgekc.measure.cycles.timing import ONE, TIMINGS, ZERO, Timing, exactly, weigh
from edgekc.measure.emulated import Measurement, measure
from edgekc.measure.report import speed_lines

pytest.importorskip("capstone", reason="the disassembler capstone is not installed")


def _measure(folder: Path, board: str, emulator: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Measurement:
    if shutil.which("arm-none-eabi-gcc") is None and importlib.util.find_spec("ziglang") is None:
        pytest.skip("no compiler for Arm: neither arm-none-eabi-gcc nor ziglang is installed")
    if emulator == "qemu" and qemu_path(load_board(board)) is None:
        pytest.skip("qemu-system-arm is not installed")
    if emulator == "unicorn" and importlib.util.find_spec("unicorn") is None:
        pytest.skip("unicorn is not installed")
    monkeypatch.setenv("EDGEKC_EMULATOR", emulator)
    m = measure(tiny.write(folder), load_board(board), samples=2, timeout_s=60, cache=cache)
    if m.note:
        pytest.skip(m.note)
    return m


@pytest.mark.parametrize("emulator", ["qemu", "unicorn"])
@pytest.mark.parametrize("board", ["microbit", "mps2-an386"])
def test_at_a_cycle_each_they_are_the_instructions(
    board: str, emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every layer, so that no block is lost, counted twice or given to a neighbour."""
    plain = Timing("none", True, {}, jump=ZERO, multiple=ONE, per_register=ZERO)
    monkeypatch.setitem(TIMINGS, load_board(board).core.name, plain)
    m = _measure(tmp_path / "out", board, emulator, tmp_path, monkeypatch)
    assert m.outside is not None
    assert m.speed is not None
    rows = [*m.layers, m.outside]
    assert [row.estimated_cycles for row in rows] == [exactly(row.instructions[0]) for row in rows]
    assert m.speed.cycles == exactly(m.instructions[0])


def test_emulators_see_the_same_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each ends its blocks where it likes."""
    plain = Timing("none", True, {}, jump=ONE, multiple=ONE, per_register=ZERO)
    monkeypatch.setitem(TIMINGS, load_board("mps2-an386").core.name, plain)
    found = [
        _measure(tmp_path / emulator, "mps2-an386", emulator, tmp_path, monkeypatch).layers
        for emulator in ("qemu", "unicorn")
    ]
    assert [y.estimated_cycles for y in found[0]] == [y.estimated_cycles for y in found[1]]
    copy, products = ((y.estimated_cycles.likely if y.estimated_cycles else 0) - y.instructions[0] for y in found[0])
    assert products >= copy > 0


# Code, and its cycles by the tables of the manuals, without the jump at its end.
LDR_LDR = "0168 4268"  # ldr r1,[r0]; ldr r2,[r0,#4]
LDR_CHAIN = "0168 0a68"  # ldr r1,[r0]; ldr r2,[r1]
ADD_LDR = "0430 0168"  # adds r0,#4; ldr r1,[r0]: the address is only just there
LDM4 = "1ec8"  # ldm r0!,{r1-r4}
PUSH2 = "10b5"  # push {r4,lr}
POP_PC = "10bd"  # pop {r4,pc}
STR = "0160"
MUL = "4843"  # muls r0,r1
MLA = "02fb0134"  # mla r4,r2,r1,r3
SMLAD = "22fb0134"
SMULL = "82fb0134"
NOTHING = "00bf"
VLDR = "90ed001e"  # vldrb.u8 q0,[r0]
GATHER = "95fc414f"  # vldrw.u32 q2,[r5,q0,uxtw #2]
SCATTER = "87ec860e"  # vstrb.16 q0,[r7,q3]
VMLADAV = "f0ee000e"  # vmladav.s8 r0,q0,q0


@pytest.mark.parametrize(
    ("core", "code", "cycles"),
    [
        (timing._M4, LDR_LDR, 3),
        (timing._M4, LDR_CHAIN, 4),
        (timing._M4, ADD_LDR, 4),
        (timing._M4, LDM4, 5),
        (timing._M4, PUSH2, 3),
        (timing._M4, POP_PC, 3),
        (timing._M4, STR, 1),
        (timing._M4, MUL + MLA + SMLAD + SMULL, 4),
        (timing._M3, MUL + MLA, 3),
        (timing._M3, SMULL, 4),
        (timing._M0, LDR_LDR, 4),
        (timing._M0, STR, 2),
        (timing._M0, LDM4, 5),
        (timing._M0, POP_PC, 4),  # and two for the jump: 4 + N of the table
        (timing._M0PLUS, POP_PC, 4),  # and one for the jump: 3 + N
        (timing._M0PLUS, MUL + STR + NOTHING, 4),
        (timing._M7, NOTHING * 4, 2),
        (timing._M55, VLDR + VLDR, 4),
        (timing._M55, GATHER + SCATTER, 4),
        (timing._M55, (VLDR + VMLADAV) * 3, 7),  # in turns they overlap
    ],
)
def test_by_the_table(core: Timing, code: str, cycles: int) -> None:
    assert sum(c.likely for c in weigh(core, instructions(bytes.fromhex(code), "arm"))) == cycles


def test_a_range_holds_what_is_likely() -> None:
    for core in TIMINGS.values():
        cycles = [*core.kinds.values(), core.jump, core.interlock, core.load_use, core.multiple, core.per_register]
        assert all(c.low <= c.likely <= c.high for c in cycles), core.name


def test_milliseconds_at_a_clock() -> None:
    cycles = exactly(1_200_000)
    board = load_board("nucleo-l4r5zi")
    full, slow = (speed_of(timing._M4, cycles, board, clock) for clock in (None, 20_000_000))
    assert (full.clock_hz, full.flash_wait_states) == (120_000_000, 5)
    assert full.milliseconds is not None
    assert full.milliseconds.low == pytest.approx(10)
    assert full.milliseconds.likely == pytest.approx(13.5)
    assert slow.flash_wait_states == 0
    assert slow.milliseconds == exactly(60)
    assert speed_of(timing._M4, cycles, load_board("mps2-an386"), None).milliseconds is None


def test_microjoules_where_the_board_says_its_current() -> None:
    """1.2 million cycles at 112 µA/MHz and 3.3 V are 443.5 µJ, at any clock; wait states come on top."""
    cycles = exactly(1_200_000)
    full, slow = (speed_of(timing._M4, cycles, load_board("nucleo-f412zg"), clock) for clock in (None, 20_000_000))
    assert slow.microjoules is not None and full.microjoules is not None
    assert slow.microjoules.likely == pytest.approx(1.2 * 112 * 3.3)
    assert slow.microjoules.low < slow.microjoules.likely < slow.microjoules.high
    assert full.microjoules.likely == pytest.approx(1.21 * slow.microjoules.likely)
    assert "Energy of the chip: 444 µJ (399 to 621). Estimates" in str(speed_lines(slow)[-1])
    assert speed_of(timing._M4, cycles, load_board("nucleo-f446re"), None).microjoules is None


@pytest.mark.parametrize(
    ("text", "hertz"), [("120M", 120_000_000), ("64MHz", 64_000_000), ("32768", 32768), ("1.5G", 1_500_000_000)]
)
def test_clocks(text: str, hertz: int) -> None:
    assert parse_clock(text) == hertz


@pytest.mark.parametrize("text", ["", "fast", "-1M", "0", "120 apples", "nan", "1e9"])
def test_no_clocks(text: str) -> None:
    with pytest.raises(UsageError, match="--clock: expected a frequency"):
        parse_clock(text)


@pytest.mark.parametrize("board", ["mps2-an385", "mps2-an386", "mps3-an547"])
def test_of_a_whole_network_too(board: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code has instructions that cross a page, where QEMU tells too much of the block before."""
    from edgekc.demo.walk import DATA
    from edgekc.files.output import write_folder
    from edgekc.pipeline import compile_model, target_of

    plain = Timing("none", True, {}, jump=ZERO, multiple=ONE, per_register=ZERO)
    monkeypatch.setitem(TIMINGS, load_board(board).core.name, plain)
    if qemu_path(load_board(board)) is None:
        pytest.skip("qemu-system-arm is not installed")
    monkeypatch.setenv("EDGEKC_EMULATOR", "qemu")
    write_folder(
        compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board(board))).files, tmp_path / "o"
    )
    m = measure(tmp_path / "o", load_board(board), samples=1, timeout_s=60, cache=tmp_path)
    if m.note:
        pytest.skip(m.note)
    assert [row.estimated_cycles for row in m.layers] == [exactly(row.instructions[0]) for row in m.layers]


def test_where_the_emulator_ends_a_block_does_not_matter() -> None:
    """A block that ends without a jump, as at a page, is weighed with what follows."""
    code = bytes.fromhex("0868 4a68 8b68 5b18")  # ldr r0, [r1]; ldr r2, [r1, #4]; ldr r3, [r1, #8]; adds r3, r3, r1
    elf = SimpleNamespace(code=lambda start, end: code[start:end], machine="arm")

    def likely(*ends: int) -> float:
        blocks = [Block(a, b, 0, 5, 2 if b == 8 else 0) for a, b in zip((0, *ends), (*ends, 8), strict=True)]
        counts = SimpleNamespace(layers=(), ranges=(), blocks=blocks)
        return estimate(TIMINGS["cortex-m4"], elf, counts).total.likely  # type: ignore[arg-type]

    assert likely() == likely(2) == likely(2, 4, 6) == 5 * (2 + 1 + 1 + 1) + 2 * TIMINGS["cortex-m4"].jump.likely

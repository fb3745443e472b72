"""Sizes against binutils, counts against unicorn, the plugin's stack against the painted one."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
from pathlib import Path

import measured_folder as tiny
import pytest
from rich.console import Console

from edgekc.boards.board import load_board
from edgekc.emulate import plugin
from edgekc.emulate.plugin import Unavailable
from edgekc.firmware.build import Image, build_image
from edgekc.firmware.mapfile import Piece, read_map
from edgekc.firmware.toolchain import qemu_path
from edgekc.measure import ledger
from edgekc.measure.emulated import UNIT, Measurement, measure
from edgekc.measure.ledger import Ledger, read_ledger
from edgekc.measure.report import render

NEEDS = {"gcc": "arm-none-eabi-gcc", "zig": "ziglang"}
LINUX = {"linux-aarch64": "aarch64-linux-gnu-gcc", "linux-arm": "arm-linux-gnueabihf-gcc"}
TARGETS = [
    (toolchain, board)
    for toolchain in ("gcc", "zig")
    for board in ("microbit", "mps2-an385", "mps2-an386", "mps2-an505", "mps3-an547", *LINUX)
] + [("clang", board) for board in ("microbit", "mps3-an547", "linux-aarch64")]


def _need(toolchain: str, board: str) -> None:
    gcc = LINUX.get(board, NEEDS["gcc"])
    if toolchain == "clang" and shutil.which("clang") is None:
        pytest.skip("clang is not installed")
    if toolchain in ("gcc", "clang") and shutil.which(gcc) is None:
        pytest.skip(f"{gcc} is not installed")
    if toolchain == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("ziglang is not installed")
    if qemu_path(load_board(board)) is None:
        pytest.skip(f"no qemu for {board}")


def _tool(name: str, *arguments: str) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return subprocess.run([name, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


def _kinds(measured: Ledger) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for entry in measured.flash:
        kinds[entry.kind] = kinds.get(entry.kind, 0) + entry.size_bytes
    return kinds


def _ledger(image: Image) -> Ledger:
    return read_ledger(image, tiny.ARENA_BYTES, tiny.SECTIONS)


@pytest.mark.parametrize(("toolchain", "board"), TARGETS)
def test_measurement(
    folder: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, toolchain: str, board: str
) -> None:
    """On every kind of target: the ledger is complete, and all ways to count and to weigh agree."""
    _need(toolchain, board)
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", toolchain)
    target = load_board(board)
    m = measure(folder, target, samples=3, timeout_s=60, out_dir=tmp_path, cache=cache)
    if m.note:
        pytest.skip(m.note)
    kinds = _kinds(m.ledger)
    assert sum(kinds.values()) == m.ledger.flash_bytes
    assert kinds["weights"] == 320
    assert kinds["bias"] == 40
    assert kinds[ledger.FORMAT] == tiny.EKC_BYTES - 320 - 40
    assert kinds[ledger.TABLES] == (16 if target.core.name != "cortex-a53" else 24)
    assert m.ledger.model_static_ram == ()
    assert m.ledger.harness_ram_bytes > 0

    assert m.resolution == 1
    assert len(m.instructions) == 3
    per_layer = [layer.instructions for layer in m.layers]
    assert m.outside is not None
    assert m.instructions == tuple(map(sum, zip(m.outside.instructions, *per_layer, strict=True)))
    assert m.macs == tiny.MACS
    assert m.layers[0].load_bytes >= 64
    assert m.layers[1].store_bytes >= tiny.OUTPUT_BYTES
    assert m.violations == ()
    if target.core.system == "bare":
        assert m.stack_bytes == m.painted_stack_bytes
        # SysTick counts whole ticks, and sees the call and the return too.
        assert target.systick_hz is not None
        tick = 1e9 / target.systick_hz
        assert all(abs(s - n) < tick + 12 for s, n in zip(m.systick_instructions, m.instructions, strict=True))
    json.dumps(m.as_json())


@pytest.mark.parametrize(("toolchain", "board"), [("gcc", "microbit"), ("gcc", "mps2-an386"), ("zig", "mps2-an505")])
def test_counts_equal_unicorns(
    folder: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, toolchain: str, board: str
) -> None:
    _need(toolchain, board)
    pytest.importorskip("unicorn")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", toolchain)
    by_plugin = measure(folder, load_board(board), samples=3, timeout_s=60, out_dir=tmp_path, cache=cache)
    if by_plugin.note:
        pytest.skip(by_plugin.note)
    monkeypatch.setenv("EDGEKC_EMULATOR", "unicorn")
    monkeypatch.setattr("edgekc.measure.emulated.count", lambda *_, **__: Unavailable("by unicorn"))
    by_unicorn = measure(folder, load_board(board), samples=3, timeout_s=60, out_dir=tmp_path, cache=cache)
    assert by_unicorn.emulator == "unicorn"
    assert by_unicorn.instructions == by_plugin.instructions
    assert by_unicorn.painted_stack_bytes == by_plugin.stack_bytes


def test_flash_is_what_binutils_say(folder: Path, tmp_path: Path) -> None:
    _need("gcc", "mps2-an386")
    image = build_image(folder, load_board("mps2-an386"), tmp_path)
    measured, kinds = _ledger(image), _kinds(_ledger(image))
    text, data = _tool("arm-none-eabi-size", str(image.elf)).splitlines()[1].split()[:2]
    assert measured.flash_bytes == int(text) + int(data)
    sizes = {}
    for line in _tool("arm-none-eabi-nm", "-S", str(image.elf)).splitlines():
        fields = line.split()
        if len(fields) == 4:
            sizes[fields[3]] = int(fields[1], 16)
    assert kinds[ledger.NETWORK] == sizes["tiny_run"]
    assert kinds[ledger.KERNELS] == sizes["ek_fc"] + sizes["ek_copy"]
    assert kinds[ledger.TABLES] == sizes["fc"]
    helpers = {entry.owner for entry in measured.flash if entry.kind == ledger.HELPERS}
    assert "libgcc.a(_aeabi_ldivmod.o)" in helpers  # called by the model
    assert "libgcc.a(_udivmoddi4.o)" in helpers  # called by that one
    assert not any("strlen" in owner for owner in helpers)  # called by the harness alone


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_forbidden_accesses_and_static_data_are_seen(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, toolchain: str
) -> None:
    _need(toolchain, "mps2-an385")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", toolchain)
    folder = tiny.write(tmp_path / "bad", copy=tiny.BAD_COPY)
    m = measure(folder, load_board("mps2-an385"), samples=1, timeout_s=60, cache=cache)
    if m.note:
        pytest.skip(m.note)
    assert [(entry.owner, entry.size_bytes) for entry in m.ledger.model_static_ram] == [("ek_copy.o", 4)]
    assert {v.function for v in m.violations} == {"ek_copy"}
    assert {(v.layer, v.is_store, v.size_bytes) for v in m.violations} == {(0, False, 4), (0, True, 4), (0, False, 1)}
    assert "outside of what the model may touch" in _text(m)


def test_without_the_plugin_the_timer_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _need("gcc", "mps2-an386")
    monkeypatch.setattr(plugin, "build_plugin", lambda *_: Unavailable("no compiler here"))
    m = measure(folder, load_board("mps2-an386"), samples=2, timeout_s=60)
    assert m.note == "no compiler here"
    assert m.layers == ()
    assert len(m.instructions) == 2
    shown = _text(m)
    assert "no compiler here" in shown
    assert UNIT not in shown or m.resolution == 1


def test_a_qemu_that_refuses_the_plugin_counts_by_its_timer(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _need("gcc", "mps2-an386")
    # As if this qemu were of a version whose interface is not the one it has.
    monkeypatch.setattr(plugin, "_major", lambda _: 9)
    m = measure(folder, load_board("mps2-an386"), samples=1, timeout_s=60, cache=cache)
    if not m.note:
        pytest.skip("this qemu takes version 2 of the plugin interface")
    assert "refused the plugin" in m.note
    assert m.layers == ()
    assert len(m.instructions) == 1


def test_report(folder: Path, cache: Path) -> None:
    _need("gcc", "mps2-an386")
    m = measure(folder, load_board("mps2-an386"), samples=2, timeout_s=60, cache=cache)
    if m.note:
        pytest.skip(m.note)
    shown = _text(m)
    assert UNIT in shown
    assert f"{m.ledger.flash_bytes:,}" in shown
    assert f"{m.ledger.model_flash_bytes:,}" in shown
    assert all(layer.kernel.removeprefix("ek_") in shown for layer in m.layers)


def _text(m: Measurement) -> str:
    out = io.StringIO()
    Console(file=out, width=120).print(render(m))
    return out.getvalue()


def test_gnu_map(tmp_path: Path) -> None:
    path = tmp_path / "x.map"
    path.write_text(
        " .text          0x00000000       0x99 discarded.o\n"
        "Linker script and memory map\n\n"
        ".text           0x00000000     0x1234\n"
        " *(.vectors)\n"
        " .vectors       0x00000000       0x40 /a b/startup.o\n"
        "                0x00000000                ek_vectors\n"
        " .text.a_long_name\n"
        "                0x00000040       0x20 lib/libc.a(memcpy.o)\n"
        " *fill*         0x00000060        0x4 \n"
        " .text          0x00000064        0x0 empty.o\n"
        " .rodata.str1.4\n"
        "                0x00000064       0x16 obj/x.o\n"
        "                                 0x1a (size before relaxing)\n"
    )
    assert read_map(path) == (
        Piece(".text", ".vectors", 0, 0x40, "/a b/startup.o"),
        Piece(".text", ".text.a_long_name", 0x40, 0x20, "lib/libc.a(memcpy.o)"),
        Piece(".text", ".rodata.str1.4", 0x64, 0x16, "obj/x.o"),
    )


def test_lld_map(tmp_path: Path) -> None:
    path = tmp_path / "x.map"
    path.write_text(
        "     VMA      LMA     Size Align Out     In      Symbol\n"
        "       0        0     1a50    16 .text\n"
        "       0        0       40     4         /a b/startup.o:(.vectors)\n"
        "       0        0       40     1                 ek_vectors\n"
        "      40       40       20     4         /z/librt.a(/z/rt.o):(.text.memcpy)\n"
        "      60       60        0     1         . = ALIGN ( 4 )\n"
    )
    assert read_map(path) == (
        Piece(".text", ".vectors", 0, 0x40, "/a b/startup.o"),
        Piece(".text", ".text.memcpy", 0x40, 0x20, "/z/librt.a(/z/rt.o)"),
    )

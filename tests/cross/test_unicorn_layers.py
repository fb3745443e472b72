"""Unicorn's counts by layer, without QEMU: the plugin's on the same image, and those of a count by hand."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import measured_folder as tiny
import pytest
from rich.console import Console

from edgekc.boards.board import load_board
from edgekc.emulate import plugin
from edgekc.emulate.plugin import READ, WRITE, Counts, Region
from edgekc.errors import ToolError, VerifyError
from edgekc.files.output import write_folder
from edgekc.firmware.build import build_image
from edgekc.firmware.toolchain import qemu_path
from edgekc.measure.emulated import UNIT, Measurement, check_accesses, measure
from edgekc.measure.report import render
from edgekc.pipeline import compile_model, target_of

unicorn_core = pytest.importorskip("edgekc.emulate.unicorn_core", reason="unicorn is not installed")

BOARDS = ["microbit", "mps2-an385", "mps2-an386"]  # M0, M3, M4


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plugin")


def _measure(
    folder: Path, board: str, emulator: str, cache: Path, monkeypatch: pytest.MonkeyPatch, samples: int = 2
) -> Measurement:
    target = load_board(board)
    if shutil.which("arm-none-eabi-gcc") is None and importlib.util.find_spec("ziglang") is None:
        pytest.skip("no compiler for Arm: neither arm-none-eabi-gcc nor ziglang is installed")
    if emulator == "qemu" and qemu_path(target) is None:
        pytest.skip("qemu-system-arm is not installed")
    monkeypatch.setenv("EDGEKC_EMULATOR", emulator)
    m = measure(folder, target, samples=samples, timeout_s=60, cache=cache)
    if m.note:
        pytest.skip(m.note)
    return m


def _demo(folder: Path, board: str) -> Path:
    from edgekc.demo.walk import DATA

    write_folder(compile_model(DATA / "digits_int8.tflite", "digits", target_of(load_board(board))).files, folder)
    return folder


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("model", ["by hand", "demo"])
def test_layers_equal_the_plugins(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, board: str, model: str
) -> None:
    folder = _demo(tmp_path / "model", board) if model == "demo" else tiny.write(tmp_path / "model")
    by_plugin = _measure(folder, board, "qemu", cache, monkeypatch)
    by_unicorn = _measure(folder, board, "unicorn", cache, monkeypatch)
    assert (by_plugin.emulator, by_unicorn.emulator) == ("qemu", "unicorn")
    assert by_unicorn.outside is not None
    assert by_plugin.outside is not None
    assert by_unicorn.outside.instructions == by_plugin.outside.instructions
    names = [(layer.name, layer.kernel, layer.macs, layer.instructions) for layer in by_plugin.layers]
    assert names
    assert [(layer.name, layer.kernel, layer.macs, layer.instructions) for layer in by_unicorn.layers] == names
    assert by_unicorn.instructions == by_plugin.instructions
    assert by_unicorn.resolution == 1
    assert by_unicorn.painted_stack_bytes == by_plugin.stack_bytes
    assert by_unicorn.model_ram_bytes == by_plugin.model_ram_bytes
    assert by_unicorn.violations == by_plugin.violations == ()


@pytest.mark.parametrize("board", BOARDS)
def test_forbidden_accesses_are_the_plugins(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, board: str
) -> None:
    folder = tiny.write(tmp_path / "bad", copy=tiny.BAD_COPY)
    by_plugin = _measure(folder, board, "qemu", cache, monkeypatch, samples=1)
    by_unicorn = _measure(folder, board, "unicorn", cache, monkeypatch, samples=1)
    assert by_unicorn.violations
    assert by_unicorn.violations == by_plugin.violations
    with pytest.raises(VerifyError, match=r"layer 0 copy: 3 different accesses .*: ek_copy loads 4 bytes at 0x"):
        check_accesses(by_unicorn)


def test_an_access_that_runs_over_a_regions_end_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unicorn's hooks go by the address at which an access starts."""
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    monkeypatch.setenv("EDGEKC_TOOLCHAIN", "gcc")
    word = '#include "kernels.h"\nvoid ek_copy(int8_t *to, const int8_t *from, int32_t n)\n{\n'
    word += "    *(volatile int32_t *)(void *)to = *(const volatile int32_t *)(const void *)(from + n - 4);\n}\n"
    image = build_image(tiny.write(tmp_path / "model", copy=word), load_board("mps2-an386"), tmp_path / "out")
    regions = list(plugin.image_regions(image.elf, tiny.ARENA_BYTES))
    inputs = bytes(tiny.INPUT_BYTES)

    def count(regions: list[Region]) -> Counts:
        counts = unicorn_core.count_layers(image, [(6, 6), (7, 7)], inputs, regions, timeout_s=20)
        assert isinstance(counts, Counts)
        return counts

    assert count(regions).violation_count == 0
    shorter = [dataclasses.replace(r, high=r.high - 1) if r.name == "input" else r for r in regions]
    assert [(v.layer, v.size_bytes, v.is_store) for v in count(shorter).violations] == [(0, 4, False)]
    read_only = [dataclasses.replace(r, access=READ) if r.name == "arena" else r for r in regions]
    assert [(v.layer, v.size_bytes, v.is_store) for v in count(read_only).violations] == [(0, 4, True)]


def test_gaps_cover_all_that_lies_between() -> None:
    last = unicorn_core._ACCESS_BYTES - 1
    assert unicorn_core._gaps([]) == [(0, 1 << 32)]
    assert unicorn_core._gaps([(0, 1 << 32)]) == [((1 << 32) - last, 1 << 32)]
    assert unicorn_core._gaps([(0x200, 0x300), (0x100, 0x180)]) == [
        (0, 0x100),
        (0x180 - last, 0x200),
        (0x300 - last, 1 << 32),
    ]
    assert unicorn_core._gaps([(0, 4), (4, 8)])[0][0] <= 4  # regions shorter than an access
    assert READ != WRITE


def test_a_core_that_stops_is_an_error(tmp_path: Path) -> None:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    bad = '#include "kernels.h"\nvoid ek_copy(int8_t *to, const int8_t *from, int32_t n)\n{\n'
    bad += '    (void)to, (void)from, (void)n;\n    __asm__ volatile("udf #0");\n}\n'
    image = build_image(tiny.write(tmp_path / "model", copy=bad), load_board("mps2-an386"), tmp_path / "out")
    with pytest.raises(ToolError, match=r"mps2-an386 \(unicorn\)"):
        unicorn_core.count_layers(image, [(6, 6), (7, 7)], bytes(tiny.INPUT_BYTES), (), timeout_s=20)


def test_the_report_says_who_counted_and_fits_80_columns(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = _measure(_demo(tmp_path / "model", "mps2-an386"), "mps2-an386", "unicorn", cache, monkeypatch)
    out = io.StringIO()
    Console(file=out, width=80).print(render(m))
    shown = out.getvalue()
    assert f"by unicorn: {UNIT}" in shown
    assert "…" not in shown
    lines = shown.splitlines()
    for layer in m.layers:
        row = next(line.split() for line in lines if line.split()[:1] == [layer.name])
        assert row[1] == layer.kernel.removeprefix("ek_")
        assert f"{layer.instructions[0]:,}" in row
    assert m.as_json()["layers"][0]["loads"] is None  # not counted, rather than 0


@pytest.mark.parametrize("bad", [False, True])
def test_the_command_takes_the_models_board_and_refuses_forbidden_accesses(tmp_path: Path, bad: bool) -> None:
    if shutil.which("arm-none-eabi-gcc") is None and importlib.util.find_spec("ziglang") is None:
        pytest.skip("no compiler for Arm: neither arm-none-eabi-gcc nor ziglang is installed")
    folder = tiny.write(tmp_path / "model", **({"copy": tiny.BAD_COPY} if bad else {}))
    done = subprocess.run(
        [sys.executable, "-c", "from edgekc.cli.main import run; run()", "measure", str(folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "EDGEKC_EMULATOR": "unicorn"},
    )  # fmt: skip
    assert "tiny on microbit" in done.stdout
    assert ("Accesses outside of what the model may touch" in done.stdout) == bad
    assert done.returncode == (2 if bad else 0)
    if bad:
        assert done.stderr.startswith("edgekc: error: tiny on microbit, layer 0 copy: 3 different accesses outside")
        assert len(done.stderr.splitlines()) == 1
    else:
        assert done.stderr == ""

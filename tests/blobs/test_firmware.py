"""Firmware whose constants are in a blob, on the emulated board: its bytes, and what it touches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgekc
from edgekc.boards.board import load_board
from edgekc.measure.emulated import measure

DIGITS = Path(__file__).resolve().parents[2] / "edgekc" / "demo" / "data" / "digits_int8.tflite"


@pytest.mark.slow
def test_the_board_gives_the_bytes_and_touches_nothing_else() -> None:
    if shutil.which("arm-none-eabi-gcc") is None or shutil.which("qemu-system-arm") is None:
        pytest.skip("arm-none-eabi-gcc or qemu-system-arm is not installed")
    plain, program = (edgekc.compile(DIGITS, name="digits", strip=not blob, blob=blob) for blob in (False, True))
    found = program.verify(samples=4, model=DIGITS)
    assert found.ok and found.emulator == "qemu"
    before, after = (measure(p.folder, load_board("mps2-an386"), samples=1, timeout_s=300) for p in (plain, program))
    assert after.violations == () and after.ledger.model_static_ram == ()
    assert before.instructions[0] < after.instructions[0] < 1.01 * before.instructions[0]
    kinds = {entry.kind: entry.size_bytes for entry in after.ledger.flash if entry.of_model}
    sizes = {part["kind"]: part["bytes"] for part in program.manifest["embedded"]}
    assert {kind: kinds[kind] for kind in ("weights", "bias", "requant")} == {
        kind: sizes[kind] for kind in ("weights", "bias", "requant")
    }

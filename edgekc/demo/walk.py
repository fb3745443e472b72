"""The embedded digit classifier, from its .tflite to the report table: compile, verify, classify, measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from .. import terminal
from ..boards.board import load_board
from ..emulate import host
from ..emulate.compare import compare
from ..emulate.origin import find_source
from ..files.output import check_output, write_folder
from ..listing import render_compiled
from ..measure.emulated import measure
from ..measure.report import render
from ..pipeline import compile_model, target_of

DATA = Path(__file__).resolve().parent / "data"
_DEVICE_SAMPLES = 16


def run_demo(out: Path, board_name: str, console: Console | None = None, *, force: bool = False) -> None:
    """The main job on a model and inputs that come with the package; raises what the stages raise."""
    console = console or terminal.console()
    board = load_board(board_name)
    check_output(out, force=force)
    console.rule("compile: int8 .tflite to C99")
    result = compile_model(DATA / "digits_int8.tflite", "digits", target_of(board))
    write_folder(result.files, out, force=force)
    render_compiled(result, out, console)

    console.rule("verify: numpy reference, host and emulated core")
    with np.load(DATA / "digits_test.npz") as data:
        x, y = data["x"], data["y"]
    inputs = x[:_DEVICE_SAMPLES].tobytes()
    source = find_source(out, "digits", DATA / "digits_int8.tflite")
    checked = compare(out, board, inputs, source=source)
    console.print(
        f"reference = host = {checked.board} ({checked.emulator}): {checked.samples} images, "
        f"{checked.layers} layers, every byte equal"
    )
    for line in checked.origin_lines():
        console.print(line)
    scores = np.frombuffer(host.run(host.build(out), x.tobytes()), np.int8).reshape(len(x), -1)
    right = int((scores.argmax(1) == y).sum())
    console.print(f"accuracy of the packed model: {right} of {len(x)} test images, {right / len(x):.2%}")

    console.rule("measure: the linked firmware image")
    console.print(render(measure(out, board, samples=2, timeout_s=300.0, inputs=inputs)))

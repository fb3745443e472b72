"""The embedded digit classifier, from its .tflite to the report table: compile, verify, classify, measure."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from .. import tables, terminal
from ..api.compiling import check_program_folder, compile
from ..assets import DEMO
from ..errors import VerifyError
from ..train.bars import bars

DATA = DEMO
DEMO_DATA = DATA
"""The folder of the demo: `digits_int8.tflite`, and `digits_test.npz` with images x and labels y."""
_DEVICE_SAMPLES = 16


def run_demo(
    out: str | Path = "edgekc-demo",
    board: str = "mps2-an386",
    console: Console | None = None,
    *,
    force: bool = False,
) -> None:
    """The main job on a model and inputs that come with the package, printed step by step.

    Args:
        out: the folder for the C sources.
        board: see `list_boards`.
        force: overwrite files of an earlier output that were changed since.

    Raises:
        UsageError, BoardError, CapacityError, ToolError, VerifyError: as `compile`, `Program.verify` and `measure`.
    """
    console = console or terminal.console()
    model, test = DATA / "digits_int8.tflite", DATA / "digits_test.npz"
    check_program_folder(out, force=force)
    console.rule("compile: int8 .tflite to C99")
    program = compile(model, board=board, name="digits")
    program.save(out, force=force)
    tables.show(program.parts(), console)

    console.rule("verify: numpy reference, host and emulated core")
    with bars() as shown:
        checked = program.verify(_DEVICE_SAMPLES, data=test, model=model, progress=shown.progress)
    if not checked.ok:
        raise VerifyError(checked.difference)
    console.print(
        f"reference = host = {checked.board} ({checked.emulator}): {checked.samples} images, "
        f"{checked.layers} layers, every byte equal"
    )
    for line in checked.origin_lines():
        console.print(line)
    found = program.evaluate(test)
    console.print(
        f"accuracy of the packed model: {found.right} of {found.total} test images, {found.accuracy:.2%}"
    )  # fmt: skip

    console.rule("measure: the linked firmware image")
    with bars() as shown:
        costs = program.measure(_DEVICE_SAMPLES, data=test, progress=shown.progress)
    tables.show(costs.parts(), console)

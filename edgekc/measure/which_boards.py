"""Turns a model into the list of boards that hold it, and what is missing on those that do not."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..boards.board import Board, Memory
from ..errors import CapacityError
from ..files.output import read_manifest, write_folder
from ..firmware.build import build_image
from ..firmware.memory_map import STACK_MIN_BYTES
from ..pipeline import compile_model, compile_packed, target_of
from ..progress import Progress, silent
from .ledger import embedded_sections, read_ledger
from .stack import stack_bound

# Where every model has room; the core alone decides about code and stack.
_ROOMY = (
    Memory("flash", "flash", 0x00000000, 64 << 20, None),
    Memory("ram", "ram", 0x20000000, 64 << 20, None),
)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the linked model needs on a core, without the measuring harness."""

    flash_bytes: int
    buffers_bytes: int  # arena, input, output
    stack_bytes: int  # bound of an inference; at least what the linker script insists on

    @property
    def ram_bytes(self) -> int:
        """Of a board; `Measurement.board_ram_bytes` is the same figure."""
        return self.buffers_bytes + self.stack_bytes


@dataclass(frozen=True, slots=True)
class Fit:
    board: str
    core: str
    needs: Needs
    flash_missing: int  # 0: it fits
    ram_missing: int

    @property
    def fits(self) -> bool:
        return self.flash_missing == 0 and self.ram_missing == 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "fits": self.fits}


def needs_of(model: Path | bytes, board: Board, ram_bytes: int | None = None) -> Needs:
    """Compiles and links the model for the board's core.

    Args:
        model: a file, or the bytes of an .ekc.
        ram_bytes: what kernels that want less scratch may be chosen for; None: the fastest are taken.

    Raises:
        CapacityError: no kernels need as little RAM.
        ModelError, UnsupportedError, ToolError: as compile_model and build_image.
    """
    roomy = dataclasses.replace(board, memories=_ROOMY, boot="plain")
    with tempfile.TemporaryDirectory(prefix="edgekc-fit-") as temporary:
        folder = Path(temporary) / "model"
        target = dataclasses.replace(target_of(roomy), ram_bytes=ram_bytes)
        if isinstance(model, bytes):
            compiled = compile_packed(model, "packed model", "model", target)
        else:
            compiled = compile_model(model, "model", target)
        write_folder(compiled.files, folder)
        manifest = read_manifest(folder)
        image = build_image(folder, roomy, Path(temporary) / "image")
        arena = int(manifest["arena_bytes"])
        ledger = read_ledger(image, arena, embedded_sections(manifest))
        bound = stack_bound(image).size_bytes or 0
    buffers = arena + image.state_bytes + image.input_bytes + image.output_bytes
    return Needs(ledger.model_flash_bytes, buffers, max(bound, STACK_MIN_BYTES))


def fit_boards(model: Path | bytes, boards: Sequence[Board], progress: Progress = silent) -> tuple[Fit, ...]:
    """All bare-metal boards of the list; one build for each kind of core, and for each board that lacks RAM."""
    known: dict[str, Needs] = {}
    found: list[Fit] = []
    bare = [board for board in boards if board.core.system == "bare"]
    for board in bare:
        progress(f"build for {board.core.name}, {board.name}", len(found), len(bare))
        if board.core.name not in known:
            known[board.core.name] = needs_of(model, board)
        fit = _fit(board, known[board.core.name])
        if fit.ram_missing and not fit.flash_missing:
            with contextlib.suppress(CapacityError):
                fit = _fit(board, needs_of(model, board, board.ram_bytes))
        found.append(fit)
    return tuple(found)


def _fit(board: Board, needs: Needs) -> Fit:
    first, *others = (memory.size_bytes for memory in board.memories if memory.kind == "ram")
    # The stack is in the first region; the buffers are beside it, or in another that holds them whole.
    together = needs.buffers_bytes + needs.stack_bytes - first
    apart = max(needs.buffers_bytes - max(others, default=0), needs.stack_bytes - first, 0)
    missing = min(max(together, 0), apart) if others else max(together, 0)
    return Fit(board.name, board.core.name, needs, max(needs.flash_bytes - board.flash.size_bytes, 0), missing)

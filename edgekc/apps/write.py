"""A compiled network and a kind of app to the files of a project: network/, app/, board/, Makefile and README."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..assets import CODEGEN, RUNTIME_C
from ..boards.board import Board
from ..errors import BoardError, UsageError
from ..firmware.memory_map import support_files
from ..firmware.toolchain import qemu_machine, qemu_name
from ..graph.ir import Graph
from ..names import of_kind
from ..packages.net import net_of
from ..templates import environment
from . import APPS
from .app import App, Files

_TEMPLATES = CODEGEN / "apps"
# The machine under a program: startup and linker script are made for the board, these are the same for all.
_PORT = ("ek_cortexm.c", "ek_linux.c", "ek_port.h", "ek_semihost.c", "ek_semihost.h", "ek_semihost_files.c")


def app_of(kind: str) -> App:
    """The record of a kind. UsageError where there is none of that name."""
    return of_kind(APPS, kind, "app", kind)


def check_board(board: Board) -> None:
    """BoardError where a project for this board could not start: its startup is made for Cortex-M."""
    bare = board.core.system == "bare" and "riscv" not in board.features
    if not bare or board.boot == "rp2040":
        raise BoardError("apps start on Cortex-M boards that boot from their vector table", where=f"board {board.name}",
                         fix="pass --board mps2-an386, or another of `edgekc boards`")  # fmt: skip


def check_target(target: Path) -> None:
    """UsageError where the project's folder is something else already: a project is its user's from then on."""
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise UsageError("exists already", where=str(target), fix="name a new folder")


def project_files(app: App, compiled: Files, graph: Graph, board: Board, model: Path) -> dict[str, bytes]:
    """Every file of the project, by its path below the folder.

    Args:
        compiled: the output folder's files; they go below network/.
        graph: the packed model.
        model: where it came from, for errors.

    Raises:
        UsageError: the network does not fit the kind.
    """
    net = net_of(compiled)
    fitted = app.fit(net, graph, model)
    made = {f"network/{path}": data for path, data in compiled.items()}
    made |= {f"app/{Path(name).name}": (RUNTIME_C / name).read_bytes() for name in ("apps/ek_app.c", "apps/ek_app.h")}
    made |= {f"app/{Path(name).name}": (RUNTIME_C / name).read_bytes() for name in fitted.sources or app.sources}
    made |= {f"board/{name}": (RUNTIME_C / "port" / name).read_bytes() for name in _PORT}
    made["board/ek_offsets.h"] = (RUNTIME_C / "include" / "ek_offsets.h").read_bytes()
    buffers = net.buffer_bytes
    made |= {f"board/{name}": text.encode() for name, text in support_files(board, buffers).items()}
    # ek_cortexm.c names the header by its place in this project's tree.
    moved = made["board/ek_cortexm.c"].replace(b'"../include/ek_offsets.h"', b'"ek_offsets.h"')
    made["board/ek_cortexm.c"] = moved
    view = {"net": net, "app": fitted.view, "kind": app, "board": _board_view(board)}
    for folder in (_TEMPLATES / name for name in ("shared", *(fitted.templates or (app.kind,)))):
        for path in sorted(folder.rglob("*.j2")):
            below = path.relative_to(folder).as_posix().removesuffix(".j2")
            template = path.relative_to(CODEGEN).as_posix()
            made[below] = environment().get_template(template).render(view).encode()
    if net.name in {Path(path).stem for path in made if not path.startswith("network/")}:
        raise UsageError(f"the name {net.name!r} is that of a file of the app", where="--name", fix="pass another one")
    return {**made, **fitted.files}


def _board_view(board: Board) -> Mapping[str, Any]:
    qemu = "qemu" in board.emulators
    return {
        "name": board.name,
        "flags": " ".join(board.gcc_flags),
        "qemu": " ".join((qemu_name(board), *qemu_machine(board))) if qemu else "",
        # 0: nothing says what a tick of SysTick is in instructions.
        "systick_hz": (board.systick_hz or 0) if qemu else 0,
    }

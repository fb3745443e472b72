"""docs/board_file.md and docs/board.schema.json are those of the classes that read a board.toml.

`python tests/unit/test_board_reference.py` writes both anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from schema_tables import bare, same_words, table

from edgekc.boards.board import list_boards, load_board
from edgekc.boards.cores import CORES
from edgekc.boards.schema import (
    BoardFile,
    ChipIdFile,
    ConsoleFile,
    MemoryFile,
    PowerFile,
    ProbeFile,
    QemuFile,
    SlotFile,
    StepFile,
    TimingFile,
    UartFile,
    UpdatesFile,
)
from edgekc.boards.slots import FAMILIES as FLASHES
from edgekc.boards.uart import FAMILIES

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = """# The board file

A board is a TOML file. `--board` takes the name of one that comes with edgekc, or the path of yours. A key that is not
listed here is an error. [A board of one's own](boards.md#a-board-of-ones-own) says whose files to trust, and
[Adding things](adding.md#a-board) has one as an example.

Editors can check a board file by [the JSON schema](board.schema.json). It has types and ranges. edgekc also checks
which keys go together, that regions of memory do not overlap, and that the clock gives the baud rate.

`python tests/unit/test_board_reference.py` writes this page and the schema from the classes that read a board.
"""
SECTIONS = {
    "The whole file": BoardFile,
    "`[[memory]]`": MemoryFile,
    "`[qemu]`": QemuFile,
    "`[probe]`": ProbeFile,
    "`[probe.chip_id]`": ChipIdFile,
    "`[console]`": ConsoleFile,
    "`[console.uart]`": UartFile,
    "`setup` of `[console.uart]`": StepFile,
    "`[timing]`": TimingFile,
    "`[power]`": PowerFile,
    "`[updates]`": UpdatesFile,
    "`slots` of `[updates]`": SlotFile,
}
SYSTEMS = {"bare": "bare metal", "linux": "Linux", "library": "a library's"}


def cores() -> str:
    """A row for each core: what runs on it, what it executes, and the boards that have it."""
    boards: dict[str, list[str]] = {name: [] for name in CORES}
    for name in list_boards():
        boards[load_board(name).core.name].append(f"`{name}`")
    rows = ["| core | programs | features | boards |", "|---|---|---|---|"]
    for core in CORES.values():
        features, having = " ".join(sorted(core.features)), ", ".join(boards[core.name])
        rows.append(f"| `{core.name}` | {SYSTEMS[core.system]} | {features} | {having} |")
    return "\n".join(rows)


def page() -> str:
    parts = [HEAD, *(f"## {title}\n\n{table(section)}\n" for title, section in SECTIONS.items())]
    parts.append(f"## Cores\n\nAnother core needs an entry in `edgekc/boards/cores.py`.\n\n{cores()}\n")
    families = ", ".join(f"`{name}`" for name in FAMILIES)
    parts.append(f"## Families of UARTs\n\n{families}. `edgekc/boards/uart.py` has their registers.\n")
    flashes = ", ".join(f"`{name}`" for name in FLASHES)
    hooks = "`ek_flash_FAMILY.c` in `runtime_c/port` has the hooks of updates."
    parts.append(f"## Families of flash\n\n{flashes}. {hooks}\n")
    return "\n".join(parts)


def schema() -> str:
    return json.dumps(BoardFile.model_json_schema(), indent=1, sort_keys=True) + "\n"


@same_words
def test_page_is_current() -> None:
    assert (DOCS / "board_file.md").read_text(encoding="utf-8") == page(), f"run python {Path(__file__).name}"


@same_words
def test_schema_is_current() -> None:
    assert (DOCS / "board.schema.json").read_text(encoding="utf-8") == schema(), f"run python {Path(__file__).name}"


def test_every_table_is_listed_and_every_key_has_a_meaning() -> None:
    tables = set(BoardFile.model_json_schema()["$defs"]) | {BoardFile.__name__}
    assert {section.__name__ for section in SECTIONS.values()} == tables
    assert [key for section in SECTIONS.values() for key in bare(section)] == []


if __name__ == "__main__":
    (DOCS / "board_file.md").write_text(page(), encoding="utf-8")
    (DOCS / "board.schema.json").write_text(schema(), encoding="utf-8")

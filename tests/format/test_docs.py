"""docs/format.md has the tables of edgekc/format/tables.py. `python tests/format/test_docs.py` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from edgekc.format.tables import tables

DOC = Path(__file__).parents[2] / "docs" / "format.md"
TABLE = re.compile(r"<!-- table: (\S+) -->\n.*?<!-- end -->", re.S)


def filled(text: str) -> str:
    found = tables()
    return TABLE.sub(lambda m: f"<!-- table: {m[1]} -->\n{found[m[1]]}\n<!-- end -->", text)


def test_tables_are_current() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert {m[1] for m in TABLE.finditer(text)} == set(tables())
    assert filled(text) == text, f"run python {Path(__file__).name}"


if __name__ == "__main__":
    DOC.write_text(filled(DOC.read_text(encoding="utf-8")), encoding="utf-8")

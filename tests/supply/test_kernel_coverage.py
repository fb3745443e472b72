"""Branch coverage of the portable kernels: how counts are put together, and the committed figures in the documents."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import kernel_coverage as coverage  # noqa: E402

pytestmark = pytest.mark.fast
DOCUMENT = ROOT / "docs" / "trust_supply.md"
NO_OPERATORS = {"ek_rows_next.c", "ek_blob_check.c", "ek_check_crc.c", "ek_crc32.c"}  # other rooms run them


def test_a_branch_of_a_header_is_taken_where_any_object_takes_it() -> None:
    count = coverage.Count()
    line = {"line_number": 7, "count": 1, "branches": [{"count": 1}, {"count": 0}]}
    coverage.add(count, [line])
    coverage.add(count, [{**line, "branches": [{"count": 0}, {"count": 0}]}])
    assert dict(count.branches) == {(7, 0): 1, (7, 1): 0}
    coverage.add(count, [{**line, "branches": [{"count": 0}, {"count": 2}]}])
    assert dict(count.branches) == {(7, 0): 1, (7, 1): 2}
    assert dict(count.lines) == {7: 3}


def test_documents_state_the_committed_figures() -> None:
    text = DOCUMENT.read_text()
    found = json.loads(coverage.RESULT.read_text())
    total = found["total"]
    for part, whole in (("lines_run", "lines"), ("branches_taken", "branches")):
        row = f"| {whole} | {total[part]:,} | {total[whole]:,} | {coverage.share(total, part, whole)} |"
        assert row in text
    named = re.findall(r"^\| `(ek_\w+\.[ch])` \| ", text, re.MULTILINE)
    assert named == [name for name, row in found["files"].items() if row["not_taken_at"]]
    for key in total:
        assert total[key] == sum(row[key] for row in found["files"].values())
    lying = {path.name for path in coverage.PORTABLE.glob("*.c")}
    assert lying - found["files"].keys() == NO_OPERATORS, "python benchmarks/kernel_coverage.py --json"

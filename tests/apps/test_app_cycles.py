"""`make cycles` of a project: its parts, and on the emulated board estimates that fit what the firmware counts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from new_apps import make, need_tools
from unit.cli_command import call

from edgekc.apps.cycles import Cost, parts
from edgekc.errors import UsageError
from edgekc.measure.cycles.timing import Cycles

COSTS = {
    "outer": Cost(4, 1000.0, Cycles(1100.0, 1200.0, 1300.0)),
    "inner": Cost(8, 100.0, Cycles(110.0, 120.0, 130.0)),
}
_LINE = re.compile(r"(.+): ([\d,]+) instructions of (.+), ([\d,]+) estimated cycles \(([\d,]+) to ([\d,]+)\)")


@pytest.mark.fast
def test_a_part_is_calls_of_a_function_without_another_one() -> None:
    pairs = ["whole=outer/outer", "rest=outer-inner/outer", "a part=inner/outer", "second=inner*2.5"]
    found = parts(pairs, COSTS.__getitem__)
    assert {name: cost.instructions for name, cost in found.items()} == {
        "whole": 1000, "rest": 800, "a part": 200, "second": 250,
    }  # fmt: skip
    assert found["rest"].cycles == Cycles(880.0, 960.0, 1040.0)
    assert found["second"].cycles.likely == 300


@pytest.mark.fast
@pytest.mark.parametrize("pair", ["", "outer", "a=outer", "a=outer*", "a=outer*x", "a=outer-/outer", "=outer*1"])
def test_what_is_no_part_is_refused(pair: str) -> None:
    with pytest.raises(UsageError, match="is no part"):
        parts([pair], COSTS.__getitem__)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "of"), [("vision", "a frame"), ("sensor", "a window")])
def test_estimates_fit_what_the_firmware_counts(kind: str, of: str, tmp_path: Path) -> None:
    """Also, the firmware's own errors are shown, whether or not there was a fault."""
    need_tools()
    pytest.importorskip("capstone", reason="capstone is not installed")
    out = tmp_path / "p"
    assert call("new-app", kind, "-o", out).code == 0
    counted = re.findall(rf"(.+): ticks of {of}: \d+\n.*instructions: (\d+)", make(out, "run"))
    lines = make(out, "cycles", f"PYTHON={sys.executable}").splitlines()
    found = [match.groups() for line in lines if (match := _LINE.fullmatch(line))]
    assert len(found) == len(counted) == 2 and len(lines) == 3
    together = 0
    for (name, ticks), (part, *rest) in zip(counted, found, strict=True):
        assert part == name.replace("rows", "20 rows") and rest[1] == of
        instructions, likely, low, high = (int(text.replace(",", "")) for text in (rest[0], *rest[2:]))
        shared = int(ticks) * (20 / 25 if name == "rows" else 1)  # `make run` has all rows of recordings, 25 a window
        assert instructions == pytest.approx(shared, rel=0.03)  # the timer counts itself
        assert instructions < low <= likely <= high < 3 * instructions
        together += likely
    assert int(re.sub(r"\D", "", lines[2].split(" estimated")[0])) == pytest.approx(together, abs=2)
    (tmp_path / "bad").write_bytes(b"x")
    said = make(out, "run", f"INPUT={tmp_path / 'bad'}", fails=True)
    assert "input.bin " in said and "fault.txt" not in said

"""Power fails within and behind each step of an update: the old or the new payload runs, and the next one comes in."""

from __future__ import annotations

import json
import subprocess

import pytest
from update_device import program


def cuts(seed: int, count: int, *, sanitized: bool) -> dict[str, int]:
    done = subprocess.run(
        [program("power_cuts", sanitized=sanitized), str(seed), str(count)], capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    assert done.returncode == (found["neither"] + found["next_update_refused"] + found["units_programmed_twice"] > 0)
    return found


@pytest.mark.parametrize(("seed", "count", "sanitized"), [
    (3, 500, True), pytest.param(1000, 20_000, False, marks=pytest.mark.slow),
])  # fmt: skip
def test_old_or_new_runs_after_each_cut(seed: int, count: int, sanitized: bool) -> None:
    found = cuts(seed, count, sanitized=sanitized)
    assert found["cuts"] >= count
    assert found["old_runs"] > 0 and found["new_runs"] > 0
    assert found["neither"] == found["next_update_refused"] == found["units_programmed_twice"] == 0

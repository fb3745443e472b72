"""Kernels under compiler flags that change what C leaves open: optimisation across files, the sign of char, enums."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import host_kernels as host
import pytest

# Loads by another type than the stores, a plain char taken for signed, and what -O2 alone hides show in one of these.
FLAGS = ("-O3 -flto -fstrict-aliasing -funsigned-char", "-O0 -fsigned-char", "-Os -fshort-enums")


@pytest.mark.slow
@pytest.mark.parametrize("flags", FLAGS)
def test_every_case(tmp_path: Path, flags: str) -> None:
    library = host.build(tmp_path, flags.split())
    environment = {**os.environ, "EK_HOST_LIBRARY": str(library), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(Path(host.__file__)), "guarded", ""],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout.split()[0]) > 1000

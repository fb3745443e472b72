"""Kernels under compiler flags that change what C leaves open: optimisation across files, the sign of char, enums."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import host_kernels as host
import pytest

# Loads by another type than the stores, a plain char taken for signed, and what -O2 alone hides show in one of these.
FLAGS = ("-O3 -flto -fstrict-aliasing -funsigned-char", "-Os -fsigned-char -fshort-enums")  # -O0: the sanitizers' level


@pytest.mark.slow
@pytest.mark.parametrize("flags", FLAGS)
def test_every_case(tmp_path: Path, flags: str) -> None:
    assert _calls(tmp_path, flags.split()) > 1000


@pytest.mark.slow
def test_fused_multiplications(tmp_path: Path) -> None:
    """Where the processor has them and the compiler may take them, floats have the same bits: no product is fused."""
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or " fma " not in cpu.read_text():
        pytest.skip("this processor has no fused multiply-add of x86")
    flags = ["-O3", "-std=gnu99", "-ffp-contract=fast", "-mfma"]
    assert _calls(tmp_path, flags, "_f32") > 200


def _calls(folder: Path, flags: list[str], ending: str = "") -> int:
    """How many calls of kernels, compiled so, give what the definitions say; AssertionError where one does not."""
    library = host.build(folder, flags, ending)
    environment = {**os.environ, "EK_HOST_LIBRARY": str(library), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(Path(host.__file__)), "guarded", ending],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return int(done.stdout.split()[0])

"""Kernels under compiler flags that change what C leaves open: optimisation across files, the sign of char, enums."""

from __future__ import annotations

from pathlib import Path

import host_kernels as host
import pytest

# Loads by another type than the stores, a plain char taken for signed, and what -O2 alone hides show in one of these.
FLAGS = ("-O3 -flto -fstrict-aliasing -funsigned-char", "-Os -fsigned-char -fshort-enums")  # -O0: the sanitizers' level


@pytest.mark.slow
def test_every_case(tmp_path: Path) -> None:
    libraries = [host.build(tmp_path, flags.split(), name=f"{i}.so") for i, flags in enumerate(FLAGS)]
    counts = host.count_calls(libraries, "guarded")
    assert len(counts) == len(FLAGS) and len(set(counts)) == 1 and counts[0] > 1000


@pytest.mark.slow
def test_fused_multiplications(tmp_path: Path) -> None:
    """Where the processor has them and the compiler may take them, floats have the same bits: no product is fused."""
    cpu = Path("/proc/cpuinfo")
    if not cpu.exists() or " fma " not in cpu.read_text():
        pytest.skip("this processor has no fused multiply-add of x86")
    library = host.build(tmp_path, ("-O3", "-std=gnu99", "-ffp-contract=fast", "-mfma"), "_f32")
    (count,) = host.count_calls([library], "guarded", "_f32")
    assert count > 200

"""Random networks whose layers run by rows: the C of every family of kernels gives the bytes of the definition."""

from __future__ import annotations

from pathlib import Path

import pytest
import random_sweep as sweep
from test_random_nets import emulated, plain, sanitized

__all__ = ["plain", "sanitized"]  # fixtures


def test_some_networks(plain, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = sweep.sweep(range(10), plain, tmp_path, ("dense",), emulated()[:3], rows=True)
    assert not out.findings, "\n".join(map(str, out.findings))
    assert out.runs > 10 and out.reached["ek_rows_next.c"] > 6


@pytest.mark.slow
def test_every_family_by_rows(sanitized, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """As they are and packed, under the sanitizers."""
    out = sweep.sweep(range(40), sanitized, tmp_path, rows=True)
    print(sweep.table(out))
    assert not out.findings, "\n".join(map(str, out.findings))
    assert out.reached["ek_rows_next.c"] > 20

"""Lets the tests import the helpers that lie beside this file, shares what they compile, and chooses among them."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
_INSISTED = ("boards", "simulated_mcu")


def pytest_configure(config: pytest.Config) -> None:
    """What is compiled stays in pytest's cache, for all processes and for the next run; `--cache-clear` empties it."""
    if "XDG_CACHE_HOME" not in os.environ and config.cache is not None:
        os.environ["XDG_CACHE_HOME"] = str(config.cache.mkdir("compiled"))


def _insist(report: Any, path: Path) -> Any:
    """With EDGEKC_TEST_BOARDS=1, a test of flashing or of the console fails where a tool for it is missing."""
    insists = any(path.is_relative_to(HERE / room) for room in _INSISTED)
    if insists and report.skipped and os.environ.get("EDGEKC_TEST_BOARDS") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, with EDGEKC_TEST_BOARDS=1: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    return _insist((yield), item.path)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    return _insist((yield), collector.path)

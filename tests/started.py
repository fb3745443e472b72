"""Which files of tests start a program: those are run again where other programs are at hand."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

_PROPERTY = "started a program"  # of a test's report, which crosses from a worker to the first process
_count = 0


def watch() -> None:
    """Counts what this process starts, from now on."""
    start = subprocess.Popen.__init__

    def counted(self: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
        global _count
        _count += 1
        start(self, *args, **kwargs)

    subprocess.Popen.__init__ = counted  # type: ignore[method-assign]


def count() -> int:
    """How many programs this process has started since it watches."""
    return _count


class Watch:
    """Notes on each report whether the test, or a fixture for it, started a program."""

    def __init__(self) -> None:
        self.before = count()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Any:
        report = yield
        if count() > self.before:
            report.user_properties.append((_PROPERTY, True))
            self.before = count()
        return report


def file_of(report: pytest.TestReport) -> str | None:
    """The file of a test that started a program; None of one that did not."""
    return report.nodeid.partition("::")[0] if (_PROPERTY, True) in map(tuple, report.user_properties) else None

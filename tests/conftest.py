"""Lets the tests import the helpers that lie beside this file, shares what they compile, and chooses among them."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import typer.main

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import chosen  # noqa: E402
import reached  # noqa: E402
import started  # noqa: E402

# A busy machine is no failure.
hypothesis.settings.register_profile("edgekc", deadline=None)
hypothesis.settings.load_profile("edgekc")
# typer.testing makes all subcommands for each call of one.
typer.main.get_command = functools.cache(typer.main.get_command)
_INSISTED = ("boards", "simulated_mcu")
# In pytest's cache: what the last run left out for want of a tool, and the files whose tests started a program.
_SKIPPED, _STARTED = "edgekc/skipped", "edgekc/started"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("edgekc")
    group.addoption("--op", metavar="NAME", help="only the tests of one operator, as edgekc/ops calls it")
    group.addoption("--skipped-in", metavar="DIR", help="mark as missed what a run in another checkout had to skip")
    group.addoption("--started-in", metavar="DIR", help="mark as starts what ran programs in another checkout")
    group.addoption("--reach", metavar="DIR", help="note there the modules of edgekc/ that the tests use")


def pytest_configure(config: pytest.Config) -> None:
    """What is compiled stays in pytest's cache, for all processes and for the next run; `--cache-clear` empties it."""
    if hasattr(config, "workerinput"):  # the processes share the cores; threads of each on top would only wait
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("COLUMNS", None)  # pytest-xdist sets it; in a pipe lines are whole without it
    cache = getattr(config, "cache", None)  # none with -p no:cacheprovider
    if "XDG_CACHE_HOME" not in os.environ and cache is not None:
        os.environ["XDG_CACHE_HOME"] = str(cache.mkdir("compiled"))
    if config.getoption("--op"):
        chosen.check_operator(config.getoption("--op"))
        os.environ["EDGEKC_TEST_OP"] = config.getoption("--op")
    if folder := config.getoption("--reach"):
        config.pluginmanager.register(reached.Watch(Path(folder).resolve()), "edgekc-reach")
    started.watch()
    config.pluginmanager.register(started.Watch(), "edgekc-started")
    if cache is not None and not hasattr(config, "workerinput"):  # workers report to the first process
        config.pluginmanager.register(_Notes(cache), "edgekc-notes")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `--op`, or `-m fast` and `-m "fast and ..."`, many files need not even be imported."""
    op, fast = config.getoption("--op"), config.getoption("-m").partition(" and ")[0] == "fast"
    if not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    if (op and not chosen.may_be_about(collection_path, op)) or (fast and not chosen.may_have_fast(collection_path)):
        return True
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Without the collector of garbage: nearly all that is made here stays, and each look at it takes longer."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        gc.set_threshold(50_000, 20, 20)  # as the command has it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # all want the same order; see _turned
        items.sort(key=lambda item: item.path)
    for item in items:
        if chosen.is_slow(item):
            item.add_marker(pytest.mark.slow)
        if chosen.is_fast(item):
            item.add_marker(pytest.mark.fast)
    for option, key, mark in (("--skipped-in", _SKIPPED, "missed"), ("--started-in", _STARTED, "starts")):
        if folder := config.getoption(option):
            names = chosen.noted_in(Path(folder), key, option)
            for item in items:
                if chosen.is_among(item, names):
                    item.add_marker(mark)
    keep = items
    if op := config.getoption("--op"):
        keep = [item for item in keep if chosen.is_about(item, op)]
    if len(keep) < len(items):
        kept = set(map(id, keep))
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
        items[:] = keep


class _Notes:
    """Keeps in pytest's cache the names of skipped tests and files, and of files whose tests started a program."""

    def __init__(self, cache: pytest.Cache) -> None:
        self.cache, self.skipped, self.started = cache, set[str](), set[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.skipped.add(report.nodeid)
        if file := started.file_of(report):
            self.started.add(file)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self.cache.set(_SKIPPED, sorted(self.skipped))
        self.cache.set(_STARTED, sorted(self.started))


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


def _turned(report: pytest.CollectReport, worker: dict[str, Any]) -> pytest.CollectReport:
    """Each process of several enters a folder at another place: of files that are new it compiles a part, and finds
    those of the others compiled."""
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    at = len(report.result) * number // count
    report.result = [*report.result[at:], *report.result[:at]]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = _insist((yield), collector.path)
    worker = getattr(collector.config, "workerinput", None)
    return _turned(report, worker) if worker and isinstance(collector, pytest.Directory) else report

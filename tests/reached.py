"""Which modules of edgekc/ the tests use: those of which a function ran, in any of pytest's processes."""

from __future__ import annotations

import ast
import json
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "edgekc"


def modules() -> set[str]:
    """The modules that have a function to run, as paths below the package."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(body)):
            found.add(path.relative_to(PACKAGE).as_posix())
    return found


class Watch:
    """Sees every call; what a process has seen goes through a file to the first one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config, self.files = config, set[str]()
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        assert config.cache is not None, "--reach needs pytest's cache"
        self.folder = config.cache.mkdir("reach")
        if self.worker is None:
            for old in self.folder.iterdir():
                old.unlink()
        threading.setprofile(self._call)
        sys.setprofile(self._call)  # from now on: some functions run when their module is imported

    def _call(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self.files.add(frame.f_code.co_filename)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Any:
        sys.setprofile(self._call)  # again for each test: some tests take the profiler away
        return (yield)

    def _ours(self) -> set[str]:
        paths = (Path(name) for name in self.files)
        return {p.relative_to(PACKAGE).as_posix() for p in paths if p.is_relative_to(PACKAGE)}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        sys.setprofile(None)
        name = "first" if self.worker is None else self.worker["workerid"]
        (self.folder / f"{name}.json").write_text(json.dumps(sorted(self._ours())))
        if self.worker is None and session.exitstatus == pytest.ExitCode.OK and self.unused():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def unused(self) -> list[str]:
        seen = {name for file in self.folder.glob("*.json") for name in json.loads(file.read_text())}
        return sorted(modules() - seen)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        unused = self.unused()
        terminalreporter.section("modules of edgekc/ without a function that ran")
        terminalreporter.write_line("\n".join(unused) or f"none of {len(modules())}")

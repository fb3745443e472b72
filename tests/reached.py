"""Which modules of edgekc/ the tests use: those of which a function ran, in any of pytest's processes."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "edgekc"


def modules() -> set[str]:
    """The modules that have a function to run, as paths below the package."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8"))
        if any(_runs(node) for node in ast.walk(body)):
            found.add(path.relative_to(PACKAGE).as_posix())
    return found


def _runs(node: ast.AST) -> bool:
    """Whether this is a function that can run; those of a protocol have no body."""
    return isinstance(node, _FUNCTIONS) and ast.unparse(node.body[-1]) != "..."


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SEEN = "_edgekc_reached"  # in each module: a list of one value, whether a function of it ran


def with_marks(source: bytes | str, path: str) -> ast.Module:
    """A module's tree in which each function first notes that it ran."""
    tree = ast.parse(source, path)
    for function in (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)):
        mark = ast.parse(f"{_SEEN}[0] = True").body[0]
        for node in ast.walk(mark):
            ast.copy_location(node, function.body[0])
        function.body.insert(1 if ast.get_docstring(function, clean=False) is not None else 0, mark)
    return tree


class _Loader(SourceFileLoader):
    """Loads a module of edgekc with marks in it, and keeps no bytecode of that."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return compile(with_marks(self.get_data(path), path), path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, _SEEN, Finder.ran.setdefault(self.path, [False]))
        super().exec_module(module)


class Finder(MetaPathFinder):
    """Finds the modules of edgekc for our loader. A profiler would double the time that the tests take."""

    ran: dict[str, list[bool]] = {}  # noqa: RUF012 - one for the process, as sys.modules is

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE.name:
            return None
        for finder in (each for each in sys.meta_path if each is not self and hasattr(each, "find_spec")):
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if isinstance(spec.loader, SourceFileLoader):
                    spec.loader = _Loader(spec.loader.name, spec.loader.path)
                return spec
        return None


class Watch:
    """Sees which modules' functions run; what a process has seen goes through a file to the first one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        assert config.cache is not None, "--reach needs pytest's cache"
        assert PACKAGE.name not in sys.modules, "--reach must come before edgekc is imported"
        self.folder = config.cache.mkdir("reach")
        if self.worker is None:
            for old in self.folder.iterdir():
                old.unlink()
        sys.meta_path.insert(0, Finder())

    def _ours(self) -> set[str]:
        paths = (Path(name) for name, ran in Finder.ran.items() if ran[0])
        return {p.relative_to(PACKAGE).as_posix() for p in paths if p.is_relative_to(PACKAGE)}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
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

"""Which modules of edgekc/ the tests use: those of which a function ran, in any process of any of several runs.

`pytest --reach DIR` notes them, `python tests/reached.py DIR` prints the others, and fails where there are any.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

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
    for function in list(_functions(tree)):
        first = function.body[0]
        at = dict(lineno=first.lineno, col_offset=0, end_lineno=first.lineno, end_col_offset=0)
        seen = ast.Subscript(ast.Name(_SEEN, ast.Load(), **at), ast.Constant(0, **at), ast.Store(), **at)
        mark = ast.Assign([seen], ast.Constant(True, **at), **at)
        function.body.insert(1 if ast.get_docstring(function, clean=False) is not None else 0, mark)
    return tree


def _functions(block: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Those among its statements and in them; expressions, which are most of a tree, have none."""
    for field in ("body", "handlers", "orelse", "finalbody", "cases"):
        for statement in getattr(block, field, ()):
            if isinstance(statement, _FUNCTIONS):
                yield statement
            yield from _functions(statement)


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
    """Notes in a folder, which several runs may share, the modules of which a function ran in this process."""

    def __init__(self, folder: Path) -> None:
        assert PACKAGE.name not in sys.modules, "--reach must come before edgekc is imported"
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        sys.meta_path.insert(0, Finder())

    def pytest_sessionfinish(self) -> None:
        paths = (Path(name) for name, ran in Finder.ran.items() if ran[0])
        ours = sorted(p.relative_to(PACKAGE).as_posix() for p in paths if p.is_relative_to(PACKAGE))
        (self.folder / f"{os.getpid()}.json").write_text(json.dumps(ours))


def unused(folder: Path) -> list[str]:
    """The modules of which no function ran, by what runs have noted there."""
    seen = {name for file in folder.glob("*.json") for name in json.loads(file.read_text())}
    if not seen:
        raise SystemExit(f"{folder}: no run of the tests with --reach has noted anything there")
    return sorted(modules() - seen)


if __name__ == "__main__":
    found = unused(Path(sys.argv[1]))
    print("modules of edgekc/ without a function that ran:", "\n  ".join(["", *found]) if found else "none")
    sys.exit(bool(found))

"""The rooms of edgekc/ (its first-level folders): imports go one way, files are short, and the packages are listed.

An import inside a function counts: it is needed when the function runs. One under TYPE_CHECKING does not: it is there
for the reader and the type checker, and no program follows it.
"""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "edgekc").rglob("*.py"))
MAX_LINES = 400

Graph = dict[str, dict[str, bool]]  # module -> the modules that it imports, and whether only inside functions


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PATHS}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def followed(tree: ast.AST, inside: bool = False) -> Iterator[tuple[ast.stmt, bool]]:
    """Import statements that a program may run, and whether they stand in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, inside
        yield from followed(node, inside or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))


def names(node: ast.stmt, module: str, is_package: bool) -> Iterator[str]:
    """The modules that a statement names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = module.split(".")[: len(module.split(".")) + is_package - node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield from (f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names)


def imports(module: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    for node, inside in followed(tree_of(module)):
        for name in names(node, module, MODULES[module].name == "__init__.py"):
            found[name] = inside and found.get(name, True)
    return found


@cache
def graph() -> Graph:
    """Of all modules; made by the first test that asks, since each process collects this file."""
    return {module: imports(module) for module in MODULES}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def circle(edges: Mapping[str, set[str]]) -> list[str]:
    """The nodes of a circle in their order, the first again at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter(edges).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])


def test_statements_are_seen() -> None:
    text = (
        "from . import ir\nfrom .op import Op\nimport edgekc.data\nif TYPE_CHECKING:\n    from ..recipe import Recipe\n"
        "def f():\n    if x:\n        from ..ops import OPS\n"
    )
    found = [
        (name, inside) for node, inside in followed(ast.parse(text)) for name in names(node, "edgekc.graph.x", False)
    ]
    assert found == [
        ("edgekc.graph.ir", False), ("edgekc.graph.op", False), ("edgekc.data", False), ("edgekc.ops", True)
    ]  # fmt: skip
    assert graph()["edgekc.format.pack"]["edgekc.graph.ir"] is False
    assert len(graph()) > 200 and sum(map(len, graph().values())) > 1000


def test_no_circle_of_files() -> None:
    assert circle({m: {n for n in found if n in MODULES} for m, found in graph().items()}) == []


def test_no_circle_of_rooms() -> None:
    rooms: dict[str, set[str]] = {room_of(module): set() for module in MODULES}
    for module, found in graph().items():
        rooms[room_of(module)] |= {room_of(n) for n in found if n in MODULES} - {room_of(module)}
    assert circle(rooms) == []


def test_a_package_is_imported_behind_no_one_who_needs_it() -> None:
    """Importing a file runs the `__init__` of its package first; these too are in no circle with who imports it."""
    edges = {}
    for module, found in graph().items():
        edges[module] = set()
        for name in (n for n, inside in found.items() if n in MODULES and not inside):
            parts = name.split(".")
            packages = {".".join(parts[: i + 1]) for i in range(1, len(parts))}
            edges[module] |= {p for p in packages if p != module and not f"{module}.".startswith(f"{p}.")} | {name}
    assert circle(edges) == []


def test_pytorch_is_behind_one_door() -> None:
    """Recipes, the walk and all other rooms are there without it; only `train/pytorch.py` lets it in, when called."""
    torch = {m: {inside for n, inside in found.items() if n.split(".")[0] == "torch"} for m, found in graph().items()}
    assert {room_of(m) for m, kinds in torch.items() if kinds} == {"edgekc.train", "edgekc.importers"}
    needing = {m for m, kinds in torch.items() if False in kinds}
    while more := {
        m for m, found in graph().items() if m not in needing and any(not found.get(n, True) for n in needing)
    }:
        needing |= more
    assert len(needing) > 5 and {room_of(m) for m in needing} == {"edgekc.train"}
    doors = {m for m, found in graph().items() if m not in needing and needing & found.keys()}
    assert doors == {"edgekc.train.pytorch"}


def test_imports_inside_are_relative() -> None:
    absolute = []
    for module in MODULES:
        for node in ast.walk(tree_of(module)):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            named += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            absolute += [f"{module}: {name}" for name in named if name.split(".")[0] == "edgekc"]
    assert absolute == []


def test_files_are_short() -> None:
    """Python, C and templates; a header of one vocabulary and a family of kernels are left whole, and get no longer."""
    longer = {"runtime_c/kernels/mve/ek_mve.h": 499, "runtime_c/kernels/mve/ek_depthwise3x3_s8_mve.c": 412}
    rooms = ("edgekc", "tests", "benchmarks", "codegen", "runtime_c", ".ci")
    files = [p for room in rooms for p in (ROOT / room).rglob("*") if p.suffix in (".py", ".c", ".h", ".S", ".j2")]
    lines = {path.relative_to(ROOT).as_posix(): path.read_bytes().count(b"\n") for path in files}
    assert len(files) > 1000
    assert {path: count for path, count in lines.items() if count > longer.get(path, MAX_LINES)} == {}


def test_every_room_says_what_it_does() -> None:
    """A room that turns something into something else says so: `X to Y`."""
    packages = {path.parent for path in PATHS}
    assert packages == {path.parent for path in PATHS if path.name == "__init__.py"}
    told = {module: ast.get_docstring(tree_of(module)) or "" for module, path in MODULES.items()
            if path.name == "__init__.py"}  # fmt: skip
    firsts = {module: text.split("\n\n")[0] for module, text in told.items()}
    assert {module for module, text in firsts.items() if not re.search(r"\w.{20,}\.$", text, re.DOTALL)} == set()
    rooms = {m: text for m, text in firsts.items() if m.count(".") == 1}
    assert {m for m, text in rooms.items() if " to " not in text} == {"edgekc.graph", "edgekc.ops"}


def test_the_list_of_packages_is_the_tree() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    (block,) = re.findall(r"^packages = \[\n(.*?)^\]", project, re.MULTILINE | re.DOTALL)
    listed = re.findall(r'"(.+?)"', block)
    assets = [f"edgekc._assets.{name}" for name in ("codegen", "runtime_c", "boards", "recipes")]
    assert listed == [*sorted(m for m, path in MODULES.items() if path.name == "__init__.py"), *assets]

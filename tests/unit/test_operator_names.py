"""Outside of ops/, importers/ and fuzzing/ nothing is decided by an operator's name, but where this list says why."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from edgekc.ops import OPS, SOURCES

# fuzzing/ draws operators and writes them as files have them, which is about names as importers/ is.
PACKAGE = Path(__file__).resolve().parents[2] / "edgekc"
# File -> comparisons with an operator's name, and why no property of its record says it.
ALLOWED = {
    "passes/fold_dilations.py": (
        3,
        "the pass is about these two operators, and makes a dilation of them",
    ),
    "exporters/exact.py": (1, "each operator has a form of its own in ONNX: the table is the export"),
    "exporters/qdq.py": (1, "the same for its other form"),
    "exporters/writer.py": (1, "the same for what both forms share"),
    "exporters/scales.py": (5, "which scales an operator's integers tie is asked by the export alone"),
    "exploration/space.py": (2, "whether an operator has a packed form is asked of the table of what packs layers"),
    "passes/fold_pads.py": (1, "the pass is about this operator: it turns it into attributes"),
    "passes/strip_edge_casts.py": (2, "the pass is about these two operators: it drops them at the edges"),
}
NAMES = {*OPS, *SOURCES}


def _is_name(node: ast.expr) -> bool:
    """Whether an expression is a node's operator (`node.op`), or names operators."""
    if isinstance(node, ast.Attribute):
        return node.attr == "op"
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return any(_is_name(element) for element in node.elts)
    return isinstance(node, ast.Constant) and node.value in NAMES


def comparisons(source: str) -> list[int]:
    """The lines that compare with an operator's name, by ==, in, startswith or a case; or have a table by names."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            asked = [isinstance(side, ast.Attribute) and side.attr == "op" for side in sides]
            # Two nodes beside each other name no operator.
            hit = any(asked) and not all(asked) and not any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        elif isinstance(node, ast.Call):
            called = node.func
            hit = (
                isinstance(called, ast.Attribute)
                and called.attr in ("startswith", "endswith")
                and _is_name(called.value)
            )
        elif isinstance(node, ast.Match):
            hit = _is_name(node.subject)
        elif isinstance(node, ast.Dict):
            hit = sum(key is not None and isinstance(key, ast.Constant) and _is_name(key) for key in node.keys) > 1
        else:
            continue
        if hit:
            found.append(node.lineno)
    return found


def found() -> Counter[str]:
    counts: Counter[str] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(("ops/", "importers/", "fuzzing/")):
            counts[name] = len(comparisons(path.read_text(encoding="utf-8")))
    return +counts


def test_only_what_is_listed_compares_names() -> None:
    expected = {name: count for name, (count, _) in ALLOWED.items()}
    assert dict(found()) == expected, "ask the operator's record (edgekc/graph/source.py), or list it here and say why"


def test_comparisons_are_found() -> None:
    for line in (
        'node.op == "add"', '"add" != node.op', 'node.op in KINDS', 'node.op not in ("add", "mul")',
        'node.op.startswith("clustered_")', '{"conv2d": 0, "depthwise": 3}', "match node.op:\n    case 'add': ...",
    ):  # fmt: skip
        assert comparisons(line) == [1], line
    for line in (
        "node.op",
        "one.op == other.op",
        "FILTERS.get(node.op)",
        "handler.op is None",
        'Node("add", name, (), (), {})',
    ):
        assert not comparisons(line), line

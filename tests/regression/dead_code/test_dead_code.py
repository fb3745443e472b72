"""What nothing but its own tests uses is not shipped: names of edgekc/, and functions and macros of runtime_c/."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
# PyTorch calls the first, pydantic reads the second, notebooks call the third.
BY_FRAMEWORKS = {"forward", "model_config", "_repr_html_"}
BY_TESTS = {
    "brown_out",  # trouble that the simulated chip makes when a test asks for it
    # Parts of what draws networks with which tests of single operators draw too.
    *("NO_REFERENCE", "WITH_STATE", "kernel_sources", "random_model", "random_quant", "sum_of_any", "to_signed"),
    "to_unsigned",
}
BY_TOOLS = {"memcmp", "qemu_plugin_install"}  # compilers want the one of a freestanding library, qemu calls the other
# What the benchmark's own side of MLPerf Tiny may call of the submitter's.
BY_BENCHMARK = {f"th_{name}" for name in ("strncpy", "strcat", "strtok", "atoi", "memset", "memcpy")}
# The operator's record makes these names: `ek_concat{n}_s8` and `..._const_...`.
BY_NAME = re.compile(r"ek_concat\d_s8|ek_\w+_const_s(8|16)")


def defined(tree: ast.Module) -> Iterator[str]:
    """Functions, classes, constants and enum members; not what a decorator hands to a framework."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            handed = {ast.unparse(d).split("(")[0].split(".")[-1] for d in node.decorator_list}
            if not handed - {"dataclass", "property", "staticmethod", "classmethod", "cache", "contextmanager"}:
                yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def used(tree: ast.Module) -> Iterator[str]:
    """Names that are read; words in quotes count, since records name attributes so."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            yield node.value


def unused_python(ours: list[str], others: list[str]) -> list[str]:
    trees = [ast.parse(text) for text in ours]
    uses = {name for tree in [*trees, *map(ast.parse, others)] for name in used(tree)} | BY_FRAMEWORKS | BY_TESTS
    return sorted({n for tree in trees for n in defined(tree) if n not in uses and not n.startswith("__")})


def unused_c(ours: list[str], others: list[str]) -> list[str]:
    """Functions and macros that are only defined or declared; a kernel is used where an operator's record names it."""
    texts = [re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL) for text in ours]
    words = Counter(word for text in texts for word in re.findall(r"\w+", text))
    elsewhere = {word for text in others for word in re.findall(r"\w+", text)}
    told: Counter[str] = Counter()
    macros = {name for text in texts for name in re.findall(r"^#\s*define\s+(\w+)", text, re.MULTILINE)}
    pasted = tuple({start for text in texts for start in re.findall(r"\b([A-Z]\w+_)##", text)})  # of macros, by macros
    for text in texts:
        for macro, function in re.findall(r"^#\s*define\s+(\w+)|^\w[\w *]*?\b(\w+)\([^;{]*[;{)]", text, re.MULTILINE):
            if macro or function not in macros:  # else a macro makes this function
                told[macro or function] += 1
    unused = (n for n, count in told.items() if words[n] <= count and n not in elsewhere | BY_TOOLS | BY_BENCHMARK)
    return sorted(n for n in unused if not n.startswith(pasted))


def texts(*folders: str) -> list[str]:
    found = [
        p for folder in folders for p in sorted((ROOT / folder).rglob("*")) if p.suffix in (".py", ".j2", ".c", ".h")
    ]
    return [p.read_text() for p in found]


def test_every_name_has_a_user() -> None:
    others = [p.read_text() for f in ("benchmarks", "examples") for p in sorted((ROOT / f).rglob("*.py"))]
    assert unused_python(texts("edgekc"), others) == []


def test_every_c_function_and_macro_has_a_user() -> None:
    firmware = (ROOT / "docs" / "updates.md").read_text()  # shows what firmware calls
    unused = unused_c(texts("runtime_c"), [*texts("edgekc", "codegen"), firmware])
    assert [name for name in unused if not BY_NAME.fullmatch(name)] == []


def test_what_nobody_uses_is_found() -> None:
    ours = "import enum\nclass A(enum.Enum):\n    X = 1\n    Y = 2\ndef f():\n    return A.X\ndef g():\n    f()\n"
    assert unused_python([ours], ["import m\nm.f()"]) == ["Y", "g"]
    made = "#define MADE(x) int x(void) { return 2; }\n"
    made += "#define AT_1 1\n#define AT(j) AT_##j\nstatic MADE(f)\nint x = AT(1);"
    assert unused_c([made], []) == []
    c = "/* f g */\n#define M 1\n#define N 2\nint f(int x);\nint g(void);\nint f(int x)\n{\n    return M + x;\n}\n"
    assert unused_c([c, "static inline int h(int x)\n{\n    return f(x);\n}\n"], ["g"]) == ["N", "h"]

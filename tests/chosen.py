"""Which tests are the fast ones, which are about one operator, and which another run had to skip."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import pytest
from tiers import FAST, FAST_OF, NOT_FAST, SLOW, SWEEPS

HERE = Path(__file__).parent


def _name(item: pytest.Item) -> str:
    """A test's name below tests/; empty where it lies elsewhere."""
    file = _below(item.path)
    return f"{file}::{item.nodeid.split('::', 1)[-1]}" if file else ""


@functools.cache
def _below(path: Path) -> str:
    """A file's name below tests/; empty where it lies elsewhere."""
    return path.relative_to(HERE).as_posix() if path.is_relative_to(HERE) else ""


def is_slow(item: pytest.Item) -> bool:
    """Whether only `.ci/run` runs a test, though it has no mark of its own."""
    name = _name(item)
    return name.startswith(SLOW) or _left_out(name, SWEEPS)


def is_fast(item: pytest.Item) -> bool:
    """Whether a test belongs to the tier that runs in a minute."""
    name = _name(item)
    listed = name.startswith(FAST) and not name.startswith(NOT_FAST) and not _left_out(name, FAST_OF)
    return listed and item.get_closest_marker("slow") is None


def _left_out(name: str, kept: Mapping[str, Sequence[str]]) -> bool:
    """Whether a test is one of those of which only some parameters are kept, and none of these."""
    test, _, parameter = name.partition("[")
    return test in kept and parameter.removesuffix("]") not in kept[test]


def may_have_fast(path: Path) -> bool:
    """Whether a file may have tests of that tier: the lists name it or its room, or it has the mark somewhere."""
    name = path.relative_to(HERE).as_posix()
    if name.startswith(tuple(entry for entry in NOT_FAST if "::" not in entry)):
        return False
    return name.startswith(tuple(entry.partition("::")[0] for entry in FAST)) or "mark.fast" in path.read_text("utf-8")


# ---- one operator ----


def check_operator(name: str) -> None:
    from edgekc.ops import OPS

    if name not in OPS:
        near = difflib.get_close_matches(name, OPS, 3) or sorted(OPS)
        raise pytest.UsageError(f"--op {name}: no such operator; there are: {', '.join(near)}")


def may_be_about(path: Path, op: str) -> bool:
    """Whether a file may have tests of the operator: it goes through all of them, or names it."""
    text = path.read_text(encoding="utf-8")
    return bool(re.search(rf"\bOPS\b|\b{op}\b|_{op}\b", text))


def is_about(item: pytest.Item, op: str) -> bool:
    """Whether the test has the operator, or a kernel of it, as a parameter or in its own name."""
    from edgekc.ops import OPS

    words = {op, *(kernel.symbol for kernel in OPS[op].kernels)}
    callspec = getattr(item, "callspec", None)
    if callspec is not None and any(isinstance(v, str) and v in words for v in callspec.params.values()):
        return True
    name = getattr(item, "originalname", None) or item.name
    for other in sorted(OPS, key=len, reverse=True):
        if other != op and op in other:
            name = name.replace(other, "")
    return bool(re.search(rf"(^|_){op}($|_)", name))


# ---- what another run had to skip ----


def noted_in(checkout: Path, key: str, option: str) -> frozenset[str]:
    """Names of tests and files that the last run in a checkout noted in its pytest's cache."""
    path = checkout / ".pytest_cache" / "v" / key
    try:
        return frozenset(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise pytest.UsageError(f"{option} {checkout}: no run of the tests there ({error.strerror})") from error


def is_among(item: pytest.Item, names: Set[str]) -> bool:
    """Whether a test, or the file or class that it is in, is among the names."""
    return any(node.nodeid in names for node in item.listchain() if node.nodeid)

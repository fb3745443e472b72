"""Where in a generated C file the statements of a layer are, for whoever reads its machine code by lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .plan import Step

# How a statement begins: a kernel's call, a kernel shared out among threads, and the trace behind a layer by rows.
_BEGINS = re.compile(r" *(\w+\(&[^,]+,)|( {4}parallel\(pool, \d+, part_[^,]+,)|( {16}ekc_trace\(\d+, )")
_DECLARED = re.compile(r" {8}const .* (\S+) = \{$")
_CASE = (f"{' ' * 12}case ", f"{' ' * 12}default: ")


class SourceLines:
    """The statements of a source by how they begin, found in one pass: a network may have hundreds of layers."""

    def __init__(self, source: Sequence[str]) -> None:
        self._first: dict[str, int] = {}
        self._declared: dict[str, list[int]] = {}
        self._cases: list[int] = []
        for n, text in enumerate(source, 1):
            if match := _BEGINS.match(text):
                self._first.setdefault(match[match.lastindex or 0], n)
            elif match := _DECLARED.match(text):
                self._declared.setdefault(match[1], []).append(n)
            if text.startswith(_CASE):
                self._cases.append(n)

    def of(self, index: int, step: Step, params: str) -> tuple[int, int]:
        """The first and the last line of a layer's statement; with a blob, of its parameters and the statement."""
        if step.rows is None and step.parts is None:
            last = self._first[f"{step.kernel.symbol}(&{params},"]
            return max((n for n in self._declared.get(params, ()) if n <= last), default=last), last
        if step.rows is None:
            line = self._first[f"    parallel(pool, {len(step.parts.calls) if step.parts else 0}, part_{params},"]
            return line, line
        last = self._first[f"{' ' * 16}ekc_trace({index}, "] - 1
        return max(n for n in self._cases if n <= last) + 1, last

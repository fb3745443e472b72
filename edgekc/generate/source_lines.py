"""Where in a generated C file the statements of a layer are, for whoever reads its machine code by lines."""

from __future__ import annotations

from collections.abc import Sequence

from .plan import Step


def lines_of(source: Sequence[str], index: int, step: Step, params: str) -> tuple[int, int]:
    """The first and the last line of a layer's statement; with a blob, of its parameters and the statement."""
    if step.rows is None and step.parts is None:
        call, declared = f"{step.kernel.symbol}(&{params},", f" {params} = {{"
        last = next(n for n, text in enumerate(source, 1) if text.strip().startswith(call))
        begins = (n for n in range(last, 0, -1) if source[n - 1].startswith(f"{' ' * 8}const "))
        return next((n for n in begins if source[n - 1].endswith(declared)), last), last
    if step.rows is None:
        call = f"    parallel(pool, {len(step.parts.calls) if step.parts else 0}, part_{params},"
        line = next(n for n, text in enumerate(source, 1) if text.startswith(call))
        return line, line
    trace, cases = f"{' ' * 16}ekc_trace({index}, ", (f"{' ' * 12}case ", f"{' ' * 12}default: ")
    last = next(n for n, text in enumerate(source, 1) if text.startswith(trace)) - 1
    first = next(n for n in range(last, 0, -1) if source[n - 1].startswith(cases)) + 1
    return first, last

"""What `edgekc fuzz` says at its end."""

from __future__ import annotations

from collections.abc import Iterator

from .session import Run


def lines(run: Run) -> Iterator[str]:
    """The summary of a run, a line each."""
    if run.stopped:
        yield "stopped before its end"
    rate = 60 * run.networks / max(run.seconds, 0.1)
    yield f"{run.networks:,} networks in {run.seconds:,.1f} s, {rate:,.0f} a minute; {run.runs:,} runs of their C"
    yield f"{len(run.operators):,} operators; {run.refused:,} networks refused by the compiler"
    for side, count in sorted(run.sides.items()):
        yield f"  {side:<24} {count:>7,} networks"
    if run.unheld:
        yield f"LiteRT refused {run.unheld:,} networks"
    if run.small:
        yield f"boards had no room for {run.small:,} networks"
    yield from run.notes
    if not run.findings:
        yield "no difference"
        return
    yield f"{len(run.findings):,} differences:"
    shown = {w["finding"] for w in run.written}
    for w in run.written:
        yield f"  {w['finding']}"
        yield f"    made small: {w['layers']} layers, {w['text']}"
        yield from (f"    {line}" for line in w["listing"])
        yield f"    {w['command']}"
        if w["flags"]:
            yield f"    found with {w['flags']}"
    yield from (f"  {text}" for text in run.findings if text not in shown)

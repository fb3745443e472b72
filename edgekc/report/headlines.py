"""A measurement, a verification and an evaluation to the few figures at the top of a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..figures import short_hash
from .drawing import short
from .page import Headline


def headlines(
    m: Mapping[str, Any],
    manifest: Mapping[str, Any] | None,
    verified: Mapping[str, Any] | None = None,
    evaluated: Mapping[str, Any] | None = None,
    *,
    before: Mapping[str, Any] | None = None,
) -> tuple[Headline, ...]:
    """Flash, RAM, time, instructions, accuracy and proof, as far as they are known.

    Args:
        m: what `edgekc measure --json` prints.
        manifest: of the program; None: there is the measurement alone.
        verified, evaluated: what `verify --json` and `evaluate --json` print; None: nobody asked.
        before: another measurement: notes say the difference.
    """
    found = [Headline("Flash, bytes", f"{m['model_flash_bytes']:,}", _flash_note(m, before))]
    if m["model_ram_bytes"] is not None:
        found.append(Headline("RAM, bytes", f"{m['model_ram_bytes']:,}", _ram_note(m, before)))
    found += _time(m, before)
    if evaluated is not None:
        low, high = evaluated["interval_percent"]
        note = f"{low:.2f} to {high:.2f} with 95 %, {evaluated['right']:,} of {evaluated['total']:,} samples"
        found.append(Headline("Accuracy", f"{100 * evaluated['accuracy']:.2f} %", note))
    if verified is not None:
        found.append(_proof(verified))
    elif manifest is not None and before is None:
        found.append(Headline("Proof", "not asked", "this report was made without verifying"))
    return tuple(found)


def _change(after: float, before: float | None) -> str:
    if before is None:
        return ""
    return f"was {before:,.0f}, {after - before:+,.0f}" + (f" ({(after - before) / before:+.1%})" if before else "")


def _flash_note(m: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    if before is not None:
        return _change(m["model_flash_bytes"], before["model_flash_bytes"])
    return "of the model: weights, tables, code"


def _ram_note(m: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    if before is not None:
        return _change(m["model_ram_bytes"], before["model_ram_bytes"])
    stack = m["stack_bytes"] if m["stack_bytes"] is not None else m["painted_stack_bytes"]
    state = f", state {m['state_bytes']:,}" if m.get("state_bytes") else ""
    return f"arena {m['arena_bytes']:,}{state}, stack {stack:,}" if stack is not None else f"arena {m['arena_bytes']:,}"


def _time(m: Mapping[str, Any], before: Mapping[str, Any] | None) -> list[Headline]:
    speed, found = m.get("speed"), []
    if m.get("cycles"):
        found.append(Headline("Cycles", short(m["cycles"][0]), f"{m['cycles'][0]:,}, counted by the board"))
    elif speed and speed["milliseconds"]:
        ms = speed["milliseconds"]
        note = f"{ms['low']:.3g} to {ms['high']:.3g} ms at {speed['clock_hz'] / 1e6:g} MHz"
        if before is not None and before.get("speed") and before["speed"]["milliseconds"]:
            note = f"was {before['speed']['milliseconds']['likely']:.3g} ms; {note}"
        found.append(Headline("Time, estimated", f"{ms['likely']:.3g} ms", note))
    elif speed:
        c = speed["cycles"]
        note = f"{c['low']:,.0f} to {c['high']:,.0f}; no wait states"
        if before is not None and before.get("speed"):
            note = _change(c["likely"], before["speed"]["cycles"]["likely"])
        found.append(Headline("Estimated cycles", short(c["likely"]), note))
    if m["instructions"]:
        count = int(m["instructions"][0])
        old = int(before["instructions"][0]) if before is not None and before["instructions"] else None
        note = _change(count, old) or f"{count:,}, counted by {m['emulator']}; {m['macs']:,} MACs"
        found.append(Headline("Instructions", short(count), note))
    return found


def _proof(verified: Mapping[str, Any]) -> Headline:
    if not verified["ok"]:
        return Headline("Proof", "bytes differ", str(verified["difference"]), good=False)
    who = ["reference", "host", *([verified["board"]] if verified["board"] else [])]
    note = f"{' = '.join(who)}, {verified['samples']} samples, SHA-256 {short_hash(verified['output_sha256'])}"
    return Headline("Proof", "equal", f"every byte: {note}", good=True)

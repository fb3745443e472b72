"""Tables in Markdown of what benchmarks/costs.py found: asked beside got."""

from __future__ import annotations

from typing import Any

CORES = {"mps2-an386": "M4", "mps3-an547": "M55", "mps2-an500": "M7", "mps2-an385": "M3", "m0plus-an385": "M0+"}
SECTIONS = ("cycles", "ram", "flash")


def cells(row: dict[str, Any]) -> tuple[str, str, str]:
    """Got, beside what, and what is asked, of a row of the file."""
    against, ratio, most = row["against"], row["ratio"], row["most"]
    beside = "" if against is None else f"{against:,} ({row['note']})"
    if row["section"] == "ram" and against is None:
        beside = row["note"]
    share = "" if ratio is None else f"{row['ratio']:.3f}"
    if most is None:
        asked = ""
    elif ratio is None:
        asked = f"{most:,}"
    else:
        asked = f"{most:g}"
    verdict = "" if most is None else " ✓" if row["ok"] else " **no**"
    return f"{row['got']:,}", beside, (f"{share} / {asked}" if share and asked else share or asked) + verdict


def tables(result: dict[str, Any]) -> dict[str, str]:
    """The committed results as tables in Markdown, one for each section."""
    out = {}
    for section in SECTIONS:
        lines = ["| core | network | figure | got | beside | ratio / asked |", "|---|---|---|--:|---|--:|"]
        if section != "cycles":
            lines = ["| network | figure | got | beside | ratio / asked |", "|---|---|--:|---|--:|"]
        for row in (r for r in result["rows"] if r["section"] == section):
            core = f"| {CORES[row['board']]} " if section == "cycles" else ""
            got, beside, asked = cells(row)
            lines.append(f"{core}| {row['network']} | {row['figure']} | {got} | {beside} | {asked} |")
        out[section] = "\n".join(lines)
    return out

"""Charts, headline figures and the network itself to one HTML file that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..assets import CODEGEN
from ..names import visible
from ..templates import environment
from .chart import Chart
from .drawing import DARK, FONT, LIGHT

MAGIC = b"<!doctype html>\n<!-- edgekc report -->\n"  # how a report begins, and nothing else does


@dataclass(frozen=True, slots=True)
class Headline:
    """A figure at the top of a page.

    Attributes:
        label: what it is of.
        value: the figure, with its unit.
        note: how it is known, or its range.
        good: whether it is as it should be; None: it is neither good nor bad.
    """

    label: str
    value: str
    note: str = ""
    good: bool | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """All that a report holds.

    Attributes:
        title: of the page.
        subtitle: one line below it.
        headlines: figures at the top.
        proof: what was compared with what, a line each.
        charts: in order.
        live: what the page's program runs, as `live.live_data` makes it; None: the network is not in the page.
        notes: what is not in the page, and why.
    """

    title: str
    subtitle: str
    headlines: tuple[Headline, ...]
    proof: tuple[str, ...]
    charts: tuple[Chart, ...]
    live: Mapping[str, Any] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()


def render(page: Page) -> bytes:
    """The file. The same page gives the same bytes."""
    script = (CODEGEN / "report" / "report.js").read_text(encoding="utf-8")
    style = (CODEGEN / "report" / "report.css").read_text(encoding="utf-8")
    text = environment(html=True).get_template("report/page.html.j2").render(
        page=page, light=LIGHT, dark=DARK, font=FONT, script=script, style=style, shown=visible,
        data=None if page.live is None else in_script(page.live),
    )  # fmt: skip
    return MAGIC + text.encode()


def in_script(data: Any) -> str:
    """JSON that may stand in a script element, whatever its strings hold."""
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

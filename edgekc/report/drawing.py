"""Numbers to SVG text: the colours, marks, axes and legends that every chart is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ..names import visible

# After Okabe and Ito, "Color universal design", 2008: told apart by people with any common colour blindness.
# On dark ground the two darkest are lighter. A picture outside of a page has no custom properties, and takes the first.
LIGHT = {
    "ground": "#ffffff", "panel": "#f6f7f9", "ink": "#1c2430", "quiet": "#5b6675", "rule": "#dfe4ea",
    "blue": "#0072b2", "sky": "#7cc4ea", "green": "#009e73", "yellow": "#e8d93a", "orange": "#e69f00",
    "red": "#c44e00", "pink": "#cc79a7", "grey": "#9aa5b1", "pale": "#cfd6de", "on": "#ffffff",
}  # fmt: skip
DARK = {
    "ground": "#12171e", "panel": "#1a212a", "ink": "#e6eaef", "quiet": "#a3aebb", "rule": "#2d3743",
    "blue": "#4da6dd", "sky": "#9bd6f5", "green": "#2fbf95", "yellow": "#e8dc5a", "orange": "#eeb23a",
    "red": "#ee7d36", "pink": "#dd93bc", "grey": "#7f8b98", "pale": "#3d4855", "on": "#10151c",
}  # fmt: skip
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_PER_CHARACTER, _BOLD = 0.56, 1.14  # of the font's size, for the mean character; times that in bold


def colour(name: str) -> str:
    """A colour of the page, light or dark; in a picture by itself the light one."""
    return f"var(--ek-{name}, {LIGHT[name]})"


def text_on(name: str) -> str:
    """A colour for words on an area of that colour."""
    if name in ("pale", "panel", "ground"):
        return "ink"
    return "on" if name in ("blue", "red") else "#10151c"


def width_of(words: str, size: float = 12, *, bold: bool = False) -> float:
    """About how wide a text is, in the units of its size."""
    return len(words) * size * _PER_CHARACTER * (_BOLD if bold else 1)


def fitted(words: str, room: float, size: float = 12, *, bold: bool = False) -> str:
    """The text, shortened in its middle to fit; empty where not even four characters do."""
    most = int(room / width_of("x", size, bold=bold))
    if len(words) <= most:
        return words
    tail = (most - 1) // 2
    return "" if most < 4 else f"{words[: most - 1 - tail]}…{words[len(words) - tail :]}"


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from at or below the least to at or above the most."""
    span = max(high - low, abs(high) * 1e-6, 1e-12)
    step = 10 ** math.floor(math.log10(span / count))
    step *= next(k for k in (1, 2, 5, 10) if span / (k * step) <= count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, max(last, first + 1) + 1)]


def short(value: float) -> str:
    """A number of three digits: 950, 12.3k, 4.09M."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{_three(value / factor)}{unit}"
    return _three(value)


def _three(value: float) -> str:
    if value == int(value) and abs(value) < 1000:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


class Drawing:
    """An SVG that grows by marks. A mark with a hint can be pointed at, and reached with the keyboard in a page.

    Args:
        width, height: in pixels at full size; the picture scales.
        title: what it shows, for those who do not see it.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, hint: str = "", *, stroke: str = "",
        radius: float = 0, opacity: float = 1,
    ) -> None:  # fmt: skip
        """A box; `fill` and `stroke` are names of colours, or colours."""
        more = f' stroke="{_paint(stroke)}"' if stroke else ""
        more += f' rx="{radius:g}"' if radius else ""
        more += f' fill-opacity="{opacity:.3g}"' if opacity < 1 else ""
        shape = f'x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{max(height, 0):.2f}"'
        self._mark("rect", f'{shape} fill="{_paint(fill)}"{more}', hint)

    def circle(self, x: float, y: float, radius: float, fill: str, hint: str = "", *, stroke: str = "ground") -> None:
        """A point."""
        shape = f'cx="{x:.2f}" cy="{y:.2f}" r="{radius:g}" fill="{_paint(fill)}" stroke="{_paint(stroke)}"'
        self._mark("circle", shape, hint)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, stroke: str = "rule", *, width: float = 1, dashes: str = ""
    ) -> None:
        """A straight line."""
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(
            f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{_paint(stroke)}" '
            f'stroke-width="{width:g}"{more}/>'
        )

    def path(self, points: Sequence[tuple[float, float]], stroke: str, *, width: float = 1.5, dashes: str = "") -> None:
        """A line through points."""
        steps = " ".join(f"{'ML'[i > 0]}{x:.2f} {y:.2f}" for i, (x, y) in enumerate(points))
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<path d="{steps}" fill="none" stroke="{_paint(stroke)}" stroke-width="{width:g}"{more}/>')

    def text(
        self, x: float, y: float, words: str, *, size: float = 12, fill: str = "ink", anchor: str = "start",
        bold: bool = False, turned: float = 0,
    ) -> None:  # fmt: skip
        """Words; `y` is their base line."""
        more = ' font-weight="600"' if bold else ""
        more += f' transform="rotate({turned:g} {x:.2f} {y:.2f})"' if turned else ""
        more += f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._parts.append(
            f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:g}" fill="{_paint(fill)}"{more}>'
            f"{escape(visible(words))}</text>"
        )

    def raw(self, element: str) -> None:
        """An element as it is."""
        self._parts.append(element)

    def legend(self, x: float, y: float, entries: Sequence[tuple[str, str]]) -> float:
        """Colours and what they mean, in rows as wide as the drawing; where the next row would begin."""
        at = x
        for name, words in entries:
            wide = 18 + width_of(words, 11.5) + 14
            if at > x and at + wide > self.width:
                at, y = x, y + 18
            self.rect(at, y - 9, 11, 11, name, radius=2)
            self.text(at + 16, y, words, size=11.5, fill="quiet")
            at += wide
        return y + 18

    def svg(self) -> str:
        """The whole element."""
        title = escape(visible(self.title))
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" aria-label="{escape(title)}" '
            f'style="max-width:100%;height:auto;font-family:{escape(FONT)};font-variant-numeric:tabular-nums">\n'
            f"<title>{title}</title>\n{body}\n</svg>"
        )

    def _mark(self, tag: str, attributes: str, hint: str) -> None:
        if not hint:
            self._parts.append(f"<{tag} {attributes}/>")
            return
        self._parts.append(f'<{tag} {attributes} class="mark"><title>{escape(visible(hint))}</title></{tag}>')


def _paint(name: str) -> str:
    return colour(name) if name in LIGHT else name

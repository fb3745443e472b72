"""The sources and headers of the runtime that go into a network's output folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..assets import runtime_file
from .blobs import SOURCES as BLOB_SOURCES
from .checks import SOURCES
from .embedded import Form
from .plan import Plan
from .row_sources import SOURCE


def copied_sources(plan: Plan, form: Form) -> list[str]:
    """The C files that the network needs, sorted."""
    files = {f"{stem}.c" for s in plan.steps for stem in (s.kernel.symbol, *s.kernel.sources)}
    checks = (*(() if form.check == "none" else SOURCES), *(BLOB_SOURCES if form.blob else ()))
    return sorted({*files, *[SOURCE] * bool(plan.groups), *checks})


def all_headers(roots: Sequence[str], files: Mapping[str, bytes]) -> list[str]:
    """Headers that the roots and the sources among `files` include, directly or through each other."""
    found: set[str] = set()
    queue = ["ekc_status.h", "ekc_trace.h", *roots]
    for path, data in files.items():
        if path.startswith("src/ek_"):
            queue += _includes(data)
    while queue:
        header = queue.pop()
        if header not in found:
            found.add(header)
            queue += _includes(runtime_file(header).read_bytes())
    return sorted(found)


def _includes(data: bytes) -> list[str]:
    lines = data.decode().splitlines()
    return [line.split('"')[1] for line in lines if line.startswith('#include "')]

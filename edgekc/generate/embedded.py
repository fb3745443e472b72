"""What of a network is data to C for the compiler that embeds it: an array, or a file that the assembler takes in.

An array of 17 MB is 108 MB of C, and takes gcc 33 seconds and 1.15 GB. The file takes no time, and an assembler
that knows `.incbin`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ..errors import UsageError
from ..format.fields import TENSOR_ALIGN
from ..format.pack import Packed
from ..graph.ir import Role
from ..graph.op import LAID_OUT
from .plan import Plan
from .rewritten import copies, rewritten
from .words import c_words

Embed = Literal["auto", "array", "file"]
Check = Literal["none", "ask", "run"]
_FILE_FROM_BYTES = 1 << 20  # auto: arrays below
_CODEBOOKS = (Role.CODEBOOK, Role.PAIRS, Role.CENTERS)
_BEHIND_BYTES = 16  # zeros, so that a read just past a tensor stays inside, as it does in the file


@dataclass(frozen=True, slots=True)
class Form:
    """How the generated C holds the model.

    Attributes:
        embed: array: as C arrays, which every compiler takes. file: as files that the assembler includes. auto: arrays
            below 1 MiB in all, else files.
        strip: only the constants that kernels read, without header, graph and metadata. So it is without asking where a
            kernel lays out constants in an order of its own: these would be there twice.
        check: ask: the C has NAME_check, which finds damage of constants. run: NAME_run compares layer tables too,
            before it reads them.
        blob: the C holds none of the constants, and takes those that kernels read from a region that it is given.
    """

    embed: Embed = "auto"
    strip: bool = False
    check: Check = "none"
    blob: bool = False

    @property
    def options(self) -> str:
        """Of the command line, for the front matter; those of the default are left out."""
        checked = {"none": "", "ask": " --check", "run": " --check-run"}[self.check]
        embed = f" --embed {self.embed}" * (self.embed != "auto")
        return embed + " --strip" * self.strip + checked + " --blob" * self.blob


DEFAULT = Form()


def check_embed(embed: str) -> Embed:
    """UsageError where it is none of the three."""
    for known in get_args(Embed):
        if embed == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"--embed {embed!r}; expected auto, array or file")


def check_form(form: Form) -> Form:
    """UsageError where it asks for what a network whose constants are in a blob cannot have."""
    if form.blob and form.check != "none":
        option = "--check-run" if form.check == "run" else "--check"
        what = f"{option} does not go with --blob: NAME_open checks the blob's CRC-32s, and may be called at any time"
        raise UsageError(what, fix=f"leave out {option}")
    if form.blob and form.embed != "auto":
        raise UsageError("--embed does not go with --blob: the C embeds nothing", fix="leave out --embed")
    return form


def as_files(form: Form, *parts: bytes) -> bool:
    """Whether these bytes go into files."""
    return form.embed == "file" or (form.embed == "auto" and sum(map(len, parts)) >= _FILE_FROM_BYTES)


def file_name(symbol: str, data: bytes) -> str:
    """A name for the file of what `symbol` stands for.

    The assembler looks for it in the current folder first, then where headers are. The digest in it makes sure that no
    file of another model is taken, and that whatever keeps objects by their source sees a change.
    """
    return f"{symbol}_{hashlib.sha256(data).hexdigest()[:8]}.bin"


@dataclass(frozen=True, slots=True)
class Part:
    """A section of what is embedded, with the padding behind it."""

    kind: str
    offset: int
    size_bytes: int  # without padding
    data: bytes
    names: tuple[str, ...] = ()  # of a stripped model: its constants

    @property
    def text(self) -> str:
        """Its words, as lines of C."""
        return c_words(self.data)

    def to_dict(self) -> dict[str, Any]:
        """Of a stripped model, for the manifest."""
        return {"kind": self.kind, "offset": self.offset, "bytes": self.size_bytes, "constants": list(self.names)}


@dataclass(frozen=True, slots=True)
class Embedded:
    """What NAME_ekc is: whole words, and where its constants lie."""

    parts: tuple[Part, ...]
    offsets: Mapping[str, int]  # constant name -> bytes from the start
    rewritten: bool = False  # constants are as their kernels read them
    stripped: bool = False  # it is no whole file

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(part.data for part in self.parts)


def embedded(plan: Plan, packed: Packed, data: bytes, form: Form) -> Embedded:
    """The packed model as the C holds it.

    Args:
        data: the bytes of the .ekc file that `packed` was read from.
    """
    data, any_rewritten = rewritten(plan.steps, packed, data)
    strip = form.strip or form.blob or any(step.kernel.lays_out is not None for step in plan.steps)
    held = _stripped(packed, data, _read(plan)) if strip else _whole(packed, data)
    if form.check != "none":
        held = replace(held, parts=(*held.parts, *_behind_codebooks(packed, held)))
    return replace(held, rewritten=any_rewritten, stripped=strip)


def _behind_codebooks(packed: Packed, held: Embedded) -> list[Part]:
    """Zeros, so that an index with a wrong bit, which names fewer than twice as many entries, reads inside."""
    tensors, size = packed.graph.tensors, len(held.data)
    ends = [at + 2 * packed.offsets[name][1] for name, at in held.offsets.items() if tensors[name].role in _CODEBOOKS]
    missing = max(ends, default=0) - size
    missing += -missing % TENSOR_ALIGN
    return [Part("behind", size, missing, bytes(missing))] if missing > 0 else []


def _read(plan: Plan) -> set[str]:
    """Constants that kernels take by their address, and first values of states."""
    found = {state.start for state in plan.graph.states}
    for step, beside in zip(plan.steps, copies(plan.steps), strict=True):
        values = list(step.kernel.params(step.view).values())
        for value in values:
            if isinstance(value, Mapping):
                values += value.values()
            elif isinstance(value, str) and value != LAID_OUT and value not in beside:
                found.add(value)
    return found


def _whole(packed: Packed, data: bytes) -> Embedded:
    padded = data + bytes(-len(data) % TENSOR_ALIGN)
    starts = [0] + [s.offset for s in packed.sections]
    ends = [s.offset for s in packed.sections] + [len(padded)]
    names = ["header"] + [s.kind.name.lower() for s in packed.sections]
    sizes = [ends[0]] + [s.nbytes for s in packed.sections]
    parts = (Part(n, a, size, padded[a:b]) for n, a, b, size in zip(names, starts, ends, sizes, strict=True))
    return Embedded(tuple(parts), {name: offset for name, (offset, _) in packed.offsets.items()})


def _stripped(packed: Packed, data: bytes, read: Collection[str]) -> Embedded:
    """A part for each section that has constants which are read; the graph has first values of states."""
    parts: list[Part] = []
    offsets: dict[str, int] = {}
    start = 0
    for section in packed.sections:
        end = section.offset + section.nbytes
        inside = [n for n, (at, _) in packed.offsets.items() if section.offset <= at < end and n in read]
        body = b""
        for name in inside:
            at, size = packed.offsets[name]
            body += bytes(-len(body) % TENSOR_ALIGN)
            offsets[name] = start + len(body)
            body += data[at : at + size]
        if body:
            padded = body + bytes(-len(body) % TENSOR_ALIGN)
            parts.append(Part(section.kind.name.lower(), start, len(body), padded, tuple(inside)))
            start += len(padded)
    return Embedded((*parts, Part("end", start, _BEHIND_BYTES, bytes(_BEHIND_BYTES))), offsets)

"""What of a network is data to C for the compiler that embeds it: an array, or a file that the assembler takes in.

An array of 17 MB is 108 MB of C, and takes gcc 33 seconds and 1.15 GB. The file takes no time, and an assembler
that knows `.incbin`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import UsageError

Embed = Literal["auto", "array", "file"]
_FILE_FROM_BYTES = 1 << 20  # auto: arrays below


@dataclass(frozen=True, slots=True)
class Form:
    """How the generated C holds the model.

    Attributes:
        embed: array: as C arrays, which every compiler takes. file: as files that the assembler includes. auto: arrays
            below 1 MiB in all, else files.
    """

    embed: Embed = "auto"

    @property
    def options(self) -> str:
        """Of the command line, for the front matter; those of the default are left out."""
        return f" --embed {self.embed}" if self.embed != "auto" else ""


DEFAULT = Form()


def check_embed(embed: str) -> Embed:
    """UsageError where it is none of the three."""
    for known in get_args(Embed):
        if embed == known:
            return known  # type: ignore[no-any-return]
    raise UsageError(f"--embed {embed!r}; expected auto, array or file")


def as_files(form: Form, *parts: bytes) -> bool:
    """Whether these bytes go into files."""
    return form.embed == "file" or (form.embed == "auto" and sum(map(len, parts)) >= _FILE_FROM_BYTES)


def file_name(symbol: str, data: bytes) -> str:
    """A name for the file of what `symbol` stands for.

    The assembler looks for it in the current folder first, then where headers are. The digest in it makes sure that no
    file of another model is taken, and that whatever keeps objects by their source sees a change.
    """
    return f"{symbol}_{hashlib.sha256(data).hexdigest()[:8]}.bin"

"""How much a file may unpack to: a few kilobytes can ask for all of a machine's memory, and get one clear error."""

from __future__ import annotations

import os

from ..errors import UsageError

MIB = 1 << 20
VARIABLE = "EDGEKC_MAX_UNPACKED_MIB"
_UNPACKED_MIB = 1024

MAX_TEXT_BYTES = 1 * MIB  # a recipe or a board file
MAX_JSON_BYTES = 64 * MIB  # a manifest, a measurement, a graph inside an archive
MAX_PIXELS = 1 << 25  # of one image; no layer reads a side over 65,535, and no board holds a hundredth of this
MAX_IMAGE_BYTES = 256 * MIB  # of one image file
# Constants that a file makes by rule (a fill, a broadcast, stride 0) and does not hold: bytes of all of them together.
MAX_MADE_BYTES = 128 * MIB


def unpacked_bytes() -> int:
    """The most that one archive or array file may take in memory; a variable of the environment raises it.

    Raises:
        UsageError: the variable is no positive number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return _UNPACKED_MIB * MIB
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise UsageError(f"{text!r} is no positive number of MiB", where=VARIABLE)
    return int(text) * MIB


def too_large(what: str, nbytes: int) -> str:
    """What an error says of something that is over `unpacked_bytes`."""
    return f"{what} {nbytes:,} bytes, more than the {unpacked_bytes():,} that are allowed"


RAISE_LIMIT = f"if the file is yours and right, allow more by {VARIABLE}=4096 in the environment"

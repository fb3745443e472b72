"""Figures as edgekc writes them for people: counts of bytes, memories of boards, hashes."""

from __future__ import annotations

import re

from .errors import UsageError

_UNITS = {"": 1, "k": 1000, "m": 10**6, "ki": 1024, "mi": 1024**2}


def size(count: int | None, unknown: str = "not known") -> str:
    """Bytes, or any other count, with a comma at each thousand: 12,345."""
    return unknown if count is None else f"{count:,}"


def short_size(size_bytes: int | None) -> str:
    """A memory of a board: 512K or 4M, where K is 1024 bytes."""
    if size_bytes is None:
        return "-"
    mib, rest = divmod(size_bytes, 1 << 20)
    return f"{mib}M" if mib and not rest else f"{size_bytes // 1024}K"


def parse_bytes(text: str, option: str) -> int:
    """20000, 20k or 1M as bytes, where k is 1000 and M a million, Ki and Mi 1024 and its square. UsageError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(Ki?|Mi?)?B?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None or len(text) > 20:
        raise UsageError(f"{text!r} is no number of bytes", where=option, fix="write 20000, 20k or 20Ki")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


def short_hash(digest: str) -> str:
    """The beginning of a SHA-256, enough to tell two files apart."""
    return f"{digest[:16]}..." if len(digest) > 16 else digest

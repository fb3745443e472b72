"""Figures as edgekc writes them for people: counts of bytes, memories of boards, hashes."""

from __future__ import annotations

import re

from .errors import UsageError

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_UNITS = {"": 1, "k": 1000, "m": 10**6, "ki": 1024, "mi": 1024**2}


def size(count: int | None, unknown: str = "not known") -> str:
    """Bytes, or any other count, with a comma at each thousand: 12,345."""
    return unknown if count is None else f"{count:,}"


def short_size(size_bytes: int | None) -> str:
    """A memory of a board, as `parse_bytes` reads it: 512Ki or 4Mi."""
    if size_bytes is None:
        return "-"
    mib, rest = divmod(size_bytes, 1 << 20)
    return f"{mib}Mi" if mib and not rest else f"{size_bytes // 1024}Ki"


def parse_bytes(text: str, option: str) -> int:
    """20000, 20k or 1M as bytes, where k is 1000 and M a million, Ki and Mi 1024 and its square. UsageError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(Ki?|Mi?)?B?", text.strip(), re.IGNORECASE | re.ASCII)
    if match is None or len(text) > 20:
        raise UsageError(f"{text!r} is no number of bytes", where=option, fix="write 20000, 20k or 20Ki")
    return int(float(match[1]) * _UNITS[(match[2] or "").lower()])


def parse_seconds(text: str, option: str) -> float:
    """50ms, 0.2s, 30min or 2h as seconds, above 0; a unit is needed. UsageError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(us|ms|s|min|m|h|d)", text.strip(), re.ASCII)
    seconds = 0.0 if match is None or len(text) > 20 else float(match[1]) * _SECONDS[match[2]]
    if seconds <= 0:
        raise UsageError(f"{text!r} is no time above 0 with a unit", where=option, fix="write 50ms, 0.2s, 30min or 2h")
    return seconds


def short_hash(digest: str) -> str:
    """The beginning of a SHA-256, enough to tell two files apart."""
    return f"{digest[:16]}..." if len(digest) > 16 else digest

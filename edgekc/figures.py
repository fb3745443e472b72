"""Figures as edgekc writes them for people: counts of bytes, memories of boards, hashes."""

from __future__ import annotations


def size(count: int | None, unknown: str = "not known") -> str:
    """Bytes, or any other count, with a comma at each thousand: 12,345."""
    return unknown if count is None else f"{count:,}"


def short_size(size_bytes: int | None) -> str:
    """A memory of a board: 512K or 4M, where K is 1024 bytes."""
    if size_bytes is None:
        return "-"
    mib, rest = divmod(size_bytes, 1 << 20)
    return f"{mib}M" if mib and not rest else f"{size_bytes // 1024}K"


def short_hash(digest: str) -> str:
    """The beginning of a SHA-256, enough to tell two files apart."""
    return f"{digest[:16]}..." if len(digest) > 16 else digest

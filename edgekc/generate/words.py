"""Bytes as the lines of a C array, fast enough for models of many megabytes."""

from __future__ import annotations

import numpy as np

_IN_ROW = 8
_INDENT = 4
_WORD = b"0x00000000u, "
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


def c_words(data: bytes) -> str:
    """Little-endian words of 32 bits, eight in a line, each line indented; a multiple of four bytes."""
    words = np.frombuffer(data, "<u4")
    whole = words.size // _IN_ROW * _IN_ROW
    parts = [words[:whole].reshape(-1, _IN_ROW), words[whole:].reshape(1, -1)]
    return "\n".join(_lines(part) for part in parts if part.size)


def _lines(words: np.ndarray[tuple[int, int], np.dtype[np.uint32]]) -> str:
    rows, columns = words.shape
    text = np.empty((rows, _INDENT + columns * len(_WORD)), np.uint8)
    text[:, :_INDENT] = ord(" ")
    cells = text[:, _INDENT:].reshape(rows, columns, len(_WORD))
    cells[:] = np.frombuffer(_WORD, np.uint8)
    for digit in range(8):
        cells[:, :, 2 + digit] = _DIGITS[(words >> np.uint32(28 - 4 * digit)) & 15]
    text[:, -1] = ord("\n")  # in place of the blank behind the last word
    return text.tobytes()[:-1].decode("ascii")

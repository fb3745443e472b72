"""Bytes as lines of C."""

from __future__ import annotations

import numpy as np
import pytest

from edgekc.generate.words import c_words


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 23])
def test_every_word_is_there_in_lines_of_eight(count: int) -> None:
    words = np.random.default_rng(count).integers(0, 2**32, count, np.uint32)
    words[:2] = [0, 0xFFFFFFFF][:count]
    rows = [words[i : i + 8] for i in range(0, count, 8)]
    expected = "\n".join("    " + " ".join(f"0x{word:08x}u," for word in row) for row in rows)
    assert c_words(words.astype("<u4").tobytes()) == expected

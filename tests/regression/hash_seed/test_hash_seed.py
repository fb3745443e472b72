"""What makes two searches comparable is the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys

SAY = """
from edgekc.boards.board import load_board
from edgekc.study.measured import board_key
print(repr(load_board("nucleo-f446re").features), board_key(load_board("nucleo-f446re")))
"""


def test_a_board_has_one_key() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", SAY], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout.rpartition(")")
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0][0] != said[1][0], "these two order the features otherwise"
    assert said[0][2] == said[1][2] != ""
